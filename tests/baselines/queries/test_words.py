"""Forms of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.queries.words import before_place, joined, singular, split, stem, without_fillers


@pytest.mark.parametrize(
    ("forms", "one"),
    [
        (("dog", "dogs"), "dog"),
        (("berry", "berries"), "berry"),
        (("bus", "buses"), "bus"),
        (("church", "churches"), "church"),
        (("glass", "glasses"), "glass"),
        (("mouse", "mice"), "mouse"),
    ],
)
def test_singular(forms: tuple[str, ...], one: str) -> None:
    assert {singular(form) for form in forms} == {one}


@pytest.mark.parametrize(
    "forms",
    [
        ("bark", "barks", "barked", "barking"),
        ("clap", "claps", "clapped", "clapping"),
        ("sneeze", "sneezes", "sneezing", "sneezed"),
        ("chop", "chopping"),
        ("whistle", "whistling"),
        ("roll", "rolling", "rolled"),
        ("hiss", "hissing"),
    ],
)
def test_forms_share_their_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


def test_short_words_keep_their_ending() -> None:
    assert stem("ring") == "ring"
    assert stem("ping") == "ping"
    assert stem("bed") == "bed"


def test_split_and_fillers() -> None:
    assert split("The Dog’s   bark — é!") == ("the", "dog", "bark", "e")
    assert without_fillers(("the", "sound", "of", "rain")) == ("rain",)
    assert without_fillers(("the", "sound")) == ("the", "sound")
    assert joined(("door", "bells")) == joined(("doorbell",))
    assert before_place(("rain", "on", "a", "roof")) == ("rain",)
    assert before_place(("on", "air")) == ("on", "air")


@given(st.from_regex("[a-z]{1,12}", fullmatch=True))
def test_no_word_vanishes(word: str) -> None:
    assert singular(word)
    assert stem(word)
