from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.cooccurrence import (
    LEVELS,
    allowed,
    compatible,
    density,
    derive,
    explain,
    format_matrix,
    load,
    matrix,
    scene_table,
)
from hive.data import FOLDER
from hive.errors import HiveError
from hive.labels import all_labels, descendants, find, index
from hive.maintenance.make_tables import matrix_table

# Written down apart from the tables: pairs that a listener would expect together ...
PLAUSIBLE = [
    ("Pop music", "Male speech, man speaking"),
    ("Jazz", "Female speech, woman speaking"),
    ("Classical music", "Clapping"),
    ("Rock music", "Shout"),
    ("Typing", "Air conditioning"),
    ("Typing", "Telephone"),
    ("Typing", "Male speech, man speaking"),
    ("Printer", "Telephone"),
    ("Writing", "Cough"),
    ("Male speech, man speaking", "Female speech, woman speaking"),
    ("Child speech, kid speaking", "Laughter"),
    ("Dog", "Doorbell"),
    ("Dog", "Bird"),
    ("Cat", "Clock"),
    ("Cat", "Child speech, kid speaking"),
    ("Dishes, pots, and pans", "Cutlery, silverware"),
    ("Dishes, pots, and pans", "Water tap, faucet"),
    ("Frying (food)", "Chopping (food)"),
    ("Boiling", "Chopping (food)"),
    ("Frying (food)", "Female speech, woman speaking"),
    ("Microwave oven", "Dishes, pots, and pans"),
    ("Vacuum cleaner", "Male speech, man speaking"),
    ("Toothbrush", "Water tap, faucet"),
    ("Hair dryer", "Female speech, woman speaking"),
    ("Breathing", "Clock"),
    ("Cough", "Breathing"),
    ("Clapping", "Laughter"),
    ("Clapping", "Male speech, man speaking"),
    ("Basketball bounce", "Squeak"),
    ("Basketball bounce", "Shout"),
    ("Run", "Dog"),
    ("Walk, footsteps", "Bird"),
    ("Walk, footsteps", "Dog"),
    ("Traffic noise, roadway noise", "Vehicle horn, car horn, honking"),
    ("Traffic noise, roadway noise", "Ambulance (siren)"),
    ("Traffic noise, roadway noise", "Motorcycle"),
    ("Traffic noise, roadway noise", "Walk, footsteps"),
    ("Bus", "Female speech, woman speaking"),
    ("Train", "Walk, footsteps"),
    ("Train", "Train wheels squealing"),
    ("Subway, metro, underground", "Sliding door"),
    ("Engine", "Power windows, electric windows"),
    ("Engine", "Reversing beeps"),
    ("Hammer", "Sawing"),
    ("Jackhammer", "Shout"),
    ("Waves, surf", "Bird"),
    ("Waves, surf", "Boat, Water vehicle"),
    ("Waves, surf", "Child speech, kid speaking"),
    ("Wind", "Bird"),
    ("Rain", "Thunderstorm"),
    ("Wind", "Thunderstorm"),
    ("Rain", "Walk, footsteps"),
    ("Cricket", "Frog"),
    ("Cricket", "Wind"),
    ("Stream", "Bird"),
    ("Cattle, bovinae", "Sheep"),
    ("Horse", "Walk, footsteps"),
    ("Fowl", "Dog"),
    ("Pig", "Goat"),
    ("Guitar", "Drum kit"),
    ("Piano", "Violin, fiddle"),
    ("Piano", "Double bass"),
    ("Flute", "Clarinet"),
    ("Violin, fiddle", "Cello"),
    ("Choir", "Organ"),
    ("Choir", "Orchestra"),
    ("Rapping", "Beatboxing"),
    ("Male singing", "Guitar"),
    ("Female singing", "Piano"),
    ("Church bell", "Bird"),
    ("Fireworks", "Laughter"),
    ("Crackle", "Male speech, man speaking"),
    ("Crackle", "Laughter"),
    ("Cash register", "Female speech, woman speaking"),
    ("Cash register", "Coin (dropping)"),
    ("Shuffling cards", "Laughter"),
    ("Glass", "Cutlery, silverware"),
    ("Screaming", "Laughter"),
    ("Crying, sobbing", "Female speech, woman speaking"),
    ("Camera", "Male speech, man speaking"),
    ("Fire alarm", "Shout"),
    ("Helicopter", "Female speech, woman speaking"),
    ("Whispering", "Writing"),
    ("Heart sounds, heartbeat", "Breathing"),
    ("Sewing machine", "Scissors"),
    ("Chop", "Splinter"),
    ("Skateboard", "Shout"),
    ("Bicycle bell", "Walk, footsteps"),
    ("Gears", "Hiss"),
    ("Accordion", "Violin, fiddle"),
]
# ... and pairs that nobody hears together, that mask each other or that contain each other.
IMPLAUSIBLE = [
    ("Pop music", "Bird"),
    ("Classical music", "Wind"),
    ("Rock music", "Waves, surf"),
    ("Jazz", "Frog"),
    ("Electronic music", "Stream"),
    ("Pop music", "Rock music"),
    ("Jazz", "Classical music"),
    ("Reggae", "Country"),
    ("Rock music", "Violin, fiddle"),
    ("Classical music", "Piano"),
    ("Pop music", "Male singing"),
    ("Crackle", "Rain"),
    ("Crackle", "Water tap, faucet"),
    ("Crackle", "Boiling"),
    ("Wildfire", "Waterfall"),
    ("Wildfire", "Rain"),
    ("Wildfire", "Stream"),
    ("Wildfire", "Waves, surf"),
    ("Crackle", "Drip"),
    ("Whale vocalization", "Traffic noise, roadway noise"),
    ("Whale vocalization", "Vehicle horn, car horn, honking"),
    ("Whale vocalization", "Typing"),
    ("Frog", "Subway, metro, underground"),
    ("Waves, surf", "Subway, metro, underground"),
    ("Cattle, bovinae", "Typing"),
    ("Pig", "Printer"),
    ("Horse", "Microwave oven"),
    ("Roaring cats (lions, tigers)", "Toothbrush"),
    ("Sheep", "Subway, metro, underground"),
    ("Cricket", "Cash register"),
    ("Snake", "Race car, auto racing"),
    ("Vacuum cleaner", "Hair dryer"),
    ("Vacuum cleaner", "Whispering"),
    ("Wind", "Waterfall"),
    ("Rain", "Waves, surf"),
    ("Jackhammer", "Heart sounds, heartbeat"),
    ("Aircraft engine", "Writing"),
    ("Gunshot, gunfire", "Breathing"),
    ("Fireworks", "Clock"),
    ("Silence", "Shout"),
    ("Silence", "Traffic noise, roadway noise"),
    ("Silence", "Rock music"),
    ("Otoacoustic emission", "Helicopter"),
    ("Heart sounds, heartbeat", "Train"),
    ("Stomach rumble", "Motorcycle"),
    ("Toilet flush", "Orchestra"),
    ("Toilet flush", "Church bell"),
    ("Frying (food)", "Ambulance (siren)"),
    ("Chopping (food)", "Helicopter"),
    ("Toothbrush", "Thunderstorm"),
    ("Gargling", "Violin, fiddle"),
    ("Choir", "Jackhammer"),
    ("Choir", "Race car, auto racing"),
    ("Harpsichord", "Drum kit"),
    ("Sitar", "Bagpipes"),
    ("Bagpipes", "Theremin"),
    ("Orchestra", "Violin, fiddle"),
    ("String section", "Cello"),
    ("Drum kit", "Cymbal"),
    ("Organ", "Gunshot, gunfire"),
    ("Train", "Subway, metro, underground"),
    ("Helicopter", "Fixed-wing aircraft, airplane"),
    ("Police car (siren)", "Fire alarm"),
    ("Ambulance (siren)", "Laughter"),
    ("Dog", "Canidae, dogs, wolves"),
    ("Bird", "Chirp, tweet"),
    ("Frying (food)", "Sizzle"),
    ("Hum", "Air conditioning"),
    ("Sonar", "Bicycle bell"),
    ("Sonar", "Typing"),
    ("Foghorn", "Doorbell"),
    ("Foghorn", "Cash register"),
    ("Steam whistle", "Sewing machine"),
    ("Shofar", "Vacuum cleaner"),
    ("Church bell", "Blender"),
    ("Jingle bell", "Engine"),
    ("Mosquito", "Motorcycle"),
    ("Bee, wasp, etc.", "Printer"),
    ("Shuffling cards", "Waterfall"),
    ("Yodeling", "Typing"),
    ("Car alarm", "Cello"),
    ("Reversing beeps", "Harp"),
    ("Civil defense siren", "Flute"),
    ("Eruption", "Cutlery, silverware"),
    ("Race car, auto racing", "Whispering"),
    ("Boat, Water vehicle", "Vacuum cleaner"),
    ("Kettle whistle", "Skateboard"),
    ("Crying, sobbing", "Laughter"),
    ("Cattle, bovinae", "Electronic music"),
]

