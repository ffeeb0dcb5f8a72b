"""From the parts of a run to its results: table of scores, means with intervals, counts, checks."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.catalogue import Selection
from benchmarks.checks import check_run
from benchmarks.parts import ANCHOR_PREFIX, Part
from benchmarks.results import Aggregate, Results
from hive._version import __version__
from hive.metrics.statistics import summarise

_PACKAGES = ("hive-bench", "numpy", "scipy", "torch", "soxr", "soundfile", "pyarrow", "pystoi")


def summarise_run(
    *,
    parts: Sequence[tuple[pa.Table, Part]],
    task: str,
    selection: Selection,
    dataset: dict[str, Any],
    model: dict[str, Any],
    settings: dict[str, Any],
    settings_hash: str,
) -> tuple[Results, pa.Table]:
    """Put the results together.

    Args:
        parts: Rows and facts of all chunks, in order.
        task: Name of the task.
        selection: The metrics.
        dataset: Fields of `DatasetRecord`.
        model: Fields of `ModelRecord`.
        settings: Fields of `SettingsRecord`.
        settings_hash: Hash of everything that the scores depend on.

    Returns:
        The results, and the table of scores.
    """
    rows = pa.concat_tables([table for table, _ in parts])
    scores = rows.select([name for name in rows.column_names if ANCHOR_PREFIX not in name])
    aggregates = aggregate(scores, selection)
    failures = [failure for _, part in parts for failure in part.failures]
    counts = _counts(scores, dataset["num_items"], len(failures))
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
            "machine": _machine(settings["device"]),
            "metrics": [each.model_dump() for each in selection.metrics],
            "unavailable": [each.model_dump() for each in selection.unavailable],
            "aggregates": [each.model_dump() for each in aggregates],
            "anchors": _anchors(rows, selection),
            "counts": counts,
            "failures": failures,
            "checks": check_run(
                scores,
                aggregates,
                residual=max((part.residual for _, part in parts), default=0.0),
                expected=counts["items"],
                failed=counts["failed"],
            ),
            "examples": [_with_scores(each, scores) for _, part in parts for each in part.examples],
        }
    )
    return results, scores


def aggregate(scores: pa.Table, selection: Selection) -> list[Aggregate]:
    """Return every metric's summary for each number of sources and overall."""
    aggregates = []
    for metric in selection.metrics:
        values, kept = _column(scores, metric.name)
        for each in summarise(
            values,
            kept["recording_id"].to_numpy(zero_copy_only=False).astype(str),
            kept["num_sources"].to_numpy(),
            decibel=metric.unit == "dB",
        ):
            aggregates.append(Aggregate(metric=metric.name, **vars(each)))
    return aggregates


def _anchors(rows: pa.Table, selection: Selection) -> list[dict[str, Any]]:
    anchors = []
    for metric in selection.metrics:
        values, kept = _column(rows, f"{ANCHOR_PREFIX}{metric.name}")
        if not len(values):
            continue
        for each in summarise(
            values,
            np.arange(len(values)),
            kept["num_sources"].to_numpy(),
            decibel=False,
            replicates=1,
        ):
            anchors.append(
                {
                    "name": "mixture",
                    "metric": metric.name,
                    "group": each.group,
                    "n": each.n,
                    "mean": each.mean,
                }
            )
    return anchors


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


def _machine(device: str) -> dict[str, Any]:
    import torch

    gpu = torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else None
    return {
        "platform": platform.platform(),
        "cpu": _cpu() or platform.machine(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
