"""Tasks of the tests of engines: what worker processes run must be importable there."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError
from hive.execution import tick


@dataclass(frozen=True)
class Piece:
    """A task with a name and a folder that remembers its tries."""

    name: str
    folder: Path
    how: str = "well"
    items: int = 5

    def __str__(self) -> str:
        return self.name


def do(piece: Piece) -> str:
    """Tell of some items, fail as asked, tell of the others."""
    tries = piece.folder / f"{piece.name}.tries"
    with tries.open("ab") as handle:
        handle.write(b".")
    before = tries.stat().st_size - 1
    tick(2)
    time.sleep(0.02)  # so that ticks arrive before the task ends
    if piece.how == "dies" or (piece.how == "dies once" and before == 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if piece.how == "loses connection" or (piece.how == "loses connection once" and before == 0):
        raise ConnectionResetError("the storage hung up")
    if piece.how == "broken":
        raise HiveError(f"{piece.name}.wav: is broken", "mend it")
    if piece.how == "bug":
        raise KeyError("no such thing")
    tick(piece.items - 2)
    return piece.name.upper()


def count_running(folder: Path) -> int:
    """Return how many of these tasks run at a time."""
    mine = folder / f"{os.getpid()}"
    mine.touch()
    time.sleep(0.1)
    running = len(list(folder.iterdir()))
    mine.unlink()
    return running


def unsendable(_: int) -> object:
    """Return what cannot be pickled."""
    return lambda: None


def lose_the_stop(path: Path) -> None:
    """Be interrupted where that is lost, as in a callback of a C library, and go on."""
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    path.with_suffix(".lost").touch()
    tick()
    path.touch()
