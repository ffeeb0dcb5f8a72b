"""What free text is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.queries import vocabulary
from baselines.queries.aliases import ALIASES
from baselines.queries.matching import match
from hive import audioset_tree, labels
from hive.errors import HiveError

TABLE = [
    ("dog", "Dog", "name"),
    ("DOGS", "Dog", "name"),
    ("the sound of a dog", "Dog", "name"),
    ("a dog barking", "Dog", "words"),
    ("barking dog", "Dog", "words"),
    ("the dog's bark", "Dog", "words"),
    ("cat", "Cat", "name"),
    ("meow", "Cat", "alias"),
    ("Meowing", "Cat", "words"),
    ("cat purring", "Cat", "words"),
    ("car", "Car", "name"),
    ("guitar", "Guitar", "name"),
    ("electric guitar", "Guitar", "alias"),
    ("electric guitar solo", "Guitar", "words"),
    ("siren", "Siren", "name"),
    ("police siren", "Police car (siren)", "words"),
    ("ambulance", "Ambulance (siren)", "alias"),
    ("Animal", "Animal", "name"),
    ("musical instruments", "Musical instrument", "name"),
    ("speech", "Speech", "name"),
    ("people talking", "Speech", "alias"),
    ("woman speaking", "Female speech, woman speaking", "alias"),
    ("A man is talking", "Male speech, man speaking", "alias"),
    ("baby crying", "Crying, sobbing", "alias"),
    ("the sound of rain", "Rain", "name"),
    ("rain falling on a roof", "Rain", "words"),
    ("thunderstorm", "Thunderstorm", "name"),
    ("thunder and lightning", "Thunderstorm", "words"),
    ("wind blowing through the trees", "Wind", "words"),
    ("footsteps on gravel", "Walk, footsteps", "words"),
    ("kettle", "Kettle whistle", "words"),
    ("vacuum", "Vacuum cleaner", "words"),
    ("honking", "Vehicle horn, car horn, honking", "alias"),
    ("Vehicle horn, car horn, honking", "Vehicle horn, car horn, honking", "name"),
    ("vehicle_horn_car_horn_honking", "Vehicle horn, car horn, honking", "name"),
    ("/m/0bt9lr", "Dog", "name"),
    ("door bell", "Doorbell", "name"),
    ("hairdryer", "Hair dryer", "name"),
    ("air-plane", "Fixed-wing aircraft, airplane", "alias"),
    ("door knock", "Knock", "words"),  # Knock stands below Door
    ("piano music", "Piano", "words"),  # Piano stands below Music
    ("mice squeaking", "Rodents, rats, mice", "words"),  # a squeak is no source
    ("glass breaking", "Glass", "alias"),
    ("clanging metal", "Clang", "words"),
    ("whistle", "Whistle", "name"),
    ("whistling", "Whistling", "name"),
    ("wolves howling", "Canidae, dogs, wolves", "words"),  # and not the howling wind
    ("typing on a keyboard", "Typing", "alias"),
    ("keyboard", "Keyboard (musical)", "alias"),
    ("goose", "Fowl", "alias"),
    ("r&b", "Rhythm and blues", "alias"),
    ("voilin", "Violin, fiddle", "fuzzy"),
    ("helicoptor", "Helicopter", "fuzzy"),
    ("a helicoptor taking off", "Helicopter", "fuzzy"),
    ("pinao", "Piano", "fuzzy"),
    ("acoustic gitar", "Guitar", "fuzzy"),
    ("accordeon", "Accordion", "fuzzy"),
]


@pytest.mark.parametrize(("text", "name", "how"), TABLE)
def test_texts(text: str, name: str, how: str) -> None:
    found = match(text)
    assert (found.name, found.how) == (name, how)
    assert labels.name_of(found.mid) == name
    assert found.score == 1.0 if how in ("name", "alias") else 0.0 < found.score <= 1.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("quantum", "no sound that is known.*nearest, '.*', '.*' or '"),
        ("drop", "no sound that is known.*'Drip'"),
        ("horn", "may mean 'Vehicle horn.*, 'Air horn, truck horn' or .* and 1 more"),
        ("machine", "may mean 'Sewing machine'"),
        ("woman", "may mean 'Female speech"),
        ("a dog in the rain", "may mean 'Dog' or 'Rain'"),
        ("dog and cat", "may mean 'Dog' or 'Cat'"),
        ("house", "no sound that is known"),  # neither a horse nor a kind of music
        ("castle", "no sound that is known.*'Cattle"),
        ("building", "no sound that is known"),  # and nothing boiling
        ("a dog of quantum foam", "no sound that is known"),  # a third of the words
        ("crowd", "'Crowd' was excluded: it does not name one sound source.*ask for one of"),
        ("Drum beat", "merged into 'Beat', which is not a class.*'Drum'"),
        ("noise", "'Noise' is an internal node of AudioSet that Hive dropped"),
        ("the the", "no sound that is known"),
        ("", "no words"),
        ("!? — ", "no words"),
        ("狗", "no words"),
        ("/m/nothing", "no sound that is known"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(HiveError, match=told):
        match(text)


def test_the_nearest_three_are_names_that_can_be_asked_for() -> None:
    with pytest.raises(HiveError) as caught:
        match("gitar solow qwerty")
    near = caught.value.remedy.split("nearest, ")[1].split(";")[0].replace(" or ", ", ")
    names = near.strip("'").split("', '")
    assert len(names) == 3
    assert "Guitar" in names
    assert all(match(name).name == name for name in names)


def test_a_long_text_is_shortened_in_the_message() -> None:
    with pytest.raises(HiveError) as caught:
        match("blahblah " * 500)
    assert len(str(caught.value)) < 400


def test_partial_scores() -> None:
    assert match("church bells ringing").score == pytest.approx(2 / 3)
    assert match("rain falling on a roof").score == pytest.approx(1 / 3)
    assert match("voilin").score == pytest.approx(5 / 6)  # two letters swapped: one slip of six
    # One wrong letter of the 22 in all words; "a" and "taking off" tell nothing.
    assert match("a helicoptor taking off").score == pytest.approx(19 / 20)


def test_every_label_of_audioset_means_what_hive_makes_of_it() -> None:
    for mid in audioset_tree.parents():
        node = labels.node_of(mid)
        if node is None:
            with pytest.raises(HiveError):
                match(labels.name_of(mid))
        else:
            found = match(labels.name_of(mid))
            assert found.mid == node, labels.name_of(mid)
            assert found.how == ("name" if mid == node else "alias")


def test_every_everyday_word_means_its_node() -> None:
    for name, texts in ALIASES.items():
        for text in texts:
            assert match(text).name == name, text
            assert match(f"the sound of {text}").name == name, text


NAMES = st.sampled_from([labels.name_of(mid) for mid in vocabulary.nodes()])


@given(
    NAMES,
    st.sampled_from(["{}", "a {}", "the {}", "sound of {}", "the sounds of {}", "a loud {}"]),
    st.sampled_from([str.lower, str.upper, str.title, labels.slugify]),
)
def test_case_spaces_and_fillers_do_not_count(name: str, frame: str, change: object) -> None:
    assert callable(change)
    assert match(frame.format(change(name))).name == name


@given(st.text(max_size=40))
def test_any_text_is_matched_or_refused(text: str) -> None:
    try:
        found = match(text)
    except HiveError:
        return
    assert found.mid in vocabulary.nodes()
    assert 0.0 < found.score <= 1.0
    assert match(found.name).mid == found.mid
