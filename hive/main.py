"""The program `hive-bench`: mounts the sub-commands that each package brings.

Packages name their typer application in the entry-point group `hive_bench.commands`, so this
module imports none of them, and other distributions can add commands of their own.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from hive.errors import HiveError

GROUP = "hive_bench.commands"


def build() -> typer.Typer:
    """Return the whole command line."""
    root = typer.Typer(
        name="hive-bench",
        help="Data, benchmark and baselines for query-based universal sound separation.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        rich_markup_mode="rich",
    )
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        root.add_typer(entry.load())
    return root


def main() -> None:
    """Run the command line; a `HiveError` ends it with exit code 1 and its remedy."""
    try:
        build()()
    except HiveError as error:
        from hive.console import err

        err.print(f"[bold red]Error:[/] {_plain(error.problem)}", highlight=False)
        if error.remedy:
            err.print(f"[bold]Remedy:[/] {_plain(error.remedy)}", highlight=False)
        sys.exit(1)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
