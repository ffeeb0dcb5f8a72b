"""STOI against pystoi, over rates and kinds of signals; the resampler against its own."""

import warnings

import numpy as np
import pytest

from hive.metrics.polyphase import resampler
from hive.metrics.stoi import estoi, stoi

pystoi = pytest.importorskip("pystoi")
pystoi_utils = pytest.importorskip("pystoi.utils")

KINDS = ("noise", "tonal", "low_passed", "speech_like", "gaps")


def make(kind, rate, seconds=1.7):
    rng = np.random.default_rng([11, KINDS.index(kind)])
    num_samples = round(rate * seconds)
    time = np.arange(num_samples) / rate
    noise = rng.standard_normal(num_samples)
    if kind == "tonal":
        noise = sum(np.cos(2 * np.pi * 180 * k * time) for k in range(1, 16)) + 0.01 * noise
        noise *= 1 + 0.8 * np.sin(2 * np.pi * 3 * time)
    elif kind == "low_passed":
        noise = np.convolve(noise, np.ones(12) / 12)[:num_samples]
    elif kind == "speech_like":
        noise *= (0.5 - 0.5 * np.cos(2 * np.pi * 4 * time)) ** 2
    elif kind == "gaps":
        noise *= (time % 0.6) < 0.4
    return 0.1 * noise / np.sqrt(np.mean(noise**2))


@pytest.mark.parametrize("level", [-10, 0, 15, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_classic_and_extended_are_those_of_pystoi(kind, level):
    rate = 44_100
    reference = make(kind, rate)
    other = np.random.default_rng(4).standard_normal(len(reference)) * 0.1
    estimate = reference + other * 10 ** (-level / 20)
    signals = {"estimate": estimate, "reference": reference, "sample_rate": rate}
    assert float(stoi(**signals)) == pytest.approx(pystoi.stoi(reference, estimate, rate), abs=1e-9)
    assert float(estoi(**signals)) == pytest.approx(
        pystoi.stoi(reference, estimate, rate, extended=True), abs=1e-6
    )


@pytest.mark.parametrize("rate", [8000, 10_000, 11_025, 16_000, 22_050, 32_000, 48_000, 96_000])
def test_every_rate(rate):
    reference, other = make("speech_like", rate), make("noise", rate)
    value = stoi(estimate=reference + other, reference=reference, sample_rate=rate)
    expected = pystoi.stoi(reference, reference + other, rate)
    assert float(value) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 48_000, 44_056])
@pytest.mark.parametrize("num_samples", [1, 441, 5000, 44_101])
def test_the_resampler_is_that_of_octave(rate, num_samples):
    samples = np.random.default_rng(num_samples).standard_normal(num_samples)
    expected = pystoi_utils.resample_oct(samples, 10_000, rate)
    np.testing.assert_allclose(resampler(rate, 10_000)(samples), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", ["silent reference", "silent estimate", "short", "inverted"])
def test_compat_gives_the_values_of_pystoi_in_odd_cases(case):
    rate = 16_000
    reference, estimate = make("speech_like", rate), make("noise", rate)
    if case == "silent reference":
        reference = np.zeros_like(reference)
    elif case == "silent estimate":
        estimate = np.zeros_like(estimate)
    elif case == "short":
        reference, estimate = reference[:3000], estimate[:3000]
    else:
        estimate = -reference
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = pystoi.stoi(reference, estimate, rate)
    value = stoi(estimate=estimate, reference=reference, sample_rate=rate, compat="pystoi")
    assert float(value) == pytest.approx(expected, abs=1e-9)
