"""What the command line prints: messages, tables and progress, on one console."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

out = Console()  # results
err = Console(stderr=True)  # messages and progress


class _Rate(ProgressColumn):
    """Items per second, or seconds per item when slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("", style="progress.data.speed")
        text = f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each"
        return Text(text, style="progress.data.speed")


def say(text: str) -> None:
    """Print a message on standard error, as it is: no markup, no colour, no wrapping."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def progress() -> Progress:
    """Return a progress display with rate and time left.

    It is silent where nobody watches: when standard error is no terminal, or `HIVE_QUIET` is set.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=bool(os.environ.get("HIVE_QUIET")) or not err.is_terminal,
    )


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output, without colour or wrapping."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None
) -> None:
    """Print a table; cells that look like numbers are set to the right.

    Cells are shown as they are: markup in a name is not interpreted.
    """
    cells = [[Text(str(cell)) for cell in row] for row in rows]
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(_is_number(row[index].plain) for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    out.print(table)


def _is_number(text: str) -> bool:
    return (
        text == ""
        or text.lstrip("+-−").replace(",", "").replace(".", "", 1).split(" ")[0].isdigit()
    )
