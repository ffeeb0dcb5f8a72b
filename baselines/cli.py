"""Sub-commands of `hive-bench` about models: `models` and `separate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command(
    epilog="Example: hive-bench models --json",
)
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that are installed, and what the others lack.

    Besides the names listed, every --model takes python:package.module:Class, process:COMMAND (a
    worker in another environment) and files:FOLDER (estimates on disk).
    """
    from hive.console import out, print_json, print_table
    from hive.models import listings

    found = listings()
    if as_json:
        print_json(
            [
                {
                    **{key: value for key, value in vars(each).items() if key != "missing"},
                    "available": not each.missing,
                    "missing": [
                        {"problem": error.problem, "remedy": error.remedy} for error in each.missing
                    ],
                }
                for each in found
            ]
        )
        return
    rows = []
    for each in found:
        rate = {None: "?", 0: "any"}.get(each.sample_rate, f"{each.sample_rate} Hz")
        kind = "generative" if each.generative else "oracle" if each.uses_reference else ""
        ready = "yes" if not each.missing else "no: " + "; ".join(map(str, each.missing))
        rows.append(
            (each.name, rate, kind, "yes" if each.takes_negatives else "", ready, each.summary)
        )
    print_table(["model", "rate", "kind", "negatives", "available", "what it is"], rows)
    out.print("Also: python:package.module:Class, process:COMMAND, files:FOLDER", highlight=False)


@app.command(
    epilog="Example: hive-bench separate street.wav Dog --model process:./worker.py -o dog.wav",
)
def separate(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Audio file of any rate.")],
    query: Annotated[str, typer.Argument(help="The sound to keep.")],
    model: Annotated[str, typer.Option(help="Model, see hive-bench models.")],
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.wav", help="WAV or FLAC file to write.")
    ],
    without: Annotated[
        list[str] | None, typer.Option(help="A sound to drop; may be given several times.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the model; may be given several times."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of models that draw random numbers.")] = 0,
) -> None:
    """Keep what a query names in a recording of your own.

    Each channel is separated by itself; the result has the input's rate, channels and exact length.
    """
    from baselines.apply import separate_file
    from hive.console import err
    from hive.models import parse_options

    clipped = separate_file(
        source,
        target,
        query,
        model=model,
        negatives=tuple(without or ()),
        options=parse_options(option or []),
        device=device,
        seed=seed,
    )
    if clipped:
        err.print(f"{clipped} samples were beyond full scale and are clipped", style="yellow")
