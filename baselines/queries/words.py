"""Texts as words that can be compared: case, accents, hyphens, plurals and fillers do not count."""

from __future__ import annotations

import re
import unicodedata

_SAY_NOTHING = """
a an and any are at background be being by can clear distant etc faint far for foreground from hear
heard in into is it its just like loud loudly make makes making me my near nearby noise noises of
off on only or over please quiet quietly recorded recording several soft softly some somebody
someone something sound sounding sounds taking that the their there this to two up very which while
with
"""
_BEFORE_PLACES = "against at behind from in inside into near on outside over through under"
_FILLERS, _PLACES = frozenset(_SAY_NOTHING.split()), frozenset(_BEFORE_PLACES.split())
_IRREGULAR = {
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "hooves": "hoof",
    "knives": "knife",
    "leaves": "leaf",
    "men": "man",
    "mice": "mouse",
    "teeth": "tooth",
    "wolves": "wolf",
    "women": "woman",
}
_NO_FORM = frozenset({"flying"})
"""Forms that do not mean what the word does: a flying aircraft is no fly."""
_VOWELS = re.compile("[aeiouy]")


def split(text: str) -> tuple[str, ...]:
    """Return the words of a text: lower case, without accents, in a-z and 0-9."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("'s", "").replace("’s", ""))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(re.findall(r"[a-z0-9]+", plain))


def without_fillers(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that tell which sound is meant; all if none does."""
    return tuple(word for word in words if tells(word)) or words


def tells(word: str) -> bool:
    """Return whether a word may tell which sound is meant."""
    return word not in _FILLERS and word not in _PLACES


def before_place(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words before the first preposition of place; all if there is none."""
    first = next((at for at, word in enumerate(words) if at and word in _PLACES), len(words))
    return words[:first]


def singular(word: str) -> str:
    """Return the singular of a plural; other words may lose an s too, always in the same way."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search("(ch|sh|ss|x|z|bus)es$", word):
        return word[:-2]
    if len(word) > 2 and word.endswith("s") and not re.search("(ss|us|is)$", word):
        return word[:-1]
    return word


def joined(words: tuple[str, ...]) -> str:
    """Return singular words written as one, so that "door bells" equals "doorbell"."""
    return "".join(singular(word) for word in words)


def stem(word: str) -> str:
    """Return what the forms of a word share: "barks", "barked" and "barking" give "bark"."""
    if word in _NO_FORM:
        return word
    word = singular(word)
    for ending in ("ing", "ed"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) > 2 and _VOWELS.search(rest):
            word = rest
            break
    # "humming" as "hum", and "purr" as "purring".
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioulsz":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
