"""How a task tells, from wherever it runs, that it has finished some of its items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hive.execution.stopping import stop_here

_listener: Callable[[int], None] | None = None


def tick(count: int = 1) -> None:
    """Tell the progress display, from inside a task, that `count` items are done.

    A task that is to stop stops here, if not before.
    """
    stop_here()
    if _listener is not None:
        _listener(count)


@contextmanager
def ticks_to(listener: Callable[[int], None]) -> Iterator[None]:
    """Send the ticks of the task that runs in this context to a listener."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
