"""The tables of the report, as plain rows that the template prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report import text
from benchmarks.report.runs import Run
from benchmarks.results import Aggregate, MetricRecord
from hive.metrics.statistics import FLAT, OVERALL, Summary, summarise

NUM_LABELS = 15
MIN_ITEMS = 5


@dataclass(frozen=True)
class Cell:
    """One mean of the score table; `mark` is "best", "tie" or empty."""

    value: str = text.NONE
    interval: str = ""
    left_out: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A group of mixtures in the score table."""

    group: str
    n: str
    cells: list[Cell]


@dataclass(frozen=True)
class Block:
    """The rows of one run."""

    name: str
    note: str
    rows: list[Row]


def groups(runs: Sequence[Run]) -> list[str]:
    """Return the groups of mixtures of all runs, in order."""
    return sorted({group for run in runs for _, group in run.aggregates}, key=text.group_order)


def score_blocks(
    runs: Sequence[Run], metrics: Sequence[MetricRecord], *, comparable: bool
) -> list[Block]:
    """Return one block a run; best values and ties are marked if the runs can be compared."""
    marks = _marks(runs, metrics) if comparable else {}
    blocks = []
    for index, run in enumerate(runs):
        rows = []
        for group in groups([run]):
            found = [run.aggregates.get((metric.name, group)) for metric in metrics]
            cells = [
                _cell(one, metric, marks.get((index, metric.name, group), ""))
                for one, metric in zip(found, metrics, strict=True)
            ]
            items = max((_items(one) for one in found if one), default=0)
            rows.append(Row(group=text.group(group), n=f"{items:,}", cells=cells))
        note = "shown the true sources: an upper bound" if run.results.model.uses_reference else ""
        blocks.append(Block(name=run.name, note=note, rows=rows))
    return blocks


ANCHORS = {
    "mixture": ("Unprocessed mixture", "what doing nothing scores"),
    "silence": ("Silence", "zeros in place of the estimate"),
    "ideal_mask": ("Ideal ratio mask", "made from the true sources: an upper bound of masking"),
    "reference": ("True source", "the best that a metric can say"),
}


def anchor_blocks(run: Run, metrics: Sequence[MetricRecord]) -> list[Block]:
    """Return what other signals in place of the estimate score, one block each.

    The unprocessed mixture has a row for every group, the others one overall.
    """
    blocks = []
    for name, (title, note) in ANCHORS.items():
        anchors = {(one.metric, one.group): one for one in run.results.anchors if one.name == name}
        rows = []
        for group in sorted({group for _, group in anchors}, key=text.group_order):
            if name != "mixture" and group != OVERALL:
                continue
            found = [(anchors.get((metric.name, group)), metric) for metric in metrics]
            cells = [
                Cell(value=text.number(one.mean, metric.unit)) if one else Cell()
                for one, metric in found
            ]
            items = max((one.n for one, _ in found if one), default=0)
            rows.append(Row(group=text.group(group), n=f"{items:,}", cells=cells))
        if rows:
            blocks.append(Block(name=title, note=note, rows=rows))
    return blocks


def _items(one: Aggregate) -> int:
    return one.n + one.n_pos_inf + one.n_neg_inf + one.n_nan


def _cell(one: Aggregate | None, metric: MetricRecord, mark: str) -> Cell:
    if one is None:
        return Cell()
    mean = text.number(one.mean, metric.unit)
    if one.group == FLAT and not math.isnan(one.std):
        mean += f" ± {text.number(one.std, metric.unit)}"
    return Cell(
        value=mean,
        interval=text.interval(one.ci_low, one.ci_high, metric.unit),
        left_out=text.left_out(one.n_pos_inf, one.n_neg_inf, one.n_nan),
        mark=mark,
    )


