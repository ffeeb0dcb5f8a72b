"""Which sounds a text names: a class itself, or all classes below a node of the ontology."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from hive import labels
from hive.cooccurrence import matrix
from hive.errors import HiveError


@cache
def nodes_above(label: str) -> tuple[str, ...]:
    """Return the names of the ontology's nodes above a label, nearest first; () if it has none."""
    try:
        return labels.ancestors(label)
    except HiveError:  # a dataset may have labels of its own
        return ()


def covers(text: str, label: str) -> bool:
    """Whether a sound with a label is one that a text names."""
    return text == label or text in nodes_above(label)


def related(first: str, second: str) -> bool:
    """Whether one of two names covers the other."""
    return covers(first, second) or covers(second, first)


class Vocabulary:
    """The classes of a dataset, for questions about a class that a mixture does not hold.

    Args:
        names: Labels of the dataset; repetitions and order do not matter.
    """

    def __init__(self, names: Iterable[str]) -> None:
        #: The classes, sorted.
        self.names = tuple(sorted(set(names)))
        self._rows = [_row(name) for name in self.names]

    def absent(self, present: Sequence[str], plausible: bool) -> list[str]:
        """Return the classes that a mixture certainly does not hold.

        Left out are its own labels and what lies above or below them: an unnamed animal may be
        a dog.

        Args:
            present: Labels of the mixture.
            plausible: Take only those that may be mixed with each of them (`hive.cooccurrence`),
                if there are any.
        """
        absent = [
            number
            for number, name in enumerate(self.names)
            if not any(related(name, label) for label in present)
        ]
        if plausible:
            rows = [row for row in map(_row, present) if row is not None]
            fitting = [
                number
                for number in absent
                if (own := self._rows[number]) is not None
                and all(matrix()[own, row] for row in rows)
            ]
            absent = fitting or absent
        return [self.names[number] for number in absent]


@cache
def _row(name: str) -> int | None:
    """Return a label's row of the co-occurrence matrix, if it is one of Hive's classes."""
    try:
        return labels.index(name)
    except HiveError:
        return None
