"""What a person sees of a run: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import os
import time

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hive.console import err, say

_LINE_EVERY = 60.0  # seconds


class Display:
    """Shows step, loss, speed and time left, on standard error; `HIVE_QUIET` silences it.

    Args:
        step: Steps done before.
        last_step: Steps of the whole run.
        watched: Whether this process may show something: one of those that train together does.
    """

    def __init__(self, step: int, last_step: int, watched: bool = True) -> None:
        self._shown = watched and not os.environ.get("HIVE_QUIET")
        self._first, self._last_step = step, last_step
        self._begin = self._line = time.monotonic()
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not (self._shown and err.is_terminal),
        )
        self._task = self._bar.add_task("", total=last_step, completed=step, figures="")
        self._bar.start()

    def step(self, step: int, loss: float, mixtures_per_second: float) -> None:
        """Show a step that is done."""
        figures = f"loss {loss:.4g}, {mixtures_per_second:.1f} mixtures/s"
        self._bar.update(self._task, completed=step, figures=figures)
        now = time.monotonic()
        if self._shown and self._bar.disable and now - self._line >= _LINE_EVERY:
            self._line = now
            left = (now - self._begin) / max(1, step - self._first) * (self._last_step - step)
            say(f"step {step} of {self._last_step}, {figures}, {duration(left)} left")

    def note(self, text: str) -> None:
        """Show a message, above the bar."""
        if self._shown:
            say(text)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def duration(seconds: float) -> str:
    """Return a duration to read: `2 h 05 min`, `12 min`, `40 s`."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"
