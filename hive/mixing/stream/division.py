"""Which samples of an epoch are whose: arithmetic of positions, ranks and batches.

The positions of an epoch are cut into steps; a step is one batch of each rank, side by side. What
is left at the end is shared evenly, so that some ranks may get one sample more, or is dropped. A
place in an epoch is the number of samples that all ranks have consumed together, which says the
same to any number of ranks and workers.
"""

from __future__ import annotations

from dataclasses import dataclass

from hive.errors import HiveError


@dataclass(frozen=True)
class Division:
    """How an epoch is divided.

    Attributes:
        total: Samples of the epoch.
        batch_size: Samples of a batch of one rank.
        rank: This rank.
        world_size: Number of ranks.
        drop_last: Leave out the samples of a last step that would not fill every rank's batch.
    """

    total: int
    batch_size: int
    rank: int = 0
    world_size: int = 1
    drop_last: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise HiveError(
                f"rank {self.rank} of {self.world_size} ranks", "number the ranks from 0"
            )
        if self.batch_size < 1:
            raise HiveError(f"batch size {self.batch_size}", "take at least one mixture a batch")

    def count(self, start: int = 0) -> int:
        """Return the number of batches of this rank from place `start` on."""
        full, rest = divmod(self.total - start, self.step)
        return full + (not self.drop_last and len(self._share(0, rest)) > 0)

    def batch(self, start: int, number: int) -> range:
        """Return the positions of batch `number` of this rank, counted from place `start`."""
        first = start + number * self.step
        if first + self.step <= self.total:
            first += self.rank * self.batch_size
            return range(first, first + self.batch_size)
        return self._share(first, self.total)

    def after(self, start: int, batches: int) -> int:
        """Return the place once every rank has consumed so many batches from place `start` on."""
        return min(self.total, start + batches * self.step)

    def ends(self, place: int) -> bool:
        """Return whether no rank has anything to do from a place on."""
        left = self.total - place
        return left < self.step if self.drop_last else left == 0

    @property
    def step(self) -> int:
        """Samples of a step."""
        return self.batch_size * self.world_size

    def _share(self, first: int, last: int) -> range:
        left = last - first
        begin, end = (left * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return range(first + begin, first + end)