M = matrix()


def clique(row: int, size: int) -> list[int] | None:
    """Return a set of mutually compatible rows that holds `row`, or None."""
    degrees = M.sum(axis=1)

    def extend(chosen: list[int], candidates: list[int]) -> list[int] | None:
        if len(chosen) == size:
            return chosen
        for position, candidate in enumerate(candidates):
            rest = [other for other in candidates[position + 1 :] if M[candidate, other]]
            found = extend([*chosen, candidate], rest)
            if found:
                return found
        return None

    neighbours = np.flatnonzero(M[row])
    return extend([row], neighbours[np.argsort(-degrees[neighbours], kind="stable")].tolist())


def test_shape_symmetry_and_diagonal():
    assert M.shape == (283, 283)
    assert M.dtype == bool
    assert np.array_equal(M, M.T)
    assert not M.diagonal().any()
    assert not M.flags.writeable


def test_every_class_has_eight_partners_and_a_mixture_of_five():
    assert M.sum(axis=1).min() >= 8
    for row, label in enumerate(all_labels()):
        found = clique(row, 5)
        assert found, label.name
        assert all(M[a, b] for a, b in itertools.combinations(found, 2))


def test_density_is_that_of_a_strict_matrix():
    # Below 5 % mixtures would repeat themselves, above 20 % "if in doubt, no" was not obeyed.
    assert density() == pytest.approx(M.sum() / (283 * 282))
    assert 0.05 < density() < 0.20


