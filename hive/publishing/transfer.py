"""Sending files to a repository, several at a time, in commits of a size that the hub likes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hive import console
from hive.publishing.hub import Repository
from hive.publishing.selection import File

#: A commit holds at most this much. The hub asks for fewer than 100 files a commit ("Repository
#: limitations and recommendations"); the bytes bound what a rejected commit would cost.
COMMIT_FILES = 90
COMMIT_BYTES = 200 * 10**9
_RATE_SECONDS = 600.0  # the rate shown is that of the last ten minutes


def batches(
    files: Sequence[File], most: int = COMMIT_FILES, heaviest: int = COMMIT_BYTES
) -> Iterator[list[File]]:
    """Divide files into commits, in order.

    Args:
        files: The files.
        most: Files in a commit.
        heaviest: Bytes in a commit; a file that has more is a commit of its own.
    """
    batch: list[File] = []
    weight = 0
    for file in files:
        if batch and (len(batch) >= most or weight + file.size > heaviest):
            yield batch
            batch, weight = [], 0
        batch.append(file)
        weight += file.size
    if batch:
        yield batch


def send(
    repository: Repository,
    files: Sequence[File],
    gone: Sequence[str],
    message: str,
    *,
    there: int,
    workers: int,
) -> None:
    """Put files into a repository, and remove others in the last commit.

    Args:
        repository: The repository.
        files: Files that it has not got, what describes the dataset last.
        gone: Names to be removed.
        message: Message of the commits; where there are several it says how far each comes.
        there: Number of files that are there already.
        workers: Files sent at a time.

    Raises:
        HiveError: If a file differs from its hash, or the hub refuses.
    """
    groups = list(batches(files)) or [[]]
    total = sum(file.size for file in files)
    started, sent, done = time.monotonic(), 0, there
    bar = _bar()
    with bar:
        task = bar.add_task("Publishing", total=total)
        for number, group in enumerate(groups, start=1):
            for file in _in_threads(lambda file: _send(repository, file), group, workers):
                bar.advance(task, file.size)
            last = number == len(groups)
            done += len(group)
            sent += sum(file.size for file in group)
            part = "" if len(groups) == 1 else f" ({done} of {there + len(files)} files)"
            repository.commit(group, gone if last else (), message + part)
            if bar.disable and not last:
                console.say(_told(done, there + len(files), sent, total, started))


def _send(repository: Repository, file: File) -> File:
    file.check()
    repository.upload(file)
    return file


def _in_threads(
    action: Callable[[File], File], files: Sequence[File], workers: int
) -> Iterator[File]:
    """Yield what was done, as it is done; the first failure ends it.

    The threads do not outlive the program: Ctrl-C need not wait for gigabytes under way.
    """
    waiting: queue.SimpleQueue[File] = queue.SimpleQueue()
    results: queue.SimpleQueue[File | BaseException] = queue.SimpleQueue()
    stop = threading.Event()
    for file in files:
        waiting.put(file)

    def work() -> None:
        while not stop.is_set():
            try:
                results.put(action(waiting.get_nowait()))
            except queue.Empty:
                return
            except BaseException as error:
                results.put(error)
                return

    for _ in range(min(workers, len(files))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in files:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()


def _bar() -> Progress:
    quiet = console.progress().disable
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console.err,
        speed_estimate_period=_RATE_SECONDS,
        disable=quiet,
    )


def _told(done: int, files: int, sent: int, total: int, started: float) -> str:
    rate = sent / max(time.monotonic() - started, 1e-3)
    left = (total - sent) / rate / 60 if rate else 0.0
    return (
        f"{done} of {files} files are there; {rate / 1e6:.1f} MB/s, {left:.0f} min left "
        f"({(total - sent) / 1e9:.1f} GB)"
    )
