"""The sub-command `hive-bench publish`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hive.options import JsonFlag, place_argument

if TYPE_CHECKING:
    from hive.publishing.publish import Published

app = typer.Typer()


class Accepted(str, Enum):
    """What is found and published all the same."""

    licences = "licences"
    names = "names"


@app.command()
def publish(
    dataset: Annotated[Path, place_argument("Folder of the dataset.")],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Repository on the hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private, if it is made.")
    ] = False,
    message: Annotated[
        str, typer.Option("--message", "-m", help="Message of the commit.", show_default=False)
    ] = "",
    tag: Annotated[
        str, typer.Option(help="Name for the commit, such as v1.0.", show_default=False)
    ] = "",
    revision: Annotated[str, typer.Option(metavar="BRANCH", help="Branch.")] = "main",
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Offer the files as a pull request.")
    ] = False,
    splits: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Publish the shards of these splits only, or none; the tables in any case.",
        ),
    ] = None,
    delete_missing: Annotated[
        bool,
        typer.Option(
            "--delete-missing", help="Remove files from the repository that are not here."
        ),
    ] = False,
    accept: Annotated[
        list[Accepted] | None,
        typer.Option(
            help="Publish although licences do not allow it (licences), or although names of "
            "this machine or its user were found (names)."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Files sent at a time.")] = 4,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a finished dataset on the Hugging Face hub; interrupted, the same command goes on.

    What the hub has already is not sent again. Log in with `hf auth login`, or set HF_TOKEN.

    Example: hive-bench publish DATASET --repo OWNER/NAME --tag v1.0 --dry-run
    """
    from hive import console
    from hive.publishing.publish import Wish, parse_splits
    from hive.publishing.publish import publish as publish_dataset

    wish = Wish(
        repo,
        revision,
        private,
        message,
        tag,
        create_pr,
        parse_splits(splits),
        delete_missing,
        frozenset(one.value for one in accept or []),
        workers,
    )
    published = publish_dataset(dataset, wish, dry_run=dry_run, say=console.say)
    if as_json:
        console.print_json(_described(published))
    else:
        _tell(published, tag, dry_run)


def _described(published: Published) -> dict[str, Any]:
    change = published.change
    return {
        "repo": published.repo,
        "page": published.page,
        "files": published.files,
        "bytes": published.bytes,
        "sent": [{"name": file.name, "bytes": file.size} for file in change.missing],
        "sent_bytes": sum(file.size for file in change.missing),
        "other": list(change.other),
        "removed": list(change.removed),
        "commit": published.commit,
        "pull_request": published.request,
    }


def _tell(published: Published, tag: str, dry_run: bool) -> None:
    from hive import console

    change = published.change
    weight = sum(file.size for file in change.missing)
    there = published.files - len(change.missing)
    console.out.print(published.page, highlight=False, soft_wrap=True)
    console.print_table(
        ["files", "number", "MB"],
        [
            ("there already", there, f"{(published.bytes - weight) / 1e6:,.1f}"),
            ("to be sent" if dry_run else "sent", len(change.missing), f"{weight / 1e6:,.1f}"),
            ("to be removed" if dry_run else "removed", len(change.removed), ""),
        ],
    )
    left = [name for name in change.other if name not in change.removed]
    if left:
        console.say(
            f"{len(left)} files there are not of this dataset and stay, such as {left[0]} "
            "(--delete-missing removes them)"
        )
    if dry_run:
        console.say("nothing was sent")
        return
    named = f", tag {tag}" if tag else ""
    console.out.print(f"commit {published.commit}{named}", highlight=False, markup=False)
    if published.request:
        console.out.print(f"{published.page}/discussions/{published.request}", highlight=False)
    else:
        console.out.print(published.loading, highlight=False, markup=False, soft_wrap=True)
