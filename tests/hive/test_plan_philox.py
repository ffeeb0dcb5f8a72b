from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.mixing.philox import Streams, philox
from hive.seeding import Stream

WORD = st.integers(0, 2**64 - 1)


def test_known_answer() -> None:
    """The vector for counter and key zero that the authors' Random123 library comes with."""
    words = philox(np.zeros(1, np.uint64), np.zeros((2, 1), np.uint64))
    assert [f"{word:016x}" for word in words[:, 0].tolist()] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


@given(st.lists(st.tuples(WORD, WORD, st.integers(1, 2**64 - 1)), min_size=1, max_size=50))
def test_words_are_numpys(cases: list[tuple[int, int, int]]) -> None:
    keys = np.array([case[:2] for case in cases], dtype=np.uint64).T
    counters = np.array([case[2] for case in cases], dtype=np.uint64)
    words = philox(counters, keys)
    for number, (one, other, counter) in enumerate(cases):
        key = np.array([one, other], dtype=np.uint64)
        expected = np.random.Philox(counter=counter - 1, key=key).random_raw(4)
        assert words[:, number].tolist() == expected.tolist()


#: Stops of which a quarter or a half of all words is drawn again stand beside common ones.
STOPS = st.sampled_from([1, 7, 6145, 2**49 - 17, 2**61 + 5, 2**62 + 1, 2**62 + 2**61])
DRAWS = st.one_of(
    st.tuples(st.just("integers"), STOPS),
    st.tuples(st.just("tries"), STOPS, st.sampled_from([4, 16])),
    st.tuples(st.just("uniforms"), st.floats(-5, 5)),
)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 5, 90]),  # few turns take another way than many
    st.lists(st.tuples(DRAWS, st.integers(0, 2**32 - 1)), min_size=1, max_size=12),
)
def test_streams_are_those_of_seeding(
    seed: int, count: int, draws: list[tuple[tuple[str, int], int]]
) -> None:
    """Whatever is drawn from whichever of them, in any order."""
    many = Streams(seed, "train", range(count), "x")
    single = [Stream(seed, "train", index, "x") for index in range(count)]
    assert len(many) == count
    for (kind, *arguments), choice in draws:
        order = np.random.RandomState(choice).permutation(count)
        lanes = order[: 1 + choice % count]
        mine = [single[lane] for lane in lanes]
        stops = np.full(len(lanes), arguments[0] if kind != "uniforms" else 1)
        if kind == "uniforms":
            found = many.uniforms(lanes, arguments[0], 6.0).tolist()
            assert found == [stream.uniform(arguments[0], 6.0) for stream in mine]
        elif kind == "integers":
            found = many.integers(lanes, stops).tolist()
            assert found == [stream.integer(arguments[0]) for stream in mine]
        else:
            stop, tries = arguments
            expected = [[stream.integer(stop) for _ in range(tries)] for stream in mine]
            assert many.tries(lanes, stops, tries).T.tolist() == expected


def test_names_are_addresses_too() -> None:
    names = ["r1", "ä", "b c"]
    found = Streams(5, "splits", names, "order").uniforms().tolist()
    assert found == [Stream(5, "splits", name, "order").uniform() for name in names]
