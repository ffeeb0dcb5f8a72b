"""Our side of the process protocol: a worker in another environment that is asked for one task.

`Worker` starts the command, checks its hello, asks with a time limit and starts it anew after a
failure, as `docs/process-protocol.md` describes. What is asked for is the business of its users:
`baselines.adapters.process` (separation) and `hive.judge` (judging).
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hive.audio import Float
from hive.errors import HiveError
from hive.process import GRACE_SECONDS, Program

PROTOCOL = 1
_IDENTITY = ("name", "sample_rate", "checkpoint_sha256")


class Worker:
    """A worker process for one task.

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
        self.folder = Path(tempfile.mkdtemp(prefix="hive-process-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.hello: dict[str, Any] = {}
        try:
            self._start()
        except HiveError:
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
            HiveError: If the worker reports an error, crashes, hangs or answers nonsense. After all
                but the first it is stopped, and started again by the next request.
        """
        program = self._program or self._start()
        self._count += 1
        try:
            reply = program.ask({**request, "id": self._count}, seconds)
            if reply.get("type") != "result" or reply.get("id") != self._count:
                raise self.nonsense(f"request {self._count} was answered by {reply}")
            if not isinstance(reply.get("ok"), bool):
                raise self.nonsense(f"field ok of {reply} is not true or false")
        except HiveError:
            # Whatever it says next can no longer be matched with a request.
            self._stop(grace=0.0)
            raise
        if not reply["ok"]:
            raise HiveError(
                f"worker {self._command!r}: {reply.get('error') or 'failed without a reason'}",
                "see the worker's own messages",
            )
        return reply

    def write(self, name: str, samples: Float, sample_rate: int) -> Path:
        """Write mono sound, shape (T,), for the worker as a 32-bit float WAV file in `folder`.

        Raises:
            HiveError: If the file cannot be written.
        """
        import soundfile

        path = self.folder / name
        try:
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
        """Stop the worker and remove its files."""
        self._stop()
        self._remove()

    def _start(self) -> Program:
        self._program = program = Program(self._command, self._role, self._more_time)
        greeting = {"type": "hello", "protocol": PROTOCOL, "device": self._device}
        try:
            hello = self._check_hello(program.ask(greeting, self._start_timeout))
            changed = [name for name in _IDENTITY if self.hello and hello[name] != self.hello[name]]
            if changed:
                raise self.nonsense(
                    f"started again, it says {changed[0]} {hello[changed[0]]!r}, and before "
                    f"{self.hello[changed[0]]!r}"
                )
        except HiveError:
            self._stop(grace=0.0)
            raise
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
        return checked

    def _stop(self, grace: float = GRACE_SECONDS) -> None:
        if self._program is not None:
            self._program.stop(grace)
            self._program = None
