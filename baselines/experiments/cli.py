"""`hive-bench experiment`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hive.options import place_option

if TYPE_CHECKING:
    from baselines.experiments.run import Cell

app = typer.Typer()


@app.command(
    epilog="Example: hive-bench experiment silence-rates --pool PACK --benchmark DATASET "
    "--recipe clearsep-mini --set trainer.max_steps=2000 --out EXPERIMENT",
)
def experiment(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A shipped one, see --list, or a file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Its folder.", show_default=False)
    ] = None,
    benchmark: Annotated[
        str, typer.Option(help="Dataset that is scored on, or mini for the embedded one.")
    ] = "mini",
    pool: Annotated[
        Path | None, place_option(help="Pool, or packed pool, that is trained on.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Tracks of natural recordings.")
    ] = None,
    natural: Annotated[
        str | None,
        typer.Option(
            metavar="RECORDINGS",
            help="Natural recordings that are scored on; CORPUS:FOLDER, or your own.",
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Configuration of the trainings; else the experiment's.")
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of all trainings."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Mixtures, or recordings, to score, at most.")
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device of the scoring.")] = "auto",
    list_: Annotated[bool, typer.Option("--list", help="List the shipped experiments.")] = False,
) -> None:
    """Repeat an experiment of a paper: train what it trains, score it, and print its table.

    Small networks and few steps make it an exercise; the published recipe and size make it the
    experiment. Stopped or killed, the same command goes on.
    """
    from baselines.experiments.config import load_experiment
    from baselines.experiments.run import Plan, columns, run
    from baselines.training.commands import CommandError
    from hive.console import print_table, say

    if list_:
        _list()
        return
    if name is None or out is None:
        raise typer.BadParameter("say which experiment, and where its folder is to be")
    loaded = load_experiment(name)
    corpus, colon, place = (natural or "").partition(":")
    plan = Plan(
        loaded,
        out,
        benchmark,
        pool=pool,
        tracks=tracks,
        natural=((corpus, place) if colon else ("folder", corpus)) if natural else None,
        recipe=recipe,
        settings=tuple(override or ()),
        limit=limit,
        device=device,
    )
    try:
        lines = run(plan)
    except CommandError as error:
        say(f"{error}. The same command goes on.")
        raise typer.Exit(error.status) from error
    names = columns(loaded)
    rows = [(row, *(_shown(line[each]) for each in names)) for row, line in lines.items()]
    print_table(["", *names], rows, title=loaded.title)


def _shown(cell: Cell) -> str:
    if cell.mean is None:
        return "-"
    return f"{cell.mean:.2f}" + (f" ± {cell.std:.2f}" if cell.std is not None else "")


def _list() -> None:
    from baselines.experiments.config import load_experiment, shipped
    from hive.console import print_table

    rows = []
    for name in shipped():
        one = load_experiment(name)
        needs = {"--pool": one.trainings, "--tracks": one.tracks, "--natural": one.natural}
        told = " ".join(option for option, needed in needs.items() if needed)
        rows.append((name, one.title, len(one.trainings), told))
    print_table(["name", "what it shows", "trainings", "needs"], rows)
