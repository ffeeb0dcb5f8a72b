"""Embeddings over the ontology tree."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.queries import make_encoder, vocabulary
from baselines.queries.labels import LabelEncoder
from hive import labels
from hive.errors import HiveError

NAMES = [labels.name_of(mid) for mid in vocabulary.nodes()]
SOME = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def encoder() -> LabelEncoder:
    torch.manual_seed(0)
    return LabelEncoder(dim=256)


def by_hand(encoder: LabelEncoder, name: str) -> torch.Tensor:
    """The sum over a node and `labels.ancestors` of it, which knows nothing of positions."""
    rows = [NAMES.index(node) for node in (name, *labels.ancestors(name))]
    return encoder.vectors[rows].sum(dim=0)


def test_the_vocabulary_is_all_classes_then_all_internal_nodes() -> None:
    assert len(NAMES) == len(set(NAMES)) == 342
    assert NAMES[:283] == [label.name for label in labels.all_labels()]
    assert vocabulary.nodes()[283:] == labels.internal_nodes()
    assert all(vocabulary.position(mid) == at for at, mid in enumerate(vocabulary.nodes()))


def test_each_ancestor_counts_once_however_many_ways_lead_to_it(encoder: LabelEncoder) -> None:
    bell = "Bicycle bell"  # below Bell, Bicycle and Alarm, all of them below Sounds of things
    assert len(labels.find(bell).parents) == 3
    positions = encoder.prepare([(bell,)])[0, 0]
    asked = [NAMES[at] for at in positions.tolist() if at >= 0]
    assert sorted(asked) == sorted({bell, *labels.ancestors(bell)})
    assert asked.count("Sounds of things") == 1


@pytest.mark.parametrize("name", ["Dog", "Bicycle bell", "Animal", "Silence", "Cowbell"])
def test_an_embedding_is_the_sum_up_the_tree(encoder: LabelEncoder, name: str) -> None:
    found = encoder(encoder.prepare([(name,)]))
    assert found.shape == (1, 256)
    torch.testing.assert_close(found[0], by_hand(encoder, name))


def test_what_is_not_asked_is_exactly_zero(encoder: LabelEncoder) -> None:
    found = encoder(encoder.prepare([(), ("Dog", "Rain"), ()]))
    assert torch.equal(found[[0, 2]], torch.zeros(2, 256))
    assert bool(found[1].any())
    assert encoder(encoder.prepare([])).shape == (0, 256)
    assert encoder.prepare([(), ()]).shape[:2] == (2, 1)


@given(SOME, st.randoms(use_true_random=False))
def test_the_order_of_several_texts_changes_no_bit(names: list[str], random: object) -> None:
    torch.manual_seed(1)
    encoder = LabelEncoder(dim=8)
    shuffled = names.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (encoder(encoder.prepare([tuple(texts)])) for texts in (names, shuffled))
    assert torch.equal(first, second)
    mean = torch.stack([by_hand(encoder, name) for name in set(names)]).mean(dim=0)
    torch.testing.assert_close(first[0], mean)


@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=4), min_size=1, max_size=6))
def test_rows_do_not_depend_on_what_is_beside_them(queries: list[list[str]]) -> None:
    torch.manual_seed(1)
    encoder = LabelEncoder(dim=8)
    asked = [tuple(texts) for texts in queries]
    together = encoder.prepare(asked)
    assert torch.equal(together, encoder.prepare(asked))  # and asking again is the same
    alone = torch.cat([encoder(encoder.prepare([query])) for query in asked])
    torch.testing.assert_close(encoder(together), alone)


def test_other_words_for_a_class_give_its_embedding(encoder: LabelEncoder) -> None:
    first, second = encoder.prepare([("a dog barking",), ("Bow-wow", "dogs")])
    assert torch.equal(first, second)
    assert encoder.meaning("a dog barking") == "Dog"
    with pytest.raises(HiveError, match="'quantum' is no sound that is known"):
        encoder.prepare([("quantum",)])


def test_classes_that_share_more_begin_more_alike(encoder: LabelEncoder) -> None:
    dog, cat, horse, rain = encoder(
        encoder.prepare([("Dog",), ("Cat",), ("Horse",), ("Rain",)])
    ).detach()
    cosine = torch.nn.functional.cosine_similarity
    siblings, cousins, strangers = (
        float(cosine(dog, other, dim=0)) for other in (cat, horse, rain)
    )
    assert siblings > cousins > strangers
    # Expected: two of three vectors shared, one of three, none; the deviation is 1 / sqrt(256).
    assert siblings == pytest.approx(2 / 3, abs=0.2)
    assert strangers == pytest.approx(0.0, abs=0.2)


def test_values_begin_with_a_variance_near_one(encoder: LabelEncoder) -> None:
    with torch.no_grad():
        found = encoder(encoder.prepare([(name,) for name in NAMES]))
    assert float(found.var()) == pytest.approx(1.0, abs=0.1)


def test_the_gradient_reaches_exactly_the_nodes_asked_for() -> None:
    encoder = LabelEncoder(dim=4)
    found = encoder(encoder.prepare([("Bicycle bell",), (), ("Dog", "Cat")]))
    found.sum().backward()
    gradient = encoder.vectors.grad
    assert gradient is not None
    expected = torch.zeros(len(NAMES))
    for name, weight in (("Bicycle bell", 1.0), ("Dog", 0.5), ("Cat", 0.5)):
        for node in (name, *labels.ancestors(name)):
            expected[NAMES.index(node)] += weight
    assert torch.equal(gradient, expected[:, None].expand(-1, 4))
    assert NAMES[0] not in ("Bicycle bell", "Dog", "Cat")
    assert not gradient[0].any()  # padding points there


def test_autocast_does_not_round_embeddings(encoder: LabelEncoder) -> None:
    prepared = encoder.prepare([("Dog",), ("Cat", "Rain")])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(prepared), encoder(prepared))
        inside = encoder(prepared)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, encoder(prepared))


def test_only_what_was_trained_can_be_asked_for() -> None:
    encoder = LabelEncoder(dim=4)
    encoder.prepare([("Horse",)])  # while nothing is marked, everything can be
    encoder.mark_trained(["Dog", "meow", "Rain"])
    assert [NAMES[at] for at in encoder.trained.nonzero().flatten()] == ["Dog", "Cat", "Rain"]
    asked = encoder.prepare([("dog",), ("Animal",), ("Water", "Cat")])
    assert asked.shape[0] == 3  # vectors above trained nodes are part of theirs
    with pytest.raises(
        HiveError, match="query 'Horse' has no embedding: this model was trained"
    ) as told:
        encoder.prepare([("Dog",), ("Horse",)])
    assert told.value.remedy == "ask for one of the nearest that it has learned: 'Dog', 'Cat'"
    with pytest.raises(HiveError, match="query 'horses', that is 'Horse', has no embedding"):
        encoder.prepare([("horses",)])
    encoder.mark_trained(["Horse"])
    encoder.prepare([("horses",)])


def test_ancestors_instead_of_an_untrained_class() -> None:
    encoder = LabelEncoder(dim=4, untrained="ancestors")
    encoder.mark_trained(["Dog"])
    hamster = "Goat"  # shares with Dog only the root, Animal, which tells too little
    with pytest.raises(HiveError, match="'Goat' has no embedding"):
        encoder.prepare([(hamster,)])
    assert encoder.prepare([("Cat",)]).unique().tolist() == sorted(
        [-1, NAMES.index("Domestic animals, pets"), NAMES.index("Animal")]
    )
    torch.testing.assert_close(
        encoder(encoder.prepare([("Cat",)])),
        encoder(encoder.prepare([("Domestic animals, pets",)])),
    )
    encoder.untrained = "error"
    with pytest.raises(HiveError, match=r"'ancestors', which takes .* such as 'Domestic animals"):
        encoder.prepare([("Cat",)])
    with pytest.raises(HiveError, match="untrained is 'both'"):
        encoder.untrained = "both"


def test_weights_and_marks_are_saved_and_loaded(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    encoder = LabelEncoder(dim=4)
    encoder.mark_trained(["Dog", "Cat"])
    save_file(encoder.state_dict(), tmp_path / "model.safetensors")
    again = make_encoder(json.loads(json.dumps(encoder.config())))
    again.prepare([("Rain",)])  # remembered, and then forgotten when weights are loaded
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    query = [("Dog", "Cat"), (), ("Animal",)]
    assert torch.equal(again(again.prepare(query)), encoder(encoder.prepare(query)))
    with pytest.raises(HiveError, match="'Rain' has no embedding"):
        again.prepare([("Rain",)])


def test_inside_of_a_network_too() -> None:
    network = torch.nn.ModuleDict({"encoder": LabelEncoder(dim=4)})
    other = LabelEncoder(dim=4)
    network["encoder"].prepare([("Rain",)])  # type: ignore[operator]
    other.mark_trained(["Dog"])
    network.load_state_dict({f"encoder.{k}": v for k, v in other.state_dict().items()})
    for copied in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        with pytest.raises(HiveError, match="'Rain' has no embedding"):
            copied["encoder"].prepare([("Rain",)])


def test_weights_of_another_vocabulary_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LabelEncoder(dim=4).config()
    swapped = (*reversed(vocabulary.nodes()[:2]), *vocabulary.nodes()[2:])
    monkeypatch.setattr(vocabulary, "nodes", lambda: swapped)
    vocabulary.digest.cache_clear()
    try:
        assert vocabulary.digest() != config["vocabulary"]
        with pytest.raises(HiveError, match=r"the tree above them changed.*train it again"):
            make_encoder(config)
    finally:
        vocabulary.digest.cache_clear()


def test_the_vocabulary_is_the_one_that_shipped_models_were_trained_with() -> None:
    # A change of labels.tsv or nodes.tsv that moves a node must be meant: it orphans all weights.
    assert vocabulary.digest() == (
        "cab0526b63cf3c34943cb295567cbe3f36072e7d304472d5b74274544f5e7588"
    )


@pytest.mark.slow
def test_one_graph_without_breaks() -> None:
    torch.manual_seed(0)
    encoder = LabelEncoder(dim=8)
    compiled = torch.compile(encoder.forward, fullgraph=True, backend="aot_eager")
    for query in ([("Dog",), ()], [("Dog", "Cat", "Rain"), ("Bell",)]):
        prepared = encoder.prepare(query)
        torch.testing.assert_close(compiled(prepared), encoder(prepared))
