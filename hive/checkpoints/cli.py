"""Sub-commands `checkpoints list|fetch|convert|verify`. Heavy imports wait for the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Fetch, convert and check checkpoints of models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Checkpoint, e.g. clap-music-audioset.")]


@app.command("list")
def list_checkpoints(
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """List the checkpoints that Hive knows, and which are here.

    Example: hive-bench checkpoints list
    """
    from hive import console
    from hive.checkpoints.catalogue import names

    rows = [_row(name) for name in names()]
    if as_json:
        console.print_json(rows)
        return
    console.print_table(
        ["checkpoint", "here", "texts", "used for"],
        [(row["name"], row["state"], _texts(row), row["purpose"]) for row in rows],
    )


@app.command()
def fetch(name: Name) -> None:
    """Download a checkpoint and convert it; interrupted, the same command goes on.

    Example: hive-bench checkpoints fetch clap-music-audioset
    """
    from hive import console
    from hive.checkpoints import install

    _tell(console, install.fetch(name), name)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="The published file.")],
    name: Annotated[str, typer.Option(help="Which checkpoint it is.")],
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder with the tokenizer's files of a CLAP; without it, no texts."),
    ] = None,
    allow_other: Annotated[
        bool, typer.Option("--allow-other", help="Take weights not known to be the published ones.")
    ] = False,
) -> None:
    """Convert a checkpoint that was downloaded by hand. Nothing in it is executed.

    Example: hive-bench checkpoints convert 630k-audioset-best.pt --name clap-630k-audioset
    """
    from hive import console
    from hive.checkpoints import install

    _tell(console, install.convert(file, name, tokenizer, allow_other=allow_other), name)


@app.command()
def verify(name: Name) -> None:
    """Hash the files, load the weights, look for bad values and run the model once.

    Example: hive-bench checkpoints verify clap-music-audioset
    """
    from hive import console
    from hive.checkpoints import install, store

    problems = install.verify(name)
    for problem in problems:
        console.out.print(problem, highlight=False, markup=False, soft_wrap=True)
    if problems:
        console.say(f"{store.remedy(name)} after removing {store.path(name)}")
        raise typer.Exit(1)
    console.out.print(f"{name}: all is well", highlight=False, markup=False)
    status = store.inspect(name)
    console.say(f"{status.weights}: SHA-256 {status.sha256}")


def _row(name: str) -> dict[str, Any]:
    from hive.checkpoints import store
    from hive.checkpoints.catalogue import find

    entry, status = find(name), store.inspect(name)
    source = status.manifest.get("source", {})
    return {
        "name": name,
        "kind": entry.kind,
        "state": status.state,
        "problem": status.problem,
        "texts": status.has_tokenizer,
        "folder": str(status.folder),
        "sha256": status.sha256,
        "published": source.get("published"),
        "licence": entry.licence,
        "purpose": entry.purpose,
        "repo": entry.repo,
        "revision": entry.revision,
        "filename": entry.filename,
        "url": entry.url,
        "source_sha256": source.get("sha256", entry.sha256),
        "remedy": "" if status.state == "ready" else store.remedy(name),
    }


def _texts(row: dict[str, Any]) -> str:
    """Whether a checkpoint embeds texts; a dash where that is no question."""
    from hive.checkpoints.catalogue import find

    if find(row["name"]).tokenizer is None:
        return "-"
    return "yes" if row["texts"] else "no"


def _tell(console: Any, folder: Path, name: str) -> None:
    from hive.checkpoints import store
    from hive.checkpoints.catalogue import find

    status = store.inspect(name)
    console.say(f"{folder}: {name}, SHA-256 of the weights {status.sha256}")
    if find(name).tokenizer is not None and not status.has_tokenizer:
        console.say("without a tokenizer: it embeds sounds, no texts; see --tokenizer")
