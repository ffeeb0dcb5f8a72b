"""Signals that stop a task, so that it cleans up, and surely.

A handler that raises is not enough: what is raised while a C library calls back into Python (a
codec that writes to a file object, for instance) is lost there, and the library may go on with what
it failed to write. So the wish is kept, and `stop_here` raises it again before a task goes on to
its next item.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

TERMINATED = 143  # the exit code that shells give to SIGTERM

_wanted: Callable[[], BaseException] | None = None


def ended() -> SystemExit:
    """Return what SIGTERM raises."""
    return SystemExit(TERMINATED)


def stop_here() -> None:
    """Raise what a signal has raised before, if one has."""
    if _wanted is not None:
        raise _wanted()


def stop_on(number: int, make: Callable[[], BaseException]) -> Any:
    """Make a signal raise something, here and again in `stop_here`; returns its handler before."""

    def handle(*_: object) -> None:
        global _wanted
        _wanted = make
        sys.unraisablehook = lambda _: None  # nothing to tell where it is lost
        raise make()

    return signal.signal(number, handle)


@contextmanager
def stoppable(signals: Mapping[int, Callable[[], BaseException]]) -> Iterator[None]:
    """Let signals stop what runs in this context, unless they are ignored or handled elsewhere."""
    global _wanted
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook = sys.unraisablehook
    taken = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: stop_on(number, signals[number]) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        sys.unraisablehook = hook
        _wanted = None
