"""Sub-commands of `hive-bench` about the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
leaderboard = typer.Typer(help="Check runs for the leaderboard.", no_args_is_help=True)
app.add_typer(leaderboard, name="leaderboard")


@leaderboard.callback()
def _leaderboard() -> None:
    # With a callback the group keeps its sub-command's name, though there is only one.
    pass


@leaderboard.command(epilog="Example: hive-bench leaderboard check runs/audiosep")
def check(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of finished runs.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that runs follow the schema and that their means are those of their rows.

    Exit code 0 if there is nothing to object to, 1 otherwise.
    """
    from hive.console import err, print_json, print_table
    from leaderboard.check import check_run

    found = {run: check_run(run) for run in runs}
    if as_json:
        print_json(
            [
                {"run": str(run), "findings": [vars(each) for each in findings]}
                for run, findings in found.items()
            ]
        )
    else:
        for run, findings in found.items():
            if findings:
                print_table(
                    ["file", "field", "problem", "remedy"],
                    [(each.file, each.field, each.problem, each.remedy) for each in findings],
                    title=str(run),
                )
            else:
                err.print(f"{run}: nothing to object to", highlight=False, markup=False)
    if any(found.values()):
        raise typer.Exit(1)
