"""The sub-command `metrics audit`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def audit(
    vectors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also the cases of this file of test vectors."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the metrics with closed forms and with the libraries that are installed.

    Exit code 1 if a difference exceeds its tolerance. Libraries that are missing are listed.

    Example: hive-bench metrics audit
    """
    from benchmarks.audit.table import audit as run
    from hive.console import print_json, print_table, say

    rows = run(vectors)
    if as_json:
        print_json([_plain(asdict(row)) for row in rows])
    else:
        print_table(
            ["metric", "reference", "cases", "largest difference", "tolerance", "verdict"],
            [
                (
                    row.metric,
                    f"{row.reference} {row.version}".strip(),
                    row.cases,
                    f"{row.largest_difference:.1e}" if row.cases else "",
                    f"{row.tolerance:.0e}",
                    row.verdict,
                )
                for row in rows
            ],
        )
    wrong = [row for row in rows if row.verdict == "differs"]
    for row in wrong:
        say(
            f"{row.metric} differs from {row.reference} by {row.largest_difference:.3g} "
            f"(tolerance {row.tolerance:g}) in the case {row.worst!r}"
        )
    if wrong:
        raise typer.Exit(1)


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Return a row as JSON can hold it: no NaN, no infinity."""
    value = row["largest_difference"]
    finite = isinstance(value, float) and abs(value) < float("inf")
    return row | {"largest_difference": value if finite else None}
