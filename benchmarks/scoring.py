"""Scoring mixtures in worker processes while the model works on the next ones.

Workers are single-threaded: metrics gain nothing from threads inside a core's share of work. They
end when the run's process is gone, even if it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hive.errors import HiveError
from hive.execution.worker import worker_pool

# numpy is imported by the first job, after the limits on its threads are set.
if TYPE_CHECKING:
    from benchmarks.tasks import Float, Material, Scored, Task


@dataclass(frozen=True)
class Job:
    """The estimates of one mixture, to be scored.

    Attributes:
        task: Name of the task.
        mix_id: The mixture.
        material: Its sound.
        metrics: Columns to compute.
        sanity: Estimates that every table is read against, by row (`benchmarks.sanity`).
    """

    task: str
    mix_id: str
    material: Material
    metrics: tuple[str, ...]
    sanity: Mapping[str, Mapping[str, Float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        scored: The scores.
        sanity: Scores of the rows of the job's `sanity`.
        residual: Largest difference of the mixture from the sum of its sources.
    """

    scored: Scored
    sanity: Mapping[str, Scored]
    residual: float


class Scorer:
    """A pool of scoring processes, or a thread that scores on a device.

    Args:
        workers: Number of processes; 0 scores in this process.
        device: Torch device that metrics may use. Anything but "cpu" is used by one thread of
            this process, since every process of its own would load its own copy of the networks.
    """

    def __init__(self, workers: int, device: str = "cpu") -> None:
        self._pool: ProcessPoolExecutor | ThreadPoolExecutor | None = None
        if device != "cpu":
            self._pool = ThreadPoolExecutor(1)
        elif workers:
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

    task, material = tasks.get(job.task), job.material
    scored = task.score(material, job.metrics)
    sanity = {
        row: _score_row(task, replace(material, estimates=estimates, lasting=True), job.metrics)
        for row, estimates in job.sanity.items()
    }
    total = np.zeros(len(material.mixture), dtype=np.float64)
    for source in material.sources.values():
        total += source
    residual = float(np.abs(material.mixture - total).max(initial=0.0))
    return Outcome(scored, sanity, residual)


def _score_row(task: Task, material: Material, metrics: Sequence[str]) -> Scored:
    """Score a row of `benchmarks.sanity`.

    Where the true source is limited to a band, so are these: they stand for models of that rate.
    """
    import numpy as np

    from hive.metrics.registry import resolve
    from hive.metrics.routes import limit_band

    bands: dict[int | None, list[str]] = {None: []}
    for name in metrics:
        bands.setdefault(resolve(name).band, []).append(name)
    scored = task.score(material, bands.pop(None))
    for band, names in bands.items():
        limited = {
            name: limit_band(samples.astype(np.float64), material.sample_rate, band or 0)
            for name, samples in material.estimates.items()
        }
        of_band = task.score(replace(material, estimates=limited), names)
        for name, values in of_band.values.items():
            scored.values.setdefault(name, {}).update(values)
    return scored


def _broken() -> HiveError:
    return HiveError(
        "a scoring process died, perhaps for want of memory",
        "run the same command with fewer --workers: what is scored is kept",
    )
