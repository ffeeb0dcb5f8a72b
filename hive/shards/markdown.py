"""Text of strangers inside Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKS = re.compile(r"([\\`*_{}\[\]|~#!$@])")
#: What would become a link by itself.
_LINK = re.compile(r"(?<=\bwww)\.|:(?=//)", re.IGNORECASE)
#: Ends of lines and other control characters, and those that turn the text around them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def one_line(text: object) -> str:
    """Return text on one line, and with no hold on the text around it."""
    return _CONTROL.sub(" ", str(text))


def plain(text: object) -> str:
    """Return text that Markdown shows as it is: no markup, no link, no HTML, one line."""
    line = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK.sub(r"\\\g<0>", _MARKS.sub(r"\\\1", line))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; columns of numbers are set to the right.

    Args:
        columns: Headings, as Markdown.
        rows: Cells; text is shown as it is, numbers with separators of thousands.
    """
    cells = [list(row) for row in rows]
    rules = [
        "---:" if cells and all(isinstance(row[n], (int, float)) for row in cells) else "---"
        for n in range(len(columns))
    ]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(rules)}|"]
    return lines + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in cells]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else plain(value)
