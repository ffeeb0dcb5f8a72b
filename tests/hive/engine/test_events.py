from __future__ import annotations

import pytest

from hive import labels
from hive.engine.events import Refusal, exclusive_events


def nodes(*names: str) -> list[str]:
    return [labels.node_named(name) or "" for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # A label above another one of the same recording is no event of its own.
        (["Dog", "Animal", "Rain"], ["Dog", "Rain"]),
        (
            ["Speech", "Male speech, man speaking", "Typing"],
            ["Male speech, man speaking", "Typing"],
        ),
        # An internal node alone is an event.
        (["Speech", "Typing"], ["Speech", "Typing"]),
        # Places and devices are none.
        (["Inside, small room", "Typing", "Rain", "Radio"], ["Rain", "Typing"]),
        # Synonyms and what was merged are one event.
        (["Cat", "Meow", "Rain"], ["Cat", "Rain"]),
    ],
)
def test_events_exclude_one_another(names: list[str], expected: list[str]) -> None:
    assert exclusive_events(nodes(*names)) == expected
    assert exclusive_events(nodes(*reversed(names))) == expected


@pytest.mark.parametrize(
    ("names", "unmapped", "reason"),
    [
        ([], (), "no_labels"),
        (["Dog", "Animal"], (), "one_label"),
        (["Dog", "Rain"], ("Kazoo of doom",), "unknown_label"),
        (["Dog", "Crowd", "Rain"], (), "excluded_label"),
        (["Dog", "Rain", "Typing", "Cat", "Piano", "Wind"], (), "many_labels"),
    ],
)
def test_what_cannot_be_separated_is_told(
    names: list[str], unmapped: tuple[str, ...], reason: str
) -> None:
    told = exclusive_events(nodes(*names), unmapped)
    assert isinstance(told, Refusal)
    assert told.reason == reason
    assert told.detail or reason == "no_labels"
