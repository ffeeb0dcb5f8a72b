"""Worker processes that know their place: one thread each, and no life after their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from hive.execution.stopping import ended, stop_on

#: For numerical libraries: tasks run side by side, so each gets one core.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of fresh processes that are workers (`become_worker`).

    Args:
        workers: Number of processes.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, become_worker)


def become_worker() -> None:
    """Make this process a worker.

    It is limited to one thread in numerical libraries, ignores Ctrl-C, which is the parent's to
    handle, cleans up when it is told to end, and ends when the parent is gone, even if that was
    killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An exception, so that temporary files are removed on the way out.
    stop_on(signal.SIGTERM, ended)
    # Before the first task imports a numerical library.
    os.environ.update(ONE_THREAD)
    parent: Any = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
