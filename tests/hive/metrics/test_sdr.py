"""Plain, scale-invariant and BSS-eval SDR: closed forms, odd cases, properties."""

import math
from itertools import pairwise

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hive.metrics import get
from hive.metrics.sdr import sdr_plain, sdr_plain_i, si_sdr, si_sdr_i
from hive.metrics.sdr_bss import sdr_bss, sdr_bss_i

T = 4000
TIME = np.arange(T)
COSINE = 0.1 * np.cos(2 * np.pi * 200 * TIME / T)
SINE = 0.1 * np.sin(2 * np.pi * 200 * TIME / T)
NOISE, OTHER, THIRD = 0.1 * np.random.default_rng(1).standard_normal((3, T))
SILENCE = np.zeros(T)
ALL = (sdr_plain, si_sdr, sdr_bss)


def score(metric, estimate, reference, **options):
    return float(metric(estimate=estimate, reference=reference, **options))


@pytest.mark.parametrize(
    ("weight", "plain", "scaled"),
    [(1.0, 0.0, 0.0), (0.1, 20.0, 20.0), (3.0, -9.5424250944, -9.5424250944)],
)
def test_orthogonal_tones_give_the_ratio_of_their_energies(weight, plain, scaled):
    estimate = COSINE + weight * SINE
    assert score(sdr_plain, estimate, COSINE) == pytest.approx(plain, abs=1e-9)
    assert score(si_sdr, estimate, COSINE) == pytest.approx(scaled, abs=1e-9)


def test_scale_and_sign_cost_only_the_plain_ratio():
    for scale, plain in ((0.5, 6.0205999133), (-1.0, -6.0205999133), (2.0, 0.0)):
        assert score(sdr_plain, scale * NOISE, NOISE) == pytest.approx(plain, abs=1e-9)
        assert score(si_sdr, scale * NOISE, NOISE) == math.inf
        assert score(sdr_bss, scale * NOISE, NOISE) == math.inf


def test_a_filter_within_the_taps_is_forgiven_and_a_longer_one_is_not():
    taps = np.random.default_rng(2).standard_normal(64) * np.exp(-np.arange(64) / 20)
    padded = np.concatenate([NOISE[: T - 600], np.zeros(600)])  # nothing falls off the end
    filtered = np.convolve(padded, taps)[:T]
    assert score(sdr_bss, filtered, padded) == math.inf
    assert score(sdr_bss, filtered, padded, filter_length=64) == math.inf
    assert score(sdr_bss, filtered, padded, filter_length=8) < 20
    assert score(sdr_bss, np.roll(padded, 511), padded) == math.inf
    assert score(sdr_bss, np.roll(padded, 512), padded) < 0


@pytest.mark.parametrize("num_taps", [1, 7, 64, 512])
@pytest.mark.parametrize("num_samples", [512, 513, 8192, 8193, 20_000])
def test_sdr_bss_is_a_least_squares_fit_on_shifts(num_taps, num_samples):
    rng = np.random.default_rng(num_samples + num_taps)
    reference = rng.standard_normal(num_samples)
    estimate = np.convolve(reference, [0.5, 1, -0.3])[:num_samples]
    estimate += 0.3 * rng.standard_normal(num_samples)
    padded = np.concatenate([estimate, np.zeros(num_taps - 1)])
    shifts = np.zeros((num_samples + num_taps - 1, num_taps))
    for lag in range(num_taps):
        shifts[lag : lag + num_samples, lag] = reference
    fit = shifts @ np.linalg.lstsq(shifts, padded, rcond=None)[0]
    expected = 10 * np.log10(np.sum(fit**2) / np.sum((padded - fit) ** 2))
    value = score(sdr_bss, estimate, reference, filter_length=num_taps)
    assert value == pytest.approx(expected, abs=1e-8)


def test_one_tap_is_si_sdr():
    estimate = NOISE + 0.4 * OTHER
    assert score(sdr_bss, estimate, NOISE, filter_length=1) == pytest.approx(
        score(si_sdr, estimate, NOISE), abs=1e-9
    )


