"""Running a task: read, separate, score, write; resumable at any point, on one machine or many.

In one process, the model works on batches of queries; scoring runs in worker processes at the same
time, and the next mixtures are read by a thread meanwhile. Several processes with a model each
divide the chunks of a run, as tasks of an engine (`benchmarks.jobs`), as jobs of an array that know
nothing of each other, or both. Scores are kept chunk by chunk (`benchmarks.parts`), so a run that
was stopped or killed goes on where it was. An item that fails is recorded and does not stop the
others; failed items are tried again when the same run is started again. What is computed does not
depend on the number of processes or on where a run was interrupted.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks import jobs
from benchmarks.dataset import Chunk
from benchmarks.finish import Facts, Unfinished, finish
from benchmarks.jobs import Seats, ShareTask, do_share
from benchmarks.metric_list import unavailable_lines
from benchmarks.parts import Parts, RunFolder
from benchmarks.plan import Plan
from benchmarks.results import Results
from benchmarks.run import Run
from benchmarks.settings import Settings
from benchmarks.shares import owners, shares
from hive.console import progress, say
from hive.cores import cores
from hive.errors import HiveError
from hive.execution import Engine, Outcome, Share, run_tasks
from hive.execution.engine import RAY
from hive.shards.layout import EMBEDDED
from hive.storage import is_remote, place

__all__ = ["Settings", "Unfinished", "evaluate", "evaluate_share"]


def evaluate(settings: Settings) -> Results:
    """Run a task in this process and write `scores.parquet` and `results.json`.

    Returns:
        The results.

    Raises:
        HiveError: If the model, the data set, the task or a metric is not there, if the folder
            holds another run, or if the first items all fail.
    """
    results = evaluate_share(settings)
    if isinstance(results, Unfinished):
        raise HiveError(
            f"{settings.out}: parts vanished while the results were made", "run it again"
        )
    return results


def evaluate_share(
    settings: Settings, *, share: Share | None = None, engine: Engine | None = None
) -> Results | Unfinished:
    """Do this job's share of a task, and write the results if nothing of the run is missing.

    Args:
        settings: What to run; the same for all jobs.
        share: Which job of an array this is; all of the work by default.
        engine: Who does it; this process by default.

    Returns:
        The results, or what other jobs have still to do.

    Raises:
        HiveError: As `evaluate`, or some parts could not be made; the others are kept.
    """
    if settings.batch_size < 1 or (settings.limit is not None and settings.limit < 1):
        raise HiveError("--batch-size and --limit must be positive", "give at least 1")
    share, engine = share or Share(), engine or Engine()
    if engine.kind == RAY or engine.workers != 1:
        return _on_engine(settings, share, engine)
    return _here(settings, share)


def _here(settings: Settings, share: Share) -> Results | Unfinished:
    with Run(settings, alone=share.whole) as run:
        _tell_unavailable(run.facts)
        mine = _of_job(run.plan, share)
        with progress() as display:
            title = f"{settings.model} on {run.plan.dataset.name}"
            bar = display.add_task(title, total=sum(run.plan.weights(mine)))
            run.work(mine, lambda count: display.advance(bar, count))
    return finish(run.folder, run.plan, run.facts, share)


def _on_engine(settings: Settings, share: Share, engine: Engine) -> Results | Unfinished:
    plan = Plan(settings)
    mine = _of_job(plan, share)
    done = Parts(settings.out).faultless(chunk.name for chunk in mine)
    pending = [chunk for chunk in mine if chunk.name not in done]
    with contextlib.ExitStack() as closing:
        closing.callback(jobs.close)  # a share that is alone is done in this process
        if engine.kind == RAY:
            task = ShareTask(_from_anywhere(settings), ())
        else:
            folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="hive-seats-"))
            task = ShareTask(settings, (), Seats(Path(folder), engine.workers or cores()))
        outcome = _run(_cut(task, plan, pending, engine), plan, engine)
        if outcome.failures and outcome.results:
            # In another process, or on another machine, it may go well; what is done is kept.
            again = _run([task for task, _ in outcome.failures], plan, engine)
            outcome = Outcome([*outcome.results, *again.results], again.failures)
    told = {str(error): error for _, error in outcome.failures}
    if not outcome.results and len(told) == 1:
        raise next(iter(told.values()))
    facts = outcome.results[0][1] if outcome.results else outcome.check("shares of the run")[0]
    _tell_unavailable(facts)
    outcome.check("shares of the run")
    folder_of_run = RunFolder(
        settings.out, facts.identity, facts.selection.row_columns, alone=False
    )
    return finish(folder_of_run, plan, facts, share)


def _of_job(plan: Plan, share: Share) -> list[Chunk]:
    of_job = owners(plan.weights(plan.chunks), share.count)
    return [chunk for chunk, job in zip(plan.chunks, of_job, strict=True) if job == share.index]


def _cut(task: ShareTask, plan: Plan, pending: list[Chunk], engine: Engine) -> list[ShareTask]:
    """Cut what is missing into shares; where nothing is, into one that only opens the run."""
    found = shares(plan.weights(pending), engine.workers or cores())
    names = [tuple(pending[position].name for position in one) for one in found]
    return [replace(task, chunks=chunks) for chunks in names or [()]]


def _run(tasks: list[ShareTask], plan: Plan, engine: Engine) -> Outcome[ShareTask, Facts]:
    return run_tasks(
        do_share,
        tasks,
        engine=engine,
        title=f"{tasks[0].settings.model} on {plan.dataset.name}",
        total=sum(plan.weights(plan.named(name for task in tasks for name in task.chunks))),
    )


def _from_anywhere(settings: Settings) -> Settings:
    """Return settings that mean the same in any folder."""
    benchmark = settings.benchmark
    if benchmark != EMBEDDED and not is_remote(place(benchmark)):
        benchmark = str(place(benchmark).absolute())
    out = settings.out if is_remote(settings.out) else settings.out.absolute()
    only = settings.only
    if only is not None and not is_remote(only):
        only = only.absolute()
    return replace(settings, benchmark=benchmark, out=out, only=only)


def _tell_unavailable(facts: Facts) -> None:
    for line in unavailable_lines(
        [(each.metric, each.reason, each.remedy) for each in facts.selection.unavailable]
    ):
        say(line)
