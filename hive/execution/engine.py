"""Who runs the tasks: a value that is handed from the command line down to `run_tasks`."""

from __future__ import annotations

from dataclasses import dataclass

from hive.errors import HiveError

LOCAL, RAY = "local", "ray"


@dataclass(frozen=True)
class Engine:
    """How a list of tasks is run.

    Attributes:
        kind: "local" (this process, or worker processes of this machine) or "ray".
        workers: Tasks that run at a time; 1 with "local" means in this process; None takes all
            cores, of this machine or of the cluster.
        address: With "ray": address of the cluster to join; None for `$RAY_ADDRESS` or, without it,
            a cluster that is started on this machine.
        gpus: With "ray": GPUs that a task takes, perhaps a fraction.
        retries: How often a task is tried again after it failed for a reason that may pass: its
            process or machine died, or a connection was lost.
    """

    kind: str = LOCAL
    workers: int | None = 1
    address: str | None = None
    gpus: float = 0.0
    retries: int = 2


@dataclass(frozen=True)
class Share:
    """Which part of the tasks is this job's, where several jobs divide them (a job array).

    Attributes:
        index: Number of this job, from 0.
        count: Number of jobs.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise HiveError(
                f"--shard-index {self.index} is not below --shard-count {self.count}",
                "number the jobs from 0",
            )

    def takes(self, number: int) -> bool:
        """Return whether task `number` is this job's."""
        return number % self.count == self.index

    @property
    def whole(self) -> bool:
        """Whether there is no other job."""
        return self.count == 1
