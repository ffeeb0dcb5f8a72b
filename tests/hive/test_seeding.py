from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.seeding import Stream, low_discrepancy


def test_the_bits_never_change() -> None:
    """Datasets in the world depend on these values: a change here is a new format."""
    stream = Stream(0, "train", 17, "snr")
    assert [stream.uniform() for _ in range(3)] == [
        0.29328266845574247,
        0.18068704866174112,
        0.7008774462878259,
    ]
    assert Stream(0, "train", 17, "snr").integer(1000) == 202


@given(
    st.integers(0, 2**63),
    st.sampled_from(["train", "test"]),
    st.integers(0, 10**9),
    st.sampled_from(["a", "b"]),
)
def test_a_stream_depends_on_its_address_alone(
    seed: int, split: str, index: int, purpose: str
) -> None:
    first = Stream(seed, split, index, purpose).uniforms(4)
    Stream(seed + 1, split, index, purpose).uniforms(7)
    again = Stream(seed, split, index, purpose)
    assert first.tolist() == [again.uniform() for _ in range(4)]
    assert np.all((first >= 0) & (first < 1))
    other = Stream(seed, split, index + 1, purpose).uniforms(4)
    assert first.tolist() != other.tolist()


def test_parts_of_an_address_do_not_run_together() -> None:
    assert Stream(1, "a", 23, "p").uniform() != Stream(12, "a", 3, "p").uniform()
    assert Stream(1, "a", "b", "c").uniform() != Stream(1, "ab", "", "c").uniform()


def test_uniforms_are_uniform() -> None:
    values = Stream(5, "test", 0, "x").uniforms(20_000, -5.0, 5.0)
    assert abs(values.mean()) < 0.1  # five standard errors
    assert abs(values.var() - 100 / 12) < 0.3
    counts = np.histogram(values, 10, (-5, 5))[0]
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_integers_are_unbiased_and_checked() -> None:
    stream = Stream(5, "test", 0, "n")
    counts = np.bincount([stream.integer(3) for _ in range(6000)], minlength=3)
    assert counts.min() > 1850
    assert counts.max() < 2150
    with pytest.raises(ValueError, match="positive"):
        stream.integer(0)


@pytest.mark.parametrize("count", [20, 100, 3000])
def test_every_prefix_of_the_low_discrepancy_sequence_is_even(count: int) -> None:
    points = np.sort([low_discrepancy(3, "train", index, "size") for index in range(count)])
    gap = np.abs(points - np.arange(count) / count).max()
    assert gap < 3 * np.log(count) / count
