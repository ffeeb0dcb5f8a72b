"""A model in another environment, as a model: `process:COMMAND`.

The command is started once and speaks JSON lines on its standard input and output, with sound in
WAV files; `docs/process-protocol.md` describes it. A worker that crashes, hangs or answers nonsense
costs the item at hand and is started anew for the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hive.audio import Float, read
from hive.inference import Item
from hive.protocol import Worker
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

_FIELDS = {"generative": (bool, ...), "negatives": (bool, False)}


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
        self._timeout = timeout
        self._count = 0
        self._worker = Worker(
            command,
            "separate",
            device=device,
            fields=_FIELDS,
            start_timeout=start_timeout,
            role="model",
            more_time="--option timeout=SECONDS or start_timeout=SECONDS",
        )
        hello = self._worker.hello
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
        self._worker.close()

    def _ask(self, mixture: Float, query: Query, item: Item) -> Float:
        rate = self.sample_rate or item.sample_rate
        self._count += 1
        target = self._worker.folder / f"estimate-{self._count}.wav"
        request = {
            "type": "separate",
            "mixture": str(self._worker.write("mixture.wav", mixture, rate)),
            "query": query.text,
            "negatives": list(query.negatives),
            "seed": item.seed,
            "output": str(target),
        }
        try:
            self._worker.ask(request, self._timeout)
            return self._read(target, rate)
        finally:
            target.unlink(missing_ok=True)

    def _read(self, path: Path, rate: int) -> Float:
        if path.is_symlink() or not path.is_file():
            raise self._worker.nonsense("it said ok and wrote no file at output")
        samples, found = read(path)
        if found != rate or samples.shape[1] != 1:
            raise self._worker.nonsense(
                f"its output has {samples.shape[1]} channels at {found} Hz, not 1 at {rate} Hz"
            )
        return samples[:, 0].copy()
