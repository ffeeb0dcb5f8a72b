"""What a back end is: it does tasks that it is given, and reports what comes of each.

Which tasks there are, which are tried again and what is displayed is none of its business
(`hive.execution.run`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hive.execution.attempt import End
from hive.execution.engine import Engine


class Report(Protocol):
    """Who listens to a back end."""

    def ticked(self, number: int, count: int) -> None:
        """Task `number` has finished `count` items."""

    def ended(self, number: int, end: End) -> None:
        """Task `number` is not under way any more."""


class Backend(Protocol):
    """Does tasks. One that died with its process or machine ends as a failure that may pass."""

    def room(self) -> int:
        """Return how many more tasks it takes now."""

    def submit(self, number: int, task: Any) -> None:
        """Begin a task; only when there is room."""

    def wait(self) -> None:
        """Wait until something happens, a fraction of a second at most, and report it."""

    def close(self, *, stop: bool) -> None:
        """Leave nothing behind; with `stop`, end the tasks that are under way, cleaned up."""


Open = Callable[[Callable[[Any], Any], Engine, int, Report], Backend]
