"""Questions and their answers: none may contradict the labels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.data.config import QueryConfig
from baselines.data.ontology import Vocabulary, covers, nodes_above, related
from baselines.data.questions import answer, ask_absent, ask_one, draw_question
from hive.cooccurrence import allowed
from hive.labels import all_labels, descendants, internal_nodes, name_of
from hive.seeding import Stream

LEAVES = [label.name for label in all_labels()]
NODES = [name_of(mid) for mid in internal_nodes()]
VOCABULARY = Vocabulary(LEAVES)
#: Classes, nodes above them (a dataset may label so), and a label of somebody's own.
ANY = st.sampled_from([*LEAVES, *NODES, "Whatever"])
MIXTURES = st.lists(ANY, min_size=1, max_size=5)


def shares(draw: st.DrawFn) -> QueryConfig:
    kinds = draw(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.25, 0.25, 0.5)]))
    silence = draw(st.sampled_from([0.0, 0.5, 1.0])) if kinds[1] < 1 else 0.0
    return QueryConfig(
        positive_only=kinds[0],
        negative_only=kinds[1],
        both=kinds[2],
        silence=silence,
        negatives=draw(st.sampled_from(["all", "some"])),
        plausible=draw(st.sampled_from([0.0, 0.5, 1.0])),
        ancestors=draw(st.sampled_from([0.0, 0.5, 1.0])),
    )


CONFIGS = st.composite(shares)()


def stream(index: int) -> Stream:
    return Stream(0, "test", index, "question")


def test_a_node_covers_what_lies_below_it() -> None:
    for node in NODES[:20]:
        below = {label.name for label in descendants(node)}
        assert {name for name in LEAVES if covers(node, name)} - {node} == below - {node}
    assert nodes_above("Whatever") == ()
    assert covers("Whatever", "Whatever")
    assert not related("Whatever", "Dog")


def test_answers_by_hand() -> None:
    labels = ["Dog", "Animal", "Male speech, man speaking"]
    assert answer(labels, ("Dog",), ()) == (0,)
    assert answer(labels, ("Animal",), ()) == (0, 1)
    assert answer(labels, ("Animal",), ("Dog",)) == (1,)
    assert answer(labels, (), ("Animal",)) == (2,)
    assert answer(labels, ("Cat",), ()) == ()
    assert answer(labels, (), ()) == (0, 1, 2)


@given(MIXTURES, CONFIGS, st.integers(0, 10**6))
def test_the_target_is_the_answer(labels: list[str], config: QueryConfig, index: int) -> None:
    question = draw_question(labels, config, VOCABULARY, stream(index))
    assert question.sources == answer(labels, question.positive, question.negative)
    assert question.positive or question.negative
    assert len(question.positive) <= 1
    assert set(question.negative) <= set(labels)
    assert len(set(question.negative)) == len(question.negative)
    # A negative never names anything that the positive's own sources are.
    for text in question.negative:
        assert not any(covers(text, labels[number]) for number in question.sources)
    if config.silence == 0.0:
        assert question.sources


@given(MIXTURES, CONFIGS, st.integers(0, 10**6))
def test_the_same_numbers_ask_the_same(labels: list[str], config: QueryConfig, index: int) -> None:
    first, second = (draw_question(labels, config, VOCABULARY, stream(index)) for _ in range(2))
    assert first == second


@given(st.lists(st.sampled_from(LEAVES), min_size=2, max_size=5, unique=True), st.integers(0, 999))
def test_absent_means_absent(labels: list[str], index: int) -> None:
    config = QueryConfig(positive_only=0.5, both=0.5, silence=1.0)
    question = draw_question(labels, config, VOCABULARY, stream(index))
    (text,) = question.positive
    assert question.sources == ()
    assert not any(related(text, label) for label in labels)
    if question.negative:  # all others, as asked for
        assert set(question.negative) == set(labels)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(LEAVES), min_size=1, max_size=3, unique=True))
def test_plausible_classes_may_be_heard_along(labels: list[str]) -> None:
    absent = VOCABULARY.absent(labels, plausible=False)
    fitting = [name for name in absent if all(allowed(name, label) for label in labels)]
    assert VOCABULARY.absent(labels, plausible=True) == (fitting or absent)


def test_proportions_are_met() -> None:
    config = QueryConfig(
        positive_only=0.25, negative_only=0.25, both=0.5, silence=0.05, ancestors=0.2
    )
    labels = ["Dog", "Male speech, man speaking", "Piano"]
    count = 4000
    asked = [draw_question(labels, config, VOCABULARY, stream(i)) for i in range(count)]
    silent = sum(not question.sources for question in asked)
    assert silent / count == pytest.approx(0.05, abs=0.015)
    heard = [question for question in asked if question.sources]
    kinds = [(bool(question.positive), bool(question.negative)) for question in heard]
    assert kinds.count((True, False)) / len(heard) == pytest.approx(0.25, abs=0.03)
    assert kinds.count((False, True)) / len(heard) == pytest.approx(0.25, abs=0.03)
    assert kinds.count((True, True)) / len(heard) == pytest.approx(0.5, abs=0.03)
    named = [question.positive[0] for question in heard if question.positive]
    assert sum(name not in labels for name in named) / len(named) == pytest.approx(0.2, abs=0.03)
    for number in range(3):
        share = sum(question.sources == (number,) for question in heard) / len(heard)
        assert share == pytest.approx(1 / 3, abs=0.03)


def test_some_negatives_leave_the_others_in() -> None:
    config = QueryConfig(positive_only=0, negative_only=1, negatives="some")
    labels = ["Dog", "Male speech, man speaking", "Piano", "Rain"]
    sizes = {
        len(draw_question(labels, config, VOCABULARY, stream(index)).sources)
        for index in range(200)
    }
    assert sizes == {1, 2, 3}


def test_what_validation_asks() -> None:
    labels = ["Dog", "Male speech, man speaking"]
    asked = {ask_one(labels, VOCABULARY, stream(index)) for index in range(50)}
    assert {(question.positive, question.sources) for question in asked if question} == {
        (("Dog",), (0,)),
        (("Male speech, man speaking",), (1,)),
    }
    question = ask_absent(labels, VOCABULARY, stream(0))
    assert question is not None
    assert question.sources == ()
    assert ask_absent(labels, Vocabulary(labels), stream(0)) is None


def test_validation_asks_for_what_was_trained_on() -> None:
    labels, trained = ["Dog", "Rain", "Piano"], Vocabulary(["Piano", "Cat"])
    asked = [ask_one(labels, trained, stream(index)) for index in range(50)]
    assert all(question is not None and question.sources == (2,) for question in asked)
    assert {question.positive for question in asked if question} == {("Piano",)}
    # Where no class was, the question is what it would be otherwise.
    others = Vocabulary(["Cat"])
    for index in range(20):
        question = ask_one(labels, others, stream(index))
        assert question == ask_one(labels, Vocabulary(labels), stream(index))
        assert ask_one(labels, others, stream(index), closed=True) is None
        assert ask_one(labels, trained, stream(index), closed=True) == asked[index]


def test_without_another_class_there_is_no_silence_to_ask_for() -> None:
    config = QueryConfig(silence=1.0)
    question = draw_question(["Dog", "Piano"], config, Vocabulary(["Dog", "Piano"]), stream(0))
    assert len(question.sources) == 1
