"""Counter-based random streams.

A draw depends only on (seed, split, index, purpose) and its place in that stream, never on what was
drawn before: sample 17 is the same whether 16 others came first or not, on any number of workers.
The bits come from Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), keyed by a hash; floats and integers are made here, so that they do not change with
numpy's distribution code.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


class Stream:
    """A stream of random numbers with an address.

    Args:
        seed: The run's seed.
        split: Split name, or any other name space.
        index: Index of the item inside the split, or any text that names it.
        purpose: What the numbers are for, e.g. "labels" or "snr".
    """

    def __init__(self, seed: int, split: str, index: int | str, purpose: str) -> None:
        address = "\x1f".join((str(seed), split, str(index), purpose))
        digest = hashlib.blake2b(address.encode("utf-8"), digest_size=16).digest()
        self._bits = np.random.Philox(key=np.frombuffer(digest, dtype="<u8"))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one float in [low, high)."""
        return low + (high - low) * (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def uniforms(self, count: int, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Return `count` floats in [low, high), the same as `count` calls of `uniform`."""
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        unit: NDArray[np.float64] = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * unit

    def integer(self, stop: int) -> int:
        """Return one integer in [0, stop), without bias.

        Raises:
            ValueError: If `stop` is not positive.
        """
        if stop <= 0:
            raise ValueError(f"stop must be positive, got {stop}")
        limit = (1 << 64) - (1 << 64) % stop
        while (raw := int(self._bits.random_raw())) >= limit:
            pass
        return raw % stop

    def generator(self) -> np.random.Generator:
        """Return a numpy generator on this stream, for signals (noise, modulations)."""
        return np.random.Generator(self._bits)


def low_discrepancy(seed: int, split: str, index: int, purpose: str) -> float:
    """Return point `index` of a golden-ratio sequence in [0, 1) with a seeded start.

    Every prefix of the sequence fills the interval evenly (discrepancy O(log n / n)), so shares
    assigned by it hold for any prefix of a split, and each point still depends on its index alone.
    """
    address = f"{seed}\x1f{split}\x1f{purpose}".encode()
    start = int.from_bytes(hashlib.blake2b(address, digest_size=8).digest(), "little")
    golden = 0x9E3779B97F4A7C15  # 2^64 / golden ratio
    return (((start + index * golden) & 0xFFFFFFFFFFFFFFFF) >> 11) * 2.0**-53
