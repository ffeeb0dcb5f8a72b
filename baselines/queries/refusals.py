"""Why a query is refused, and what can be asked for instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from baselines.queries.aliases import AMBIGUOUS
from baselines.queries.describing import describes
from baselines.queries.phrases import Phrase, phrases
from baselines.queries.words import split, stem, without_fillers
from hive import labels
from hive.errors import HiveError

_NEAREST = 3
_SHOWN = 60  # letters of a text in a message


def several(text: str, meanings: Iterable[str]) -> HiveError:
    """Say that a query may mean several nodes, by their names."""
    names = list(dict.fromkeys(meanings))
    more = f" and {len(names) - _NEAREST} more" if len(names) > _NEAREST else ""
    return HiveError(
        f"query {shorten(text)!r} may mean {_listed(names[:_NEAREST])}{more}",
        "ask for one of them by its name",
    )


def unknown(
    text: str, telling: Sequence[str], inside: Sequence[Phrase], explained: AbstractSet[str]
) -> HiveError:
    """Say which words are not known, if others are; else name the nearest sounds.

    Args:
        text: The query.
        telling: Its telling words.
        inside: Names that are among them.
        explained: The stems that these explain.
    """
    left = [word for word in telling if stem(word) not in explained and not describes(word)]
    if not inside or not left:
        return HiveError(f"query {shorten(text)!r} is no sound that is known", _remedy(text))
    words = list(dict.fromkeys(map(shorten, left)))[:_NEAREST]
    near = list(dict.fromkeys(labels.name_of(phrase.mid) for phrase in inside))[:_NEAREST]
    return HiveError(
        f"query {shorten(text)!r} is no sound that is known: nothing is known of {_listed(words)}",
        f"ask for {_listed(near)} if that is what you mean; `hive-bench labels` lists all classes",
    )


def refuse_ambiguous(text: str, words: tuple[str, ...]) -> None:
    """Refuse a word that means several sounds; beside other words it may be clear."""
    telling = without_fillers(words)
    if len(telling) == 1 and (names := AMBIGUOUS.get(stem(telling[0]))):
        raise several(text, names)


def refuse_what_hive_left_out(text: str) -> None:
    """Say why, if a text is a label of AudioSet that stands for nothing in Hive."""
    node = labels.node_named(text)
    if node is not None and labels.node_of(node) is None:
        raise HiveError(labels.resolve(audioset_id=node).reason, _remedy(text))


def _remedy(text: str) -> str:
    near = _listed(_nearest(text))
    return f"ask for one of the nearest, {near}; `hive-bench labels` lists all classes"


def _nearest(text: str) -> list[str]:
    """Names of the nodes with the most similar names or aliases."""
    from rapidfuzz import fuzz, process

    choices = {phrase.text: phrase.mid for phrase in reversed(phrases())}
    found: dict[str, None] = {}
    for phrase, _, _ in process.extract(
        " ".join(split(text[:200])), choices.keys(), scorer=fuzz.WRatio, limit=20
    ):
        found.setdefault(labels.name_of(choices[phrase]))
    return list(found)[:_NEAREST]


def _listed(names: Iterable[str]) -> str:
    *first, last = (repr(name) for name in names)
    return f"{', '.join(first)} or {last}" if first else last


def shorten(text: str) -> str:
    """Return a text as it stands in a message."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
