"""Worker processes that know their place: one thread each, and no life after their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def worker_pool(
    workers: int, prepare: Callable[..., object] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Return a pool of fresh processes, each limited to one thread in numerical libraries.

    They ignore Ctrl-C, which is the parent's to handle, and end when the parent is gone, even if
    it was killed.

    Args:
        workers: Number of processes.
        prepare: Called in each process before its first task.
        arguments: Arguments of `prepare`; locks and queues may be among them.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _start, (prepare, arguments))


def interrupt_workers() -> None:
    """Make the tasks that are running in worker processes stop, cleaning up after themselves."""
    for child in multiprocessing.active_children():
        child.terminate()


def _start(prepare: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An exception, so that temporary files are removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Before the first task imports a numerical library.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    parent: Any = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
