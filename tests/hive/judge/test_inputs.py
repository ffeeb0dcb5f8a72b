"""What a judge hears: rate, length, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.judge.inputs import RATE, pairs

RNG = np.random.default_rng(3)


def test_a_tone_keeps_its_pitch_and_level_from_44100_to_48000_hz() -> None:
    tone = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    expected = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    ((mixture, estimate),) = pairs(tone, tone[None], 44100)
    assert mixture.shape == estimate.shape == (48000,)
    assert mixture.dtype == estimate.dtype == np.float32
    np.testing.assert_allclose(estimate[1000:-1000], expected[1000:-1000], atol=1e-5)
    np.testing.assert_array_equal(mixture, estimate)


@given(
    num_samples=st.integers(1, 6000),
    rate=st.sampled_from([8000, 16000, 32000, 44100, 48000]),
    count=st.integers(1, 3),
)
def test_lengths_stay_equal_and_are_at_least_a_tenth_of_a_second(
    num_samples: int, rate: int, count: int
) -> None:
    found = pairs(RNG.standard_normal(num_samples), RNG.standard_normal((count, num_samples)), rate)
    assert len(found) == count
    for mixture, estimate in found:
        assert mixture.shape == estimate.shape
        assert len(mixture) >= 0.1 * RATE
        assert abs(len(mixture) - max(4800, num_samples * RATE / rate)) <= 1
        # Reflection to whole frames of 1920 samples adds fewer samples than there are.
        assert -len(mixture) % 1920 < len(mixture)


def test_short_signals_are_padded_with_zeros_at_the_end() -> None:
    ((mixture, estimate),) = pairs(np.ones(10), 0.5 * np.ones((1, 10)), RATE)
    np.testing.assert_array_equal(mixture, [1.0] * 10 + [0.0] * 4790)
    np.testing.assert_array_equal(estimate, 0.5 * mixture)


def test_silence_and_overload_pass_as_they_are() -> None:
    ((mixture, estimate),) = pairs(3 * np.ones(4800, np.float32), np.zeros((1, 4800)), RATE)
    assert mixture.min() == 3
    assert not estimate.any()


def test_one_mixture_for_all_is_prepared_once() -> None:
    signal = RNG.standard_normal(4410)
    first, second = pairs(signal, RNG.standard_normal((2, 4410)), 44100)
    assert first.mixture is second.mixture
    first, second = pairs([signal, signal], RNG.standard_normal((2, 4410)), 44100)
    assert first.mixture is second.mixture


def test_each_item_may_have_a_length_of_its_own() -> None:
    signals = [np.ones(4800), np.ones(9600)]
    assert [len(pair.mixture) for pair in pairs(signals, signals, RATE)] == [4800, 9600]


@pytest.mark.parametrize(
    ("mixture", "estimates", "told"),
    [
        (np.ones(5), np.ones((1, 6)), "estimate 0 has 6 samples and its mixture 5"),
        (np.ones((3, 5)), np.ones((2, 5)), "there are 2 estimates and 3 mixtures"),
        (np.ones(5), np.ones(5), r"estimates have shape \(5,\); \(N, T\) is needed"),
        (np.ones(5), np.ones((1, 2, 5)), r"estimates have shape \(1, 2, 5\)"),
        (np.ones((1, 2, 5)), np.ones((1, 5)), r"mixtures have shape \(1, 2, 5\)"),
        (np.ones(0), np.ones((1, 0)), r"each must be \(T,\)"),
        (np.ones(5), np.full((1, 5), np.nan), "estimate 0 has NaN or Inf"),
        (np.full(5, np.inf), np.ones((1, 5)), "the mixture has NaN or Inf"),
        (np.ones(5), np.ones((1, 5), np.int16), "estimate 0 holds int16"),
    ],
)
def test_what_is_refused(mixture: np.ndarray, estimates: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        pairs(mixture, estimates, RATE)
