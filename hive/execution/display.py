"""What is seen of a run: a bar on a terminal, a line now and then in a batch job's log."""

from __future__ import annotations

import os
import time
from types import TracebackType

from hive.console import progress, say

_EVERY = 60.0  # seconds between two lines in a log


class Display:
    """Shows how many items are done, while it is entered.

    Args:
        title: What is done.
        total: Number of items.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._said = time.monotonic()
        self._progress = progress()
        self._bar = self._progress.add_task(title, total=total)
        self._logs = self._progress.disable and not os.environ.get("HIVE_QUIET")

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def advance(self, count: int) -> None:
        """Count items; fewer than none where a try failed."""
        self._done += count
        self._progress.update(self._bar, completed=self._done)
        if self._logs and time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self.say(f"{self._title}: {self._done} of {self._total}")

    def say(self, text: str) -> None:
        """Print a message beside the bar."""
        say(text)
