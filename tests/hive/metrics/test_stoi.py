"""STOI: what must hold whatever the implementation."""

import math

import numpy as np
import pytest

from hive.metrics.polyphase import lowpass, resampler
from hive.metrics.stoi import estoi, stoi

RATE = 16_000
TIME = np.arange(20_000) / RATE
NOISE, OTHER = 0.1 * np.random.default_rng(8).standard_normal((2, len(TIME)))
SPEECH_LIKE = NOISE * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * TIME)) ** 2
SILENCE = np.zeros(len(TIME))


def score(metric, estimate, reference=SPEECH_LIKE, rate=RATE, **options):
    return float(metric(estimate=estimate, reference=reference, sample_rate=rate, **options))


@pytest.mark.parametrize("metric", [stoi, estoi])
def test_identity_silence_and_scale(metric):
    assert score(metric, SPEECH_LIKE) == pytest.approx(1, abs=1e-9)
    assert score(metric, SILENCE) == pytest.approx(0, abs=1e-9)
    noisy = SPEECH_LIKE + 0.5 * OTHER
    assert score(metric, 7 * noisy) == pytest.approx(score(metric, noisy), abs=1e-9)
    assert score(metric, noisy, 7 * SPEECH_LIKE) == pytest.approx(score(metric, noisy), abs=1e-9)
    assert score(metric, -noisy) == pytest.approx(score(metric, noisy), abs=1e-9)


@pytest.mark.parametrize("metric", [stoi, estoi])
def test_more_noise_scores_less(metric):
    values = [score(metric, SPEECH_LIKE + level * OTHER) for level in (0.01, 0.1, 0.5, 2, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[-1] < 0.4


def test_silence_of_the_reference_is_left_out():
    gap = np.zeros(4096)  # whole frames at 10 kHz
    reference = NOISE[:10_000]
    cut = np.concatenate([reference[:5120], gap, reference[5120:]])
    loud = np.concatenate([reference[:5120], gap + 0.02, reference[5120:]])
    same = score(stoi, loud, cut, rate=10_000)
    assert same > 0.99
    assert score(stoi, cut, loud, rate=10_000) < same


def test_odd_cases():
    assert math.isnan(score(stoi, OTHER, SILENCE))
    assert score(stoi, OTHER, SILENCE, compat="pystoi") == 0
    for num_samples in (10, 300, 3000):
        short = {"estimate": OTHER[:num_samples], "reference": NOISE[:num_samples]}
        assert math.isnan(float(stoi(**short, sample_rate=RATE)))
        assert float(stoi(**short, sample_rate=RATE, compat="pystoi")) == 1e-5
    assert math.isnan(score(stoi, OTHER[:4096], NOISE[:4096], rate=10_000))
    assert math.isfinite(score(stoi, OTHER[:4097], NOISE[:4097], rate=10_000))


@pytest.mark.parametrize("rate", [None, 0, -8000, 44_100.5])
def test_the_rate_must_be_a_whole_number(rate):
    with pytest.raises(ValueError, match="sample_rate"):
        score(stoi, OTHER, rate=rate)


def test_unknown_compat_is_refused():
    with pytest.raises(ValueError, match="torchmetrics"):
        score(stoi, OTHER, compat="torchmetrics")


@pytest.mark.parametrize(("source", "target"), [(44_100, 10_000), (8000, 10_000), (16_000, 10_000)])
def test_resampling_keeps_tones_in_place(source, target):
    time = np.arange(source) / source
    tone = np.cos(2 * np.pi * 1000 * time)
    expected = np.cos(2 * np.pi * 1000 * np.arange(target) / target)
    inner = slice(500, -500)
    error = resampler(source, target)(tone) - expected
    assert np.abs(error[inner]).max() < 3e-3  # 60 dB of rejection


def test_the_filter_is_symmetric_with_the_gain_of_the_factor():
    taps = lowpass(100, 441)
    assert len(taps) == 31_947
    assert taps.sum() == pytest.approx(100)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-15)
