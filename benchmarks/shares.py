"""Dividing the chunks of a run among jobs, so that each reads few shards.

Neighbouring chunks come from one shard, and a shard is read from its beginning; so every job gets
chunks that follow each other. Chunks weigh what they have items: a mixture of five sources takes
longer than one of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def owners(weights: Sequence[int], count: int) -> list[int]:
    """Say which of `count` jobs each chunk of a run is for; all jobs find the same.

    Args:
        weights: Items of each chunk, done or not.
        count: Number of jobs.

    Returns:
        The number of a job for each chunk, ascending. Where there are more jobs than chunks, some
        have none.
    """
    total = sum(weights)
    # The job in whose part of the line the middle of the chunk lies.
    return [
        (2 * end - weight) * count // (2 * total)
        for weight, end in zip(weights, accumulate(weights), strict=True)
    ]


def shares(weights: Sequence[int], jobs: int) -> list[range]:
    """Cut chunks into shares for processes that take one after the other.

    Each round gives every process half of what is left, divided by the number of processes, so
    that there are few shares and yet all processes end at about the same time ("factoring": Hummel,
    Schonberg and Flynn, Communications of the ACM 35(8), 1992).

    Args:
        weights: Items of each chunk that is to be done.
        jobs: Processes that work at a time.

    Returns:
        Positions of neighbouring chunks; together all of them.
    """
    left, start, filled, size = sum(weights), 0, 0, 0.0
    found: list[range] = []
    for position, weight in enumerate(weights):
        if position == start and len(found) % jobs == 0:  # a new round
            size = left / (2 * jobs)
        filled += weight
        left -= weight
        if filled >= size:
            found.append(range(start, position + 1))
            start, filled = position + 1, 0
    if filled:
        found.append(range(start, len(weights)))
    return found
