"""Running the program as a user or a batch system does, and looking at what it leaves."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Locks and notes of jobs; everything else of a dataset must be the same.
_OF_JOBS = (".hive/jobs/", ".hive/finish.lock")


def files(dataset: Path) -> dict[str, str]:
    """Return the hash of every file of a dataset."""
    names = {path.relative_to(dataset).as_posix(): path for path in dataset.rglob("*")}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if path.is_file() and not name.startswith(_OF_JOBS)
    }


def render(plan: Path, pool: Path, out: Path, *more: object) -> list[str]:
    """Return the command that renders the tests' plan."""
    given = ["--pool", pool, "--out", out, "--shard-size", 3, *more]
    return [sys.executable, "-m", "hive", "mix", "render", str(plan), *map(str, given)]


def start(command: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is true, while a process runs."""
    deadline = time.monotonic() + 180
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shards_done(dataset: Path) -> int:
    """Return the number of finished shards."""
    return len(list((dataset / ".hive" / "data").glob("*/*.json")))


@dataclass(frozen=True)
class Running:
    """A living process."""

    pid: int
    parent: int
    session: int
    title: str


def running() -> list[Running]:
    """Return the living processes, from /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            title = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it ended meanwhile
            continue
        if stat[0] != "Z":
            found.append(Running(int(folder.name), int(stat[1]), int(stat[3]), title))
    return found


def session_of(leader: int) -> list[int]:
    """Return the living processes of a session."""
    return [process.pid for process in running() if process.session == leader]


def kill_session(leader: int) -> None:
    """Leave nothing of a session behind."""
    for pid in session_of(leader):
        os.kill(pid, signal.SIGKILL)
