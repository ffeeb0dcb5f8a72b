"""Runs that several jobs divide among them: shares, claims, resuming, the same results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks import finish as finishing
from benchmarks import separation
from benchmarks.finish import Unfinished
from benchmarks.machine import together
from benchmarks.parts import Part, RunFolder
from benchmarks.results import Results, read_scores
from benchmarks.runner import Settings, evaluate, evaluate_share
from benchmarks.shares import owners, shares
from hive.errors import HiveError
from hive.execution import Share
from hive.main import build

MODELS = '''
"""Models for tests."""
import os
import time

import torch


class Noisy:
    """Draws random numbers."""

    sample_rate = 0
    generative = True

    def separate(self, mixtures, queries):
        return mixtures + 0.01 * torch.randn_like(mixtures)


class Stuck(Noisy):
    """Separates as many items as HOLD_AFTER says, if it says so, and then hangs."""

    calls = 0

    def separate(self, mixtures, queries):
        while self.calls == int(os.environ.get("HOLD_AFTER", -1)):
            time.sleep(0.1)
        self.calls += 1
        return super().separate(mixtures, queries)


class FailsOnPairs(Noisy):
    """Fails on mixtures of the first size, which have two sources and another length."""

    def separate(self, mixtures, queries):
        if mixtures.shape[-1] == 11200:
            raise RuntimeError("too long")
        return super().separate(mixtures, queries)
'''
NAMES = ("si_sdr", "sdr_plain")
Make = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that holds the models."""
    (tmp_path / "models_of_array.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def data(make_dataset: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five chunks: twenty mixtures of two sources and nine of three."""
    return make_dataset(tmp_path_factory.mktemp("array"), {2: 20, 3: 9}, seconds=0.3)


def settings_of(data: Path, out: Path, **changes: Any) -> Settings:
    base = Settings(
        "python:models_of_array:Noisy",
        out,
        benchmark=str(data),
        metrics=NAMES,
        examples=3,
    )
    return replace(base, **changes)


def check_same(one: Path, other: Path) -> None:
    """All files of results are equal, but for times."""
    assert scores(one) == scores(other)
    assert document(one) == document(other)
    sounds = sorted(path.name for path in (one / "examples").iterdir())
    assert sounds == sorted(path.name for path in (other / "examples").iterdir())
    for name in sounds:
        assert (one / "examples" / name).read_bytes() == (other / "examples" / name).read_bytes()


def scores(run: Path) -> tuple[bytes, dict[str, list]]:
    table = read_scores(run).drop_columns(["seconds"])
    return table.schema.serialize().to_pybytes(), table.to_pydict()


def document(run: Path) -> dict[str, Any]:
    found = json.loads((run / "results.json").read_text())
    del found["created"]
    return found


def test_jobs_divide_a_run_and_the_last_one_writes_the_results(
    here: Path, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a metric of whole sets and a judge, whose values hang on the order of all parts."""
    monkeypatch.setattr("benchmarks.dataset.CHUNK", 1)
    names = ("si_sdr", "judge_oq", "fad@standin:logmel512")
    dataset = make_dataset(here / "set", {2: 2, 3: 1})
    whole = settings_of(dataset, here / "whole", metrics=names, judge="standin:judge-snr")
    evaluate(whole)
    array = replace(whole, out=here / "array")
    first = evaluate_share(array, share=Share(1, 3))
    assert isinstance(first, Unfinished)
    assert first.jobs == (0, 2)
    assert first.of == 3
    assert not (here / "array" / "results.json").exists()
    second = evaluate_share(array, share=Share(2, 3))
    assert isinstance(second, Unfinished)
    assert second.jobs == (0,)
    assert 0 < second.mixtures < first.mixtures < 3
    last = evaluate_share(array, share=Share(0, 3))
    assert isinstance(last, Results)
    check_same(here / "whole", here / "array")
    assert {"fad@standin:logmel512", "si_sdr"} <= {each.metric for each in last.aggregates}
    assert len(last.anchors) > 8


def test_the_command_says_what_is_missing_and_succeeds(data: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "--model", "mixture", "--benchmark", str(data), "--metrics", "si_sdr"]
    arguments += ["--workers", "0", "--out", str(tmp_path / "run"), "--shard-count", "2", "--json"]
    half = CliRunner().invoke(build(), [*arguments, "--shard-index", "0"])
    assert half.exit_code == 0
    said = json.loads(half.stdout)
    assert said == {"finished": False, "missing": {"mixtures": 13, "of": 29, "jobs": [1]}}
    both = CliRunner().invoke(build(), [*arguments, "--shard-index", "1"])
    assert json.loads(both.stdout)["counts"]["items"] == 67
    more = CliRunner().invoke(build(), [*arguments, "--shard-index", "2"])
    assert isinstance(more.exception, HiveError)


def test_a_job_that_is_killed_resumes(here: Path, data: Path) -> None:
    """Two jobs are at work at the same time, one is killed, and begun again."""
    options = ["--benchmark", str(data), "--metrics", ",".join(NAMES)]
    options += ["--model", "python:models_of_array:Stuck", "--examples", "3", "--workers", "0"]
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate", *options]
    command += ["--out", "array", "--shard-count", "2", "--shard-index", "1"]
    environment = {**os.environ, "HIVE_QUIET": "1", "OMP_NUM_THREADS": "1", "HOLD_AFTER": "33"}
    job = subprocess.Popen(command, env=environment)
    settings = settings_of(data, here / "array", model="python:models_of_array:Stuck")
    half = evaluate_share(settings, share=Share(0, 2))
    assert "--shard-index 1. The last job to end writes the results" in str(half)
    parts = here / "array" / ".hive" / "parts"
    deadline = time.monotonic() + 120
    while not (parts / "00000-00002.parquet").exists():  # the first of the second job's three
        assert job.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (here / "array" / "results.json").exists()
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}

    assert isinstance(evaluate_share(settings, share=Share(1, 2)), Results)
    after = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert before.items() < after.items()
    evaluate(replace(settings, out=here / "whole"))
    check_same(here / "whole", here / "array")


def test_other_settings_into_the_folder_are_refused_with_both(here: Path, data: Path) -> None:
    settings = settings_of(data, here / "run", metrics=("si_sdr",), limit=20)
    evaluate_share(settings, share=Share(0, 2))
    with pytest.raises(HiveError, match="holds a run with other settings") as caught:
        evaluate_share(replace(settings, seed=7, limit=21), share=Share(1, 2))
    assert "settings.seed: 0 there -> 7 asked for" in caught.value.problem
    assert "dataset.limit: 20 there -> 21 asked for" in caught.value.problem


def test_of_runs_that_claim_a_folder_at_once_one_gets_it(tmp_path: Path) -> None:
    for trial in range(20):
        barrier = threading.Barrier(4)
        got: list[int] = []
        told: list[str] = []

        def begin(
            seed: int, path: Path, barrier: threading.Barrier, got: list[int], told: list[str]
        ) -> None:
            barrier.wait()
            try:
                RunFolder(path, {"seed": seed}, ("si_sdr",), alone=False)
            except HiveError as error:
                told.append(error.problem)
            else:
                got.append(seed)

        path = tmp_path / f"run-{trial}"
        threads = [
            threading.Thread(target=begin, args=(number // 2, path, barrier, got, told))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = json.loads((path / ".hive" / "run.json").read_text())["seed"]
        assert got == [kept, kept]
        assert len(told) == 2
        assert all("holds a run with other settings" in problem for problem in told)


def test_a_folder_that_others_are_filling_is_no_foreign_one(tmp_path: Path) -> None:
    (tmp_path / "run" / ".hive" / "parts").mkdir(parents=True)
    RunFolder(tmp_path / "run", {"seed": 0}, (), alone=False)
    (tmp_path / "other" / "examples").mkdir(parents=True)
    with pytest.raises(HiveError, match="is no folder of a run"):
        RunFolder(tmp_path / "other", {"seed": 0}, (), alone=False)


def test_temporary_files_of_other_jobs_are_left_alone(tmp_path: Path) -> None:
    RunFolder(tmp_path, {}, ())
    writing = tmp_path / ".hive" / "parts" / ".00000-00000.parquet.abc.part"
    writing.parent.mkdir()
    writing.touch()
    folder = RunFolder(tmp_path, {}, (), alone=False)
    assert writing.exists()
    assert folder.files() == frozenset()
    RunFolder(tmp_path, {}, ())
    assert not writing.exists()


def test_results_are_made_again_if_a_part_was_made_again_meanwhile(
    here: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two jobs that end together can do to each other: one has read an old part."""
    settings = settings_of(data, here / "run", metrics=("si_sdr",), limit=4, examples=0)
    evaluate(settings)
    write = finishing.write_results
    written: list[Results] = []

    def slow(folder: Path, results: Results, table: Any) -> None:
        write(folder, results, table)
        written.append(results)
        if len(written) == 1:  # another job mends a part, before this one looks again
            name = "00000-00000"
            other = RunFolder(folder, run["identity"], ("si_sdr",), alone=False)
            part = other.read(name)
            assert part is not None
            rows = [{**row, "si_sdr": 1.25} for row in part[0].to_pylist()]
            other.write(name, replace(part[1], rows=rows))

    identity = json.loads((here / "run" / ".hive" / "run.json").read_text())
    run = {"identity": identity}
    monkeypatch.setattr(finishing, "write_results", slow)
    evaluate(settings)
    assert len(written) == 2
    assert set(read_scores(here / "run")["si_sdr"].to_pylist()[:4]) == {1.25}


def test_a_model_is_given_up_only_where_no_job_has_made_it_work(
    here: Path, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(here / "set", {2: 9}, seconds=0.7)
    make_dataset(here / "short", {3: 4}, seconds=0.3)
    (here / "short" / "data" / "3mix").rename(data / "data" / "3mix")
    monkeypatch.setattr(separation, "PATIENCE", 5)
    settings = settings_of(
        data,
        here / "run",
        model="python:models_of_array:FailsOnPairs",
        metrics=("si_sdr",),
        batch_size=1,
    )
    with pytest.raises(HiveError, match="the first 5 items all failed"):
        evaluate_share(settings, share=Share(0, 2))
    assert isinstance(evaluate_share(settings, share=Share(1, 2)), Unfinished)
    results = evaluate_share(settings, share=Share(0, 2))
    assert isinstance(results, Results)
    assert (results.counts.items, results.counts.failed) == (30, 18)


def test_a_damaged_shard_costs_only_what_is_in_it(here: Path, make_dataset: Make) -> None:
    data = make_dataset(here / "set", {2: 3, 3: 3, 4: 2}, seconds=0.3)
    tar = data / "data" / "3mix" / "test-00000-of-00001.tar"
    good = tar.read_bytes()
    tar.write_bytes(good.replace(b"fLaC", b"fail"))
    settings = settings_of(data, here / "run", metrics=("si_sdr",))
    with pytest.raises(HiveError, match=r"3mix/test-00000-of-00001\.tar"):
        evaluate(settings)
    tars = [tar, data / "data" / "4mix" / tar.name]
    whole = tars[1].read_bytes()
    tars[1].write_bytes(whole[:-1024])
    with pytest.raises(HiveError, match="2 shards cannot be read") as caught:
        evaluate(replace(settings, out=here / "two"))
    assert all(str(path) in caught.value.problem for path in tars)
    tars[1].write_bytes(whole)
    parts = here / "run" / ".hive" / "parts"
    assert {path.stem for path in parts.glob("*.parquet")} == {"00000-00000", "00002-00000"}
    tar.write_bytes(good)
    evaluate(settings)
    evaluate(replace(settings, out=here / "whole"))
    check_same(here / "whole", here / "run")


def test_a_job_reads_no_shard_that_holds_nothing_of_its_share(
    here: Path, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hive.shards import read

    data = make_dataset(here / "set", {2: 3, 3: 2, 4: 2, 5: 1}, seconds=0.3)
    opened: list[str] = []
    read_raw = read.read_raw
    monkeypatch.setattr(
        read, "read_raw", lambda path: opened.append(path.parent.name) or read_raw(path)
    )
    settings = settings_of(data, here / "run", model="mixture", metrics=("si_sdr",))
    for index in range(2):
        evaluate_share(settings, share=Share(index, 2))
    assert opened == ["2mix", "3mix", "4mix", "5mix"]
    evaluate(settings)
    assert len(opened) == 4


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 12))
def test_every_chunk_has_one_owner_and_work_is_divided_evenly(
    weights: list[int], count: int
) -> None:
    of_job = owners(weights, count)
    assert of_job == sorted(of_job)
    assert set(of_job) <= set(range(count))
    for job in range(count):
        mine = sum(weight for weight, owner in zip(weights, of_job, strict=True) if owner == job)
        assert abs(mine - sum(weights) / count) <= max(weights)


@given(st.lists(st.integers(1, 40), max_size=80), st.integers(1, 9))
def test_shares_cover_all_chunks_in_order_and_become_smaller(weights: list[int], jobs: int) -> None:
    found = shares(weights, jobs)
    assert [position for one in found for position in one] == list(range(len(weights)))
    total = sum(weights)
    for one in found:
        without_last = sum(weights[position] for position in one[:-1])
        assert without_last <= total / (2 * jobs)


def test_each_round_of_shares_takes_half_of_what_is_left() -> None:
    sizes = [len(one) for one in shares([3] * 64, 4)]
    assert sizes == [8] * 4 + [4] * 4 + [2] * 4 + [1] * 8
    assert shares([5, 5], 3) == [range(0, 1), range(1, 2)]
    assert shares([], 2) == []


def test_machines_are_told_together() -> None:
    one = {"platform": "Linux", "cpu": "A", "threads": 1, "gpu": None}
    two = {"platform": "Linux", "cpu": "B", "threads": 4, "gpu": "H200"}
    assert together([one, two, one]) == {
        "platform": "Linux",
        "cpu": "A; B",
        "threads": 4,
        "gpu": "H200",
    }
    assert together([one]) == one


def test_parts_say_where_they_were_made(tmp_path: Path) -> None:
    machine = {"platform": "Linux", "cpu": "A", "threads": 1, "gpu": None}
    folder = RunFolder(tmp_path / "run", {}, ("si_sdr",))
    folder.write("00000-00000", Part(machine=machine))
    found = folder.read("00000-00000")
    assert found is not None
    assert found[1].machine == machine


def test_a_large_data_set_is_looked_through_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import index

    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "FEW", 1)
    looked: list[str] = []
    look = index.open_dataset
    monkeypatch.setattr(
        index, "open_dataset", lambda name, split: looked.append(name) or look(name, split)
    )
    first = index.open_indexed(str(data), "test")
    assert index.open_indexed(str(data), "test") == first == look(str(data), "test")
    assert len(looked) == 1
    kept = next((tmp_path / "cache" / "indexes").iterdir())
    kept.write_bytes(kept.read_bytes()[:-9])
    assert index.open_indexed(str(data), "test") == first
    assert len(looked) == 2
    tar = data / "data" / "3mix" / "test-00000-of-00001.tar"
    os.utime(tar, ns=(1, tar.stat().st_mtime_ns + 1))
    index.open_indexed(str(data), "test")
    assert len(looked) == 3
    monkeypatch.setenv("HIVE_CACHE", str(tar))  # a file: nothing can be kept
    assert index.open_indexed(str(data), "test") == first
