"""Scoring mixtures in worker processes while the model works on the next ones.

Workers are single-threaded: metrics gain nothing from threads inside a core's share of work. They
end when the run's process is gone, even if it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hive.errors import HiveError
from hive.execution.worker import worker_pool

# numpy is imported by the first job, after the limits on its threads are set.
if TYPE_CHECKING:
    from benchmarks.tasks import Float, Scored


@dataclass(frozen=True)
class Job:
    """The estimates of one mixture, to be scored."""

    task: str
    mix_id: str
    mixture: Float
    sources: Mapping[str, Float]
    estimates: Mapping[str, Float]
    metrics: tuple[str, ...]
    sample_rate: int


@dataclass(frozen=True)
class Outcome:
    """What came of a job; `residual` is the largest difference of the mixture from its sources."""

    scored: Scored
    residual: float


class Scorer:
    """A pool of scoring processes.

    Args:
        workers: Number of processes; 0 scores in this process.
    """

    def __init__(self, workers: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            self._pool = worker_pool(workers)

    def submit(self, job: Job) -> Future[Outcome]:
        """Score a mixture; the future's result is read with `collect`."""
        if self._pool is not None:
            try:
                return self._pool.submit(run_job, job)
            except BrokenProcessPool as error:
                raise _broken() from error
        future: Future[Outcome] = Future()
        future.set_result(run_job(job))
        return future

    def close(self) -> None:
        """Drop what is not begun and end the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def collect(future: Future[Outcome]) -> Outcome:
    """Return the result of a job.

    Raises:
        HiveError: If the worker process died.
    """
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _broken() from error


def run_job(job: Job) -> Outcome:
    """Score one mixture."""
    import numpy as np

    from benchmarks import tasks

    scored = tasks.get(job.task).score(
        job.mixture, job.sources, job.estimates, job.metrics, job.sample_rate
    )
    total = np.zeros(len(job.mixture), dtype=np.float64)
    for source in job.sources.values():
        total += source
    return Outcome(scored, float(np.abs(job.mixture - total).max(initial=0.0)))


def _broken() -> HiveError:
    return HiveError(
        "a scoring process died, perhaps for want of memory",
        "run the same command with fewer --workers: what is scored is kept",
    )
