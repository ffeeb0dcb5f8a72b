"""Metrics of whole sets, such as FAD: one value for each number of sources, and over all.

Their inputs lie beside the scores in the folder of the run. "overall" is the mean of the values of
the numbers of sources, "flat" the value for all items as one set. The ends of the interval of
"overall" are the means of the ends, which holds whatever the dependence between the sizes, since
the standard error of a mean is at most the mean of the standard errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from benchmarks.catalogue import Selection
from benchmarks.parts import RunFolder, VectorKey
from benchmarks.results import Aggregate, Anchor, MetricRecord
from benchmarks.sanity import ROWS
from benchmarks.tasks import Float
from hive.metrics.registry import resolve
from hive.metrics.statistics import FLAT, OVERALL


ESTIMATE = "estimate"


@dataclass
class SetValues:
    """What came of the metrics of whole sets."""

    aggregates: list[Aggregate] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """Size and recording of one scored item, and where it is."""

    group: str
    recording: str
    key: tuple[str, str]


def set_values(
    folder: RunFolder, names: Sequence[str], rows: pa.Table, selection: Selection
) -> SetValues:
    """Compute the metrics of whole sets.

    Args:
        folder: The folder of the run.
        names: Its chunks.
        rows: One row an item that was scored.
        selection: The metrics of the run.
    """
    wanted = [metric for metric in selection.metrics if metric.scope == "set"]
    values = SetValues()
    if not wanted:
        return values
    items = [
        _Item(str(size), recording, (mix_id, source_id))
        for size, recording, mix_id, source_id in zip(
            *(
                rows[name].to_pylist()
                for name in ("num_sources", "recording_id", "mix_id", "source_id")
            ),
            strict=True,
        )
    ]
    vectors: dict[VectorKey, Float] = {}
    for name in names:
        vectors |= folder.vectors(name)
    for metric in wanted:
        values.aggregates += _of_row(metric, ESTIMATE, items, vectors)
        for row in ROWS:
            values.anchors += [
                Anchor(name=row, metric=one.metric, group=one.group, n=one.n, mean=one.mean)
                for one in _of_row(metric, row, items, vectors)
            ]
    return values


def _of_row(
    metric: MetricRecord, row: str, items: Sequence[_Item], vectors: dict[VectorKey, Float]
) -> list[Aggregate]:
    """Return the values of a row of estimates; none if it has no vectors."""
    found = resolve(metric.name)
    head = (found.embedding or "", found.info.features[0])
    there = [item for item in items if (*head, row, *item.key) in vectors]
    if not there:
        return []
    groups = sorted({item.group for item in there}, key=int)
    by_group = [
        _value(metric.name, group, [item for item in there if item.group == group], vectors, row)
        for group in groups
    ]
    flat = _value(metric.name, FLAT, there, vectors, row)
    return [*by_group, _overall(by_group, flat), flat]


def _value(
    name: str, group: str, items: Sequence[_Item], vectors: dict[VectorKey, Float], row: str
) -> Aggregate:
    from hive.metrics.fad import set_metric

    found = resolve(name)
    head = (found.embedding or "", found.info.features[0])
    keys = [(item.key[0], item.key[1]) for item in items]
    estimates = [vectors[head[0], head[1], row, mix_id, source] for mix_id, source in keys]
    references = [vectors[head[0], head[1], "reference", mix_id, source] for mix_id, source in keys]
    n_windows = sum(map(len, estimates))
    try:
        value = set_metric(
            found.info.name,
            references,
            estimates,
            [item.recording for item in items],
            interval=row == ESTIMATE,
        )
    except ValueError:  # too few windows for a covariance
        return _aggregate(name, group, np.nan, (np.nan, np.nan), len(items), n_windows)
    ends = (getattr(value, "low", np.nan), getattr(value, "high", np.nan))
    return _aggregate(name, group, value.value, ends, len(items), n_windows)


def _overall(groups: Sequence[Aggregate], flat: Aggregate) -> Aggregate:
    def mean(ends: Iterator[float]) -> float:
        return float(np.mean(list(ends)))

    return _aggregate(
        flat.metric,
        OVERALL,
        mean(one.mean for one in groups),
        (mean(one.ci_low for one in groups), mean(one.ci_high for one in groups)),
        flat.n,
        flat.n_windows or 0,
    )


def _aggregate(
    metric: str, group: str, value: float, ends: tuple[float, float], n: int, n_windows: int
) -> Aggregate:
    return Aggregate(
        metric=metric,
        group=group,
        n=n,
        mean=value,
        ci_low=ends[0],
        ci_high=ends[1],
        std=np.nan,
        median=np.nan,
        mean_clipped=None,
        n_pos_inf=0,
        n_neg_inf=0,
        n_nan=0,
        n_windows=n_windows,
    )
