"""A few items whose sound is kept, so that the numbers can be listened to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.dataset import Entry
from hive.audio import Float, encode, to_integers
from hive.files import write_bytes

_LIMIT = (2.0**15 - 1) / 2.0**15  # largest 16-bit sample


def choose(entries: Sequence[Entry], count: int) -> dict[str, int]:
    """Choose items to keep, spread over the sizes and evenly inside each.

    Args:
        entries: Mixtures of the run.
        count: Number of items; fewer when there are fewer mixtures.

    Returns:
        For each chosen mixture, which of its queries (counted from 0).
    """
    sizes: dict[int, list[str]] = {}
    for entry in entries:
        sizes.setdefault(entry.num_sources, []).append(entry.mix_id)
    turns: list[int] = []
    while len(turns) < min(count, len(entries)):
        turns += [size for size in sorted(sizes) if turns.count(size) < len(sizes[size])]
    turns = turns[:count]
    chosen = {}
    for size in sorted(set(turns)):
        wanted = turns.count(size)
        for number in range(wanted):
            position = (2 * number + 1) * len(sizes[size]) // (2 * wanted)
            chosen[sizes[size][position]] = number % size
    return chosen


def write_example(folder: Path, name: str, samples: Float, sample_rate: int) -> str:
    """Write sound as 16-bit FLAC under RUN/examples; samples beyond full scale are clipped.

    Returns:
        The path relative to `folder`.
    """
    relative = f"examples/{name}.flac"
    integers = to_integers(np.clip(samples, -1.0, _LIMIT))
    write_bytes(folder / relative, encode(integers, sample_rate))
    return relative
