"""Words beside the name of a sound that do not change which sound it is.

"An old wooden door creaking slowly" asks for a door. Of other words that are not known one cannot
tell: a "toy car" may be no car, and "blorp" may be anything.
"""

from __future__ import annotations

from functools import cache

from baselines.queries.words import split, stem

_MANNER = """
angrily briefly calmly continuous continuously deeply fast faster gently happily heavily heavy high
light lightly long low muffled pitched rapid rapidly repeated repeatedly rhythmic rhythmically
sharply short slow slowly steadily steady strong strongly sudden suddenly weak
"""
_QUALITY = """
aggressive angry beautiful big broken busy cold creaky cute deep dry empty excited fat friendly full
funny giant gigantic happy hot huge hungry large little lone massive mighty modern new nice old
playful quick rusty sad scared single small solo squeaky tall tiny upset vintage wet wild wooden
young
"""
_BEINGS = """
adult baby boy child children female girl guy human kid lady male man men people person somebody
someone toddler woman women
"""
_HAPPENING = """
alternating approaching begin blowing coming continue continuing crackling echoing fade fading fall
falling flowing flying go going happening hitting idling jumping move moving operating passing play
played playing plays rolling running rushing sitting speeding spinning standing start starting stop
stopping turning using walking while whirring working
"""
_MATERIAL = "brass glass gravel ice metal metallic plastic rubber steel stone wood"


def describes(word: str) -> bool:
    """Return whether a word, in any of its forms, leaves it open which sound is meant."""
    return stem(word) in _stems()


@cache
def _stems() -> frozenset[str]:
    texts = (_MANNER, _QUALITY, _BEINGS, _HAPPENING, _MATERIAL)
    return frozenset(stem(word) for text in texts for word in split(text))
