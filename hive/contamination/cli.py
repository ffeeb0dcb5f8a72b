"""The command `hive-bench contamination`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from hive.options import (
    CORES,
    EngineKind,
    EngineOption,
    JsonFlag,
    RayAddress,
    Split,
    Workers,
    make_engine,
    place_option,
)

app = typer.Typer()


class AgainstSplit(str, Enum):
    """A split, or all of them."""

    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


@app.command()
def contamination(
    test: Annotated[
        str, typer.Argument(help="A dataset, `mini`, or a clip pool: what was tested on.")
    ],
    against: Annotated[
        list[str],
        typer.Option(
            help="What was trained on; may be repeated: a dataset, a pool, a folder of audio "
            "files, a manifest (CSV), a mixture table with --pool, a corpus as NAME:FOLDER, or a "
            "list of ids, addresses or SHA-256 (text or CSV)."
        ),
    ],
    out: Annotated[Path, place_option(help="Folder for the report.")],
    split: Annotated[Split, typer.Option(help="Split of the test.")] = Split.test,
    against_split: Annotated[
        AgainstSplit, typer.Option(help="Split of training sets that have splits.")
    ] = AgainstSplit.train,
    pool: Annotated[
        Path | None,
        place_option(help="Pool with the clips of mixture tables, read instead of their stems."),
    ] = None,
    cache: Annotated[
        Path | None,
        place_option(help="Folder for fingerprints, kept for other probes; default: OUT/.hive."),
    ] = None,
    workers: Workers = CORES,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how much of a test split is in declared training sets: by id, samples and sound.

    Writes contamination.json, matches.csv, clean.txt (mixtures without a source that was found),
    problems.csv and a page. Stopped, the same command goes on; fingerprints are kept.

    Example: hive-bench contamination DATASET --against fsd50k:FSD50K --against ids.txt --out OUT
    """
    from hive import console
    from hive.contamination.report import NAME
    from hive.contamination.run import Probe
    from hive.contamination.run import contamination as probe_sets
    from hive.figures.page import PAGE

    probe = Probe(test, tuple(against), split.value, against_split.value, pool)
    report = probe_sets(probe, out, cache, make_engine(engine, workers, ray_address))
    if as_json:
        console.print_json(report.model_dump(mode="json"))
        return
    console.print_table(
        ["training set", "items", "hours", "unread", "same id", "samples", "sound", "clips", "%"],
        [
            (
                *(one.declared, one.items, f"{one.hours:.2f}", one.unread),
                *(one.clips.recording.found, one.clips.samples.found, one.clips.sound.found),
                *(one.clips.any.found, f"{100 * (one.clips.any.share or 0):.1f}"),
            )
            for one in report.training_sets
        ],
    )
    over, limits = report.overall, report.limits
    told = [f"{over.clips.any.found} of {over.clips.any.of} clips"]
    if over.mixtures.of:
        told.append(f"{over.mixtures.found} of {over.mixtures.of} mixtures have such a source")
        told.append(f"{over.whole_mixtures.found} have no other")
    console.say(f"In a training set: {', '.join(told)}")
    blind = limits.unread + limits.silent + limits.short_or_steady
    if blind:
        console.say(f"{blind} clips are silent, unread, too short or too steady to be found")
    console.say(f"{out / PAGE}: the page; {out / NAME}: the report")
