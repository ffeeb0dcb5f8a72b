"""Which sets of labels may sound together: cliques of the compatibility graph, up to five."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hive.tables import SIZES


class Compatibility:
    """The compatibility graph over the labels at hand.

    Args:
        neighbours: Symmetric boolean matrix with a false diagonal, shape (L, L).

    Attributes:
        neighbours: That matrix.
        largest: For each label, the size of the largest mixture (at most 5) that it can be in.
    """

    def __init__(self, neighbours: NDArray[np.bool_]) -> None:
        self.neighbours = neighbours
        self._masks = [sum(1 << int(other) for other in np.flatnonzero(row)) for row in neighbours]
        self._known: dict[tuple[int, int], bool] = {}
        self.largest = np.array([self._largest(label) for label in range(len(neighbours))], int)

    def completing(self, picked: Sequence[int], size: int) -> NDArray[np.bool_]:
        """Return which labels can join `picked` so that a mixture of `size` can be completed."""
        common = (1 << len(self._masks)) - 1
        for label in picked:
            common &= self._masks[label]
        need = size - len(picked) - 1
        return np.array(
            [
                bool(common >> label & 1) and self._has(common & self._masks[label], need)
                for label in range(len(self._masks))
            ],
            dtype=bool,
        )

    def _largest(self, label: int) -> int:
        size = 1
        while size < max(SIZES) and self._has(self._masks[label], size):
            size += 1
        return size

    def _has(self, candidates: int, need: int) -> bool:
        """Whether `candidates`, a bit set, holds `need` labels that may all sound together."""
        if need == 0:
            return True
        if candidates.bit_count() < need:
            return False
        if need == 1:
            return True
        key = (candidates, need)
        if key not in self._known:
            self._known[key] = self._search(candidates, need)
        return self._known[key]

    def _search(self, candidates: int, need: int) -> bool:
        rest = candidates
        while rest.bit_count() >= need:
            lowest = rest & -rest
            rest ^= lowest
            if self._has(rest & self._masks[lowest.bit_length() - 1], need - 1):
                return True
        return False
