"""The tables that come with the package; `SOURCES.md` beside them says where each is from."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent


def read_table(path: Path | str) -> list[dict[str, str]]:
    """Read a tab-separated table: `#` lines are comments, the first other line names the columns.

    Args:
        path: A file, or the name of one beside this module.

    Returns:
        One dictionary a row, all values strings; cells are never quoted.
    """
    with (FOLDER / path).open(encoding="utf-8", newline="") as handle:
        lines = (line for line in handle if not line.startswith("#"))
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
