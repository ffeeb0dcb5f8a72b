"""Runs to be compared: loaded, checked against each other, and joined item by item."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.results import (
    RESULTS_NAME,
    SCORES_NAME,
    MetricRecord,
    Results,
    read_results,
    read_scores,
)
from hive.errors import HiveError
from hive.metrics.resampling import Floats, Indices
from hive.storage import folder_name

Key = tuple[str, str]
EVALUATE = "evaluate both in the same way, see hive-bench evaluate --help"
ALIKE = ("num_sources", "recording_id", "label", "query")
"""What must be the same for an item of two runs to be a pair."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where it lies.
        name: The model's name, made unique among the runs.
        results: What `results.json` says.
        scores: The rows of `scores.parquet`.
        rows: Which row holds which (mix_id, source_id).
    """

    folder: Path
    name: str
    results: Results
    scores: pa.Table
    rows: dict[Key, int]

    @property
    def metrics(self) -> dict[str, MetricRecord]:
        """The metrics by name."""
        return {metric.name: metric for metric in self.results.metrics}


@dataclass(frozen=True)
class Joined:
    """The items of a run and the baseline, brought together.

    Attributes:
        rows_run: Rows of the run's scores, one a common item.
        rows_baseline: Rows of the baseline's scores for the same items.
        recordings: Recording of each common item.
        sizes: Number of sources of each common item.
        only_in_run: Items that the baseline lacks.
        only_in_baseline: Items that the run lacks.
    """

    rows_run: Indices
    rows_baseline: Indices
    recordings: NDArray[np.str_]
    sizes: NDArray[np.int64]
    only_in_run: list[Key]
    only_in_baseline: list[Key]


def load(folders: Sequence[Path]) -> list[Run]:
    """Load runs.

    Raises:
        HiveError: If a folder is no run, its two files do not fit together, or an item is there
            twice.
    """
    loaded = [(folder, read_results(folder)) for folder in folders]
    times = Counter(results.model.name for _, results in loaded)
    runs = []
    for index, (folder, results) in enumerate(loaded, start=1):
        name, scores = results.model.name, read_scores(folder)
        for metric in results.metrics:
            if metric.scope != "set" and metric.name not in scores.column_names:
                raise HiveError(
                    f"{folder / SCORES_NAME}: column {metric.name!r} is missing, though "
                    f"{RESULTS_NAME} lists this metric",
                    "evaluate again",
                )
        keys = [*zip(scores["mix_id"].to_pylist(), scores["source_id"].to_pylist(), strict=True)]
        rows = {key: row for row, key in enumerate(keys)}
        if len(rows) < len(keys):
            twice = next(key for key, count in Counter(keys).items() if count > 1)
            raise HiveError(
                f"{folder / SCORES_NAME}: item {twice[0]} {twice[1]} is there more than once",
                "evaluate again",
            )
        if times[name] > 1:
            name = f"{name} ({index}: {folder_name(folder)})"
        runs.append(Run(folder, name, results, scores, rows))
    return runs


def check(run: Run, baseline: Run) -> None:
    """Check that two runs scored the same thing.

    Raises:
        HiveError: If their task, split, data or rate differ; the first that does is named.
    """
    one, other = run.results, baseline.results
    for what, here, there in [
        ("task", one.task, other.task),
        ("split", one.dataset.split, other.dataset.split),
        ("dataset fingerprint", one.dataset.fingerprint, other.dataset.fingerprint),
        ("sample rate", one.dataset.sample_rate, other.dataset.sample_rate),
    ]:
        if here != there:
            raise HiveError(
                f"{run.folder} and {baseline.folder} cannot be compared: {what} {here} and {there}",
                EVALUATE,
            )


def common_metrics(runs: Sequence[Run], asked: Sequence[str]) -> list[str]:
    """Return the metrics to compare: those asked for, or all that every run has.

    Raises:
        HiveError: If a run lacks one that is asked for, a metric is not the same in all runs, or
            the runs have none in common.
    """
    for name in asked:
        for run in runs:
            if name not in run.metrics:
                close = difflib.get_close_matches(name, run.metrics, n=1)
                raise HiveError(
                    f"{run.folder / RESULTS_NAME}: metrics: there is no {name!r}",
                    (f"did you mean {close[0]}? " if close else "")
                    + f"choose from {', '.join(run.metrics)}",
                )
    names = [*dict.fromkeys(asked)] or [
        name for name in runs[0].metrics if all(name in run.metrics for run in runs)
    ]
    if not names:
        raise HiveError("the runs have no metric in common", EVALUATE)
    for name in names:
        for run in runs[1:]:
            differing = _parts_that_differ(run.metrics[name], runs[0].metrics[name])
            if differing:
                raise HiveError(
                    f"{run.folder} and {runs[0].folder}: metric {name} is not the same: "
                    + "; ".join(differing),
                    f"{EVALUATE}, or choose other metrics with --metric",
                )
    return names


def _parts_that_differ(one: MetricRecord, other: MetricRecord) -> list[str]:
    """Return the parts in which two metrics of one name differ, in words."""
    if one.id == other.id:
        return []
    here, there = one.identity.model_dump(), other.identity.model_dump()
    parts = [f"{part} {here[part]} and {there[part]}" for part in here if here[part] != there[part]]
    return parts or [f"id {one.id} and {other.id}"]


def join(run: Run, baseline: Run) -> Joined:
    """Bring the items that both runs have together, in the order of the baseline.

    Raises:
        HiveError: If they have none, or their files disagree about one.
    """
    common = [key for key in baseline.rows if key in run.rows]
    if not common:
        raise HiveError(f"{run.folder} and {baseline.folder} have no item in common", EVALUATE)
    rows_run = np.array([run.rows[key] for key in common])
    rows_baseline = np.array([baseline.rows[key] for key in common])
    for field in ALIKE:
        here, there = run.scores[field].take(rows_run), baseline.scores[field].take(rows_baseline)
        equal = pc.fill_null(pc.equal(here, there), False).to_numpy()
        if not equal.all():
            place = int(np.flatnonzero(~equal)[0])
            seeds = run.results.settings.seed, baseline.results.settings.seed
            raise HiveError(
                f"{run.folder / SCORES_NAME}: {field} of {' '.join(common[place])} is "
                f"{here[place]}, that in {baseline.folder} is {there[place]}",
                EVALUATE
                if seeds[0] == seeds[1]
                else f"{EVALUATE}; --seed was {seeds[0]} and {seeds[1]}",
            )
    kept = baseline.scores.take(rows_baseline)
    return Joined(
        rows_run=rows_run,
        rows_baseline=rows_baseline,
        recordings=kept["recording_id"].to_numpy().astype(str),
        sizes=kept["num_sources"].to_numpy().astype(np.int64),
        only_in_run=[key for key in run.rows if key not in baseline.rows],
        only_in_baseline=[key for key in baseline.rows if key not in run.rows],
    )


def column(run: Run, name: str, rows: Indices) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a metric of some rows, NaN where it does not apply, and to which rows it applies."""
    values = run.scores[name].take(rows)
    applies = pc.is_valid(values).to_numpy()
    return values.to_numpy().astype(np.float64), applies
