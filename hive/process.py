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
from typing import IO, Any, cast

from hive.errors import HiveError

GRACE_SECONDS = 5.0
"""What a command is given to end by itself."""
_LINE_LIMIT = 1 << 20  # characters of one reply
_TAIL_LINES = 20  # of standard error, shown with a crash


class Program:
    """The started command: lines out, lines in with a time limit, the end of its messages.

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
        self._kill = weakref.finalize(self, _end, self.process)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)
        self._readers = [
            threading.Thread(target=_pump, args=(self.process.stdout, self._lines), daemon=True),
            threading.Thread(target=_keep, args=(self.process.stderr, self._tail), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message and wait for the reply.

        Raises:
            HiveError: If the command ends, says nothing within `seconds`, or something that is no
                JSON object.
        """
        stdin = cast(IO[bytes], self.process.stdin)
        # A worker that is gone shows at the read, with its exit status.
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(message).encode("utf-8") + b"\n")
            stdin.flush()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise HiveError(
                f"worker {self._command!r}: no reply within {seconds:g} s{self._messages()}",
                f"give it more time: {self._more_time}",
            ) from None
        if line is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
            self._readers[1].join(GRACE_SECONDS)
            raise HiveError(
                f"worker {self._command!r}: {self._ending()}{self._messages()}",
                "run the command by hand and look at its messages",
            )
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise HiveError(
                f"worker {self._command!r}: {_text(line[:200])!r} on its standard output is no "
                "JSON object",
                "write only replies to standard output and messages to standard error",
            )
        return reply

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Close the worker's input, wait `grace` seconds, then end it and its children."""
        if self._kill.detach() is not None:
            _end(self.process, grace)

    def _ending(self) -> str:
        status = self.process.returncode
        if status is None:
            return "closed its standard output"
        return f"ended with exit status {status}"

    def _messages(self) -> str:
        told = _text(b"".join(self._tail)).strip()
        return f"; the end of its messages:\n{told}\n" if told else ""


def _pump(stream: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(ValueError):
        while line := stream.readline(_LINE_LIMIT):
            lines.put(line)
    lines.put(None)


def _keep(stream: IO[bytes], tail: collections.deque[bytes]) -> None:
    with contextlib.suppress(ValueError):
        while line := stream.readline(4096):
            tail.append(line)


def _end(process: subprocess.Popen[bytes], grace: float = GRACE_SECONDS) -> None:
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace if number is None else 2.0)
            break


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
