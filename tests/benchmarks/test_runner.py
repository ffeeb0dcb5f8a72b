"""Whole runs: values, failures, resuming, refusing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import separation
from benchmarks.results import Results, read_results, read_scores
from benchmarks.runner import Settings, evaluate
from hive.errors import HiveError
from hive.metrics import get

MODELS = '''
"""Models for tests; they count their calls in the file CALLS."""
import os
import time

import torch


class Half:
    sample_rate = 0
    generative = False

    def separate(self, mixtures, queries):
        return 0.5 * mixtures


class Picky(Half):
    """Fails on one label, even inside a batch."""

    def separate(self, mixtures, queries):
        if any(query.text == "Cat" for query in queries):
            raise RuntimeError("no cats")
        return super().separate(mixtures, queries)


class Healing(Half):
    """Fails on one label until the file `healed` exists."""

    def separate(self, mixtures, queries):
        if any(query.text == "Cat" for query in queries) and not os.path.exists("healed"):
            raise RuntimeError("no cats yet")
        return super().separate(mixtures, queries)


class Broken(Half):
    def separate(self, mixtures, queries):
        raise RuntimeError("always")


class NotFinite(Half):
    def separate(self, mixtures, queries):
        return mixtures * float("nan")


class Long(Half):
    def separate(self, mixtures, queries):
        return torch.nn.functional.pad(mixtures, (0, 5))


class Noisy(Half):
    generative = True

    def separate(self, mixtures, queries):
        return mixtures + 0.01 * torch.randn_like(mixtures)


class Telling(Half):
    takes_negatives = True

    def separate(self, mixtures, queries):
        self.negatives = [query.negatives for query in queries]
        return mixtures * len(queries[0].negatives)


class Dropping(Half):
    takes_negatives = True

    def separate(self, mixtures, queries):
        assert all(query.text == "" and query.negatives for query in queries)
        return mixtures


class Unrecordable(Half):
    details = {"loss": float("nan")}


class Slow(Noisy):
    def separate(self, mixtures, queries):
        with open("calls", "a") as handle:
            handle.write("x")
        time.sleep(0.02)
        return super().separate(mixtures, queries)
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that holds the models."""
    (tmp_path / "models_of_runner.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def _settings(dataset: Path, model: str, out: Path, **changes: object) -> Settings:
    spec = f"python:models_of_runner:{model}" if model[0].isupper() else model
    base = Settings(spec, out, benchmark=str(dataset), metrics=("si_sdr", "si_sdr_i", "sdr_plain"))
    return replace(base, examples=0, **changes)  # type: ignore[arg-type]


def _run(dataset: Path, model: str, out: Path, **changes: object) -> Results:
    return evaluate(_settings(dataset, model, out, **changes))


def _column(out: Path, name: str) -> np.ndarray:
    return read_scores(out)[name].to_numpy()


def _scores(out: Path) -> dict[str, list]:
    """All columns but the times."""
    return read_scores(out).drop_columns(["seconds"]).to_pydict()


def test_the_mixture_improves_nothing(dataset: Path, tmp_path: Path) -> None:
    results = evaluate(Settings("mixture", tmp_path / "run", benchmark=str(dataset), examples=0))
    assert results.counts.items == 12
    assert results.counts.failed == 0
    for name in ("si_sdr_i", "sdr_bss_i"):
        assert (_column(tmp_path / "run", name) == 0.0).all()
    assert all(check.passed for check in results.checks), results.checks
    assert {check.name for check in results.checks} == {
        "sources_add_up",
        "items_accounted_for",
        "sdr_bss_at_least_si_sdr",
        "si_sdr_bounded_by_sdr_plain",
        "reference_scores_as_defined",
        "silence_scores_as_defined",
        "overall_is_mean_of_levels",
    }
    means = {(a.metric, a.group): a.mean for a in results.aggregates}
    anchors = {(a.metric, a.group): a.mean for a in results.anchors if a.name == "mixture"}
    for group in ("2", "3", "overall"):
        assert anchors["si_sdr", group] == pytest.approx(means["si_sdr", group], abs=1e-9)
    levels = [means["sdr_bss", group] for group in ("2", "3")]
    assert means["sdr_bss", "overall"] == pytest.approx(np.mean(levels))


def test_rows_are_what_the_metrics_say(dataset: Path, tmp_path: Path) -> None:
    from benchmarks.dataset import chunks, open_dataset, read_chunks

    _run(dataset, "irm", tmp_path / "run")
    rows = read_scores(tmp_path / "run").to_pylist()
    samples = [
        sample
        for _, group in read_chunks(chunks(open_dataset(str(dataset), "test").entries))
        for sample in group
    ]
    expected = [
        (sample.key, source["source_id"], source["label"], source["recording_id"])
        for sample in samples
        for source in sample.meta["sources"]
    ]
    found = [(r["mix_id"], r["source_id"], r["label"], r["recording_id"]) for r in rows]
    assert found == expected
    assert all(row["query"] == row["label"] and row["seconds"] > 0 for row in rows)
    mixture_score = get("si_sdr")(estimate=samples[0].mixture, reference=samples[0].sources["s1"])
    assert rows[0]["si_sdr"] - rows[0]["si_sdr_i"] == pytest.approx(float(mixture_score))
    assert rows[0]["si_sdr_i"] > 3


def test_oracles_and_details_are_marked(dataset: Path, tmp_path: Path) -> None:
    results = _run(dataset, "irm", tmp_path / "run", limit=2)
    assert results.model.uses_reference
    assert results.dataset.num_mixtures == 2
    assert results.dataset.num_items == 5
    assert results.dataset.limit == 2


def test_failing_items_are_recorded_and_cost_only_themselves(here: Path, dataset: Path) -> None:
    results = _run(dataset, "Picky", here / "run")
    cats = results.counts.failed
    assert 0 < cats < results.counts.items
    assert {failure.error for failure in results.failures} == {"RuntimeError: no cats"}
    labels = read_scores(here / "run")["label"].to_pylist()
    assert "Cat" not in labels
    assert len(labels) == results.counts.items - cats
    assert {c.name: c.passed for c in results.checks}["items_accounted_for"]


def test_failed_items_are_tried_again(here: Path, dataset: Path) -> None:
    before = _run(dataset, "Healing", here / "run")
    assert before.counts.failed > 0
    (here / "healed").touch()
    after = _run(dataset, "Healing", here / "run")
    assert after.counts.failed == 0
    _run(dataset, "Half", here / "whole")
    assert _scores(here / "run") == _scores(here / "whole")


def test_estimates_that_are_not_finite_fail(here: Path, dataset: Path) -> None:
    results = _run(dataset, "NotFinite", here / "run")
    assert results.counts.failed == results.counts.items == 12
    assert results.failures[0].error == "ValueError: the estimate holds NaN or infinity"
    assert [a for a in results.aggregates if a.n] == []


def test_a_model_that_never_works_is_stopped_early(
    here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separation, "PATIENCE", 3)
    with pytest.raises(
        HiveError, match="first 3 items all failed, the last one with: RuntimeError"
    ):
        _run(dataset, "Broken", here / "run")


def test_a_model_that_cannot_be_recorded_is_refused_at_once(here: Path, dataset: Path) -> None:
    with pytest.raises(HiveError, match="cannot be recorded"):
        _run(dataset, "Unrecordable", here / "run")
    assert not (here / "run").exists()


def test_wrong_lengths_are_counted(here: Path, dataset: Path) -> None:
    results = _run(dataset, "Long", here / "run")
    assert results.counts.length_fixed == 12
    assert read_scores(here / "run")["flags"].to_pylist() == [["length_fixed"]] * 12


def test_random_models_do_not_depend_on_the_batch_size_or_the_workers(
    here: Path, dataset: Path
) -> None:
    _run(dataset, "Noisy", here / "one", batch_size=1)
    _run(dataset, "Noisy", here / "five", batch_size=5, workers=1)
    _run(dataset, "Noisy", here / "other", seed=1)
    assert _scores(here / "one") == _scores(here / "five")
    assert _scores(here / "one") != _scores(here / "other")


def test_negatives_only_for_models_that_take_them(here: Path, dataset: Path) -> None:
    with pytest.raises(HiveError, match="takes no negative queries"):
        _run(dataset, "Half", here / "refused", queries="both")
    _run(dataset, "Telling", here / "with", queries="both")
    rows = read_scores(here / "with").to_pylist()
    assert [len(row["negatives"]) for row in rows] == [row["num_sources"] - 1 for row in rows]


def test_negative_queries_alone_name_nothing_to_keep(here: Path, dataset: Path) -> None:
    _run(dataset, "Dropping", here / "dropping", queries="negative")
    rows = read_scores(here / "dropping").to_pylist()
    assert all(row["si_sdr"] is not None for row in rows)
    assert all(row["negatives"] and row["query"] == row["label"] for row in rows)


def test_the_silence_task(dataset: Path, tmp_path: Path) -> None:
    settings = Settings("silence", tmp_path / "quiet", benchmark=str(dataset), task="silence")
    quiet = evaluate(settings)
    loud = evaluate(replace(settings, model="mixture", out=tmp_path / "loud"))
    assert quiet.counts.items == 5
    rates = {
        r.model.name: [a for a in r.aggregates if a.metric == "silent_rate" and a.group != "flat"]
        for r in (quiet, loud)
    }
    assert [a.mean for a in rates["silence"]] == [1.0, 1.0, 1.0]
    assert [a.mean for a in rates["mixture"]] == [0.0, 0.0, 0.0]
    assert _column(tmp_path / "loud", "silence_sdr").tolist() == [0.0] * 5
    assert _column(tmp_path / "quiet", "silence_sdr").tolist() == [np.inf] * 5
    asked = [read_scores(tmp_path / name)["query"].to_pylist() for name in ("quiet", "loud")]
    assert asked[0] == asked[1]
    assert [each.reference for each in quiet.examples] == [None] * 5


def test_other_settings_into_the_same_folder_are_refused(dataset: Path, tmp_path: Path) -> None:
    _run(dataset, "mixture", tmp_path / "run", limit=2)
    with pytest.raises(HiveError, match="holds a run with other settings") as caught:
        _run(dataset, "silence", tmp_path / "run", limit=3)
    assert "mixture there -> silence asked for" in caught.value.problem
    assert "limit: 2 there -> 3 asked for" in caught.value.problem
    again = _run(dataset, "mixture", tmp_path / "run", limit=2)
    assert again.counts.items == 5


def test_a_folder_with_other_things_in_it_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(HiveError, match="is no folder of a run"):
        _run(dataset, "mixture", tmp_path)


def test_a_damaged_part_is_named(dataset: Path, tmp_path: Path) -> None:
    _run(dataset, "mixture", tmp_path / "run")
    part = next((tmp_path / "run" / ".hive" / "parts").glob("*.parquet"))
    part.write_bytes(b"PAR1")
    with pytest.raises(HiveError, match=f"{part.name}: not a part of a run"):
        _run(dataset, "mixture", tmp_path / "run")


def _children(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True)
    return [int(text) for text in listed.stdout.split()]


def test_a_killed_run_goes_on_where_it_was(here: Path, make_dataset: Callable[..., Path]) -> None:
    data = make_dataset(here / "data-set", {2: 30, 3: 4}, seconds=0.3)
    options = ["--benchmark", str(data), "--metrics", "si_sdr,sdr_bss", "--workers", "1"]
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate"]
    command += ["--model", "python:models_of_runner:Slow", "--examples", "3", *options, "--out"]
    process = subprocess.Popen([*command, "killed"], env={**os.environ, "HIVE_QUIET": "1"})
    parts = here / "killed" / ".hive" / "parts"
    deadline = time.monotonic() + 60
    while not list(parts.glob("*.parquet")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a scoring process outlives the run"
        time.sleep(0.05)
    assert not (here / "killed" / "results.json").exists()
    rows = [pq.read_table(part)["row"].to_pylist() for part in parts.glob("*.parquet")]
    kept = sum(each.count("estimate") for each in rows)
    assert 0 < kept < 72

    (here / "calls").unlink()
    subprocess.run([*command, "killed"], check=True, capture_output=True)
    assert len((here / "calls").read_text()) == 72 - kept
    subprocess.run([*command, "whole"], check=True, capture_output=True)
    assert _scores(here / "killed") == _scores(here / "whole")
    whole, killed = read_results(here / "whole"), read_results(here / "killed")
    assert killed.aggregates == whole.aggregates
    assert killed.examples == whole.examples
    assert len(killed.examples) == 3
    for path in (here / "whole" / "examples").iterdir():
        assert (here / "killed" / "examples" / path.name).read_bytes() == path.read_bytes()
