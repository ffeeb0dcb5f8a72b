"""Running commands of this program as processes of their own."""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from types import FrameType


class CommandError(Exception):
    """A command failed, and has said why.

    Attributes:
        status: Its exit status; 128 and the number of the signal where it was stopped by one.
    """

    def __init__(self, words: Sequence[str], status: int) -> None:
        super().__init__(f"{shlex.join(words)} ended with status {status}")
        self.status = status


def run_together(commands: Sequence[Sequence[str]]) -> None:
    """Run commands at a time, and wait for all; what they print is passed on.

    A signal to end is passed on to them, and they are waited for: they save their state first.

    Raises:
        CommandError: If one ended with another status than 0.
    """
    started: list[subprocess.Popen[bytes]] = []
    with _passing_on(started):
        started += [subprocess.Popen(list(words)) for words in commands]
        statuses = [process.wait() for process in started]
    for words, status in zip(commands, statuses, strict=True):
        if status:
            raise CommandError(words, 128 - status if status < 0 else status)


@contextlib.contextmanager
def _passing_on(started: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Pass SIGTERM on; SIGINT comes to all processes of a terminal, and is only outlived here.

    Outlived by a function that does nothing, since children would inherit that it is ignored.
    """

    def pass_on(number: int, _: FrameType | None) -> None:
        for process in started:
            process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    interrupted = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupted)
