"""A command that is started once and spoken with in lines of JSON.

`hive.protocol` says what is spoken. Here are the process, its two streams, the time limit, and an
end that leaves nothing running.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import weakref
from collections.abc import Mapping
from typing import IO, Any

from hive.errors import HiveError

GRACE_SECONDS = 5.0
"""What a command is given to end by itself."""
_LINE_LIMIT = 1 << 20  # characters of one reply
_TAIL_LINES = 20  # of standard error, shown with a crash


class Program:
    """The started command: lines out, lines in with a time limit, the end of its messages.

    One thread asks; `stop` may be called from any.

    Args:
        command: Command line, split as a shell would, but run without one.
        role: What the command is to the user, for messages ("model").
        more_time: How the user gives it more time, for messages.

    Raises:
        HiveError: If the command cannot be started.
    """

    def __init__(self, command: str, role: str, more_time: str) -> None:
        self._command = command
        self._more_time = more_time
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise HiveError(f"{role} process:{command}: {error}", "check the quotes") from error
        try:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that its own children can be stopped with it
            )
        except (OSError, IndexError) as error:
            raise HiveError(
                f"{role} process:{command}: cannot be started ({error})", "check the command"
            ) from error
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._busy = False  # whether a reply is still to come
        self._kill = weakref.finalize(self, _end, self.process, self._requests, GRACE_SECONDS)
        self._tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)
        self._readers = [
            threading.Thread(target=_pump, args=(self.process.stdout, self._lines), daemon=True),
            threading.Thread(target=_keep, args=(self.process.stderr, self._tail), daemon=True),
        ]
        writer = threading.Thread(
            target=_feed, args=(self.process.stdin, self._requests), daemon=True
        )
        for thread in (*self._readers, writer):
            thread.start()

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message and wait for the reply.

        Raises:
            HiveError: If the command ends or is stopped, does not take the message and answer it
                within `seconds`, or says something that is no JSON object.
        """
        self._busy = True
        self._requests.put(json.dumps(message).encode("utf-8") + b"\n")
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise HiveError(
                f"worker {self._command!r}: no reply within {seconds:g} s{self._messages()}",
                f"give it more time: {self._more_time}",
            ) from None
        if line is None and not self._kill.alive:
            raise HiveError(f"worker {self._command!r}: was stopped", "start it again")
        if line is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
            self._readers[1].join(GRACE_SECONDS)
            raise HiveError(
                f"worker {self._command!r}: {self._ending()}{self._messages()}",
                "run the command by hand and look at its messages",
            )
        self._busy = False
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise HiveError(
                f"worker {self._command!r}: {_text(line[:200])!r} on its standard output is no "
                "JSON object",
                "write only replies to standard output and messages to standard error",
            )
        return reply

    def stop(self, at_once: bool = False) -> None:
        """Close the worker's input, let it end, then end it and its children.

        It has `GRACE_SECONDS` to end by itself, and none if `at_once` or if it is at work on a
        request. Whoever waits for the reply to that gets a HiveError.
        """
        if self._kill.detach() is not None:
            self._lines.put(None)
            _end(self.process, self._requests, 0.0 if at_once or self._busy else GRACE_SECONDS)

    def _ending(self) -> str:
        status = self.process.returncode
        if status is None:
            return "closed its standard output"
        return f"ended with exit status {status}"

    def _messages(self) -> str:
        told = _text(b"".join(self._tail)).strip()
        return f"; the end of its messages:\n{told}\n" if told else ""


def _feed(stream: IO[bytes], requests: queue.SimpleQueue[bytes | None]) -> None:
    """Write requests until None comes; a worker that does not read them blocks nothing else."""
    # A worker that is gone shows at the read, with its exit status.
    with contextlib.suppress(OSError), stream:
        while (request := requests.get()) is not None:
            rest = memoryview(request)
            while rest:
                rest = rest[os.write(stream.fileno(), rest) :]


def _pump(stream: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(ValueError):
        while line := stream.readline(_LINE_LIMIT):
            lines.put(line)
    lines.put(None)


def _keep(stream: IO[bytes], tail: collections.deque[bytes]) -> None:
    with contextlib.suppress(ValueError):
        while line := stream.readline(4096):
            tail.append(line)


def _end(
    process: subprocess.Popen[bytes], requests: queue.SimpleQueue[bytes | None], grace: float
) -> None:
    requests.put(None)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2.0)
    _signal(process, signal.SIGKILL)  # its children, too, if it has ended without them
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2.0)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to what is left of the process and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