def test_music_goes_with_speech_and_not_with_birdsong():
    for genre, voice in itertools.product(descendants("Music genre"), descendants("Speech")):
        if genre.name != "Beatboxing":  # a vocal technique that the ontology lists as a genre
            assert allowed(genre, voice), (genre.name, voice.name)
    for sound in descendants("Music"):
        if "Bell" not in sound.parents:  # church bells over birds are no music indoors
            assert not allowed(sound, "Bird"), sound.name


def test_fire_does_not_go_with_water():
    for fire, water in itertools.product(
        descendants("Fire"), (*descendants("Water"), *descendants("Liquid"))
    ):
        assert not allowed(fire, water), (fire.name, water.name)


def test_aquatic_animals_do_not_go_with_city_traffic():
    for animal, vehicle in itertools.product(
        ("Whale vocalization", "Frog"), descendants("Motor vehicle (road)")
    ):
        assert not allowed(animal, vehicle), (animal, vehicle.name)


@pytest.mark.parametrize(("first", "second"), PLAUSIBLE)
def test_plausible_pairs_are_allowed(first, second):
    assert allowed(first, second), explain(first, second)


@pytest.mark.parametrize(("first", "second"), IMPLAUSIBLE)
def test_implausible_pairs_are_not_allowed(first, second):
    assert not allowed(first, second), explain(first, second)


def test_the_committed_matrix_is_the_derived_one():
    assert np.array_equal(derive(scene_table()), M)
    assert (FOLDER / "cooccurrence.tsv").read_bytes() == matrix_table().encode()


def test_the_scene_table_is_consistent():
    table = scene_table()
    assert [row.label for row in table.occurrences] == [label.name for label in all_labels()]
    groups: set[str] = set()
    used: set[str] = set()
    for row in table.occurrences:
        assert row.level in LEVELS
        assert row.layer in ("foreground", "background")
        kinds = (row.keynote, row.typical, row.occasional)
        assert sum(len(kind) for kind in kinds) == len(frozenset().union(*kinds)), row.label
        groups |= row.groups
        used |= frozenset().union(*kinds)
    assert used == set(table.places)
    for first, second, reason in table.conflicts:
        assert {first, second} <= groups
        assert reason