def test_a_tone_that_fades_is_scored_although_its_matrix_is_singular():
    tone = np.hanning(40_000) ** 2 * np.sin(0.05 * np.arange(40_000))
    noise = np.random.default_rng(3).standard_normal(40_000)
    noise *= np.linalg.norm(tone) / np.linalg.norm(noise) / 10
    value = score(sdr_bss, tone + noise, tone)
    assert value == pytest.approx(20, abs=0.2)
    assert score(sdr_bss, tone, tone) == math.inf


@pytest.fixture(scope="module")
def swelled():
    """A tone that swells and fades, brought from 2 kHz to 44.1 kHz: its matrix is singular."""
    tone = 0.3 * np.hanning(4000) * np.sin(2 * np.pi * 100 * np.arange(4000) / 2000)
    return soxr.resample(tone, 2000, 44_100)


@pytest.mark.parametrize("settings", [{}, {"zero_mean": True}, {"filter_length": 64}])
def test_a_scaled_copy_is_exact_although_its_matrix_is_singular(swelled, settings):
    assert score(sdr_bss, 0.7 * swelled, swelled, **settings) == math.inf
    mixture = swelled + np.random.default_rng(5).standard_normal(len(swelled))
    signals = {"estimate": 0.7 * swelled, "reference": swelled, "mixture": mixture}
    assert float(sdr_bss_i(**signals, **settings)) == math.inf
    assert score(sdr_bss, 0.7 * swelled, swelled, load_diag=1e-3, **settings) < 60


def test_a_mean_that_is_kept_is_no_part_of_a_copy(swelled):
    offset = 0.7 * swelled + 0.01
    assert score(sdr_bss, offset, swelled) < 40
    assert score(sdr_bss, offset, swelled, zero_mean=True) == math.inf


@pytest.mark.parametrize("level", [60, 95, 110, 125])
def test_a_longer_filter_fits_no_worse_although_the_matrix_is_singular(swelled, level):
    noise = np.random.default_rng(4).standard_normal(len(swelled))
    noise *= 10 ** (-level / 20) * np.linalg.norm(swelled) / np.linalg.norm(noise)
    estimate = swelled + noise
    least = score(si_sdr, estimate, swelled)
    assert least == pytest.approx(level, abs=0.1)
    assert score(sdr_bss, estimate, swelled) >= least - 10 ** (level / 10 - 14)


def test_huge_and_tiny_copies_are_exact():
    """Energies of 1e200 and more, whose squares no float holds."""
    assert score(sdr_bss, 1e101 * NOISE, 1e101 * NOISE) == math.inf
    assert score(sdr_bss, 1e-101 * NOISE, NOISE) == math.inf


def test_odd_cases():
    for metric in ALL:
        assert score(metric, NOISE, NOISE) == math.inf
        assert math.isnan(score(metric, NOISE, SILENCE))
        assert math.isnan(score(metric, SILENCE, SILENCE))
        assert math.isnan(score(metric, NOISE, 1e-7 * NOISE))
        assert score(metric, 1e-5 * (NOISE + OTHER), 1e-4 * NOISE) == pytest.approx(
            score(metric, NOISE + OTHER, 10 * NOISE), abs=1e-9
        )
    assert score(sdr_plain, SILENCE, NOISE) == 0
    assert score(si_sdr, SILENCE, NOISE) == -math.inf
    assert score(sdr_bss, SILENCE, NOISE) == -math.inf


def test_a_mean_that_is_removed_plays_no_part():
    shifted = {"estimate": NOISE + OTHER - 0.3, "reference": NOISE + 0.2}
    centred = {key: value - value.mean() for key, value in shifted.items()}
    for metric in (si_sdr, sdr_bss):
        expected = float(metric(**centred))
        assert float(metric(**shifted, zero_mean=True)) == pytest.approx(expected, abs=1e-9)
        assert abs(float(metric(**shifted)) - expected) > 0.1
        assert math.isnan(score(metric, NOISE, np.full(T, 0.5), zero_mean=True))


def test_loading_the_diagonal_caps_the_value():
    assert score(sdr_bss, NOISE, NOISE, load_diag=1e-3) == pytest.approx(30, abs=0.1)


