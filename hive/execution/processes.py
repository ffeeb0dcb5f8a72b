"""The back end of local worker processes.

Each worker has a pipe of its own. With one pool and queues for all, a worker that is killed takes
the tasks of the others with it, and may die holding a queue's lock; here its task alone fails, and
a new process takes its place.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any

from hive.errors import HiveError
from hive.execution.attempt import Failure, attempt
from hive.execution.backend import Report
from hive.execution.worker import become_worker

_MOMENT = 0.2
_GRACE = 10.0  # seconds that a worker has to clean up


class _Worker:
    """A worker process and the task that it does."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, remote = context.Pipe()
        self.number = 0
        self.process = context.Process(target=_work, args=(remote,), name="hive-worker")
        self.process.start()
        remote.close()  # so that the pipe ends when the worker does


class Processes:
    """Sends each task to an idle worker; workers are started as they are needed.

    Args:
        function: Does a task; a module-level function.
        workers: Number of processes.
        report: Listens.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int, report: Report) -> None:
        self._function = function
        self._workers = workers
        self._report = report
        self._idle: list[_Worker] = []
        self._busy: dict[Any, _Worker] = {}  # by pipe

    def room(self) -> int:
        """Return the number of workers without a task, started or not."""
        return self._workers - len(self._busy)

    def submit(self, number: int, task: Any) -> None:
        """Send a task to a worker."""
        data = pickle.dumps((self._function, task))
        worker = self._idle.pop() if self._idle else _Worker()
        worker.number = number
        self._busy[worker.pipe] = worker
        try:
            worker.pipe.send_bytes(data)
        except OSError:  # it died while it was idle
            self._died(worker)

    def wait(self) -> None:
        """Report what the workers say, and which have died."""
        for pipe in wait_for(list(self._busy), timeout=_MOMENT):
            worker = self._busy[pipe]
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                self._died(worker)
                continue
            if isinstance(said, int):
                self._report.ticked(worker.number, said)
            else:
                self._idle.append(self._busy.pop(pipe))
                self._report.ended(worker.number, said)

    def close(self, *, stop: bool) -> None:
        """End all workers."""
        workers = [*self._idle, *self._busy.values()]
        until = time.monotonic() + _GRACE
        try:  # a second Ctrl-C may come anywhere in it
            for worker in workers:
                if stop:
                    worker.process.terminate()
                worker.pipe.close()
            for worker in workers:
                worker.process.join(max(0.0, until - time.monotonic()))
        finally:
            for worker in workers:
                worker.process.kill()
            for worker in workers:
                worker.process.join()

    def _died(self, worker: _Worker) -> None:
        del self._busy[worker.pipe]
        worker.pipe.close()
        worker.process.join(_GRACE)
        worker.process.kill()  # if it closed its pipe and went on
        worker.process.join()
        error = HiveError(
            f"the worker process died ({_how(worker.process.exitcode)})",
            "if the machine runs out of memory, use fewer workers",
        )
        self._report.ended(worker.number, Failure(error, passing=True))


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps for want of memory" if -code == signal.SIGKILL else name


def _work(pipe: Connection) -> None:
    """Do tasks until the pipe ends."""
    become_worker()
    while True:
        try:
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        end = attempt(partial(_call, data), pipe.send)
        try:
            pipe.send(end)
        except BrokenPipeError:
            return
        except Exception as error:  # what pickle raises is of any kind
            pipe.send(Failure(HiveError(f"its result cannot be sent: {error}")))


def _call(data: bytes) -> Any:
    function, task = pickle.loads(data)  # noqa: S301  (from our own parent)
    return function(task)