def test_every_group_is_used_by_a_conflict():
    table = scene_table()
    named = {group for first, second, _ in table.conflicts for group in (first, second)}
    for row in table.occurrences:
        assert row.groups - {row.label} <= named, row.label


@settings(max_examples=50)
@given(st.lists(st.sampled_from(all_labels()), min_size=1, max_size=5))
def test_allowed_means_that_every_pair_is(labels):
    pairs = itertools.combinations([index(label) for label in labels], 2)
    assert allowed(*labels) == all(M[a, b] for a, b in pairs)


@settings(max_examples=50)
@given(st.sampled_from(all_labels()), st.sampled_from(all_labels()))
def test_the_explanation_agrees_with_the_matrix(first, second):
    sentence = explain(first, second)
    assert ("may be mixed." in sentence) == allowed(first, second) == M[index(first), index(second)]
    assert first.name in sentence
    assert second.name in sentence


def test_explanations_name_the_reason():
    assert "an office" in explain("Typing", "Air conditioning")
    assert "fire and water" in explain("Crackle", "Boiling")
    assert "continuous backgrounds" in explain("Wind", "Waterfall")
    assert "one is quiet and the other loud" in explain("Heart sounds, heartbeat", "Jackhammer")
    assert "no everyday scene" in explain("Cello", "Jackhammer")


def test_compatible_lists_the_row():
    names = [label.name for label in compatible("Typing")]
    assert "Air conditioning" in names
    assert len(names) == M[index("Typing")].sum()
    nothing = np.zeros_like(M)
    assert compatible("Typing", m=nothing) == []
    assert not allowed("Typing", "Air conditioning", m=nothing)
    assert density(nothing) == 0


def test_a_matrix_survives_a_file_in_any_row_order(tmp_path):
    order = np.random.default_rng(0).permutation(283)
    lines = ["label\tcompatible"]
    for row in order:
        cells = "".join("01"[int(cell)] for cell in M[row][order])
        lines.append(f"{all_labels()[row].mid}\t{cells}")
    path = tmp_path / "own.tsv"
    path.write_text("# a comment\n" + "\n".join(lines) + "\n")
    assert np.array_equal(load(path), M)


def edited(m: np.ndarray, first: str, second: str) -> np.ndarray:
    m = m.copy()
    m[index(first), index(second)] ^= True
    return m


GOOD = format_matrix(M).splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (format_matrix(edited(M, "Dog", "Cat")), "'Dog' and the row of 'Cat' disagree"),
        (format_matrix(edited(M, "Dog", "Dog")), "'Dog' is compatible with itself"),
        ("\n".join([*GOOD[:5], GOOD[5] + "1", *GOOD[6:]]), "not made of 283 characters"),
        ("\n".join([*GOOD[:5], GOOD[5][:-1] + "2", *GOOD[6:]]), "not made of 283 characters"),
        ("\n".join([*GOOD, GOOD[9]]), "a label has two rows"),
        ("\n".join(GOOD[:-1]), "'Silence' is missing"),
        ("\n".join([*GOOD[:-1], "Tractor\t" + "0" * 283]), "row 283: 'Tractor' is no label"),
        ("\n".join([*GOOD[:-1], "Silence"]), "not made of 283 characters"),
        ("\n".join(["name\trow", *GOOD[1:]]), "columns 'label' and 'compatible'"),
        ("", "columns 'label' and 'compatible'"),
    ],
)
def test_a_broken_matrix_is_refused(tmp_path, text, message):
    path = tmp_path / "own.tsv"
    path.write_text(text)
    with pytest.raises(HiveError) as caught:
        load(path)
    assert message in str(caught.value)
    assert "own.tsv" in str(caught.value)


def test_a_missing_or_binary_matrix_is_refused(tmp_path):
    with pytest.raises(HiveError, match="cannot be read"):
        load(tmp_path / "none.tsv")
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HiveError, match="cannot be read"):
        load(tmp_path / "binary.tsv")


def test_labels_given_as_text_or_object_agree():
    assert allowed(find("Dog"), "doorbell") == allowed("Dog", find("Doorbell"))
