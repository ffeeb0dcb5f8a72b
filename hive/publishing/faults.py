"""What went wrong on the way to the hub: what passes is tried again, what stays is explained."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from hive.errors import HiveError

Result = TypeVar("Result")
Say = Callable[[str], None]

#: Seconds before each new try while the hub has not answered at all.
FIRST_WAITS = (1.0, 2.0, 5.0, 10.0)
#: Seconds before each new try; about half an hour in all, as a broken line or a restart may take.
WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 600.0)
_LONGEST_WAIT = 3600.0
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
#: The hub's own header, as its page on rate limits describes it: r requests left, t seconds to go.
_RATE_LIMIT = re.compile(r"\bt=(\d+)")
_QUOTA = re.compile(r"quota|storage limit|storage space|billing|payment", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """A failed request.

    Attributes:
        problem: What happened.
        remedy: What the user can do.
        passing: Whether it may succeed when tried again.
        wait: Seconds that the hub asks to wait; None where it does not say.
    """

    problem: str
    remedy: str = ""
    passing: bool = False
    wait: float | None = None


def persistently(
    action: Callable[[], Result],
    what: str,
    say: Say,
    *,
    waits: tuple[float, ...] = WAITS,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Do something, and do it again while it fails for reasons that pass.

    Args:
        action: What to do; it must be harmless to do twice.
        what: Its name in messages.
        say: Tells the user of each new try.
        waits: Seconds before each new try.
        sleep: Waits that long.

    Raises:
        HiveError: If it fails for good, with the remedy.
    """
    for wait in (*waits, None):
        try:
            return action()
        except HiveError:
            raise
        except Exception as error:
            fault = judge(error)
            if not fault.passing or wait is None:
                raise HiveError(
                    f"{what}: {fault.problem}",
                    fault.remedy or "run the same command again; it goes on where it stopped",
                ) from error
            seconds = wait if fault.wait is None else fault.wait
            if seconds > _LONGEST_WAIT:
                raise HiveError(
                    f"{what}: {fault.problem}; the hub asks to wait {seconds / 3600:.1f} h",
                    "run the same command again then; it goes on where it stopped",
                ) from error
            say(f"{what}: {fault.problem}; again in {seconds:g} s")
            sleep(seconds)
    raise AssertionError("unreachable")


def judge(error: BaseException) -> Fault:
    """Say what an exception of huggingface_hub means."""
    import requests
    from huggingface_hub.errors import (
        HFValidationError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        XetAuthorizationError,
    )

    for one in _chain(error):
        if isinstance(one, OfflineModeIsEnabled):
            return Fault("the hub may not be asked", "unset HF_HUB_OFFLINE")
        if isinstance(one, (LocalTokenNotFoundError, XetAuthorizationError)):
            return Fault("the hub knows no token of yours", _LOGIN)
        if isinstance(one, HFValidationError):
            return Fault(_line(one), "write --repo OWNER/NAME")
        if isinstance(one, requests.HTTPError) and one.response is not None:
            return _of_response(one, one.response)
        if isinstance(one, (requests.ConnectionError, requests.Timeout, ConnectionError)):
            return Fault(f"the connection broke ({type(one).__name__})", passing=True)
        if isinstance(one, requests.exceptions.ChunkedEncodingError):
            return Fault("the connection broke in the middle", passing=True)
        if isinstance(one, FileNotFoundError):
            return Fault(_line(one), "run the command that built the dataset again")
    if isinstance(error, ValueError) and _QUOTA.search(str(error)):
        return Fault(_line(error), _SPACE)
    # hf_xet raises bare RuntimeErrors, for broken lines too.
    return Fault(_line(error), passing=isinstance(error, RuntimeError))


_LOGIN = "run `hf auth login`, or set HF_TOKEN, with a token that may write"
_SPACE = "free space on the hub or get more of it (huggingface.co/settings/billing)"


def _of_response(error: Exception, response: object) -> Fault:
    status: int = response.status_code  # type: ignore[attr-defined]
    text = _said(error)
    if status in _PASSING:
        return Fault(f"the hub answers {status}", passing=True, wait=_asked_wait(response))
    if status in (402, 413) or (status == 403 and _QUOTA.search(text)):
        return Fault(f"the hub has no room for it: {text}", _SPACE)
    if status == 401:
        return Fault("the hub does not accept the token, or there is none", _LOGIN)
    if status == 403:
        return Fault(
            f"the token may not do this: {text}",
            "use a token that may write to this repository (huggingface.co/settings/tokens), or "
            "offer the files with --create-pr",
        )
    if status == 404:
        return Fault(
            "the hub has no such repository or branch, or does not show it to this token",
            "check --repo and --revision, and `hf auth whoami`",
        )
    return Fault(f"the hub answers {status}: {text}", "mend what it says and run it again")


def _asked_wait(response: object) -> float | None:
    headers = response.headers  # type: ignore[attr-defined]
    after = headers.get("Retry-After", "")
    if re.fullmatch(r"\d+(?:\.\d+)?", after):
        return float(after)
    match = _RATE_LIMIT.search(headers.get("RateLimit", ""))
    return float(match[1]) if match else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: Exception) -> str:
    message = getattr(error, "server_message", None)
    return str(message).strip() if message else _line(error)


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
