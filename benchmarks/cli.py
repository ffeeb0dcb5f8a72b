"""Sub-commands of `hive-bench` about the benchmark: evaluate, report, compare, tasks, metrics."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.audit.cli import audit
from benchmarks.compare.cli import compare
from benchmarks.report.cli import report
from hive.options import (
    CORES,
    EngineKind,
    EngineOption,
    RayAddress,
    ShardCount,
    ShardIndex,
    make_engine,
    make_share,
    place_option,
)

app = typer.Typer()


class Asked(str, Enum):
    """What a model is told."""

    positive = "positive"
    negative = "negative"
    both = "both"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(
    epilog="Example: hive-bench evaluate --model irm --benchmark mini --limit 8 --out runs/irm, "
    "and with two processes: hive-bench evaluate --model irm --jobs 2 --out runs/irm",
)
def evaluate(
    model: Annotated[
        str,
        typer.Option(
            help="Name (see hive-bench models), python:package.module:Class, process:COMMAND or "
            "files:FOLDER."
        ),
    ],
    out: Annotated[Path, place_option(metavar="RUN", help="Folder for the results.")],
    benchmark: Annotated[
        str, typer.Option(help="Folder or address of a dataset, or mini for the embedded one.")
    ] = "mini",
    task: Annotated[str, typer.Option(help="Task, see hive-bench tasks.")] = "hive",
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Metrics, see hive-bench metrics, or a preset of the task such as clearsep-paper; "
            "else those of the task.",
        ),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Embedding of the perceptual metrics, see hive-bench checkpoints list; "
            "standin:logmel512 and standin:htsat-random are for tests and demos.",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Judge: process:COMMAND, see docs/judge.md; else that of HIVE_JUDGE.",
        ),
    ] = None,
    only: Annotated[
        Path | None,
        place_option(
            help="File of the mixtures to take, one mix_id a line, such as the clean.txt of "
            "hive-bench contamination.",
            metavar="FILE",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Mixtures to take, in equal shares of each number of sources."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Queries given to the model at once, at most.")
    ] = 8,
    seed: Annotated[int, typer.Option(help="Seed of all draws of models and tasks.")] = 0,
    queries: Annotated[
        Asked,
        typer.Option(
            help="What the model is told: the sound to keep, the mixture's other labels to drop, "
            "or both. Models that take no negative queries are asked by positive ones only."
        ),
    ] = Asked.positive,
    waveform_metrics: Annotated[
        bool,
        typer.Option(
            "--waveform-metrics/--no-waveform-metrics",
            help="Score generative models by metrics that compare waveforms, too (SDR, SI-SDR, "
            "STOI, remix). Those that --metrics names are always computed.",
        ),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the model; may be given several times."),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Items whose sound is kept, spread over the sizes.")
    ] = 8,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Scoring processes of each job; 0 scores beside the model. Default: the cores, "
            "divided among the jobs; with Ray 1.",
        ),
    ] = None,
    engine: EngineOption = EngineKind.local,
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes with a model each; local ones take the GPUs in turn with --device cuda "
            "or auto. 1 works in this process.",
        ),
    ] = 1,
    gpus_per_job: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="GPUs that Ray reserves for a job, perhaps a fraction. Default: 1 with --device "
            "cuda, else none.",
        ),
    ] = None,
    ray_address: RayAddress = None,
    shard_index: ShardIndex = 0,
    shard_count: ShardCount = 1,
    as_json: Json = False,
) -> None:
    """Score a model, with a table of means and 95 % intervals.

    RUN gets scores.parquet (one row an item), results.json and examples. The same command goes on
    where it was stopped and tries failed items again; other settings into the same folder are
    refused.

    Many processes: --jobs on this machine, with --engine ray on a cluster; or as a job array, where
    each job gets the same RUN, --shard-count and its own --shard-index, and the last one to end
    writes the results. These are those of one process. See docs/evaluating-at-scale.md.

    Items that fail are recorded and left out of the means. Exit code 0 if there are results of at
    least one item, or other jobs of the array have still to end; 1 if all failed.
    """
    from dataclasses import replace

    from benchmarks.runner import Settings, Unfinished, evaluate_share
    from benchmarks.table import show_results
    from hive.console import print_json, say
    from hive.models import parse_options

    settings = Settings(
        model=model,
        out=out,
        benchmark=benchmark,
        task=task,
        split=split,
        metrics=_names(metrics),
        embedding=embedding,
        judge=judge,
        only=only,
        limit=limit,
        device=device,
        batch_size=batch_size,
        seed=seed,
        queries=queries.value,
        waveform_metrics=waveform_metrics,
        examples=examples,
        options=parse_options(option or []),
        workers=_scoring(engine, jobs) if workers is None else workers,
    )
    results = evaluate_share(
        settings,
        share=make_share(shard_index, shard_count),
        engine=replace(
            make_engine(engine, jobs, ray_address), gpus=_gpus(engine, gpus_per_job, device)
        ),
    )
    if isinstance(results, Unfinished):
        if as_json:
            print_json(results.describe())
        else:
            say(f"{out}: {results}")
        return
    if as_json:
        print_json(results.model_dump())
    else:
        show_results(results)
    if results.counts.failed == results.counts.items:
        raise typer.Exit(1)


app.command()(report)
app.command()(compare)


@app.command(epilog="Example: hive-bench tasks")
def tasks(as_json: Json = False) -> None:
    """List the tasks and the metrics that each reports."""
    from benchmarks import tasks as registry
    from hive.console import print_json, print_table
    from hive.metrics import available

    found = [registry.get(name) for name in registry.names()]
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "title": each.title,
                    "default_metrics": list(each.default_metrics),
                    "metrics": [info.name for info in available() if each.accepts(info)],
                }
                for each in found
            ]
        )
        return
    print_table(
        ["task", "what it asks", "metrics by default"],
        [(each.name, each.title, ", ".join(each.default_metrics)) for each in found],
    )


metrics_app = typer.Typer(help="List the metrics, or check them against other libraries.")
metrics_app.command()(audit)
app.add_typer(metrics_app, name="metrics")


@metrics_app.callback(invoke_without_command=True, epilog="Example: hive-bench metrics --json")
def metrics(
    context: typer.Context,
    embedding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Embedding, if not the default.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Judge, if not that of HIVE_JUDGE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the metrics: formula, source, what each needs and whether it is available here."""
    if context.invoked_subcommand is not None:
        return
    from benchmarks.catalogue import listing
    from benchmarks.metric_list import show_metrics
    from hive.console import print_json
    from hive.metrics.registry import default_embedding

    found = listing(embedding or default_embedding(), judge)
    if as_json:
        print_json(found)
    else:
        show_metrics(found)


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _scoring(engine: EngineKind, jobs: int) -> int:
    # Ray reserves one core for a job; a second process is what the model leaves it time for.
    return 1 if engine is EngineKind.ray else max(1, CORES // jobs)


def _gpus(engine: EngineKind, asked: float | None, device: str) -> float:
    if asked is None:
        return 1.0 if engine is EngineKind.ray and device.startswith("cuda") else 0.0
    if engine is not EngineKind.ray:
        from hive.errors import HiveError

        raise HiveError(
            "--gpus-per-job needs --engine ray",
            "with --engine local the jobs take the GPUs in turn: choose them with "
            "CUDA_VISIBLE_DEVICES",
        )
    return asked
