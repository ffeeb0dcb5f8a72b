"""Our side of the process protocol: a worker in another environment that is asked for one task.

`Worker` starts the command, checks its hello, asks with a time limit and starts it anew after a
failure, as `docs/process-protocol.md` describes. What is asked for is the business of its users:
`baselines.adapters.process` (separation) and `hive.judge` (judging).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hive.audio import Float
from hive.errors import HiveError
from hive.process import Program

PROTOCOL = 1
_IDENTITY = ("name", "sample_rate", "checkpoint_sha256")


class RefusedError(HiveError):
    """The worker answered that it cannot do what it was asked for; it is well itself."""


class ClosedError(HiveError):
    """The worker was closed by its user, and is not started again."""


class Worker:
    """A worker process for one task.

    One thread asks; `close` may be called from any.

    Args:
        command: Command line of the worker, split as a shell would, but run without one.
        task: What it must do, "separate" or "judge".
        device: Told to the worker.
        fields: Fields of its hello that belong to the task: their type and default, `...` if they
            must be there.
        start_timeout: Seconds that it may take to load its model and say hello.
        role: What the command is to the user, for messages ("model").
        more_time: How the user gives it more time, for messages.

    Attributes:
        hello: What the worker said of itself, checked, with defaults filled in.
        folder: A folder for the sound that is exchanged; `close` removes it.

    Raises:
        HiveError: If the command cannot be started or does not say a proper hello.
    """

    def __init__(
        self,
        command: str,
        task: str,
        *,
        device: str,
        fields: Mapping[str, tuple[type, Any]],
        start_timeout: float,
        role: str,
        more_time: str,
    ) -> None:
        self._command = command
        self._task = task
        self._device = device
        self._fields = fields
        self._start_timeout = start_timeout
        self._role = role
        self._more_time = more_time
        self._count = 0
        self._program: Program | None = None
        self._closed = False
        self._lock = threading.Lock()  # of these two, and of what is written into the folder
        self.folder = Path(tempfile.mkdtemp(prefix="hive-process-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.hello: dict[str, Any] = {}
        try:
            self._start()
        except BaseException:  # an interrupt while it loads, too
            self.close()
            raise

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request, under a new id, and wait for its result.

        Args:
            request: Fields of the request; the id is added.
            seconds: How long the worker may take.

        Returns:
            The reply, whose `ok` is true.

        Raises:
            RefusedError: If the worker reports an error.
            ClosedError: If `close` has been called, be it meanwhile by another thread.
            HiveError: If the worker crashes, hangs or answers nonsense. It is stopped then, and
                started again by the next request.
        """
        program = self._program or self._start()
        self._count += 1
        with self._stopped_by_faults():
            reply = program.ask({**request, "id": self._count}, seconds)
            if reply.get("type") != "result" or reply.get("id") != self._count:
                raise self.nonsense(f"request {self._count} was answered by {reply}")
            if not isinstance(reply.get("ok"), bool):
                raise self.nonsense(f"field ok of {reply} is not true or false")
        if not reply["ok"]:
            # Half a surrogate pair is JSON, and cannot be written to the record.
            told = str(reply.get("error") or "failed without a reason").encode("utf-8", "replace")
            raise RefusedError(
                f"worker {self._command!r}: {told.decode('utf-8')}", "see the worker's own messages"
            )
        return reply

    def write(self, name: str, samples: Float, sample_rate: int) -> Path:
        """Write mono sound, shape (T,), for the worker as a 32-bit float WAV file in `folder`.

        Raises:
            ClosedError: If `close` has been called.
            HiveError: If the file cannot be written.
        """
        import soundfile

        path = self.folder / name
        try:
            with self._lock:
                self._refuse_if_closed()
                soundfile.write(path, samples, sample_rate, subtype="FLOAT")
        except (OSError, soundfile.LibsndfileError) as error:
            raise HiveError(
                f"{path}: cannot be written ({error})", "see that the folder has space (TMPDIR)"
            ) from error
        return path

    def nonsense(self, what: str) -> HiveError:
        """Return the error for a worker that does not keep to the protocol."""
        return HiveError(f"worker {self._command!r}: {what}", "see docs/process-protocol.md")

    def close(self) -> None:
        """Stop the worker, at once if it is at work, and remove its files.

        Another thread that waits in `ask` gets a ClosedError there.
        """
        with self._lock:
            self._closed = True
        self._stop()
        self._remove()

    def _start(self) -> Program:
        with self._lock:
            self._refuse_if_closed()
            self._program = program = Program(self._command, self._role, self._more_time)
        greeting = {"type": "hello", "protocol": PROTOCOL, "device": self._device}
        with self._stopped_by_faults():
            hello = self._check_hello(program.ask(greeting, self._start_timeout))
            changed = [name for name in _IDENTITY if self.hello and hello[name] != self.hello[name]]
            if changed:
                raise self.nonsense(
                    f"started again, it says {changed[0]} {hello[changed[0]]!r}, and before "
                    f"{self.hello[changed[0]]!r}"
                )
        self.hello = hello
        return program

    def _check_hello(self, hello: dict[str, Any]) -> dict[str, Any]:
        if hello.get("type") != "hello":
            raise self.nonsense(f"hello was answered by {hello}")
        wanted: dict[str, tuple[tuple[type, ...], Any]] = {
            "protocol": ((int,), ...),
            "task": ((str,), "separate"),
            "name": ((str,), ...),
            "sample_rate": ((int,), ...),
            **{name: ((kind,), default) for name, (kind, default) in self._fields.items()},
            "checkpoint_sha256": ((str, type(None)), None),
            "details": ((dict,), {}),
        }
        checked = {name: hello.get(name, default) for name, (_, default) in wanted.items()}
        for name, (kinds, _) in wanted.items():
            value = checked[name]
            if not isinstance(value, kinds) or (kinds == (int,) and isinstance(value, bool)):
                raise self.nonsense(f"field {name} of its hello is {hello.get(name)!r}")
        if checked["protocol"] != PROTOCOL or not 0 <= checked["sample_rate"] <= 768_000:
            raise self.nonsense(
                f"it speaks protocol {checked['protocol']} at {checked['sample_rate']} Hz"
            )
        digest = checked["checkpoint_sha256"]
        if digest is not None and not re.fullmatch("[0-9a-f]{64}", digest):
            raise self.nonsense(f"field checkpoint_sha256 of its hello is {digest!r}, no SHA-256")
        if checked["task"] != self._task:
            raise self.nonsense(f"its task is {checked['task']!r}, not {self._task!r}")
        for name, value in checked.items():
            try:  # it goes into the record of a run
                json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
            except (ValueError, RecursionError) as error:
                what = f"field {name} of its hello is no strict JSON ({error})"
                raise self.nonsense(what) from error
        return checked

    @contextlib.contextmanager
    def _stopped_by_faults(self) -> Iterator[None]:
        try:
            yield
        except HiveError:
            # Whatever it says next can no longer be matched with a request.
            self._stop(at_once=True)
            self._refuse_if_closed()  # the better reason
            raise

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"worker {self._command!r}: was closed", "load it again to ask more")

    def _stop(self, at_once: bool = False) -> None:
        with self._lock:
            program, self._program = self._program, None
        if program is not None:
            program.stop(at_once)
