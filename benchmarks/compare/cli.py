"""The sub-command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hive.options import place_argument, place_option


def compare(
    runs: Annotated[list[Path], place_argument("Folders of finished runs.", metavar="RUN")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Metric; may be given several times. Else all in common."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        place_option(metavar="RUN", help="The run that the others are compared with: the first."),
    ] = None,
    group: Annotated[
        str,
        typer.Option(
            help="overall (mean of the mixture sizes), flat (all items) or a number of sources."
        ),
    ] = "overall",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[
        Path | None, place_option(metavar="FILE", help="Also write the rows as CSV.")
    ] = None,
) -> None:
    """Compare runs on the items that they share: differences, intervals, tests.

    Each run is compared with the baseline, the first if none is named.

    What the numbers mean is in docs/statistics.md.

    Example: hive-bench compare runs/audiosep runs/clearsep --metric si_sdr_i
    """
    if len(runs) < 2:
        raise typer.BadParameter("name at least two runs", param_hint="RUN")
    if len({run.resolve() for run in runs}) < len(runs):
        raise typer.BadParameter("a run is named twice", param_hint="RUN")
    if group not in ("overall", "flat") and not (group.isascii() and group.isdigit()):
        raise typer.BadParameter(
            f"{group!r} is not overall, flat or a number of sources", param_hint="--group"
        )

    from benchmarks.compare.compute import compare_runs
    from benchmarks.compare.table import show_comparison, to_csv
    from hive.console import print_json, say
    from hive.files import write_text

    found = compare_runs(runs, metrics=metric or (), baseline=baseline, group=group)
    if csv is not None:
        write_text(csv, to_csv(found))
        say(f"Wrote {csv}")
    if as_json:
        print_json(found.model_dump())
    else:
        show_comparison(found)
