"""Metrics of whole sets, such as FAD: one value for each number of sources, and over all.

Their inputs lie beside the scores in the folder of the run and are read chunk by chunk, so that the
size of a set does not matter. "overall" is the mean of the values of the numbers of sources, "flat"
the value for all items as one set. The interval of "overall" is as wide as those of the sizes on
average, which is on the safe side whatever the dependence between sizes, since the standard error
of a mean is at most the mean of the standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.catalogue import Selection
from benchmarks.parts import ESTIMATE, RunFolder, VectorKey
from benchmarks.results import Aggregate, Anchor
from benchmarks.sanity import ROWS
from benchmarks.tasks import Float
from hive.metrics.registry import Metric, resolve
from hive.metrics.statistics import FLAT, OVERALL

if TYPE_CHECKING:
    from hive.metrics.setvalue import PairedSets


SMALLEST_LINE = 4
"""Windows that an extrapolation takes at least."""
_COLUMNS = ("num_sources", "recording_id", "mix_id", "source_id")


@dataclass
class SetValues:
    """What came of the metrics of whole sets."""

    aggregates: list[Aggregate] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """Size and recording of one scored item, and which it is."""

    group: str
    recording: str
    mix_id: str
    source_id: str


def set_values(
    folder: RunFolder, names: Sequence[str], scores: pa.Table, selection: Selection
) -> SetValues:
    """Compute the metrics of whole sets.

    Args:
        folder: The folder of the run.
        names: Its chunks.
        scores: One row an item that was scored.
        selection: The metrics of the run.
    """
    metrics = [resolve(metric.name) for metric in selection.metrics if metric.scope == "set"]
    values = SetValues()
    if not metrics:
        return values
    sizes: dict[VectorKey, int] = {}
    for name in names:
        sizes |= folder.vector_counts(name)
    columns = (scores[name].to_pylist() for name in _COLUMNS)
    items = [_Item(str(size), *rest) for size, *rest in zip(*columns, strict=True)]
    tables = [_Table(metric, row, items, sizes) for metric in metrics for row in (ESTIMATE, *ROWS)]
    for name in names:
        vectors = folder.vectors(name)
        for table in tables:
            table.add(vectors)
    for table in tables:
        found = table.aggregates()
        if table.row == ESTIMATE:
            values.aggregates += found
            continue
        row = next(name for name in ROWS if name == table.row)
        values.anchors += [
            Anchor(name=row, metric=one.metric, group=one.group, n=one.n, mean=one.mean)
            for one in found
        ]
    return values


class _Table:
    """The sets of one metric and one row of estimates: of each size, and of all items."""

    def __init__(
        self, metric: Metric, row: str, items: Sequence[_Item], sizes: dict[VectorKey, int]
    ) -> None:
        self.row = row
        self._metric = metric
        self._head = (metric.embedding or "", metric.info.features[0])
        there = [item for item in items if self._key(row, item) in sizes]
        groups = sorted({item.group for item in there}, key=int)
        members = {group: [one for one in there if one.group == group] for group in groups}
        self._sets = {
            group: _Set(metric, row, some, [sizes[self._key(row, item)] for item in some])
            for group, some in {**members, FLAT: there}.items()
            if some
        }

    def add(self, vectors: dict[VectorKey, Float]) -> None:
        """Take what a chunk holds."""
        for key, estimate in vectors.items():
            if key[:2] != self._head or key[2] != self.row:
                continue
            truth: VectorKey = (key[0], key[1], "reference", key[3], key[4])
            for one in self._sets.values():
                one.add((key[3], key[4]), vectors[truth], estimate)

    def aggregates(self) -> list[Aggregate]:
        """Return the values of the sizes, of all of them on average, and of all items."""
        found = {group: one.value() for group, one in self._sets.items()}
        if not found:
            return []
        groups = [value for group, value in found.items() if group != FLAT]
        overall = _Value(
            float(np.mean([value.value for value in groups])),
            float(np.mean([value.half for value in groups])),
            found[FLAT].n_files,
            found[FLAT].n_windows,
        )
        named = [
            *((group, value) for group, value in found.items() if group != FLAT),
            (OVERALL, overall),
            (FLAT, found[FLAT]),
        ]
        return [value.aggregate(self._metric.name, group) for group, value in named]

    def _key(self, what: str, item: _Item) -> VectorKey:
        return (*self._head, what, item.mix_id, item.source_id)


@dataclass(frozen=True)
class _Value:
    """A value of a set, half the width of its interval, and how large the set is."""

    value: float
    half: float
    n_files: int
    n_windows: int

    def aggregate(self, metric: str, group: str) -> Aggregate:
        return Aggregate(
            metric=metric,
            group=group,
            n=self.n_files,
            mean=self.value,
            ci_low=math.nan if math.isnan(self.half) else max(0.0, self.value - self.half),
            ci_high=self.value + self.half,
            std=math.nan,
            median=math.nan,
            mean_clipped=None,
            n_pos_inf=0,
            n_neg_inf=0,
            n_nan=0,
            n_windows=self.n_windows,
        )


class _Set:
    """One set of items, which come chunk by chunk."""

    def __init__(
        self, metric: Metric, row: str, items: Sequence[_Item], sizes: Sequence[int]
    ) -> None:
        from hive.metrics.setvalue import PairedSets

        self._place = {(item.mix_id, item.source_id): at for at, item in enumerate(items)}
        self._n_files, self._n_windows = len(items), sum(sizes)
        self._sets: PairedSets | None = None
        self._pairs: list[tuple[int, Float, Float]] = []  # of an extrapolation, which takes all
        if metric.info.name != "fad_inf":
            recordings = [item.recording for item in items]
            self._sets = PairedSets(recordings, sizes, interval=row == ESTIMATE)

    def add(self, item: tuple[str, str], reference: Float, estimate: Float) -> None:
        """Take an item, if it is one of the set's."""
        index = self._place.get(item)
        if index is None:
            return
        if self._sets is not None:
            self._sets.add(index, reference, estimate)
        else:
            self._pairs.append((index, reference, estimate))

    def value(self) -> _Value:
        """Return the value; NaN where there are too few windows for one."""
        if self._sets is not None:
            if self._n_windows < 2:
                return _Value(math.nan, math.nan, self._n_files, self._n_windows)
            found = self._sets.value()
            return _Value(found.value, found.half, found.n_files, found.n_windows)
        from hive.metrics.setvalue import extrapolate

        if self._n_windows < SMALLEST_LINE:
            return _Value(math.nan, math.nan, self._n_files, self._n_windows)
        _, references, estimates = zip(*sorted(self._pairs, key=lambda one: one[0]), strict=True)
        line = extrapolate(references, estimates)
        return _Value(line.value, math.nan, line.n_files, line.n_windows)
