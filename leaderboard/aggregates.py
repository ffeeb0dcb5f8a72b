"""Every stated mean, interval and count against what the rows give."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.results import Results
from hive.metrics.statistics import summarise
from leaderboard.findings import REDO, RESULTS, Finding

TOLERANCE = 1e-6


def compare(results: Results, table: pa.Table) -> list[Finding]:
    """Compute all aggregates again and compare them with the stated ones.

    Metrics of whole sets have no values of single items, so theirs cannot be computed here.

    Args:
        results: The results.
        table: The rows; their columns have been checked.
    """
    findings = []
    of_sets = {metric.name for metric in results.metrics if metric.scope == "set"}
    every = [one for one in results.aggregates if one.metric not in of_sets]
    stated = {(one.metric, one.group): one for one in every}
    if len(stated) < len(every):
        findings.append(Finding(RESULTS, "aggregates", "a metric and group are there twice"))
    computed = {}
    for metric in results.metrics:
        if metric.scope == "set":
            continue
        rows = table.filter(pc.is_valid(table[metric.name]))
        for summary in summarise(
            rows[metric.name].to_numpy(),
            rows["recording_id"].to_numpy().astype(str),
            rows["num_sources"].to_numpy(),
            decibel=metric.unit == "dB",
        ):
            computed[metric.name, summary.group] = summary
    for key in sorted(stated.keys() - computed.keys()):
        findings.append(Finding(RESULTS, _field(key), "is stated, but there are no rows for it"))
    for key in sorted(computed.keys() - stated.keys()):
        findings.append(Finding(RESULTS, _field(key), "is missing, though there are rows for it"))
    for key in sorted(stated.keys() & computed.keys()):
        differing = [
            f"{name} is {there}, the rows give {here}"
            for name, here in vars(computed[key]).items()
            if name != "group" and not _equal(there := getattr(stated[key], name), here)
        ]
        if differing:
            findings.append(Finding(RESULTS, _field(key), "; ".join(differing), REDO))
    return findings


def _field(key: tuple[str, str]) -> str:
    return f"aggregates[{key[0]}, {key[1]}]"


def _equal(there: float | None, here: float | None) -> bool:
    if there is None or here is None:
        return there is here
    if math.isnan(there) or math.isnan(here):
        return math.isnan(there) and math.isnan(here)
    return there == here or abs(there - here) <= TOLERANCE * max(1.0, abs(here))
