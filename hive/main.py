"""The program `hive-bench`: mounts the sub-commands that each package brings.

Packages name their typer application in the entry-point group `hive_bench.commands`, so this
module imports none of them, and other distributions can add commands of their own.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer
from rich.text import Text

from hive.errors import HiveError

GROUP = "hive_bench.commands"
_STOPPED = (130, 143)  # what the command line makes of Ctrl-C and SIGTERM


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


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; a `HiveError` is shown with its remedy.

    Args:
        arguments: What stands after the program's name; `sys.argv` when None.

    Returns:
        The exit code: 0 on success, 1 on a failure, 2 on a usage error.
    """
    try:
        build()(arguments, prog_name="hive-bench")
    except HiveError as error:
        from hive.console import err

        err.print(Text.assemble(("Error: ", "bold red"), error.problem), soft_wrap=True)
        if error.remedy:
            err.print(Text.assemble(("Remedy: ", "bold"), error.remedy), soft_wrap=True)
        return 1
    except SystemExit as end:
        if end.code in _STOPPED:
            from hive.console import say

            say("Stopped. What is done is kept: long work goes on with the same command.")
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def main() -> None:
    """The program's entry point."""
    sys.exit(run())
