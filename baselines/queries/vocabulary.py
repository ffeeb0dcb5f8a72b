"""What the `labels` encoder has vectors of: the classes and the nodes above them, in fixed order.

The order is that of `hive.labels.all_labels()` (283 classes, as in the rows of M), then that of
`hive.labels.internal_nodes()` (59 nodes). Trained vectors are found by position, so weights belong
to one order and one tree; `digest` tells two of them apart.
"""

from __future__ import annotations

from functools import cache

from hive import labels
from hive.files import sha256_json


@cache
def nodes() -> tuple[str, ...]:
    """Return the identifiers of all nodes: the classes, then the internal nodes."""
    return (*(label.mid for label in labels.all_labels()), *labels.internal_nodes())


def position(mid: str) -> int:
    """Return where a node stands in `nodes()`.

    Raises:
        KeyError: If it is no node of Hive.
    """
    return _positions()[mid]


@cache
def chains() -> tuple[tuple[int, ...], ...]:
    """Return, for each node, its position and those of all nodes above it, each once, in order."""
    return tuple(
        (position(mid), *sorted(position(above) for above in labels.above(mid))) for mid in nodes()
    )


@cache
def digest() -> str:
    """Return a hash of the order and of the tree, 64 hexadecimal digits; names do not count."""
    return sha256_json([[mid, list(labels.parents_of(mid))] for mid in nodes()])


@cache
def _positions() -> dict[str, int]:
    return {mid: index for index, mid in enumerate(nodes())}
