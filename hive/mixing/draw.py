"""Draw what mixtures are made of, thousands at once (Hive paper, section 4.1).

Mixture i depends on (seed, split, i), the clips and the settings alone: each has streams of random
numbers of its own for sizes, clips, crops and levels (`hive.seeding`), and drawing many at a time
changes none of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hive.cooccurrence import matrix
from hive.errors import HiveError
from hive.files import atomic_open
from hive.mixing.balance import balanced_weights
from hive.mixing.clip_arrays import ClipArrays
from hive.mixing.cliques import Compatibility
from hive.mixing.crops import CropDrawer
from hive.mixing.philox import Lanes, Streams
from hive.mixing.settings import PlanSettings
from hive.seeding import low_discrepancy
from hive.tables import SIZES

_TRIES = 64
#: Mixtures drawn at a time: their arrays stay in the processor's cache.
_TOGETHER = 2048


@dataclass(frozen=True)
class Draws:
    """What mixtures are made of: M mixtures of S sources in all, one after another.

    Attributes:
        sizes: Number of sources of each mixture, shape (M,).
        clips: Number of each source's clip, shape (S,).
        starts: Start of each source's crop in its clip, seconds, shape (S,).
        snr_db: Level of each source relative to the first of its mixture, shape (S,).
    """

    sizes: NDArray[np.int32]
    clips: NDArray[np.int32]
    starts: NDArray[np.float64]
    snr_db: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write the arrays as an NPZ file, atomically."""
        with atomic_open(path) as handle:
            np.savez(handle, **vars(self))

    @classmethod
    def open(cls, path: Path) -> Draws:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**arrays)


