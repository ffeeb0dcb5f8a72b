"""Options that several sub-commands share. Only typer is imported here."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hive.cores import cores

if TYPE_CHECKING:
    from hive.execution.engine import Engine, Share

CORES = cores()

JsonFlag = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
Seed = Annotated[int, typer.Option(help="Seed; the same seed gives the same result.")]
Workers = Annotated[int, typer.Option(min=1, help="Tasks that run at a time.")]
TaskWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Tasks that run at a time; default: one a core, of this machine or the Ray cluster.",
        show_default=False,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(help="Ray cluster to join; default $RAY_ADDRESS, without it one is started here."),
]
ShardIndex = Annotated[int, typer.Option(min=0, help="This job's number in an array, from 0.")]
ShardCount = Annotated[int, typer.Option(min=1, help="Number of jobs in the array.")]


class EngineKind(str, Enum):
    """Who runs the tasks."""

    local = "local"
    ray = "ray"


class Split(str, Enum):
    """A split of a dataset."""

    train = "train"
    validation = "validation"
    test = "test"


EngineOption = Annotated[
    EngineKind, typer.Option("--engine", help="Processes of this machine, or Ray.")
]


def as_place(text: str) -> Path:
    """Read a path or an address; see `hive.storage.place`."""
    from hive.storage import place

    return place(text)


def place_argument(help: str, **more: Any) -> Any:
    """Return an argument that takes a path or an address (`s3://...`)."""
    return typer.Argument(help=help, parser=as_place, **{"metavar": "PATH", **more})


def place_option(*names: str, help: str, **more: Any) -> Any:
    """Return an option that takes a path or an address (`s3://...`)."""
    return typer.Option(*names, help=help, parser=as_place, **{"metavar": "PATH", **more})


def make_engine(kind: EngineKind, workers: int | None, ray_address: str | None) -> Engine:
    """Return the engine that the options describe.

    Args:
        kind: `--engine`.
        workers: `--workers`; None for all cores there are.
        ray_address: `--ray-address`.

    Raises:
        HiveError: If an address is given for another engine than Ray.
    """
    from hive.errors import HiveError
    from hive.execution.engine import Engine

    if ray_address is not None and kind is not EngineKind.ray:
        raise HiveError("--ray-address needs --engine ray", "add --engine ray")
    return Engine(kind.value, workers, ray_address)


def make_share(shard_index: int, shard_count: int) -> Share:
    """Return the part of the work that the options describe."""
    from hive.execution.engine import Share

    return Share(shard_index, shard_count)