def _marks(runs: Sequence[Run], metrics: Sequence[MetricRecord]) -> dict[tuple[int, str, str], str]:
    """Mark the best run of each column and group, or the runs that cannot be told from it.

    Runs whose interval overlaps that of the best mean, or that have none, share the place. Oracle
    runs take no part.
    """
    marks = {}
    for metric in metrics:
        sign = 1 if metric.higher_is_better else -1
        for group in groups(runs):
            entries = {
                index: run.aggregates[metric.name, group]
                for index, run in enumerate(runs)
                if not run.results.model.uses_reference
                and (metric.name, group) in run.aggregates
                and math.isfinite(run.aggregates[metric.name, group].mean)
            }
            if len(entries) < 2:
                continue
            best = max(entries.values(), key=lambda one: sign * one.mean)
            tied = [
                index
                for index, one in entries.items()
                if one is best or not (one.ci_high < best.ci_low or one.ci_low > best.ci_high)
            ]
            for index in tied:
                marks[index, metric.name, group] = "best" if len(tied) == 1 else "tie"
    return marks


@dataclass(frozen=True)
class Spread:
    """One aggregate in full, for the table behind the score table."""

    metric: str
    group: str
    cells: list[str]


def spread_rows(run: Run) -> list[Spread]:
    """Return standard deviation, median, clipped mean and counts of every aggregate."""
    units = {metric.name: metric for metric in run.results.metrics}
    rows = []
    for one in run.results.aggregates:
        metric = units[one.metric]
        clipped = math.nan if one.mean_clipped is None else one.mean_clipped
        values = (one.mean, one.std, one.median, clipped)
        counts = (one.n, one.n_pos_inf, one.n_neg_inf, one.n_nan)
        cells = [text.number(value, metric.unit) for value in values]
        cells += [f"{count:,}" for count in counts]
        rows.append(Spread(metric=metric.title, group=text.group(one.group), cells=cells))
    return rows


@dataclass(frozen=True)
class LabelRow:
    """A label with its mean; positions are per cent of the shared scale."""

    label: str
    n: int
    mean: str
    interval: str
    at: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelTable:
    """The weakest and strongest labels of a run; `best` is empty if `worst` holds them all."""

    worst: list[LabelRow]
    best: list[LabelRow]
    num_labels: int
    min_items: int
    zero: float | None


def label_table(run: Run, metric: MetricRecord) -> LabelTable | None:
    """Return the labels with the lowest and highest means, or None without finite scores.

    Labels with fewer than five items are left out, unless no label has as many.
    """
    finite = run.scores[np.isfinite(run.scores[metric.name].to_numpy(float))]
    means = finite.groupby("label")[metric.name].agg(["mean", "size"])
    if means.empty:
        return None
    minimum = MIN_ITEMS if (means["size"] >= MIN_ITEMS).any() else 1
    means = means[means["size"] >= minimum]
    worst_first = means.sort_values(["mean", "size"], ascending=metric.higher_is_better).index
    split = len(worst_first) > 2 * NUM_LABELS
    shown = [*worst_first[:NUM_LABELS], *worst_first[-NUM_LABELS:]] if split else [*worst_first]
    rows = {str(label): finite[finite["label"] == label] for label in shown}
    summaries = {
        label: summarise(
            items[metric.name].to_numpy(float),
            items["recording_id"].to_numpy(str),
            np.zeros(len(items), int),
            decibel=metric.unit == "dB",
        )[-1]
        for label, items in rows.items()
    }
    scale = _Scale(list(summaries.values()))
    ready = [
        LabelRow(
            label=label,
            n=one.n,
            mean=text.number(one.mean, metric.unit),
            interval=text.interval(one.ci_low, one.ci_high, metric.unit),
            at=scale(one.mean),
            low=scale(one.mean if math.isnan(one.ci_low) else one.ci_low),
            high=scale(one.mean if math.isnan(one.ci_high) else one.ci_high),
        )
        for label, one in summaries.items()
    ]
    return LabelTable(
        worst=ready[:NUM_LABELS] if split else ready,
        best=ready[NUM_LABELS:][::-1] if split else [],
        num_labels=len(worst_first),
        min_items=minimum,
        zero=scale(0.0) if scale.low < 0.0 < scale.high else None,
    )


class _Scale:
    """Maps values to per cent of the width that all shown intervals need."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        values = np.array([(one.mean, one.ci_low, one.ci_high) for one in summaries])
        self.low, self.high = float(np.nanmin(values)), float(np.nanmax(values))
        margin = 0.04 * (self.high - self.low) or 1.0
        self.low, self.high = self.low - margin, self.high + margin

    def __call__(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)
