"""The results of a run as tables on the console."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from benchmarks.metric_list import unavailable_lines
from hive.console import err, out
from hive.metrics.statistics import FLAT, OVERALL

if TYPE_CHECKING:
    from rich.table import Table

    from benchmarks.results import Aggregate, Anchor, Failure, MetricRecord, Results

DIMENSIONS = 512
"""Of the vectors of every embedding; sets of fewer have singular covariances."""
_COLUMN_WIDTH = 17  # "[-12.34, -12.34]" and the space between columns
_FIRST_WIDTH = 12
_ANCHORS = {
    "mixture": "mixture",
    "silence": "silence",
    "ideal_mask": "ideal mask",
    "reference": "reference",
}


def show_results(results: Results) -> None:
    """Print a run: its tables, what to compare with, and everything that is out of order."""
    out.print(Text(_title(results)), soft_wrap=True)  # Text: names may look like markup
    for metrics in _blocks(results.metrics, out.width):
        out.print(_table(results, metrics))
    for line in (*_anchor_lines(results), *_notes(results)):
        out.print(Text(line), soft_wrap=True)
    for line in _warnings(results):
        err.print(Text(line, style="yellow"), soft_wrap=True)


def show_comparison(runs: Sequence[Results], metrics: Sequence[str]) -> None:
    """Print several runs side by side: one row a model, the mean of each metric at each size."""
    from rich import box
    from rich.table import Table

    for name in metrics:
        cells = [
            {each.group: each for each in run.aggregates if each.metric == name} for run in runs
        ]
        groups = _sizes(group for row in cells for group in row)
        record = next(each for run in runs for each in run.metrics if each.name == name)
        unit = f", {record.unit}" if record.unit else ""
        title = Text(f"{name}{unit}", style="table.title")
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
        table.add_column("model, by number of sources")
        for group in groups:
            table.add_column(group, justify="right")
        table.add_column(OVERALL, justify="right")
        table.add_column("95 % interval", justify="right", no_wrap=True)
        for run, row in zip(runs, cells, strict=True):
            means = [_mean(row[group], record.unit) for group in (*groups, OVERALL)]
            ends = row[OVERALL].ci_low, row[OVERALL].ci_high
            interval = ", ".join(format_number(end, record.unit) for end in ends)
            mark = " (oracle)" if run.model.uses_reference else ""
            table.add_row(Text(f"{run.model.name}{mark}"), *means, interval)
        out.print(table)


def _sizes(groups: Iterable[str]) -> list[str]:
    """Return the numbers of sources among groups, in order."""
    return sorted(set(groups) - {OVERALL, FLAT}, key=int)


def _mean(each: Aggregate, unit: str) -> str:
    """Return the mean; where no value is finite and all are the same infinity, that."""
    if not each.n and not each.n_nan and bool(each.n_pos_inf) != bool(each.n_neg_inf):
        return "+inf" if each.n_pos_inf else "-inf"
    return format_number(each.mean, unit)


def format_number(value: float, unit: str) -> str:
    """Return a value with the digits that it deserves: two for decibels, three otherwise."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return f"{value:.2f}" if unit == "dB" else f"{value:.3f}"


def _title(results: Results) -> str:
    dataset, model = results.dataset, results.model
    marks = [
        text
        for text, applies in (
            ("oracle: it is shown the true sources", model.uses_reference),
            ("generative: signal-fidelity metrics say little", model.generative),
        )
        if applies
    ]
    marked = f" ({'; '.join(marks)})" if marks else ""
    return (
        f"{model.name}{marked}: task {results.task} on {dataset.name}, split {dataset.split}, "
        f"{dataset.num_mixtures} mixtures, {dataset.num_items} items"
    )


