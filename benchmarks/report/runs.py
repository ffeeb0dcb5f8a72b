"""The runs that a report is about, loaded, named apart and checked against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import (
    RESULTS_NAME,
    SCORES_NAME,
    Aggregate,
    MetricRecord,
    Results,
    read_results,
    read_scores,
)
from hive.errors import HiveError
from hive.storage import folder_name

if TYPE_CHECKING:
    import pandas as pd

HEADLINES = ("si_sdr_i", "sdr_bss_i", "si_sdr", "sdr_bss", "silence_sdr", "sdr_museval")
COLUMNS = ("mix_id", "source_id", "num_sources", "label", "query", "recording_id")


@dataclass(frozen=True)
class Run:
    """One evaluated model.

    Attributes:
        folder: Where the run lies.
        name: The model's name, made unique among the runs of a report.
        results: What `results.json` says.
        scores: The rows of `scores.parquet`: identity columns and one column a metric.
        aggregates: The aggregates by (metric, group).
    """

    folder: Path
    name: str
    results: Results
    scores: pd.DataFrame
    aggregates: dict[tuple[str, str], Aggregate]


def load_runs(folders: Sequence[Path]) -> list[Run]:
    """Load the runs of a report.

    Raises:
        HiveError: If a folder is no run, or its two files do not fit together.
    """
    loaded = [(folder, read_results(folder)) for folder in folders]
    times = Counter(results.model.name for _, results in loaded)
    runs = []
    for index, (folder, results) in enumerate(loaded, start=1):
        name = results.model.name
        runs.append(
            Run(
                folder=folder,
                name=name if times[name] == 1 else f"{name} ({index}: {folder_name(folder)})",
                results=results,
                scores=_scores(folder, results),
                aggregates={(one.metric, one.group): one for one in results.aggregates},
            )
        )
    return runs


def _scores(folder: Path, results: Results) -> pd.DataFrame:
    table = read_scores(folder)
    metrics = [metric.name for metric in results.metrics if metric.scope != "set"]
    for name in metrics:
        if name not in table.column_names:
            raise HiveError(
                f"{folder / SCORES_NAME}: column {name!r} is missing, though "
                f"{RESULTS_NAME} lists this metric",
                "evaluate again",
            )
    scores: pd.DataFrame = table.select([*COLUMNS, *metrics]).to_pandas()
    return scores


def all_metrics(runs: Sequence[Run]) -> list[MetricRecord]:
    """Return the metrics of all runs, each once, in the order in which they first come."""
    found: dict[str, MetricRecord] = {}
    for run in runs:
        for metric in run.results.metrics:
            found.setdefault(metric.name, metric)
    return list(found.values())


def headline(metrics: Sequence[MetricRecord]) -> MetricRecord | None:
    """Return the metric that stands for a run: SI-SDRi where there is one."""
    by_name = {metric.name: metric for metric in metrics}
    for name in HEADLINES:
        if name in by_name:
            return by_name[name]
    return metrics[0] if metrics else None


def differences(runs: Sequence[Run]) -> list[str]:
    """Return what keeps the runs from being compared; empty if nothing does."""

    def differ(values: list[object]) -> bool:
        return any(value != values[0] for value in values)

    checks: list[tuple[str, list[object]]] = [
        ("tasks", [run.results.task for run in runs]),
        ("splits", [run.results.dataset.split for run in runs]),
        ("dataset fingerprints", [run.results.dataset.fingerprint for run in runs]),
        ("limits on the number of mixtures", [run.results.dataset.limit for run in runs]),
        ("evaluation rates", [run.results.dataset.sample_rate for run in runs]),
    ]
    found = [what for what, values in checks if differ(values)]
    ids: dict[str, set[str]] = {}
    for run in runs:
        for metric in run.results.metrics:
            ids.setdefault(metric.name, set()).add(metric.id)
    return found + [f"definitions of {name}" for name, those in ids.items() if len(those) > 1]
