"""One try at a task, in the process where it runs, and what came of it."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from hive.errors import HiveError, UnreachableError
from hive.execution.stopping import stop_here
from hive.execution.ticks import ticks_to

#: Errors of a connection, and of a file server that is away for a moment.
_PASSING = {
    errno.EAGAIN,
    errno.EBUSY,  # what s3fs makes of "slow down" and "service unavailable"
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.ENOTCONN,
    errno.EPIPE,
    errno.EREMOTEIO,  # what s3fs makes of "internal error"
    errno.ESTALE,  # a file server's
    errno.ETIMEDOUT,
}
#: Classes of botocore, aiohttp, requests and httpx, which need not be installed, by their names.
_PASSING_CLASSES = {
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "HTTPClientError",
    "Timeout",
    "TimeoutError",
    "TransportError",
}


@dataclass(frozen=True)
class Success:
    """A task is done.

    Attributes:
        result: What it returned.
        ticks: Items that it told of.
    """

    result: Any
    ticks: int


@dataclass(frozen=True)
class Failure:
    """A task was not done.

    Attributes:
        error: Why.
        passing: Whether another try may succeed.
        foreseen: Whether it was raised for people to read, and so names what is wrong.
    """

    error: HiveError
    passing: bool = False
    foreseen: bool = True


End = Success | Failure


def attempt(call: Callable[[], Any], listener: Callable[[int], None]) -> End:
    """Do a task once.

    Args:
        call: Does the task.
        listener: Is told of the items that it finishes.
    """
    ticks = 0

    def heard(count: int) -> None:
        nonlocal ticks
        ticks += count
        listener(count)

    try:
        with ticks_to(heard):
            result = call()
        stop_here()
    except Exception as error:
        stop_here()  # it may come of a stop that was lost on the way
        return Failure(_told(error), may_pass(error), isinstance(error, HiveError))
    return Success(result, ticks)


def may_pass(error: BaseException) -> bool:
    """Return whether the reason of an error may be gone in a while: a connection was lost."""
    return any(
        isinstance(one, UnreachableError)
        or (isinstance(one, OSError) and one.errno in _PASSING)
        or not _PASSING_CLASSES.isdisjoint(kind.__name__ for kind in type(one).__mro__)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _told(error: Exception) -> HiveError:
    """Return what can be sent from any process to any other and read by people."""
    if type(error) is HiveError:
        return error
    if isinstance(error, HiveError):  # of a kind that may not exist where it is read
        return HiveError(error.problem, error.remedy)
    at = traceback.extract_tb(error.__traceback__)[-1]
    told = HiveError(
        f"{type(error).__name__}: {error} ({PurePath(at.filename).name}, line {at.lineno})"
    )
    told.__cause__ = error
    return told
