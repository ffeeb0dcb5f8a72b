"""Stopping a run between two steps, on all ranks at the same one."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked for the end; the state of the run is saved.

    Not an `Exception`, so that nothing on the way takes it for a failure to recover from.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


class StopSignals:
    """Keeps in mind that a signal has come, until the step is done.

    The second Ctrl-C does not wait: it raises `KeyboardInterrupt` as usual. Handlers are installed
    on entering, unless a signal is ignored, and those before come back on leaving; outside the main
    thread nothing happens. Workers of loaders look after themselves (`baselines.data.module`).
    """

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            heard = [one for one in _SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
            self._before = {one: signal.signal(one, self._receive) for one in heard}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
