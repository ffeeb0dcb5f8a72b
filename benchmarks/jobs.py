"""Shares of a run as tasks of `hive.execution`: each process loads the model once, for all of its.

A process keeps its `Run` from one share to the next. On a machine with several GPUs the local
processes take them in turn; on Ray each takes the one that Ray has given it for the share, which
need not be that of the share before: then the run is opened again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run import Run
from hive.errors import HiveError
from hive.execution.attempt import may_pass
from hive.execution.ticks import tick

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from benchmarks.finish import Facts
    from benchmarks.settings import Settings


_VISIBLE = "CUDA_VISIBLE_DEVICES"
_UNNUMBERED = ("auto", "cuda")


@dataclass(frozen=True)
class Seats:
    """Numbers for the processes of one machine, each held by one process as long as it lives.

    Attributes:
        folder: Where their locks are.
        count: How many there are.
    """

    folder: Path
    count: int


@dataclass(frozen=True)
class ShareTask:
    """What a process needs to do a share, and nothing else.

    Attributes:
        settings: The run.
        chunks: Names of the chunks.
        seats: Where the process gets its number; None where it has its devices to itself.
    """

    settings: Settings
    chunks: tuple[str, ...]
    seats: Seats | None = None

    def __str__(self) -> str:
        return f"parts {self.chunks[0]} to {self.chunks[-1]}" if self.chunks else "no parts"


class _Process:
    """What this process keeps between two shares."""

    run: Run | None = None
    gpu: str | None = None
    refused: tuple[Settings, HiveError] | None = None
    seat: tuple[BaseFileLock, int] | None = None


def do_share(task: ShareTask) -> Facts:
    """Do what is missing of a share.

    Returns:
        What the results need to know of the run.

    Raises:
        HiveError: As `Run` and `Run.work`.
    """
    with _granted(task) as gpu:
        run = _opened(task, gpu)
        try:
            run.work(run.plan.named(task.chunks), tick)
        except BaseException:
            close()  # a judge that gave up, or a scorer that died, is not to cost the next share
            raise
        return run.facts


def close() -> None:
    """End the run that this process keeps."""
    run, _Process.run = _Process.run, None
    if run is not None:
        run.close()


def _opened(task: ShareTask, gpu: str | None) -> Run:
    kept = _Process.run
    if kept is not None and kept.settings == task.settings and _Process.gpu == gpu:
        return kept
    close()
    if _Process.refused is not None and _Process.refused[0] == task.settings:
        raise _Process.refused[1]
    try:
        _Process.run = Run(
            task.settings, alone=False, place=lambda kind: _device(kind, task.seats, gpu)
        )
        _Process.gpu = gpu
    except HiveError as error:
        if not may_pass(error):  # to load a model again for each share would take hours
            _Process.refused = (task.settings, error)
        raise
    # A process waits for its children when it ends: those of the run have to go before.
    Finalize(None, close, exitpriority=100)
    return _Process.run


@contextmanager
def _granted(task: ShareTask) -> Iterator[str | None]:
    """Give the number of the GPU that Ray has given this process for a share, if one is wanted.

    CUDA looks at CUDA_VISIBLE_DEVICES once in the life of a process, and Ray gives a process other
    GPUs later. So all are made visible meanwhile, and the one is named. None where Ray gave none,
    or names it otherwise than by its number.
    """
    told = os.environ.get(_VISIBLE, "")
    first = told.partition(",")[0]
    if task.seats is not None or task.settings.device not in _UNNUMBERED or not first.isdecimal():
        yield None
        return
    del os.environ[_VISIBLE]
    try:
        yield first
    finally:
        os.environ[_VISIBLE] = told


def _device(kind: str, seats: Seats | None, gpu: str | None = None) -> str:
    """Return the device of this process, where GPUs are asked for without a number."""
    import torch

    if kind == "cuda" and gpu is not None:
        return f"cuda:{gpu}"
    if kind != "cuda" or seats is None or torch.cuda.device_count() < 2:
        return kind
    return f"cuda:{_seat(seats) % torch.cuda.device_count()}"


def _seat(seats: Seats) -> int:
    from filelock import FileLock, Timeout

    if _Process.seat is not None:
        return _Process.seat[1]
    for number in range(seats.count):
        lock = FileLock(seats.folder / f"{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _Process.seat = (lock, number)
        return number
    return os.getpid()  # the place of a process that has just died is not free yet