class Drawer:
    """Draws mixtures from the clips of one split.

    Args:
        clips: The clips.
        settings: What to draw.

    Raises:
        HiveError: If the clips allow no mixture of one of the sizes.
    """

    def __init__(self, clips: ClipArrays, settings: PlanSettings) -> None:
        self.clips = clips
        self.settings = settings
        self._graph = Compatibility(matrix()[np.ix_(clips.labels, clips.labels)])
        self._weights = balanced_weights(clips.counts, self._graph.neighbours)
        self._crops = CropDrawer(clips, settings.seconds)
        for size in settings.sizes:
            if not self._reach(size).any():
                raise HiveError(self._no_mixture(size), "import recordings of more classes")

    def lonely(self) -> list[str]:
        """Return the labels that no mixture can hold, for want of a partner."""
        names: list[str] = self.clips.names[~self._reach(min(self.settings.sizes))].tolist()
        return names

    def draw(self, indices: Sequence[int]) -> Draws:
        """Draw some mixtures, at least one, in any order; thousands at a time are fastest.

        Raises:
            HiveError: If many tries found no set of clips for one of them.
        """
        parts = [
            self._draw(indices[first : first + _TOGETHER])
            for first in range(0, len(indices), _TOGETHER)
        ]
        return Draws(
            **{
                name.name: np.concatenate([getattr(part, name.name) for part in parts])
                for name in fields(Draws)
            }
        )

    def _draw(self, indices: Sequence[int]) -> Draws:
        seed, split = self.settings.seed, self.settings.split
        sizes = self._sizes(indices)
        clips = self._choose(sizes, Streams(seed, split, indices, "clips"))
        crops = Streams(seed, split, indices, "crops")
        levels = Streams(seed, split, indices, "snr")
        starts, snr_db = np.zeros(clips.shape), np.zeros(clips.shape)
        for number in range(clips.shape[1]):
            lanes = np.flatnonzero(sizes > number)
            starts[lanes, number] = self._crops.draw(crops, lanes, clips[lanes, number])
            if number:
                snr_db[lanes, number] = levels.uniforms(lanes, *self.settings.snr_range_db)
        there = np.arange(clips.shape[1]) < sizes[:, None]
        return Draws(sizes, clips[there], starts[there], snr_db[there])

    def _sizes(self, indices: Sequence[int]) -> NDArray[np.int32]:
        """Return the number of sources of each mixture."""
        seed, split = self.settings.seed, self.settings.split
        position = np.array([low_discrepancy(seed, split, index, "size") for index in indices])
        total = sum(self.settings.size_shares.values())
        sizes = np.full(len(position), self.settings.sizes[-1], dtype=np.int32)
        waiting = np.ones(len(position), dtype=bool)
        for size in self.settings.sizes:
            position -= self.settings.size_shares[size] / total
            sizes[waiting & (position < 0)] = size
            waiting &= position >= 0
        return sizes

    def _choose(self, sizes: NDArray[np.int32], streams: Streams) -> NDArray[np.int32]:
        """Draw labels one after another among those that may join, and a clip of each.

        The first label is drawn by how often it occurs, the others by `balanced_weights`, so that
        the labels of the mixtures keep the long tail of the clips. When a draw leads nowhere the
        whole mixture is drawn anew, and after many tries only labels that can be completed are
        offered.

        Returns:
            Numbers of the clips, -1 after the last, shape (M, 5).
        """
        chosen = np.full((len(sizes), max(SIZES)), -1, dtype=np.int32)
        waiting = np.arange(len(sizes))
        for attempt in range(2 * _TRIES):
            tried = self._try(sizes[waiting], streams, waiting, careful=attempt >= _TRIES)
            good = self._is_whole(tried, sizes[waiting])
            chosen[waiting[good]] = tried[good]
            waiting = waiting[~good]
            if not waiting.size:
                return chosen
        raise HiveError(
            f"split {self.settings.split!r}: {2 * _TRIES} tries found no {sizes[waiting[0]]} clips "
            "of different recordings that may all be mixed with each other",
            "import more recordings",
        )

    def _try(
        self, sizes: NDArray[np.int32], streams: Streams, lanes: Lanes, *, careful: bool
    ) -> NDArray[np.int32]:
        """Try once to draw each mixture; where no label may join, the rest stays -1."""
        clips = np.full((len(sizes), max(SIZES)), -1, dtype=np.int32)
        labels = np.empty_like(clips)
        allowed = self._graph.largest >= sizes[:, None]
        going = np.arange(len(sizes))
        for number in range(int(sizes.max())):
            going = going[sizes[going] > number]
            if careful:
                for row in going.tolist():
                    picked = tuple(labels[row, :number].tolist())
                    allowed[row] &= self._graph.completing(picked, int(sizes[row]))
            going = going[allowed[going].any(axis=1)]
            weights = self._weights if number else self.clips.counts
            label = _weighted(np.where(allowed[going], weights, 0), streams, lanes[going])
            take = streams.integers(lanes[going], self.clips.counts[label])
            clips[going, number] = self.clips.members[self.clips.member_starts[label] + take]
            labels[going, number] = label
            allowed[going] &= self._graph.neighbours[label]
        return clips

    def _is_whole(self, clips: NDArray[np.int32], sizes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which mixtures have all their clips, no two of one recording."""
        there = clips >= 0
        whole: NDArray[np.bool_] = there.sum(axis=1) == sizes
        recording = self.clips.recording[clips]
        for one, other in combinations(range(clips.shape[1]), 2):
            whole &= ~there[:, other] | (recording[:, one] != recording[:, other])
        return whole

    def _reach(self, size: int) -> NDArray[np.bool_]:
        return self._graph.largest >= size

    def _no_mixture(self, size: int) -> str:
        names = self.clips.names.tolist()
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return (
            f"split {self.settings.split!r}: among its {len(names)} classes ({shown}) there are "
            f"no {size} that may all be mixed with each other"
        )


def _weighted(weights: NDArray[np.int64], streams: Streams, lanes: Lanes) -> NDArray[np.int64]:
    """Draw a place in each row of weights, shape (N, L), in proportion to them."""
    cumulative = np.cumsum(weights, axis=1)
    drawn = streams.integers(lanes, cumulative[:, -1])
    places: NDArray[np.int64] = (cumulative <= drawn[:, None]).sum(axis=1)
    return places
