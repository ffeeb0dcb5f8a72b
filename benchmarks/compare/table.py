"""A comparison on the console, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from benchmarks.compare.records import Comparison, Outside, Row, Statistics
from benchmarks.table import format_number
from hive.console import err, out

if TYPE_CHECKING:
    from rich.table import Table

GROUPS = {"overall": "mean of the mixture sizes", "flat": "mean over all items"}


def show_comparison(comparison: Comparison) -> None:
    """Print a table for each run against the baseline, how to read it, and what to beware of."""
    for run in comparison.runs:
        rows = [row for row in comparison.rows if row.run == run.name]
        mark = " (oracle)" if run.oracle else ""
        base = comparison.baseline
        against = f"{base.name}{' (oracle)' if base.oracle else ''}"
        group = GROUPS.get(comparison.group, f"mixtures of {comparison.group} sources")
        _line(
            f"{run.name}{mark} less {against}: task {comparison.task} on {comparison.dataset}, "
            f"split {comparison.split}, {group}"
        )
        out.print(_table(rows))
        for line in (*_left_out(rows), *_needed(rows)):
            _line(line)
    for line in _legend(comparison):
        _line(line)
    for note in comparison.notes:
        err.print(Text(note, style="yellow"), soft_wrap=True)


def to_csv(comparison: Comparison) -> str:
    """Return the comparison as CSV: one row a metric, run and treatment of infinite values.

    The treatment is "finite" (they are left out), "clipped" (to [-30, 100] dB) or "set" (one value
    for the whole set, no test).
    """
    fields = [name for name in Statistics.model_fields if name != "needed"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["run", "baseline", "metric", "unit", "group", "treatment", *fields])
    for row in comparison.rows:
        treatments = [("finite" if row.tested else "set", row.statistics)]
        treatments += [("clipped", row.clipped)] if row.clipped else []
        for treatment, statistics in treatments:
            values = statistics.model_dump()
            identity = [row.run, row.baseline, row.metric, row.unit, row.group, treatment]
            writer.writerow([*identity, *(_plain(values[name]) for name in fields)])
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    return "" if value is None else value


def _line(text: str) -> None:
    out.print(Text(text), soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.HORIZONTALS, pad_edge=False)
    table.add_column("metric", overflow="fold", min_width=10)
    for heading in ("run\nbase", "difference\ninterval", "p\nHolm", "n\nrec.", "detect-\nable"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=10)
    for row in rows:
        decisive = row.clipped is not None and row.clipped.better != row.statistics.better
        table.add_row(*_cells(row, row.statistics), end_section=not decisive)
        if row.clipped is not None and decisive:
            table.add_row(*_cells(row, row.clipped, "clipped"), end_section=True)
    return table


def _cells(row: Row, statistics: Statistics, mark: str = "") -> list[str | Text]:
    """Return the cells of a row; what comes from files is Text, so that none of it is markup."""
    from rich.markup import escape

    unit = row.unit
    kind = [("↑" if row.higher_is_better else "↓"), unit, mark, "stand-in" if row.standin else ""]
    difference = [_signed(statistics.difference, unit)]
    if not math.isnan(statistics.ci_low):
        ends = _signed(statistics.ci_low, unit), _signed(statistics.ci_high, unit)
        difference.append(f"[dim]{escape(f'[{ends[0]}, {ends[1]}]')}[/]")
    means = statistics.mean_run, statistics.mean_baseline
    return [
        Text(f"{row.metric}\n{' '.join(filter(None, kind))}"),
        "\n".join(format_number(mean, unit) for mean in means),
        "\n".join(difference),
        f"{_p(statistics.p_value)}\n{_p(statistics.p_holm)}",
        f"{statistics.n:,}\n" + (f"[dim]{statistics.num_recordings:,}[/]" if row.tested else ""),
        format_number(statistics.detectable, unit),
        Text(statistics.verdict, style="bold" if statistics.better else ""),
    ]


def _left_out(rows: list[Row]) -> Iterator[str]:
    """Say how many items the differences leave out, and why; metrics with the same reasons once."""
    metrics: dict[str, list[str]] = {}
    for row in rows:
        if row.outside_run and row.outside_baseline and row.statistics.left_out:
            kinds = [
                f"{name} {counts}"
                for name, counts in (
                    (row.run, _counts(row.outside_run)),
                    (row.baseline, _counts(row.outside_baseline)),
                )
                if counts
            ]
            count = row.statistics.left_out
            reason = f"{count:,} item{'s' if count > 1 else ''} ({'; '.join(kinds)})"
            metrics.setdefault(reason, []).append(row.metric)
    for reason, names in metrics.items():
        yield f"left out of {', '.join(names)}: {reason}"
    clipped = [row for row in rows if row.clipped]
    if clipped and all(
        row.clipped.better == row.statistics.better for row in clipped if row.clipped
    ):
        yield "with infinite scores clipped to -30 and 100 dB, the verdicts are the same"


def _counts(outside: Outside) -> str:
    kinds = (("+inf", outside.pos_inf), ("-inf", outside.neg_inf), ("undefined", outside.nan))
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds if count)


def _signed(value: float, unit: str) -> str:
    text = format_number(value, unit)
    return f"+{text}" if value > 0 and math.isfinite(value) else text


def _p(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _needed(rows: list[Row]) -> Iterator[str]:
    """Say how many items it takes, for the first metric in decibels."""
    for row in rows:
        if row.statistics.needed:
            steps = [f"{one.difference:g} dB: {one.items:,}" for one in row.statistics.needed]
            yield f"items needed to see a difference in {row.metric} of {', '.join(steps)}"
            return


def _legend(comparison: Comparison) -> Iterator[str]:
    if not comparison.family:
        return
    tests = f"{comparison.family} test{'s' if comparison.family > 1 else ''}"
    yield (
        "difference: of the means over the n items (from rec. recordings) that both have, with its "
        "95 % interval from a bootstrap over recordings"
    )
    if any(not row.tested for row in comparison.rows):
        yield "metrics of a whole set: of the values over all items of each run"
    yield (
        "p: from exchanging the runs recording by recording; Holm: the same, allowing for all "
        f"{tests}; a run is called better if this is at most 0.05"
    )
    if comparison.family < sum(not math.isnan(row.statistics.p_value) for row in comparison.rows):
        yield "an improvement (_i) has the differences of its metric, so the two are one test"
    yield "detectable: smallest true difference that would be seen four times in five"
