"""The sub-command `hive-bench curate`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from hive.options import (
    EngineKind,
    EngineOption,
    RayAddress,
    ShardCount,
    ShardIndex,
    TaskWorkers,
    make_engine,
    make_share,
)

app = typer.Typer()


class ShortPolicy(str, Enum):
    """What becomes of a recording that does not fill a window of 10 s."""

    whole = "whole"
    drop = "drop"


class FillPolicy(str, Enum):
    """How a clip that is shorter than 10 s fills them in the pool."""

    repeat = "repeat"
    pad = "pad"


class Stage(str, Enum):
    """A stage of the curation."""

    chunk = "chunk"
    single_label = "single_label"
    single_event = "single_event"
    coarse_tag = "coarse_tag"
    leaf_label = "leaf_label"
    standardise = "standardise"


class Skippable(str, Enum):
    """What can be left out."""

    single_label = "single_label"
    single_event = "single_event"
    coarse_tag = "coarse_tag"
    leaf_label = "leaf_label"
    super_resolution = "super_resolution"


class Believed(str, Enum):
    """What becomes of a segment whose corpus names another class than the model hears."""

    relabel = "relabel"
    reject = "reject"


@app.command()
def curate(
    corpus: Annotated[
        str, typer.Option(help="A corpus of `hive-bench sources`, or folder for your own.")
    ],
    root: Annotated[Path, typer.Option(help="Where the corpus is.")],
    out: Annotated[Path, typer.Option(help="Folder of the pool.")],
    llm: Annotated[
        str | None, typer.Option(help="Language model that listens; default $HIVE_LLM.")
    ] = None,
    tagger: Annotated[
        str | None, typer.Option(help="Audio tagger; default $HIVE_TAGGER or its checkpoint.")
    ] = None,
    restorer: Annotated[
        str | None, typer.Option(help="Super-resolution; default $HIVE_RESTORER or Apollo.")
    ] = None,
    skip: Annotated[
        list[Skippable] | None, typer.Option(help="Leave a stage out; may be repeated.")
    ] = None,
    redo: Annotated[
        Stage | None, typer.Option(help="Do this stage and all after it again.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the pool, for --corpus folder.")] = None,
    short: Annotated[
        ShortPolicy | None, typer.Option(help="Short recordings; default as the corpus says.")
    ] = None,
    fill: Annotated[
        FillPolicy, typer.Option(help="How short clips fill 10 s.")
    ] = FillPolicy.repeat,
    samples: Annotated[
        int, typer.Option(min=1, help="Answers of the language model to a question.")
    ] = 10,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Least confidence of the tagger.")
    ] = 0.7,
    on_disagreement: Annotated[
        Believed, typer.Option(help="Where corpus and model name different classes.")
    ] = Believed.relabel,
    allow_licence: Annotated[
        list[str] | None,
        typer.Option(help="Licences to take, e.g. no-nc, no-sa, no-youtube; may be repeated."),
    ] = None,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Reject what could not be asked about.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first recordings, for a trial.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="The pool may lose most clips of this corpus.")
    ] = False,
    device: Annotated[str, typer.Option(help="Torch device of the super-resolution.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of the layout of short clips.")] = 0,
    workers: TaskWorkers = None,
    engine: EngineOption = EngineKind.local,
    ray_address: RayAddress = None,
    shard_index: ShardIndex = 0,
    shard_count: ShardCount = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Mine single-event clips from a corpus, in six stages, into a pool.

    Stopped or killed, the same command goes on; no question is asked twice. A stage whose model is
    not configured stops the run and says what to set. The stages that compute are run by the
    engine; the questions to the language model are asked by this process. With --shard-count each
    job does its share, and the one that ends last puts the clips into the pool.

    Example: hive-bench curate --corpus fsd50k --root FSD50K --out POOL --llm
    "openai:http://localhost:8000/v1"
    """
    from hive import console
    from hive.curation.job import Job
    from hive.curation.leaf_label import Disagreement
    from hive.curation.pipeline import Unfinished
    from hive.curation.pipeline import curate as run
    from hive.curation.report import flow
    from hive.curation.steps import not_configured
    from hive.licences import Filter
    from hive.pool.layout import Short as Fill
    from hive.sources.corpus import Short
    from hive.sources.opening import open_corpus

    Filter.parse(allow_licence or ())  # a rule that cannot be read is told at once
    source = open_corpus(corpus, root, name)
    job = Job(
        corpus=source.name,
        root=source.root,
        pool=out,
        short=Short(short.value) if short else source.short,
        fill=Fill(fill.value),
        licences=tuple(allow_licence or ()),
        samples=samples,
        threshold=threshold,
        disagreement=Disagreement(on_disagreement.value),
        seed=seed,
        skip=frozenset(stage.value for stage in skip or ()),
        llm=llm,
        tagger=tagger,
        restorer=restorer,
        device=device,
        give_up=give_up,
        engine=make_engine(engine, workers, ray_address),
        share=make_share(shard_index, shard_count),
    )
    for stage, reason in not_configured(job):
        console.say(f"the run will stop at {stage}, or leave it out with --skip {stage}: {reason}")
    report = run(job, source.items, redo=redo.value if redo else None, limit=limit, replace=replace)
    if isinstance(report, Unfinished):
        console.say(
            f"this job's share is done; parts of {source.name} still missing: {report.missing} of "
            f"{report.parts}; the job that does the last one puts the clips into the pool"
        )
        if as_json:
            console.print_json(vars(report))
        return
    if as_json:
        console.print_json(report.model_dump())
        return
    console.print_table(["stage", "entered", "kept", "hours kept", "rejected"], flow(report))
    _tell(console, job, report)


def _tell(console: Any, job: Any, report: Any) -> None:
    console.out.print(
        f"{job.pool}: {report.clips} clips of {report.corpus} in {len(report.classes)} classes",
        highlight=False,
        markup=False,
    )
    if report.unknown_labels:
        told = ", ".join(f"{label} ({n})" for label, n in list(report.unknown_labels.items())[:8])
        more = len(report.unknown_labels) - 8
        console.say(f"labels unknown to the ontology: {told}{f' and {more} more' * (more > 0)}")
    if report.relabelled:
        console.say(f"{sum(report.relabelled.values())} segments were relabelled by the model")
    if report.problems:
        console.say(f"{report.problems} rows of metadata could not be read: see quarantine.csv")
    console.say(f"report: {job.pool / 'reports' / job.corpus}.html; every vote: {job.work.folder}")
