"""The back end that does tasks in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hive.execution.attempt import attempt
from hive.execution.backend import Report


class InProcess:
    """Does a task as it is submitted.

    Args:
        function: Does a task.
        report: Listens.
    """

    def __init__(self, function: Callable[[Any], Any], report: Report) -> None:
        self._function = function
        self._report = report

    def room(self) -> int:
        """Return 1: nothing is under way between two calls."""
        return 1

    def submit(self, number: int, task: Any) -> None:
        """Do a task."""
        end = attempt(partial(self._function, task), partial(self._report.ticked, number))
        self._report.ended(number, end)

    def wait(self) -> None:
        """Do nothing: what was submitted is done."""

    def close(self, *, stop: bool) -> None:
        """Do nothing."""
