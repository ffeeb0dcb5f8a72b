"""What a run consists of: its mixtures, cut into chunks, and how much work each is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.dataset import Chunk, chunks, select
from benchmarks.index import open_indexed
from benchmarks.only import Only

if TYPE_CHECKING:
    from benchmarks.settings import Settings


class Plan:
    """The chunks of a run, in order; the same in every process.

    Args:
        settings: What to run.

    Attributes:
        dataset: The data set.
        task: The task.
        entries: The mixtures that are taken.
        chunks: All of them, cut.

    Raises:
        HiveError: If the data set or the task is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self.dataset = open_indexed(settings.benchmark, settings.split)
        self.task = tasks.get(settings.task)
        only = Only(settings.only) if settings.only is not None else None
        #: Hash of the list of `settings.only`.
        self.only_sha256 = only.sha256 if only else None
        entries = only.select(self.dataset.entries) if only else self.dataset.entries
        self.entries = select(entries, settings.limit)
        self.chunks = chunks(self.entries)
        self._limit = settings.limit
        self._items = {
            entry.mix_id: self.task.num_targets(entry.num_sources) for entry in self.entries
        }

    def items(self, chunk: Chunk) -> int:
        """Return the number of items of a chunk."""
        return sum(self._items[mix_id] for mix_id in chunk.mix_ids)

    def weights(self, some: Iterable[Chunk]) -> list[int]:
        """Return the number of items of each of some chunks."""
        return [self.items(chunk) for chunk in some]

    def named(self, names: Iterable[str]) -> list[Chunk]:
        """Return the chunks of some names, in the order of the plan."""
        wanted = set(names)
        return [chunk for chunk in self.chunks if chunk.name in wanted]

    def record(self) -> dict[str, Any]:
        """Return the fields of `DatasetRecord`."""
        return {
            "name": self.dataset.name,
            "path": str(self.dataset.path),
            "split": self.dataset.split,
            "fingerprint": self.dataset.fingerprint,
            "num_mixtures": len(self.entries),
            "num_items": sum(self._items.values()),
            "sample_rate": self.dataset.sample_rate,
            "limit": self._limit,
            "only_sha256": self.only_sha256,
        }
