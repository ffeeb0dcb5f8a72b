"""All names by which a node of the ontology can be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from baselines.queries import vocabulary
from baselines.queries.aliases import ALIASES
from baselines.queries.words import joined, singular, split, stem, without_fillers
from hive import audioset_tree, labels


class Rank(IntEnum):
    """What kind of name it is; where two nodes have the same, the lower rank decides."""

    NAME = 0
    """The whole name of a node of Hive."""
    PART = 1
    """A part of one: between commas, or without what is in brackets."""
    EVERYDAY = 2
    """A word of `baselines.queries.aliases`."""
    MERGED = 3
    """The name of an AudioSet node that Hive merged into the node."""
    MERGED_PART = 4
    """A part of one."""


@dataclass(frozen=True)
class Phrase:
    """A name of a node.

    Attributes:
        text: The name, in lower case and without punctuation.
        mid: The node of Hive.
        rank: What kind of name it is.
        words: Its telling words, in the singular.
        stems: Stems of these.
    """

    text: str
    mid: str
    rank: Rank
    words: frozenset[str]
    stems: frozenset[str]


@cache
def phrases() -> tuple[Phrase, ...]:
    """Return all phrases in the order of their ranks, each text once a node."""
    found: dict[tuple[str, str], Phrase] = {}
    for phrase in sorted(_all(), key=lambda phrase: phrase.rank):
        found.setdefault((phrase.text, phrase.mid), phrase)
    return tuple(found.values())


@cache
def by_joined() -> dict[str, tuple[Rank, tuple[str, ...]]]:
    """Return for each phrase, written as one singular word, the best rank and the nodes of that."""
    table: dict[str, tuple[Rank, tuple[str, ...]]] = {}
    for phrase in phrases():
        key = joined(tuple(phrase.text.split()))
        rank, mids = table.get(key, (phrase.rank, ()))
        if rank == phrase.rank and phrase.mid not in mids:
            table[key] = rank, (*mids, phrase.mid)
    return table


@cache
def known_words() -> dict[str, str]:
    """Return the words of all phrases, in alphabetical order, with their stems."""
    words = sorted({word for phrase in phrases() for word in phrase.words})
    return {word: stem(word) for word in words}


def _all() -> Iterator[Phrase]:
    for mid in vocabulary.nodes():
        yield from _names(labels.name_of(mid), mid, Rank.NAME, Rank.PART)
    named = {labels.name_of(mid): mid for mid in vocabulary.nodes()}
    for name, texts in ALIASES.items():
        for text in texts:
            yield _phrase(text, named[name], Rank.EVERYDAY)
    for merged in audioset_tree.parents():
        node = labels.node_of(merged)
        if node is not None and node != merged:
            yield from _names(labels.name_of(merged), node, Rank.MERGED, Rank.MERGED_PART)


def _names(name: str, mid: str, whole: Rank, part: Rank) -> Iterator[Phrase]:
    yield _phrase(name, mid, whole)
    for text in re.sub(r"\(.*?\)", "", name).split(","):
        if split(text) not in ((), ("etc",)):
            yield _phrase(text, mid, part)


def _phrase(text: str, mid: str, rank: Rank) -> Phrase:
    words = split(text)
    telling = without_fillers(words)
    return Phrase(
        text=" ".join(words),
        mid=mid,
        rank=rank,
        words=frozenset(singular(word) for word in telling),
        stems=frozenset(stem(word) for word in telling),
    )
