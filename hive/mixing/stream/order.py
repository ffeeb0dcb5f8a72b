"""The order of an epoch: a seeded permutation that needs no memory.

A Feistel network whose halves are numbers below m, added modulo m, is a bijection of the numbers
below m^2 whatever its round function. With m^2 just above the length of the epoch, the few numbers
that fall outside are sent through it again until they fall inside, which keeps it one (Black and
Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002: generalised Feistel, cycle walking).
So place 17,499,999 of an epoch is known without the places before it, in any process.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from hive.seeding import Stream

_ROUNDS = 8
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


class Permutation:
    """A pseudo-random permutation of 0 to `count` - 1.

    Args:
        count: Number of items, at most 2^60.
        seed: The run's seed.
        epoch: Number of the epoch; each has an order of its own.
    """

    def __init__(self, count: int, seed: int, epoch: int) -> None:
        self._count = count
        # Smaller halves would leave too few round functions to choose from.
        self._base = np.uint64(max(4, isqrt(max(count - 1, 0)) + 1))
        stream = Stream(seed, "stream", epoch, "order")
        self._keys = [np.uint64(stream.integer(1 << 64)) for _ in range(_ROUNDS)]

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items at some positions, shape (M,).

        Raises:
            IndexError: If a position is outside the permutation.
        """
        if positions.size and not (positions.min() >= 0 and positions.max() < self._count):
            raise IndexError(f"positions {positions.min()} to {positions.max()} of {self._count}")
        items = self._encrypt(positions.astype(np.uint64))
        while (outside := np.flatnonzero(items >= self._count)).size:
            items[outside] = self._encrypt(items[outside])
        return items.astype(np.int64)

    def _encrypt(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values // self._base, values % self._base
        for key in self._keys:
            left, right = right, (left + _mixed(right + key) % self._base) % self._base
        return left * self._base + right


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit moves half."""
    values = (values ^ (values >> _SHIFTS[0])) * _MIX[0]
    values = (values ^ (values >> _SHIFTS[1])) * _MIX[1]
    return values ^ (values >> _SHIFTS[2])
