"""Sub-commands `weights show|export|push`. Heavy imports wait for the command."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from hive.options import JsonFlag

app = typer.Typer(help="Look at, copy and publish saved networks.", no_args_is_help=True)

Source = Annotated[
    str, typer.Argument(help="Folder, name of a model or checkpoint, or OWNER/NAME on the hub.")
]


class Kind(str, Enum):
    """Types of stored weight matrices."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


@app.command(epilog="Example: hive-bench weights show audiosep-mini")
def show(source: Source, as_json: JsonFlag = False) -> None:
    """Load a saved network, check it and say what it is."""
    from baselines.cards import network_facts
    from baselines.locations import locate
    from baselines.pretrained import load_folder
    from baselines.storage import WEIGHTS, read_description
    from hive.console import print_json, print_table
    from hive.files import sha256_file

    folder = locate(source)
    description, facts = read_description(folder), network_facts(load_folder(folder))
    found = {
        "folder": str(folder),
        "architecture": description.architecture,
        "parameters": facts.parameters,
        "sample_rate": facts.sample_rate,
        "window_seconds": facts.window_seconds,
        "takes_negatives": facts.takes_negatives,
        "encoder": facts.encoder,
        "checkpoint": facts.checkpoint,
        "storage": description.storage,
        "bytes": (folder / WEIGHTS).stat().st_size,
        "sha256": sha256_file(folder / WEIGHTS),
        "package_version": description.package_version,
    }
    if as_json:
        print_json(found)
        return
    rows = [(name, "-" if value is None else str(value)) for name, value in found.items()]
    print_table(["field", "value"], rows)


@app.command(epilog="Example: hive-bench weights export audiosep-mini small --storage bfloat16")
def export(
    source: Source,
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    storage: Annotated[
        Kind, typer.Option(help="Type of the weight matrices; all but float32 halve the file.")
    ] = Kind.float32,
) -> None:
    """Save a network again, with its card and what lies beside it."""
    from baselines.locations import locate
    from baselines.pretrained import OWN_FILES, load_folder
    from baselines.storage import CARD
    from hive.checkpoints.store import MANIFEST
    from hive.console import say
    from hive.errors import HiveError
    from hive.files import write_bytes

    origin = locate(source)
    if folder.exists() and folder.resolve() == origin.resolve():
        raise HiveError(f"{folder}: is where the network is from", "give another folder")
    model = load_folder(origin)
    beside = [file for file in sorted(origin.iterdir()) if file.is_file()]
    extras = [file for file in beside if file.name not in (*OWN_FILES, MANIFEST)]
    if (origin / CARD).is_file():
        write_bytes(folder / CARD, (origin / CARD).read_bytes())
    model.save_pretrained(folder, extra_files=extras, storage=storage.value)
    say(f"{folder}: {model.name}, {storage.value}")


@app.command(epilog="Example: hive-bench weights push runs/dog/model OWNER/NAME --private")
def push(
    folder: Annotated[Path, typer.Argument(help="Folder of a saved network.")],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the hub; made where it is missing.")],
    private: Annotated[
        bool | None, typer.Option(help="Whether a new repository is private.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="Branch; main if left out.")] = None,
    create_pr: Annotated[bool, typer.Option(help="Offer it as a pull request.")] = False,
    message: Annotated[str, typer.Option(help="Name of the commit.")] = "Network of hive-bench",
) -> None:
    """Put the folder of a saved network into a model repository on the Hugging Face hub."""
    from baselines.pretrained import load_folder
    from baselines.publication import push_folder
    from hive.console import out

    load_folder(folder)  # what cannot be loaded is not published
    address = push_folder(
        folder,
        repo,
        commit_message=message,
        private=private,
        branch=branch,
        create_pr=create_pr,
    )
    out.print(address, highlight=False, markup=False, soft_wrap=True)
