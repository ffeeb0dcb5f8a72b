"""Runs by several processes of an engine: the same results, failures, devices, interruptions."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import jobs
from benchmarks.finish import Unfinished
from benchmarks.jobs import Seats, ShareTask, do_share
from benchmarks.results import Results
from benchmarks.runner import Settings, _from_anywhere, evaluate, evaluate_share
from hive.errors import HiveError
from hive.execution import Engine, Share
from hive.main import build

MODELS = '''
"""Models for tests; each that is built adds a line to the file `built`."""
import os
import time

import torch


class Noisy:
    sample_rate = 0
    generative = True

    def __init__(self):
        with open("built", "a") as handle:
            handle.write(f"{os.getpid()}\\n")

    def separate(self, mixtures, queries):
        return mixtures + 0.01 * torch.randn_like(mixtures)


class Slow(Noisy):
    def separate(self, mixtures, queries):
        time.sleep(0.2)
        return super().separate(mixtures, queries)


class Absent(Noisy):
    def __init__(self):
        super().__init__()
        from hive.errors import HiveError
        raise HiveError("no weights here", "fetch them")
'''
TWO = Engine(workers=2)
check_same = runpy.run_path(str(Path(__file__).with_name("test_evaluate_array.py")))["check_same"]
Make = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that holds the models, which worker processes find too."""
    (tmp_path / "models_of_engine.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HIVE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    jobs.close()
    jobs._Process.refused = jobs._Process.seat = None


def settings_of(data: Path, out: Path, model: str = "Noisy") -> Settings:
    return Settings(
        f"python:models_of_engine:{model}",
        out,
        benchmark=str(data),
        metrics=("si_sdr", "sdr_plain"),
        examples=3,
    )


def built() -> list[str]:
    return Path("built").read_text().split()


def test_two_processes_do_what_one_does_and_a_damaged_shard_costs_only_itself(
    here: Path, make_dataset: Make
) -> None:
    data = make_dataset(here / "set", {2: 20, 3: 4, 4: 9}, seconds=0.3)
    settings = settings_of(data, here / "many")
    tar = data / "data" / "3mix" / "test-00000-of-00001.tar"
    good = tar.read_bytes()
    tar.write_bytes(good.replace(b"fLaC", b"fail"))
    with pytest.raises(HiveError, match="shares of the run failed") as caught:
        evaluate_share(settings, engine=TWO)
    assert "3mix/test-00000-of-00001.tar" in caught.value.problem
    assert "parts 00001-00000" not in caught.value.remedy
    parts = {path.stem for path in (here / "many" / ".hive" / "parts").glob("*.parquet")}
    assert parts == {f"00000-{n:05d}" for n in range(3)} | {"00002-00000", "00002-00001"}
    # Two processes with one model each, and a second try in a third.
    assert len(built()) - len(set(built())) <= 1
    assert len(set(built())) == 3
    assert str(os.getpid()) in built()

    tar.write_bytes(good)
    assert isinstance(evaluate_share(settings, engine=TWO), Results)
    evaluate(replace(settings, out=here / "one"))
    check_same(here / "one", here / "many")


def test_a_process_keeps_its_model_from_one_share_to_the_next(here: Path, dataset: Path) -> None:
    settings = settings_of(dataset, here / "run")
    first = do_share(ShareTask(settings, ("00000-00000",)))
    second = do_share(ShareTask(settings, ("00001-00000",)))
    assert first == second
    assert len(built()) == 1
    do_share(ShareTask(replace(settings, out=here / "other"), ()))
    assert len(built()) == 2
    jobs.close()
    do_share(ShareTask(settings, ()))
    assert len(built()) == 3


def test_a_run_that_is_finished_is_only_put_together(here: Path, dataset: Path) -> None:
    settings = settings_of(dataset, here / "run")
    before = evaluate(settings)
    (here / "run" / "results.json").unlink()
    after = evaluate_share(settings, engine=TWO)
    assert isinstance(after, Results)
    assert after.model_copy(update={"created": before.created}) == before


def test_a_model_that_cannot_be_loaded_is_tried_once_a_process(here: Path, dataset: Path) -> None:
    settings = settings_of(dataset, here / "run", "Absent")
    for name in ("00000-00000", "00001-00000"):
        with pytest.raises(HiveError, match="no weights here"):
            do_share(ShareTask(settings, (name,)))
    assert len(built()) == 1


def test_other_settings_are_refused_as_by_one_process(
    here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(dataset, here / "run")
    evaluate_share(settings, share=Share(0, 2))
    monkeypatch.setattr("hive.execution.run.Processes", _InTurn)
    with pytest.raises(HiveError, match="holds a run with other settings") as caught:
        evaluate_share(replace(settings, seed=1), engine=TWO)
    assert "settings.seed: 0 there -> 1 asked for" in caught.value.problem


def test_jobs_of_an_array_may_have_processes_too(
    here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.execution.run.Processes", _InTurn)
    monkeypatch.setattr("benchmarks.dataset.CHUNK", 1)
    settings = settings_of(dataset, here / "run")
    half = evaluate_share(settings, share=Share(0, 2), engine=TWO)
    assert isinstance(half, Unfinished)
    assert half.jobs == (1,)
    assert isinstance(evaluate_share(settings, share=Share(1, 2), engine=TWO), Results)
    evaluate(replace(settings, out=here / "one"))
    check_same(here / "one", here / "run")


def test_processes_take_the_gpus_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    seats = Seats(tmp_path, 4)
    taken = []
    held = []
    for _ in range(4):
        taken.append(jobs._device("cuda", seats))
        assert jobs._device("cuda", seats) == taken[-1]
        held.append(jobs._Process.seat)
        jobs._Process.seat = None  # as if in another process
    assert taken == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    held[1][0].release()  # its process has died
    assert jobs._device("cuda", seats) == "cuda:1"
    assert jobs._device("cuda:1", seats) == "cuda:1"
    assert jobs._device("cpu", seats) == "cpu"
    assert jobs._device("cuda", None) == "cuda"


def test_a_gpu_that_ray_gives_later_is_taken(
    here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA reads the variable once, so the device has a number, among all that there are."""
    taken: list[str] = []
    visible: list[str | None] = []

    def take(kind: str, seats: Seats | None, gpu: str | None) -> str:
        taken.append(device("cuda", seats, gpu))
        visible.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return "cpu"

    device = jobs._device
    monkeypatch.setattr(jobs, "_device", take)
    settings = settings_of(dataset, here / "run")
    for given in ("1", "1", "0", "3,2", "GPU-8932"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        do_share(ShareTask(settings, ()))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == given
    assert taken == ["cuda:1", "cuda:0", "cuda:3", "cuda"]
    assert visible == [None, None, None, "GPU-8932"]


def test_all_places_of_a_run_mean_the_same_on_another_machine(here: Path) -> None:
    settings = Settings("irm", Path("run"), benchmark="set", only=Path("clean.txt"))
    found = _from_anywhere(settings)
    assert (found.out, found.only) == (here / "run", here / "clean.txt")
    assert found.benchmark == str(here / "set")


def test_options_that_do_not_go_together_are_told(dataset: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "--model", "mixture", "--benchmark", str(dataset)]
    arguments += ["--out", str(tmp_path / "run")]
    for more, problem in (
        (["--gpus-per-job", "1"], "--gpus-per-job needs --engine ray"),
        (["--ray-address", "auto"], "--ray-address needs --engine ray"),
    ):
        result = CliRunner().invoke(build(), [*arguments, *more])
        assert isinstance(result.exception, HiveError)
        assert result.exception.problem == problem
    assert not (tmp_path / "run").exists()


class _InTurn:
    """Stands for the worker processes: does tasks in this one."""

    def __new__(cls, function, workers, report):  # type: ignore[no-untyped-def]
        from hive.execution.in_process import InProcess

        return InProcess(function, report)


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_and_keeps_the_parts(here: Path, make_dataset: Make) -> None:
    data = make_dataset(here / "set", {2: 40, 3: 10}, seconds=0.3)
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate"]
    command += ["--model", "python:models_of_engine:Slow", "--benchmark", str(data)]
    command += ["--metrics", "si_sdr,sdr_plain", "--examples", "3", "--workers", "1"]
    command += ["--out", "run", "--jobs", "2"]
    process = subprocess.Popen(
        command, env={**os.environ, "HIVE_QUIET": "1"}, stderr=subprocess.PIPE, text=True
    )
    parts = here / "run" / ".hive" / "parts"
    deadline = time.monotonic() + 180
    while len(list(parts.glob("*.parquet"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    )
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130, told
    assert "What is done is kept" in told
    assert "Traceback" not in told
    assert len(listed.stdout.split()) >= 2
    for child in listed.stdout.split():
        while Path(f"/proc/{child}").exists():
            assert time.monotonic() < deadline, "a process outlives the run"
            time.sleep(0.05)
    assert not list(parts.glob(".*"))
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    settings = settings_of(data, here / "run", "Slow")
    assert isinstance(evaluate_share(settings, engine=TWO), Results)
    after = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert before.items() < after.items()
    evaluate(replace(settings, out=here / "one"))
    check_same(here / "one", here / "run")


@pytest.mark.slow
def test_a_cluster_does_what_one_process_does(here: Path, make_dataset: Make) -> None:
    pytest.importorskip("ray")
    data = make_dataset(here / "set", {2: 20, 3: 9}, seconds=0.3)
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate", "--json"]
    command += ["--model", "irm", "--benchmark", str(data), "--metrics", "si_sdr,sdr_plain"]
    command += ["--examples", "3", "--out"]
    one = subprocess.run([*command, "one", "--workers", "0"], check=True, capture_output=True)
    many = subprocess.run(
        [*command, "many", "--engine", "ray", "--jobs", "2"], check=True, capture_output=True
    )
    documents = [json.loads(done.stdout) for done in (one, many)]
    assert documents[0]["dataset"] == documents[1]["dataset"]
    check_same(here / "one", here / "many")
