"""The back end that runs tasks on a Ray cluster; needs the extra `ray`.

Retries are ours (`hive.execution.ledger`), so that they are counted, shown and named alike on every
back end: Ray is told to try once, and what it says of dead processes and machines is read here.
"""

from __future__ import annotations

import pickle
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hive._version import __version__
from hive.errors import HiveError
from hive.execution.attempt import End, Failure, attempt
from hive.execution.backend import Report
from hive.execution.engine import Engine
from hive.execution.ray_cluster import connect, disconnect
from hive.execution.stopping import stoppable
from hive.execution.worker import ONE_THREAD

_MOMENT = 0.25
_GRACE = 10.0  # seconds that tasks have to clean up
_EVERY = 0.5  # seconds between two messages of a task about its ticks
_LOOK = 10.0  # seconds between two looks at the size of the cluster
_QUEUED = 2


class OnRay:
    """Submits tasks to Ray, a bounded number at a time.

    Args:
        function: Does a task; a module-level function that the machines of the cluster have too.
        engine: Which cluster, how many tasks at a time, and what each takes of it.
        report: Listens.

    Raises:
        HiveError: If Ray is not installed, or the cluster cannot be joined or started.
    """

    def __init__(self, function: Callable[[Any], Any], engine: Engine, report: Report) -> None:
        ray = self._ray = connect(engine.address, engine.workers)
        self._function = function
        self._engine = engine
        self._report = report
        self._under_way: dict[Any, tuple[int, int]] = {}  # by reference: task and submission
        self._submitted = 0
        # If its machine dies it begins anew; the numbers are put right when a task ends.
        self._counter = ray.remote(_Counter).options(num_cpus=0, max_restarts=-1).remote()
        self._counts: Any = None
        self._do = ray.remote(_do).options(
            num_cpus=1,
            num_gpus=engine.gpus,
            max_retries=0,
            runtime_env={"env_vars": ONE_THREAD},
        )
        self._most = 0
        self._looked = -_LOOK

    def room(self) -> int:
        """Return how many more tasks the cluster takes."""
        return self._limit() - len(self._under_way)

    def _limit(self) -> int:
        if self._engine.workers is not None:
            return self._engine.workers
        if time.monotonic() - self._looked >= _LOOK:
            self._looked = time.monotonic()
            # Some queue up there: a cluster that grows by need sees the need by its queue.
            self._most = _QUEUED * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self._most

    def submit(self, number: int, task: Any) -> None:
        """Send a task to the cluster."""
        data = pickle.dumps((self._function, task))
        self._submitted += 1
        reference = self._do.remote(data, _Sender.here(), self._submitted, self._counter)
        self._under_way[reference] = (number, self._submitted)

    def wait(self) -> None:
        """Report what has come from the cluster.

        Raises:
            HiveError: If the cluster is gone.
        """
        try:
            self._ray.wait(list(self._under_way), timeout=_MOMENT)
            self._read_counts()
            references = list(self._under_way)
            ended, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        except (self._ray.exceptions.RayError, OSError) as error:
            raise _gone(error) from error
        for reference in ended:
            number, _ = self._under_way.pop(reference)
            self._report.ended(number, self._end(reference))

    def close(self, *, stop: bool) -> None:
        """Leave the cluster to others; with `stop`, cancel what is under way first."""
        try:
            if stop:
                self._cancel()
            self._ray.kill(self._counter)
        except (self._ray.exceptions.RayError, OSError):
            pass  # the cluster is gone, and everything with it
        finally:
            if stop:
                disconnect(self._ray)

    def _cancel(self) -> None:
        # As Ctrl-C in each task, which removes its temporary files.
        for reference in self._under_way:
            self._ray.cancel(reference, force=False)
        references = list(self._under_way)
        if references:
            _, left = self._ray.wait(references, num_returns=len(references), timeout=_GRACE)
            for reference in left:
                self._ray.cancel(reference, force=True)

    def _end(self, reference: Any) -> End:
        lost = self._ray.exceptions
        try:
            end: End = self._ray.get(reference)
            return end
        except lost.OutOfMemoryError:
            error = HiveError("its machine ran out of memory", "use fewer workers")
        except lost.RayTaskError as raised:
            return Failure(_not_begun(raised))
        except lost.RayError as raised:
            error = HiveError(
                f"the worker process or its machine died ({_first(raised)})",
                "if machines run out of memory, use fewer workers",
            )
        return Failure(error, passing=True)

    def _read_counts(self) -> None:
        """Pass on the ticks of tasks that are under way, without ever waiting for them."""
        if self._counts is None:
            self._counts = self._counter.take.remote()
            return
        if not self._ray.wait([self._counts], timeout=0)[0]:
            return
        try:
            counts: dict[int, int] = self._ray.get(self._counts)
        except self._ray.exceptions.RayError:
            counts = {}  # its machine died
        self._counts = None
        numbers = {submission: number for number, submission in self._under_way.values()}
        for submission, count in counts.items():
            if submission in numbers:
                self._report.ticked(numbers[submission], count)


