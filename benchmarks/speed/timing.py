"""Timing of alternatives side by side.

Other work on a machine, clock changes and warm caches hit whatever runs at that moment. So the
alternatives take turns within one process, in an order that changes from round to round, and are
compared by ratios of medians.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def interleaved(
    alternatives: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
    """Time alternatives in turns.

    Args:
        alternatives: What to run, by name; each runs once before the first round.
        rounds: Number of timed runs of each.

    Returns:
        Wall-clock seconds of each run, by name.
    """
    for run in alternatives.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    order = list(alternatives)
    shuffle = random.Random(0).shuffle  # noqa: S311
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            alternatives[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Return how many times as long the first alternative took: median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))
