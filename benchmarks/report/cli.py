"""The sub-command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hive.options import place_argument, place_option


def report(
    runs: Annotated[list[Path], place_argument("Folders of finished runs.", metavar="RUN")],
    out: Annotated[Path, place_option(metavar="FILE", help="The HTML file.")],
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Sound separation report",
) -> None:
    """Write one HTML page about one or several runs: tables, plots, spectrograms and players.

    Example: hive-bench report runs/audiosep runs/mixture --out report.html
    """
    from benchmarks.report.page import write_report
    from hive.console import err

    write_report(runs, out, title)
    err.print(f"Wrote {out}", highlight=False, markup=False)
