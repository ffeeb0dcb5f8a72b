"""Cutting sounds into windows of 10 s."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.embedding import windows
from hive.embedding.base import RATE, WINDOW


def sound(num_samples, seed=0):
    return np.random.default_rng(seed).standard_normal(num_samples).astype(np.float32)


def clap_repeatpad(samples):
    """CLAP's own recipe: whole copies, then zeros at the end."""
    repeated = np.tile(samples, int(WINDOW / len(samples)))
    return np.pad(repeated, (0, WINDOW - len(repeated)))


def fadtk_chunks(samples):
    """fadtk's CLAPLaionModel: chunks of 10 s, hop 1 s, zero-padded at the end."""
    chunks = [samples[i : i + 10 * RATE] for i in range(0, len(samples), RATE)]
    return np.stack([np.pad(chunk, (0, 10 * RATE - len(chunk))) for chunk in chunks])


@settings(max_examples=40)
@given(st.integers(1, WINDOW))
def test_full_is_repeatpad(num_samples):
    samples = sound(num_samples)
    np.testing.assert_array_equal(windows.full(samples), clap_repeatpad(samples))


def test_ten_seconds_are_one_window_as_they_are():
    samples = sound(WINDOW)
    np.testing.assert_array_equal(windows.full(samples), samples)


@pytest.mark.parametrize("num_samples", [0, WINDOW + 1])
def test_full_refuses_what_does_not_fit(num_samples):
    with pytest.raises(ValueError, match=r"does not fit a window of 10 s"):
        windows.full(sound(num_samples))


@pytest.mark.parametrize(
    "num_samples", [1, 100, RATE, RATE + 1, 3 * RATE, WINDOW - 1, WINDOW, WINDOW + 1, 12 * RATE]
)
def test_sliding_is_what_fadtk_does(num_samples):
    samples = sound(num_samples)
    np.testing.assert_array_equal(windows.sliding(samples), fadtk_chunks(samples))


def test_ten_seconds_give_ten_windows_and_the_first_is_full():
    samples = sound(WINDOW)
    sliding = windows.sliding(samples)
    assert sliding.shape == (10, WINDOW)
    np.testing.assert_array_equal(sliding[0], windows.full(samples))
    assert np.count_nonzero(sliding[9]) == RATE


@pytest.mark.parametrize(("num_samples", "left"), [(WINDOW, RATE), (9 * RATE + 30_000, 30_000)])
def test_tail_is_what_follows_after_nine_seconds_repeated(num_samples, left):
    samples = sound(num_samples)
    expected = np.zeros(WINDOW, np.float32)
    copies = WINDOW // left
    expected[: copies * left] = np.tile(samples[9 * RATE :], copies)
    np.testing.assert_array_equal(windows.tail(samples), expected)


@pytest.mark.parametrize("num_samples", [30_000, 6 * RATE, 9 * RATE])
def test_up_to_nine_seconds_there_is_one_window(num_samples):
    samples = sound(num_samples)
    np.testing.assert_array_equal(windows.tail(samples), windows.full(samples))


def test_a_sound_above_ten_seconds_has_no_tail():
    with pytest.raises(ValueError, match="does not fit"):
        windows.tail(sound(WINDOW + 1))


@pytest.mark.parametrize("cut", [windows.sliding, windows.tail])
def test_nothing_has_no_windows(cut):
    with pytest.raises(ValueError, match="sound"):
        cut(sound(0))
