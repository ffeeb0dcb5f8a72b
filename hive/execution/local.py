"""Run tasks in this process or in local worker processes.

A task is done or it failed: a failure never stops the others, is kept with its reason, and is told
at the end. What a task writes it writes atomically, so a run that was killed is run again and
only does what is missing.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from typing import Any, Generic, TypeVar

from rich.progress import Progress

from hive.console import progress
from hive.errors import HiveError
from hive.execution.engine import Engine
from hive.execution.worker import interrupt_workers, worker_pool

Task = TypeVar("Task")
Result = TypeVar("Result")
_ticks: Callable[[int], None] | None = None


@dataclass
class Outcome(Generic[Task, Result]):
    """Results and failures, each with its task, in the order of the tasks."""

    results: list[tuple[Task, Result]] = field(default_factory=list)
    failures: list[tuple[Task, Exception]] = field(default_factory=list)

    def check(self, what: str) -> list[Result]:
        """Return the results, or raise one `HiveError` that tells of every failure."""
        if not self.failures:
            return [result for _, result in self.results]
        told = dict.fromkeys(str(error) for _, error in self.failures)
        listed = "\n  ".join(list(told)[:3]) + ("\n  ..." if len(told) > 3 else "")
        raise HiveError(
            f"{len(self.failures)} of {len(self.failures) + len(self.results)} {what} failed:\n"
            f"  {listed}",
            "mend the cause and run the same command again: what is done is kept",
        )


def tick(count: int = 1) -> None:
    """Tell the progress display, from inside a task, that `count` items are done."""
    if _ticks is not None:
        _ticks(count)


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    engine: Engine,
    title: str,
    total: int,
) -> Outcome[Task, Result]:
    """Run `function` on every task.

    Args:
        function: A module-level function; it calls `tick` for each item that it finishes.
        tasks: Tasks; picklable when there is more than one worker.
        engine: Who runs them.
        title: What the progress bar says.
        total: Number of items in all tasks together.

    Returns:
        Results and failures in the order of the tasks.
    """
    with progress() as display:
        bar = display.add_task(title, total=total)
        if engine.workers <= 1 or len(tasks) <= 1:
            return _in_process(function, tasks, display, bar)
        return _in_workers(function, tasks, min(engine.workers, len(tasks)), display, bar)


def _in_process(
    function: Callable[[Task], Result], tasks: Sequence[Task], display: Progress, bar: Any
) -> Outcome[Task, Result]:
    global _ticks
    outcome: Outcome[Task, Result] = Outcome()
    _ticks = lambda count: display.advance(bar, count)  # noqa: E731
    try:
        for task in tasks:
            try:
                outcome.results.append((task, function(task)))
            except Exception as error:
                outcome.failures.append((task, _readable(error)))
    finally:
        _ticks = None
    return outcome


def _in_workers(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    display: Progress,
    bar: Any,
) -> Outcome[Task, Result]:
    context = multiprocessing.get_context("spawn")
    ticks: Queue[int] = context.Queue()
    done: dict[int, Result] = {}
    failed: dict[int, Exception] = {}
    pool = worker_pool(workers, _send_ticks_to, (ticks,))
    try:
        futures: dict[Future[Result], int] = {
            pool.submit(function, task): number for number, task in enumerate(tasks)
        }
        waiting = set(futures)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            _drain(ticks, display, bar)
            for future in finished:
                error = future.exception()
                if error is None:
                    done[futures[future]] = future.result()
                elif isinstance(error, Exception):
                    failed[futures[future]] = _readable(error)
                else:
                    raise error
        _drain(ticks, display, bar)
    except KeyboardInterrupt:
        interrupt_workers()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return Outcome(
        [(tasks[number], done[number]) for number in sorted(done)],
        [(tasks[number], failed[number]) for number in sorted(failed)],
    )


def _send_ticks_to(ticks: Queue[int]) -> None:
    global _ticks
    _ticks = ticks.put


def _drain(ticks: Queue[int], display: Progress, bar: Any) -> None:
    while True:
        try:
            display.advance(bar, ticks.get_nowait())
        except queue.Empty:
            return


def _readable(error: Exception) -> Exception:
    if isinstance(error, BrokenProcessPool):
        return HiveError("a worker process died, perhaps for want of memory", "use fewer workers")
    return error
