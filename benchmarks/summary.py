"""From the parts of a run to its results: table of scores, means with intervals, counts, checks."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.catalogue import Selection
from benchmarks.checks import check_run
from benchmarks.machine import together
from benchmarks.parts import ESTIMATE, RunFolder
from benchmarks.results import ROW_SCHEMA, Aggregate, Anchor, Results
from benchmarks.sanity import ROWS
from benchmarks.sets import set_values
from hive._version import __version__
from hive.metrics.statistics import summarise

_PACKAGES = ("hive-bench", "numpy", "scipy", "torch", "soxr", "soundfile", "pyarrow", "pystoi")


def summarise_run(
    *,
    folder: RunFolder,
    names: Sequence[str],
    task: str,
    selection: Selection,
    dataset: dict[str, Any],
    model: dict[str, Any],
    settings: dict[str, Any],
    settings_hash: str,
    judge: dict[str, Any] | None,
) -> tuple[Results, pa.Table]:
    """Put the results together.

    Args:
        folder: The folder of the run, in which all chunks are finished.
        names: The chunks, in order.
        task: Name of the task.
        selection: The metrics.
        dataset: Fields of `DatasetRecord`.
        model: Fields of `ModelRecord`.
        settings: Fields of `SettingsRecord`.
        settings_hash: Hash of everything that the scores depend on.
        judge: Fields of `JudgeRecord`, if there was a judge.

    Returns:
        The results, and the table of scores.
    """
    parts = [part for part in map(folder.read, names) if part is not None]
    rows = pa.concat_tables([table for table, _ in parts])
    by_row = {row: rows.filter(pc.equal(rows["row"], row)) for row in (ESTIMATE, *ROWS)}
    scores = by_row.pop(ESTIMATE).select([*ROW_SCHEMA.names, *selection.row_columns])
    scores = _identified(scores, selection)
    of_sets = set_values(folder, names, scores, selection)
    aggregates = in_order([*aggregate(scores, selection), *of_sets.aggregates], selection)
    anchors = in_order([*_anchors(by_row, selection), *of_sets.anchors], selection)
    failures = [failure for _, part in parts for failure in part.failures]
    failed = sum(failure.get("metric") is None for failure in failures)
    counts = _counts(scores, dataset["num_items"], failed)
    results = Results.model_validate(
        {
            "created": _now(),
            "hive_version": __version__,
            "task": task,
            "dataset": dataset,
            "model": model,
            "settings": settings,
            "settings_hash": settings_hash,
            "versions": _versions(),
            "machine": together(part.machine for _, part in parts if part.machine),
            "metrics": [each.model_dump() for each in selection.metrics],
            "unavailable": [each.model_dump() for each in selection.unavailable],
            "judge": judge,
            "aggregates": [each.model_dump() for each in aggregates],
            "anchors": [each.model_dump() for each in anchors],
            "counts": counts,
            "failures": failures,
            "checks": check_run(
                scores,
                aggregates,
                by_row,
                residual=max((part.residual for _, part in parts), default=0.0),
                expected=counts["items"],
                failed=counts["failed"],
            ),
            "examples": [_with_scores(each, scores) for _, part in parts for each in part.examples],
        }
    )
    return results, scores


def aggregate(scores: pa.Table, selection: Selection) -> list[Aggregate]:
    """Return the summary of every metric that has a column: each number of sources, and all."""
    aggregates = []
    for metric in selection.metrics:
        if metric.scope == "set":
            continue
        values, kept = _column(scores, metric.name)
        for each in summarise(
            values,
            kept["recording_id"].to_numpy(zero_copy_only=False).astype(str),
            kept["num_sources"].to_numpy(),
            decibel=metric.unit == "dB",
        ):
            aggregates.append(Aggregate(metric=metric.name, **vars(each)))
    return aggregates


Named = TypeVar("Named", Aggregate, Anchor)


def in_order(records: Sequence[Named], selection: Selection) -> list[Named]:
    """Sort records by their metric, in the order of the selection, and leave it at that."""
    place = {name: index for index, name in enumerate(selection.columns)}
    return sorted(records, key=lambda one: place[one.metric])


def _anchors(by_row: Mapping[str, pa.Table], selection: Selection) -> list[Anchor]:
    anchors = []
    for row in ROWS:
        for metric in selection.metrics:
            if metric.scope == "set":
                continue
            values, kept = _column(by_row[row], metric.name)
            if not len(values):
                continue
            sizes = kept["num_sources"].to_numpy()
            for each in summarise(
                values, np.arange(len(values)), sizes, decibel=False, replicates=1
            ):
                shared = each.mean if each.n else shared_infinity(each.n_pos_inf, each.n_neg_inf)
                anchors.append(
                    Anchor(name=row, metric=metric.name, group=each.group, n=each.n, mean=shared)
                )
    return anchors


def shared_infinity(n_pos: int, n_neg: int) -> float:
    """Return the infinity that all of some values share; NaN if they share none."""
    return np.nan if bool(n_pos) == bool(n_neg) else np.inf if n_pos else -np.inf


def _identified(scores: pa.Table, selection: Selection) -> pa.Table:
    """Write the id of each metric into its column, so that the table can stand alone."""
    ids = {metric.name: metric.id for metric in selection.metrics}
    fields = [
        each.with_metadata({"metric_id": ids[each.name]}) if each.name in ids else each
        for each in scores.schema
    ]
    return scores.cast(pa.schema(fields))


def _column(table: pa.Table, name: str) -> tuple[np.ndarray[Any, np.dtype[np.float64]], pa.Table]:
    """Return the values of a metric where it applies, and those rows."""
    kept = table.filter(pc.is_valid(table[name]))
    return kept[name].to_numpy().astype(np.float64), kept


def _counts(scores: pa.Table, items: int, failed: int) -> dict[str, int]:
    flags = [flag for row in scores["flags"].to_pylist() for flag in row]
    return {
        "items": items,
        "failed": failed,
        "length_fixed": flags.count("length_fixed"),
        "silent_estimates": flags.count("silent_estimate"),
        "silent_references": flags.count("silent_reference"),
    }


def _with_scores(example: dict[str, Any], scores: pa.Table) -> dict[str, Any]:
    here = pc.and_(
        pc.equal(scores["mix_id"], example["mix_id"]),
        pc.equal(scores["source_id"], example["source_id"]),
    )
    row = scores.filter(here).to_pylist()[0]
    return {**example, "si_sdr": row.get("si_sdr"), "si_sdr_i": row.get("si_sdr_i")}


def _now() -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