class _Counter:
    """The actor that collects ticks."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, submission: int, count: int) -> None:
        """Note ticks of a task."""
        self._counts[submission] += count

    def take(self) -> dict[int, int]:
        """Return the ticks since the last call."""
        taken, self._counts = dict(self._counts), Counter()
        return taken


class _Ticks:
    """Sends the ticks of a task, not one by one, and without waiting for an answer."""

    def __init__(self, submission: int, counter: Any) -> None:
        self._submission = submission
        self._counter = counter
        self._count = 0
        self._sent = time.monotonic()

    def add(self, count: int) -> None:
        self._count += count
        if time.monotonic() - self._sent >= _EVERY:
            self._counter.add.remote(self._submission, self._count)
            self._count, self._sent = 0, time.monotonic()


@dataclass(frozen=True)
class _Sender:
    """Who sends tasks."""

    version: str
    host: str

    @classmethod
    def here(cls) -> _Sender:
        return cls(__version__, socket.gethostname())


def _do(data: bytes, sender: _Sender, submission: int, counter: Any) -> End:
    """Do a task on a machine of the cluster."""
    if sender.version != __version__:
        return Failure(
            HiveError(
                f"{socket.gethostname()} has hive-bench {__version__}, not {sender.version}",
                "install the same version on all machines of the cluster",
            )
        )
    with stoppable({signal.SIGINT: KeyboardInterrupt}):  # which a cancelled task gets
        end = attempt(partial(_call, data), _Ticks(submission, counter).add)
    if isinstance(end, Failure) and sender.host != socket.gethostname():
        return _seen_from_afar(end)
    return end


def _call(data: bytes) -> Any:
    function, task = pickle.loads(data)  # noqa: S301  (from our own driver)
    return function(task)


def _seen_from_afar(failure: Failure) -> Failure:
    """Say on which machine a task failed: it may lack the folders of the one that sent it."""
    error = failure.error
    where = (
        f"this was on {socket.gethostname()}, which must see the same folders: shared storage, or "
        "addresses such as s3://"
    )
    remedy = f"{error.remedy}; {where}" if error.remedy else where
    return Failure(HiveError(error.problem, remedy), failure.passing, failure.foreseen)


def _gone(error: Exception) -> HiveError:
    return HiveError(
        f"the Ray cluster does not answer any more ({_first(error)})",
        "see `ray status`, then run the same command again: what is done is kept",
    )


def _first(error: Exception) -> str:
    """Return the first sentence of what Ray tells at length."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {first}"


def _not_begun(raised: Exception) -> HiveError:
    cause = str(getattr(raised, "cause", "") or raised).strip()
    return HiveError(
        f"a task could not be begun on the cluster: {cause.splitlines()[-1] if cause else raised}",
        "install the same version of hive-bench and Python on all machines of the cluster",
    )
