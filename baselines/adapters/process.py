"""A model in another environment, as a model: `process:COMMAND`.

The command is started once and speaks JSON lines on its standard input and output, with sound in
WAV files; `docs/process-protocol.md` describes it. A worker that crashes, hangs or answers nonsense
costs the item at hand and is started anew for the next one.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from hive.audio import read
from hive.errors import HiveError
from hive.inference import Item
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

PROTOCOL = 1
_LINE_LIMIT = 1 << 20  # characters of one reply
_TAIL_LINES = 20  # of standard error, shown with a crash
_GRACE_SECONDS = 5.0


class ProcessSeparator:
    """A worker process that separates.

    Args:
        command: Command line of the worker, split as a shell would, but run without one.
        device: Told to the worker.
        start_timeout: Seconds that it may take to load its model and say hello.
        timeout: Seconds that one separation may take.

    Raises:
        HiveError: If the command cannot be started or does not say hello.
    """

    max_batch = 1

    def __init__(
        self,
        command: str,
        *,
        device: str = "cpu",
        start_timeout: float = 600.0,
        timeout: float = 600.0,
    ) -> None:
        self._command = command
        self._device = device
        self._start_timeout = start_timeout
        self._timeout = timeout
        self._count = 0
        self._folder = Path(tempfile.mkdtemp(prefix="hive-process-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._worker: _Worker | None = None
        try:
            _, hello = self._start()
        except HiveError:
            self.close()
            raise
        self.sample_rate: int = hello["sample_rate"]
        self.generative: bool = hello["generative"]
        self.takes_negatives: bool = hello["negatives"]
        self.name: str = hello["name"]
        self.checkpoint_sha256: str | None = hello["checkpoint_sha256"]
        self.details: dict[str, Any] = hello["details"]

    def separate(self, mixtures: Tensor, queries: Sequence[Query], items: Sequence[Item]) -> Tensor:
        """Send the items of a batch to the worker, one after the other.

        Returns:
            Estimates, shape (B, T).

        Raises:
            HiveError: If the worker reports an error, crashes, hangs or answers nonsense.
        """
        import torch

        rows = [
            torch.from_numpy(self._ask(mixture.cpu().numpy(), query, item))
            for mixture, query, item in zip(mixtures, queries, items, strict=True)
        ]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(mixtures.device)

    def close(self) -> None:
        """Stop the worker and remove its files."""
        self._stop()
        self._remove()

    def _ask(self, mixture: Any, query: Query, item: Item) -> Any:
        import soundfile

        worker = self._worker or self._start()[0]
        self._count += 1
        rate = self.sample_rate or item.sample_rate
        source, target = self._folder / "mixture.wav", self._folder / f"estimate-{self._count}.wav"
        soundfile.write(source, mixture, rate, subtype="FLOAT")
        request = {
            "type": "separate",
            "id": self._count,
            "mixture": str(source),
            "query": query.text,
            "negatives": list(query.negatives),
            "seed": item.seed,
            "output": str(target),
        }
        try:
            reply = worker.ask(request, self._timeout)
            if reply.get("type") != "result" or reply.get("id") != self._count:
                raise self._nonsense(f"request {self._count} was answered by {reply}")
            if not isinstance(reply.get("ok"), bool):
                raise self._nonsense(f"field ok of {reply} is not true or false")
        except HiveError:
            # Whatever it says next can no longer be matched with a request.
            self._stop(grace=0.0)
            raise
        try:
            if not reply["ok"]:
                raise HiveError(
                    f"worker {self._command!r}: {reply.get('error') or 'failed without a reason'}",
                    "see the worker's own messages",
                )
            return self._read(target, rate)
        finally:
            target.unlink(missing_ok=True)

    def _read(self, path: Path, rate: int) -> Any:
        if path.is_symlink() or not path.is_file():
            raise self._nonsense("it said ok and wrote no file at output")
        samples, found = read(path)
        if found != rate or samples.shape[1] != 1:
            raise self._nonsense(
                f"its output has {samples.shape[1]} channels at {found} Hz, not 1 at {rate} Hz"
            )
        return samples[:, 0].copy()

    def _start(self) -> tuple[_Worker, dict[str, Any]]:
        self._worker = worker = _Worker(self._command)
        greeting = {"type": "hello", "protocol": PROTOCOL, "device": self._device}
        try:
            return worker, self._check_hello(worker.ask(greeting, self._start_timeout))
        except HiveError:
            self._stop(grace=0.0)
            raise

    def _check_hello(self, hello: dict[str, Any]) -> dict[str, Any]:
        checked = {"negatives": False, "checkpoint_sha256": None, "details": {}, **hello}
        kinds: dict[str, tuple[type, ...]] = {
            "protocol": (int,),
            "name": (str,),
            "sample_rate": (int,),
            "generative": (bool,),
            "negatives": (bool,),
            "checkpoint_sha256": (str, type(None)),
            "details": (dict,),
        }
        if hello.get("type") != "hello":
            raise self._nonsense(f"hello was answered by {hello}")
        for name, kind in kinds.items():
            value = checked.get(name)
            if not isinstance(value, kind) or (kind == (int,) and isinstance(value, bool)):
                raise self._nonsense(f"field {name} of its hello is {value!r}")
        if checked["protocol"] != PROTOCOL or not 0 <= checked["sample_rate"] <= 768_000:
            raise self._nonsense(
                f"it speaks protocol {checked['protocol']} at {checked['sample_rate']} Hz"
            )
        return checked

    def _stop(self, grace: float = _GRACE_SECONDS) -> None:
        if self._worker is not None:
            self._worker.stop(grace)
            self._worker = None

    def _nonsense(self, what: str) -> HiveError:
        return HiveError(f"worker {self._command!r}: {what}", "see docs/process-protocol.md")


class _Worker:
    """The started command: lines out, lines in with a time limit, the end of its messages."""

    def __init__(self, command: str) -> None:
        self._command = command
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise HiveError(f"model process:{command}: {error}", "check the quotes") from error
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that its own children can be stopped with it
            )
        except (OSError, IndexError) as error:
            raise HiveError(
                f"model process:{command}: cannot be started ({error})", "check the command"
            ) from error
        self._kill = weakref.finalize(self, _end, self._process)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)
        self._readers = [
            threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True),
            threading.Thread(target=_keep, args=(self._process.stderr, self._tail), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message and wait for the reply."""
        stdin = cast(IO[bytes], self._process.stdin)
        # A worker that is gone shows at the read, with its exit status.
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(message).encode("utf-8") + b"\n")
            stdin.flush()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise HiveError(
                f"worker {self._command!r}: no reply within {seconds:g} s{self._messages()}",
                "give it more time: --option timeout=SECONDS or start_timeout=SECONDS",
            ) from None
        if line is None:
            self._process.wait(_GRACE_SECONDS)
            self._readers[1].join(_GRACE_SECONDS)
            raise HiveError(
                f"worker {self._command!r}: ended with exit status {self._process.returncode}"
                f"{self._messages()}",
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

    def stop(self, grace: float = _GRACE_SECONDS) -> None:
        """Close the worker's input, wait `grace` seconds, then end it and its children."""
        if self._kill.detach() is not None:
            _end(self._process, grace)

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


def _end(process: subprocess.Popen[bytes], grace: float = _GRACE_SECONDS) -> None:
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