def test_audiosep_limits_mean_squares():
    power = float(np.mean(NOISE**2))
    ceiling = 10 * math.log10(power / 1e-10)
    assert score(sdr_plain, NOISE, NOISE, compat="audiosep") == pytest.approx(ceiling, abs=1e-9)
    assert score(sdr_plain, NOISE, SILENCE, compat="audiosep") == pytest.approx(-ceiling, abs=1e-9)
    assert score(si_sdr, SILENCE, NOISE, compat="audiosep") == pytest.approx(0, abs=1e-9)


def test_torchmetrics_refuses_a_silent_reference_which_is_nan_here():
    assert math.isnan(score(sdr_bss, NOISE, SILENCE, compat="torchmetrics"))


@pytest.mark.parametrize(
    ("metric", "improvement"),
    [(sdr_plain, sdr_plain_i), (si_sdr, si_sdr_i), (sdr_bss, sdr_bss_i)],
)
def test_improvement_is_a_difference_and_undefined_without_interference(metric, improvement):
    mixture, estimate = NOISE + OTHER, NOISE + 0.3 * OTHER
    value = float(improvement(estimate=estimate, reference=NOISE, mixture=mixture))
    expected = score(metric, estimate, NOISE) - score(metric, mixture, NOISE)
    assert value == pytest.approx(expected, abs=1e-12)
    alone = improvement(estimate=estimate, reference=NOISE, mixture=NOISE)
    assert math.isnan(float(alone))
    exact = improvement(estimate=NOISE, reference=NOISE, mixture=mixture)
    assert float(exact) == math.inf


def test_too_short_for_the_filter():
    with pytest.raises(ValueError, match=r"500 samples.*512"):
        sdr_bss(estimate=NOISE[:500], reference=NOISE[:500])


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (si_sdr, {"compat": "museval"}, "museval"),
        (sdr_bss, {"compat": "audiosep"}, "audiosep"),
        (sdr_bss, {"filter_length": 0}, "filter_length"),
        (sdr_bss, {"load_diag": -1.0}, "load_diag"),
    ],
)
def test_unknown_settings_are_refused(metric, options, message):
    with pytest.raises(ValueError, match=message):
        metric(estimate=NOISE, reference=OTHER, **options)


signals = hnp.arrays(np.float64, 64, elements=st.floats(-1, 1, width=16))
scales = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


@given(signals, signals, scales)
@settings(max_examples=60)
def test_si_sdr_ignores_the_scale_of_the_estimate(noise, other, scale):
    reference, estimate = NOISE[:64] + noise, OTHER[:64] + other
    value = score(si_sdr, estimate, reference)
    assert score(si_sdr, scale * estimate, reference) == pytest.approx(value, abs=1e-6)


@given(signals, signals, st.floats(0.001, 3), st.integers(1, 64))
@settings(max_examples=60)
def test_filters_forgive_at_least_a_scale(noise, other, leak, num_taps):
    reference = NOISE[:64] + noise
    estimate = reference + leak * (OTHER[:64] + other)
    value = score(sdr_bss, estimate, reference, filter_length=num_taps)
    assert value >= score(si_sdr, estimate, reference) - 1e-6


@given(signals, signals, st.floats(0.01, 0.9))
@settings(max_examples=100)
def test_si_sdr_has_a_bound_from_the_plain_ratio(noise, other, leak):
    reference, error = NOISE[:64] + noise, OTHER[:64] + other
    error *= leak * np.linalg.norm(reference) / np.linalg.norm(error)
    plain = score(sdr_plain, reference + error, reference)
    bound = 10 * math.log10(10 ** (plain / 10) - 1)
    assert score(si_sdr, reference + error, reference) >= bound - 1e-6


@given(st.lists(st.floats(-20, 40), min_size=2, max_size=5, unique=True))
@settings(max_examples=20)
def test_more_noise_scores_less(levels):
    orthogonal = OTHER - NOISE * (OTHER @ NOISE) / (NOISE @ NOISE)
    ordered = sorted(levels)
    for name in ("sdr_plain", "si_sdr", "sdr_bss_L32"):
        values = [
            score(get(name), NOISE + orthogonal * 10 ** (-level / 20), NOISE) for level in ordered
        ]
        assert all(b >= a - 1e-9 for a, b in pairwise(values))
