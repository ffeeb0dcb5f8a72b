"""The sub-command `hive-bench decompose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hive.options import (
    EngineKind,
    EngineOption,
    JsonFlag,
    RayAddress,
    Seed,
    ShardCount,
    ShardIndex,
    TaskWorkers,
    make_engine,
    make_share,
    place_argument,
    place_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hive.engine.windows import Windows

app = typer.Typer()


@app.command()
def decompose(
    source: Annotated[
        Path,
        place_argument("A manifest or folder of recordings, a corpus, or a dataset."),
    ],
    model: Annotated[str, typer.Option(help="Separation model, see hive-bench models.")],
    out: Annotated[Path, place_option("--out", help="Folder of the tracks.")],
    corpus: Annotated[
        str, typer.Option(help="A corpus of `hive-bench sources`, or folder for your own.")
    ] = "folder",
    split: Annotated[str, typer.Option(help="Of a dataset: the split to separate.")] = "train",
    threshold: Annotated[
        float, typer.Option(help="Re-SDR and Re-SI-SDR above which tracks are kept, dB.")
    ] = 10.0,
    self_separate: Annotated[
        float, typer.Option(help="Likewise, for training on the recording itself, dB.")
    ] = 15.0,
    least_share: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Least share of a track in the energy.")
    ] = 0.01,
    correlation: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest correlation of two tracks.")
    ] = 0.3,
    similarity: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Largest likeness of two tracks' spectrograms."),
    ] = 0.9,
    iteration: Annotated[int, typer.Option(min=1, help="Of the data engine, for the record.")] = 1,
    positive_only: Annotated[
        bool, typer.Option("--positive-only", help="Do not tell the model what to drop.")
    ] = False,
    option: Annotated[
        list[str] | None, typer.Option(help="Option of the model, NAME=VALUE; may be repeated.")
    ] = None,
    allow_licence: Annotated[
        list[str] | None, typer.Option(help="Licences to take, e.g. no-nc; may be repeated.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Tracks in one call of the model.")] = 8,
    device: Annotated[str, typer.Option(help="Torch device.")] = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first recordings, for a trial.")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Recordings in a shard, at most.")] = 1000,
    seed: Seed = 0,
    workers: TaskWorkers = 1,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    shard_index: ShardIndex = 0,
    shard_count: ShardCount = 1,
    as_json: JsonFlag = False,
) -> None:
    """Separate natural recordings into tracks, and keep those that add up (ClearSep's data engine).

    A recording's labels become queries that exclude one another; each is separated with the others
    as what to drop. Kept is what passes the remix test and holds separate sounds. Stopped or
    killed, the same command goes on; with --shard-count each job does its share, best one a GPU.

    Example: hive-bench decompose recordings/manifest.csv --model clearsep-mini --out TRACKS

    Example: hive-bench decompose AUDIOSET --corpus audioset --model trained:runs/clearsep
    --out TRACKS --device cuda:0 --shard-index 0 --shard-count 4
    """
    from hive import console
    from hive.engine.page import REMIX_COLUMNS, YIELD_COLUMNS, remix_rows, yield_rows
    from hive.engine.rules import Rules
    from hive.engine.run import Job, Unfinished
    from hive.engine.run import decompose as run
    from hive.engine.separation import ModelChoice
    from hive.inference import resolve_device
    from hive.models import parse_options

    parts = open_parts(source, corpus, split, allow_licence or (), limit)
    job = Job(
        dataset=out,
        source=f"{source}" if corpus == "folder" else f"{corpus} ({source})",
        model=ModelChoice(
            model,
            tuple(sorted(parse_options(option or ()).items())),
            resolve_device(device),
            batch_size,
            seed,
            negatives=not positive_only,
        ),
        rules=Rules(threshold, self_separate, least_share, correlation, similarity),
        iteration=iteration,
        shard_size=shard_size,
        engine=make_engine(engine, workers, ray_address),
        share=make_share(shard_index, shard_count),
    )
    report = run(job, parts)
    if isinstance(report, Unfinished):
        console.say(
            f"this job's share is done; parts still missing: {report.missing} of {report.parts}; "
            "the job that does the last one writes the shards"
        )
        if as_json:
            console.print_json(vars(report))
        return
    if as_json:
        console.print_json(report.model_dump())
        return
    console.print_table(list(YIELD_COLUMNS), yield_rows(report))
    console.print_table(list(REMIX_COLUMNS), remix_rows(report))
    console.say(
        f"{report.seen} windows, {report.separated} of them separated; refused: "
        f"{report.refusals() or 'none'}"
    )
    console.say(f"report: {out / 'report' / 'index.html'}")


def open_parts(
    source: Path, corpus: str, split: str, licences: Sequence[str], limit: int | None
) -> list[Windows]:
    """Return what is separated, in parts that are tasks.

    Args:
        source: A dataset's folder, or what `open_corpus` takes.
        corpus: A corpus of the catalogue, or `folder`.
        split: Of a dataset: the split.
        licences: Rules of licences that recordings must meet.
        limit: Only the first recordings.

    Raises:
        HiveError: If it is neither, or cannot be read.
    """
    from hive import console
    from hive.curation.parts import divide
    from hive.curation.pipeline import joined
    from hive.engine.windows import CorpusWindows, shard_windows
    from hive.errors import HiveError
    from hive.sources.corpus import Problem
    from hive.sources.opening import open_corpus

    if (source / "data").is_dir():
        if corpus != "folder" or licences:
            raise HiveError(f"{source}: a dataset", "leave out --corpus and --allow-licence")
        return [*shard_windows(source, split, limit)]
    opened = open_corpus(corpus, source)
    items = list(opened.items)
    problems = [item for item in items if isinstance(item, Problem)]
    for problem in problems[:5]:
        console.say(f"{problem.path}: {problem.reason}")
    recordings, _ = joined(item for item in items if not isinstance(item, Problem))
    parts = divide(recordings[:limit], opened.root)
    return [CorpusWindows(opened.root, opened.name, part, tuple(licences)) for part in parts]
