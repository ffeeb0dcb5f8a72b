"""Which tasks wait, which are under way, and what came of the others."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from hive.errors import HiveError
from hive.execution.attempt import End, Success
from hive.execution.display import Display

_PAUSE = 1.0  # seconds before a task is tried again; twice as long each time
_MOST_LOST = 20
_LONGEST_NAME = 120


class Ledger:
    """Keeps the account of a run.

    Args:
        tasks: The tasks.
        retries: How often one is tried again after a failure that may pass.
        display: Shows what happens.

    Attributes:
        done: Result of each task that is done, by number.
        failed: Why each task failed that did, by number.
        under_way: Number of tasks that are being done.
    """

    def __init__(self, tasks: Sequence[Any], retries: int, display: Display) -> None:
        self._tasks = tasks
        self._retries = retries
        self._display = display
        self._waiting = deque(range(len(tasks)))
        self._not_before: dict[int, float] = {}
        self._tries: Counter[int] = Counter()
        self._ticks: Counter[int] = Counter()
        self._lost_in_a_row = 0
        self.under_way = 0
        self.done: dict[int, Any] = {}
        self.failed: dict[int, HiveError] = {}

    @property
    def unfinished(self) -> bool:
        """Whether a task waits or is under way."""
        return bool(self._waiting) or self.under_way > 0

    @property
    def ready(self) -> bool:
        """Whether a task may be begun now."""
        # Those that are tried again stand last, so the first one's pause is the first to end.
        return bool(self._waiting) and time.monotonic() >= self._not_before.get(
            self._waiting[0], 0.0
        )

    def take(self) -> int:
        """Return the number of the task to begin."""
        number = self._waiting.popleft()
        self._tries[number] += 1
        self.under_way += 1
        return number

    def ticked(self, number: int, count: int) -> None:
        """Count items of a task that is under way."""
        self._ticks[number] += count
        self._display.advance(count)

    def ended(self, number: int, end: End) -> None:
        """Note what came of a task, and decide whether it is tried again.

        Raises:
            HiveError: If tasks are lost one after the other: it is not the tasks.
        """
        self.under_way -= 1
        # The display counts what is done: not a try that failed, and all of one that did not.
        counted = self._ticks.pop(number, 0)
        self._display.advance((end.ticks if isinstance(end, Success) else 0) - counted)
        if isinstance(end, Success):
            self.done[number] = end.result
            self._lost_in_a_row = 0
        elif not end.passing:
            self.failed[number] = end.error if end.foreseen else self._named(number, end.error)
        elif self._tries[number] <= self._retries:
            told = f"tried again ({self._tries[number]} of {self._retries})"
            self._display.say(f"{self._name(number)}: {end.error.problem}; {told}")
            pause = _PAUSE * 2 ** (self._tries[number] - 1)
            self._not_before[number] = time.monotonic() + pause
            self._waiting.append(number)
        else:
            self._give_up(number, end.error)

    def _give_up(self, number: int, error: HiveError) -> None:
        times = f" (tried {self._tries[number]} times)" if self._retries else ""
        self.failed[number] = self._named(number, error, times)
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= _MOST_LOST:
            raise HiveError(
                f"stopped, since {_MOST_LOST} tasks were lost one after the other, the last being "
                f"{self.failed[number].problem}",
                error.remedy or "mend the cause and run the same command again",
            )

    def _named(self, number: int, error: HiveError, more: str = "") -> HiveError:
        named = HiveError(f"{self._name(number)}: {error.problem}{more}", error.remedy)
        named.__cause__ = error
        return named

    def _name(self, number: int) -> str:
        task = self._tasks[number]
        plain: Any = object.__str__
        if type(task).__str__ is plain:  # it would be all of its fields
            return f"task {number + 1} of {len(self._tasks)}"
        return f"{task!s:.{_LONGEST_NAME}}"
