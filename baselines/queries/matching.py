"""Free text to a class or an internal node of the ontology, or an error that names the nearest.

Tried in this order, and the first that finds something decides:

1. **name**: the name or the identifier of a node of Hive, whatever its case, hyphens and spaces,
   in the singular or plural, with or without words that tell nothing ("the sound of a dog").
2. **alias**: likewise a part of such a name ("honking"), an AudioSet node that was merged into one
   ("Meow"), or an everyday word of `baselines.queries.aliases`.
3. **words**: names and aliases among the words of a description ("a dog barking"), or a description
   among the words of a node's name ("kettle"). Forms of a word count as the word.
4. **fuzzy**: the same after mending words that are slips of the pen for a known one ("voilin").

A word that is not known may be nonsense, or change what is meant: "blorp fizz" is no fizz, and a
"boxing ring" does not ring. So names must explain more of a description than they leave, not
counting words that leave open which sound is meant ("old", "slowly", see
`baselines.queries.describing`); after mending they must explain all.

More than one meaning is no meaning: "a dog in the rain" is refused, as a query asks for one sound.
Two rules tell what goes together. Of nodes above one another the lower is meant: "door knock" is
Knock, which is below Door. And beside a source, a word for how things sound says nothing new: "mice
squeaking" are mice, since Squeak is below AudioSet's "Source-ambiguous sounds".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from baselines.queries import vocabulary
from baselines.queries.describing import describes
from baselines.queries.phrases import Phrase, Rank, by_joined, known_words, phrases
from baselines.queries.refusals import (
    refuse_ambiguous,
    refuse_what_hive_left_out,
    several,
    shorten,
    unknown,
)
from baselines.queries.words import (
    before_place,
    joined,
    singular,
    split,
    stem,
    tells,
    without_fillers,
)
from hive import labels
from hive.errors import HiveError

How: TypeAlias = Literal["name", "alias", "words", "fuzzy"]

_AMBIGUOUS_SOURCE = "/t/dd00098"
_SHORTEST_MENDED = 5


@dataclass(frozen=True)
class Match:
    """What a text is taken for.

    Attributes:
        mid: Identifier of the class or internal node.
        name: Its name.
        how: How it was found.
        score: 1 for names and aliases; else the share of the text's telling words that it explains,
            times, where words were mended, the share of their letters that were right. In (0, 1].
    """

    mid: str
    name: str
    how: How
    score: float


@lru_cache(maxsize=4096)
def match(text: str) -> Match:
    """Return the class or internal node that a text means.

    Raises:
        HiveError: If it means none or more than one; the remedy names the nearest three, or the
            sound that is meant without the words that are not known.
    """
    if text in vocabulary.nodes():
        return _found(text, "name", 1.0)
    words = split(text)
    if not words:
        raise HiveError(f"query {shorten(text)!r} has no words", "name a sound, such as 'dog'")
    refuse_ambiguous(text, words)
    exact = _named(text, words)
    if exact is None:
        refuse_what_hive_left_out(text)
    found = exact or _described(text, words) or _mended(text, words)
    if found is None:
        telling = without_fillers(words)
        raise unknown(text, telling, *_inside(telling))
    return found


def _named(text: str, words: tuple[str, ...]) -> Match | None:
    """A match of all words with a name or an alias."""
    if joined(words) not in by_joined():
        return None
    rank, mids = by_joined()[joined(words)]
    return _found(_one(text, mids), "name" if rank == Rank.NAME else "alias", 1.0)


def _described(text: str, words: tuple[str, ...], whole: bool = False) -> Match | None:
    """A match of the telling words, or of those before a place ("rain" of "rain on a roof")."""
    telling = without_fillers(words)
    found = _named(text, telling) or _by_words(text, telling, whole)
    head = without_fillers(before_place(words))
    if found is None and len(head) < len(telling):
        found = _by_words(text, head, whole)
        found = found and replace(found, score=found.score * len(head) / len(telling))
    return found


def _by_words(text: str, words: tuple[str, ...], whole: bool) -> Match | None:
    """Names among the words; or the words among those of a name, whatever their order.

    Args:
        text: The query, for messages.
        words: Its telling words.
        whole: Whether names must explain all words but those that only describe.
    """
    said = {stem(word) for word in words}
    inside, explained = _inside(words)
    if explained != said:
        plain = {singular(word) for word in words}
        around = [phrase for phrase in phrases() if plain <= phrase.words]
        if any(phrase.rank <= Rank.PART for phrase in around):
            return _found(_one(text, (phrase.mid for phrase in around)), "words", 1.0)
    unknown = {one for one in said - explained if not describes(one)}
    if not inside or len(unknown) >= (1 if whole else max(len(explained), 1)):
        return None
    score = len(explained) / len(said)
    return _found(_one(text, (phrase.mid for phrase in inside)), "words", score)


def _inside(words: tuple[str, ...]) -> tuple[list[Phrase], set[str]]:
    """Names that are among words, and the stems that they explain."""
    said = {stem(word) for word in words}
    inside = _longest([phrase for phrase in phrases() if phrase.stems <= said])
    return inside, set().union(*(phrase.stems for phrase in inside))


def _longest(inside: list[Phrase]) -> list[Phrase]:
    """Phrases that are no part of another; of those with the same stems, the lowest rank."""
    best: dict[frozenset[str], Rank] = {}
    for phrase in inside:
        best.setdefault(phrase.stems, phrase.rank)  # they come in the order of ranks
    return [
        phrase
        for phrase in inside
        if best[phrase.stems] == phrase.rank and not any(phrase.stems < other for other in best)
    ]


def _mended(text: str, words: tuple[str, ...]) -> Match | None:
    """A match after mending slips of the pen."""
    mended = [_mend(text, word) for word in words]
    fixed = tuple(word for word, _ in mended)
    if fixed == words:
        return None
    found = _named(text, fixed) or _described(text, fixed, whole=True)
    right = sum(len(word) * share for word, share in mended) / sum(map(len, fixed))
    return found and replace(found, how="fuzzy", score=found.score * right)


def _mend(text: str, word: str) -> tuple[str, float]:
    """Return the known word that a word is a slip of the pen for, and the share that is right.

    A slip begins with the right letter. Short words differ from others by a letter too often, so
    up to four letters nothing is mended; up to seven one letter too many, too few, or swapped with
    its neighbour ("house" does not become "horse"); up to nine any one letter; then any two.
    """
    from rapidfuzz.distance import OSA

    known = known_words()
    if len(word) < _SHORTEST_MENDED or not tells(word) or describes(word):
        return word, 1.0
    if stem(word) in known.values():
        return word, 1.0
    allowed = 2 if len(word) > 9 else 1
    slips: dict[str, int] = {}
    for other in known:
        replaced = len(word) == len(other) and sorted(word) != sorted(other)
        if (
            len(other) >= _SHORTEST_MENDED
            and other[0] == word[0]
            and not (replaced and len(word) < 8)
        ):
            slips[other] = OSA.distance(word, other, score_cutoff=allowed)
    least = min(slips.values(), default=allowed + 1)
    if least > allowed:
        return word, 1.0
    best = {known[other]: other for other, edits in slips.items() if edits == least}
    if len(best) > 1:
        near = (phrase.mid for phrase in phrases() if phrase.stems & best.keys())
        raise several(text, map(labels.name_of, near))
    return next(iter(best.values())), 1.0 - least / len(word)


def _one(text: str, mids: Iterable[str]) -> str:
    """Return the one node that is meant.

    Raises:
        HiveError: If there are several.
    """
    distinct = tuple(dict.fromkeys(mids))
    higher = {above for mid in distinct for above in labels.above(mid)}
    lowest = [mid for mid in distinct if mid not in higher]
    sources = [mid for mid in lowest if _AMBIGUOUS_SOURCE not in labels.above(mid)]
    meant = sources or lowest
    if len(meant) > 1:
        raise several(text, map(labels.name_of, meant))
    return meant[0]


def _found(mid: str, how: How, score: float) -> Match:
    return Match(mid, labels.name_of(mid), how, score)