def _blocks(metrics: Sequence[MetricRecord], width: int) -> Iterator[Sequence[MetricRecord]]:
    """Cut the metrics into tables that fit the console."""
    size = max(1, (width - _FIRST_WIDTH) // _COLUMN_WIDTH)
    for start in range(0, len(metrics), size):
        yield metrics[start : start + size]


def _table(results: Results, metrics: Sequence[MetricRecord]) -> Table:
    from rich import box
    from rich.table import Table

    cells = {(each.group, each.metric): each for each in results.aggregates}
    anchors: dict[tuple[str, str], Anchor] = {
        (each.name, each.metric): each for each in results.anchors if each.group == OVERALL
    }
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    table.add_column("sources")
    for metric in metrics:
        arrow = "↑" if metric.higher_is_better else "↓"
        unit = f" {metric.unit}" if metric.unit else ""
        table.add_column(Text(f"{metric.name} {arrow}{unit}"), justify="right", overflow="fold")
    for group in (*_sizes(group for group, _ in cells), OVERALL, FLAT):
        row = [
            _cell(cells[group, metric.name], metric.unit) if (group, metric.name) in cells else ""
            for metric in metrics
        ]
        if any(row):
            style = "bold" if group == OVERALL else ""
            table.add_row("all items" if group == FLAT else group, *row, style=style)
            table.add_section()
    for name, title in _ANCHORS.items():
        row = [_anchor(anchors.get((name, metric.name)), metric.unit) for metric in metrics]
        if any(row):
            table.add_row(title, *row, style="italic")
    return table


def _anchor(each: Anchor | None, unit: str) -> str:
    return f"{format_number(each.mean, unit)}\n[dim]n {each.n}[/]" if each else ""


def _cell(each: Aggregate, unit: str) -> str:
    """Return mean, interval, n, and the counts of values outside the mean when there are some.

    Over all items, the standard deviation stands beside the mean, as papers that average so have
    it.
    """
    from rich.markup import escape

    lines = [format_number(each.mean, unit)]
    if each.group == FLAT and not math.isnan(each.std):
        lines[0] += f" ± {format_number(each.std, unit)}"
    if not math.isnan(each.ci_low):
        low, high = format_number(each.ci_low, unit), format_number(each.ci_high, unit)
        lines.append(f"[dim]{escape(f'[{low}, {high}]')}[/]")
    lines.append(f"[dim]n {each.n}[/]")
    if each.n_windows is not None:
        lines.append(f"[dim]windows {each.n_windows}[/]")
    counts = (("+inf", each.n_pos_inf), ("-inf", each.n_neg_inf), ("undefined", each.n_nan))
    odd = [f"{name} {count}" for name, count in counts if count]
    lines += [f"[yellow]{text}[/]" for text in odd]
    if odd and each.mean_clipped is not None:
        lines.append(f"[yellow]clipped {format_number(each.mean_clipped, unit)}[/]")
    return "\n".join(lines)


def _anchor_lines(results: Results) -> Iterator[str]:
    """Give the unprocessed mixture for each number of sources: what doing nothing is worth."""
    # Improvements are 0 there, and a remix of copies says nothing.
    units = {
        each.name: each.unit
        for each in results.metrics
        if each.scope == "item" and not each.identity.definition.endswith("_i")
    }
    by_metric: dict[str, list[str]] = {}
    for each in results.anchors:
        if each.name != "mixture" or each.group == FLAT or each.metric not in units:
            continue
        text = f"{each.group}: {format_number(each.mean, units[each.metric])}"
        by_metric.setdefault(each.metric, []).append(text)
    for metric, values in by_metric.items():
        yield f"unprocessed mixture, {metric}: {', '.join(values)}"


def _notes(results: Results) -> Iterator[str]:
    of_sets = [each.name for each in results.metrics if each.scope == "set"]
    if len(of_sets) < len(results.metrics):
        yield (
            "mean over finite values, [95 % interval from a bootstrap over recordings]; "
            "overall is the mean of the levels, all items is the mean over items ± their standard "
            "deviation"
        )
    if of_sets:
        yield (
            f"{', '.join(of_sets)}: one value for all items of a level as a set, [95 % interval "
            "from a jackknife over recordings]; overall is the mean of the levels, all items is "
            "the value of all items as one set"
        )
    names = {each.name for each in results.anchors}
    if names:
        titles = ", ".join(title for name, title in _ANCHORS.items() if name in names)
        yield f"{titles}: overall mean with this in place of the estimate"
    weights = {
        each.identity.embedding: each.identity.checkpoint_sha256
        for each in results.metrics
        if each.identity.embedding and each.identity.checkpoint_sha256
    }
    for name, digest in weights.items():
        yield f"embedding {name}: SHA-256 of the weights {digest}"
    counts = results.counts
    for number, text in (
        (counts.length_fixed, "outputs had another length than their input and were cut or padded"),
        (counts.silent_estimates, "estimates are silent"),
        (counts.silent_references, "true sources are silent: their values are undefined"),
    ):
        if number:
            yield f"{number} of {counts.items} {text}"


def _warnings(results: Results) -> Iterator[str]:
    yield from unavailable_lines(
        [(each.metric, each.reason, each.remedy) for each in results.unavailable]
    )
    standins = [each.name for each in results.metrics if each.standin]
    if standins:
        yield (
            f"{', '.join(standins)}: from a stand-in, no trained model. The values are for tests "
            "and demos and compare with nothing."
        )
    others = [each.name for each in results.metrics if not each.published]
    if others:
        yield (
            f"{', '.join(others)}: the weights of the embedding are not the published ones; the "
            "values compare with nothing but runs with the same weights."
        )
    few = [
        each.metric
        for each in results.aggregates
        if each.n_windows is not None and each.n_windows <= DIMENSIONS
    ]
    if few:
        yield (
            f"{', '.join(dict.fromkeys(few))}: some sets have no more than {DIMENSIONS} windows, "
            "as many as their vectors have dimensions; the size of such sets decides their values."
        )
    by_metric: dict[str | None, list[Failure]] = {}
    for failure in results.failures:
        by_metric.setdefault(failure.metric, []).append(failure)
    for metric, failures in by_metric.items():
        first = failures[0]
        yield (
            f"{f'{metric}: ' if metric else ''}{len(failures)} of {results.counts.items} items "
            f"failed and are not in the means; the first is {first.mix_id} {first.source_id}: "
            f"{first.error}"
        )
    if results.failures:
        yield "Run the same command again to try them again."
    for check in results.checks:
        if not check.passed:
            yield f"Check {check.name} failed: {check.detail}"
