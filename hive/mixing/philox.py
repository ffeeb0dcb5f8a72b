"""Many random streams at once: the numbers of `hive.seeding.Stream`, for a block of addresses.

A generator object for each stream costs several microseconds and gives one number at a time. Here
Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3)
runs over an array of keys, and every number is the one that `Stream` gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Lanes = NDArray[np.int64]

_ROUNDS = 10
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TOP = np.uint64(0xFFFFFFFFFFFFFFFF)
_TURN = 4  # words that one turn of the generator gives
_FEW = 32  # so many turns are made faster one by one, by numpy's generator


class Streams:
    """Streams of random numbers that differ in their index alone.

    Lane i of what is drawn is stream i; each stream keeps its own place.

    Args:
        seed: The run's seed.
        split: Split name, or any other name space.
        indices: Index of each item, or text that names it.
        purpose: What the numbers are for.
    """

    def __init__(self, seed: int, split: str, indices: Iterable[int | str], purpose: str) -> None:
        before, after = f"{seed}\x1f{split}\x1f", f"\x1f{purpose}"
        digests = b"".join(
            hashlib.blake2b(f"{before}{index}{after}".encode(), digest_size=16).digest()
            for index in indices
        )
        self._keys: Words = np.frombuffer(digests, dtype="<u8").reshape(-1, 2).T.astype(np.uint64)
        self._used = np.zeros(self._keys.shape[1], dtype=np.int64)
        self._words = np.empty((_TURN, len(self._used)), dtype=np.uint64)

    def __len__(self) -> int:
        """Number of streams."""
        return len(self._used)

    def uniforms(
        self, lanes: Lanes | None = None, low: float = 0.0, high: float = 1.0
    ) -> NDArray[np.float64]:
        """Return one float in [low, high) from each of some streams.

        Args:
            lanes: Numbers of the streams, each at most once, shape (N,); all by default.
            low: Lower end.
            high: Upper end, not reached.
        """
        words = self._next(np.arange(len(self)) if lanes is None else lanes)
        return low + (high - low) * (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, lanes: Lanes, stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one integer in [0, stop) from each of some streams, without bias.

        Args:
            lanes: Numbers of the streams, each at most once, shape (N,).
            stops: The positive stop of each, shape (N,).
        """
        stop = stops.astype(np.uint64)
        words = self._next(lanes)
        again = np.flatnonzero(_is_biased(words, stop))
        while again.size:
            words[again] = self._next(lanes[again])
            again = again[_is_biased(words[again], stop[again])]
        return (words % stop).astype(np.int64)

    def tries(self, lanes: Lanes, stops: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return `count` integers from each of some streams: as many calls of `integers`.

        Args:
            lanes: Numbers of the streams, each at most once, shape (N,).
            stops: The positive stop of each, shape (N,).
            count: A multiple of four.

        Returns:
            Shape (count, N).
        """
        stop = stops.astype(np.uint64)
        first, turns = self._used[lanes] // _TURN, count // _TURN
        counters = (first + 1 + np.arange(turns)[:, None]).astype(np.uint64)
        words = self._turn(counters.ravel(), np.tile(self._keys[:, lanes], turns))
        words = words.reshape(_TURN, turns, -1).swapaxes(0, 1).reshape(count, -1)
        found = (words % stop).astype(np.int64)
        # A stream that stands inside a turn, or has words to be drawn again, goes step by step.
        odd = (self._used[lanes] % _TURN != 0) | _is_biased(words, stop).any(axis=0)
        self._used[lanes[~odd]] += count
        if odd.any():
            found[:, odd] = [self.integers(lanes[odd], stops[odd]) for _ in range(count)]
        return found

    def _next(self, lanes: Lanes) -> Words:
        used = self._used[lanes]
        place = used % _TURN
        fresh = np.flatnonzero(place == 0)
        if fresh.size:
            turning = lanes[fresh]
            counters = (used[fresh] // _TURN + 1).astype(np.uint64)
            self._words[:, turning] = self._turn(counters, self._keys[:, turning])
        self._used[lanes] = used + 1
        words: Words = self._words[place, lanes]
        return words

    def _turn(self, counters: Words, keys: Words) -> Words:
        if len(counters) > _FEW:
            return philox(counters, keys)
        words = np.empty((_TURN, len(counters)), dtype=np.uint64)
        for number, counter in enumerate(counters.tolist()):
            # numpy's generator counts up before it turns.
            generator = np.random.Philox(counter=counter - 1, key=keys[:, number])
            words[:, number] = generator.random_raw(_TURN)
        return words


def _is_biased(words: Words, stop: Words) -> NDArray[np.bool_]:
    """Return which words are at or above the largest multiple of the stop, to be drawn again."""
    biased: NDArray[np.bool_] = words > _TOP - stop
    if biased.any():  # less than a stop from the top; the rest of the test costs a division
        biased &= words > _TOP - (_TOP - stop + np.uint64(1)) % stop
    return biased


def philox(counters: Words, keys: Words) -> Words:
    """Return the four words that Philox4x64-10 makes of each counter and key.

    Args:
        counters: Lowest word of the counters, the others being zero, shape (N,).
        keys: Shape (2, N).

    Returns:
        Shape (4, N).
    """
    zero = np.zeros_like(counters)
    c0, c1, c2, c3 = counters, zero, zero, zero
    k0, k1 = keys
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(c0, _MULTIPLIERS[0])
        high1, low1 = _multiply(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _KEY_STEPS[0], k1 + _KEY_STEPS[1]
    return np.stack([c0, c1, c2, c3])


def _multiply(words: Words, factor: int) -> tuple[Words, Words]:
    """Return the upper and the lower 64 bits of the products."""
    upper, lower = np.uint64(factor >> 32), np.uint64(factor & 0xFFFFFFFF)
    words_low, words_high = words & _LOW, words >> _HALF
    cross = words_low * upper + (words_low * lower >> _HALF)
    other = words_high * lower + (cross & _LOW)
    return words_high * upper + (cross >> _HALF) + (other >> _HALF), words * np.uint64(factor)
