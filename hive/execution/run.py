"""Run a list of tasks on a back end: what is done next, again, or not at all, and what is shown.

A task is done or it failed: a failure never stops the others, is kept with its reason, and is told
at the end. A task that failed for a reason that may pass is tried again after the others. What a
task writes it writes atomically, so a run that was killed is run again and only does what is
missing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hive.cores import cores
from hive.errors import HiveError
from hive.execution.backend import Backend, Report
from hive.execution.display import Display
from hive.execution.engine import LOCAL, RAY, Engine
from hive.execution.in_process import InProcess
from hive.execution.ledger import Ledger
from hive.execution.processes import Processes
from hive.execution.stopping import ended, stop_here, stoppable

Task = TypeVar("Task")
Result = TypeVar("Result")
_MOMENT = 0.05


@dataclass
class Outcome(Generic[Task, Result]):
    """Results and failures, each with its task, in the order of the tasks."""

    results: list[tuple[Task, Result]] = field(default_factory=list)
    failures: list[tuple[Task, HiveError]] = field(default_factory=list)

    def check(self, what: str) -> list[Result]:
        """Return the results, or raise one `HiveError` that tells of the failures."""
        if not self.failures:
            return [result for _, result in self.results]
        told = dict.fromkeys(str(error) for _, error in self.failures)
        listed = "\n  ".join(list(told)[:3]) + ("\n  ..." if len(told) > 3 else "")
        raise HiveError(
            f"{len(self.failures)} of {len(self.failures) + len(self.results)} {what} failed:\n"
            f"  {listed}",
            "mend the cause and run the same command again: what is done is kept",
        ) from self.failures[0][1]


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
        function: A module-level function; it calls `tick` for each item that it finishes. It may
            be called again for a task whose process or machine died.
        tasks: Tasks; picklable unless they run in this process. Failures name a task by its
            `str`, where its class defines one.
        engine: Who runs them.
        title: What the progress bar says.
        total: Number of items in all tasks together.

    Returns:
        Results and failures in the order of the tasks.

    Raises:
        HiveError: If the engine cannot be started, or many tasks one after the other are lost with
            their processes or connections.
    """
    if not tasks:
        return Outcome()
    with Display(title, total) as display:
        ledger = Ledger(tasks, engine.retries, display)
        backend = _open(function, engine, len(tasks), ledger)
        # SIGTERM is what batch systems send some time before they kill.
        with stoppable({signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: ended}):
            try:
                _run(tasks, ledger, backend)
            except BaseException:
                backend.close(stop=True)
                raise
            backend.close(stop=False)
    done, failed = ledger.done, ledger.failed
    return Outcome(
        [(tasks[number], done[number]) for number in sorted(done)],
        [(tasks[number], failed[number]) for number in sorted(failed)],
    )


def _run(tasks: Sequence[Any], ledger: Ledger, backend: Backend) -> None:
    # No more is submitted than there is room for: thousands of tasks under way would be memory.
    while ledger.unfinished:
        stop_here()  # in case what the signal raised was lost on the way
        while ledger.ready and backend.room() > 0:
            number = ledger.take()
            backend.submit(number, tasks[number])
        if ledger.under_way:
            backend.wait()
        elif ledger.unfinished:
            time.sleep(_MOMENT)


def _open(function: Callable[[Any], Any], engine: Engine, tasks: int, report: Report) -> Backend:
    if engine.kind == RAY:
        from hive.execution.on_ray import OnRay

        return OnRay(function, engine, report)
    if engine.kind != LOCAL:
        raise HiveError(f"unknown engine {engine.kind!r}", f"use {LOCAL} or {RAY}")
    workers = min(cores() if engine.workers is None else engine.workers, tasks)
    return InProcess(function, report) if workers <= 1 else Processes(function, workers, report)
