"""What free text is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.queries import vocabulary
from baselines.queries.aliases import ALIASES, AMBIGUOUS
from baselines.queries.matching import match
from hive import audioset_tree, labels
from hive.errors import HiveError

ALL_NAMES = [labels.name_of(mid) for mid in vocabulary.nodes()]

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
        ("drop", "may mean 'Drip' or 'Coin"),
        ("the sound of a ring", "may mean 'Telephone', 'Bell' or 'Doorbell'"),
        ("ringing", "may mean 'Telephone', 'Bell' or 'Doorbell'"),
        ("bow", "may mean 'Bowed string instrument', 'Arrow' or 'Dog'"),
        ("Bass", "may mean 'Bass .*, 'Double bass' or 'Guitar' and 1 more"),
        ("flying", "no sound that is known"),  # which is what helicopters do, too
        ("etc", "no sound that is known"),  # although it is a word of 'Bee, wasp, etc.'
        ("tree bark", "nothing is known of 'tree'.*ask for 'Dog' if that"),
        ("boxing ring", "no sound that is known"),  # neither a boing nor a bell
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


NONSENSE = """
blorp fizz
fizz blorp
blorp dog
zorp clang
wubble hum
quantum squeak
rain glorp
glorp glorp glorp music
tick florn
snorkle the cough
flibber gronk
asdf qwerty
lorem ipsum
xyzzy plugh
frabjous jabberwock
colourless green ideas sleep furiously
a banana car
hello world
1234
blorpy blorp on a dog
"""


@pytest.mark.parametrize("text", NONSENSE.strip().splitlines())
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(HiveError, match="is no sound that is known"):
        match(text)


@given(st.sampled_from(["blorp", "xqzt", "gronkle", "snarfle"]), st.data())
def test_a_word_that_is_not_known_is_not_passed_over(word: str, data: st.DataObject) -> None:
    """Beside the one-word name of any node, on either side; and the message tells both."""
    name = data.draw(st.sampled_from([name for name in ALL_NAMES if name.isalpha()]))
    text = data.draw(st.sampled_from([f"{word} {name}", f"{name} {word}"])).lower()
    with pytest.raises(HiveError) as caught:
        match(text)
    assert f"'{word}'" in str(caught.value)
    assert caught.value.remedy.startswith(("ask for ", "ask for one of"))


def test_words_that_only_describe_may_stand_beside_a_name() -> None:
    for text in ("an old dog", "small dog slowly moving", "a dog moving fast", "male dog"):
        assert match(text).name == "Dog", text
    assert match("helicopter flying").name == "Helicopter"
    assert match("a rusty metal door slowly moving").name == "Door"


def test_words_of_several_meanings_name_nodes_and_more_words_tell_which() -> None:
    for names in AMBIGUOUS.values():
        assert len(names) > 1
        for name in names:
            assert match(name).name == name
    told = {
        "bass drum": "Drum",
        "water drop": "Drip",
        "car horn": "Vehicle horn, car horn, honking",
        "phone ring": "Telephone",
        "dog bark": "Dog",
        "bark": "Dog",
        "a fly": "Fly, housefly",
        "bow and arrow": "Arrow",
        "bell ringing": "Bell",
    }
    assert {text: match(text).name for text in told} == told


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
    assert match("old church bells").score == pytest.approx(2 / 3)
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


NAMES = st.sampled_from(ALL_NAMES)


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
