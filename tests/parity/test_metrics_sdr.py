"""SDR, SI-SDR and plain SDR against torchmetrics and mir_eval, over kinds of signals and levels."""

import warnings

import numpy as np
import pytest
from scipy import signal as dsp

from hive.metrics.sdr import sdr_plain, si_sdr
from hive.metrics.sdr_bss import sdr_bss, sdr_bss_i

torch = pytest.importorskip("torch")
torchmetrics = pytest.importorskip("torchmetrics.functional.audio")

RATE, T = 44_100, 66_150
KINDS = ("white", "low_passed", "upsampled", "harmonic", "speech_like", "bursts")
LEVELS = (-10, 0, 10, 25, 39)


@pytest.fixture(autouse=True)
def _one_thread():
    # Batched solves of torch are broken with several threads (pytorch issue 142815).
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(kind):
    rng = np.random.default_rng([3, KINDS.index(kind)])
    noise, time = rng.standard_normal(T), np.arange(T) / RATE
    if kind == "low_passed":
        noise = dsp.sosfilt(dsp.butter(8, 4000, fs=RATE, output="sos"), noise)
    elif kind == "upsampled":
        noise = dsp.resample_poly(rng.standard_normal(T * 160 // 441 + 1), 441, 160)[:T]
    elif kind == "harmonic":
        phase = 2 * np.pi * 220 * time + 2 * np.sin(2 * np.pi * 5 * time)
        noise = sum(np.cos(k * phase) / k for k in range(1, 12))
    elif kind == "speech_like":
        noise = dsp.lfilter([1], [1, -1.6, 0.8], noise) * (1 + np.sin(2 * np.pi * 4 * time)) ** 2
    elif kind == "bursts":
        noise *= (time % 0.5) < 0.1
    return 0.1 * noise / np.sqrt(np.mean(noise**2))


def pair(kind, level):
    reference = make(kind)
    other = np.random.default_rng(99).standard_normal(T) * 0.1
    return reference, reference + other * 10 ** (-level / 20)


def library(function, estimate, reference, **options):
    return float(function(torch.from_numpy(estimate), torch.from_numpy(reference), **options))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_all_ratios_are_those_of_torchmetrics(kind, level):
    reference, estimate = pair(kind, level)
    signals = {"estimate": estimate, "reference": reference}
    bss = library(torchmetrics.signal_distortion_ratio, estimate, reference)
    si = library(torchmetrics.scale_invariant_signal_distortion_ratio, estimate, reference)
    plain = library(torchmetrics.signal_noise_ratio, estimate, reference)
    assert float(sdr_bss(**signals)) == pytest.approx(bss, abs=1e-6)
    assert float(si_sdr(**signals)) == pytest.approx(si, abs=1e-6)
    assert float(sdr_plain(**signals)) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_at_60_db(kind):
    reference, estimate = pair(kind, 60)
    expected = library(torchmetrics.signal_distortion_ratio, estimate, reference)
    value = float(sdr_bss(estimate=estimate, reference=reference))
    assert value == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "options",
    [{"filter_length": 64}, {"filter_length": 1}, {"zero_mean": True}, {"load_diag": 1e-4}],
    ids=str,
)
def test_variants_are_those_of_torchmetrics(options):
    reference, estimate = pair("speech_like", 12)
    reference = reference + 0.02
    expected = library(torchmetrics.signal_distortion_ratio, estimate, reference, **options)
    value = sdr_bss(estimate=estimate, reference=reference, **options)
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_a_batch_of_torch_tensors_gives_one_value_each():
    rows = [pair(kind, 15) for kind in KINDS[:4]]
    reference = torch.from_numpy(np.stack([row[0] for row in rows])).reshape(2, 2, T).float()
    estimate = torch.from_numpy(np.stack([row[1] for row in rows])).reshape(2, 2, T).float()
    values = sdr_bss(estimate=estimate, reference=reference)
    assert values.shape == (2, 2)
    assert values.dtype == np.float64
    for i, j in np.ndindex(2, 2):
        expected = torchmetrics.signal_distortion_ratio(estimate[i, j], reference[i, j])
        assert values[i, j] == pytest.approx(float(expected), abs=1e-5)  # theirs is float32


def test_sdr_is_that_of_mir_eval_with_one_source():
    separation = pytest.importorskip("mir_eval.separation")
    for kind, level in (("white", 5), ("speech_like", 20), ("harmonic", -5)):
        reference, estimate = pair(kind, level)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            expected = separation.bss_eval_sources(reference[None], estimate[None], False)[0][0]
        value = float(sdr_bss(estimate=estimate, reference=reference))
        assert value == pytest.approx(expected, abs=1e-6)


def test_improvement_is_the_difference_of_two_library_values():
    reference, estimate = pair("speech_like", 12)
    mixture = reference + make("harmonic")
    sdr = torchmetrics.signal_distortion_ratio
    expected = library(sdr, estimate, reference) - library(sdr, mixture, reference)
    value = sdr_bss_i(estimate=estimate, reference=reference, mixture=mixture)
    assert float(value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ["exact", "silent estimate", "tiny", "ordinary"])
def test_compat_gives_the_values_of_torchmetrics_in_odd_cases(case, dtype):
    reference, estimate = pair("speech_like", 10)
    if case == "exact":
        estimate = reference
    elif case == "silent estimate":
        estimate = np.zeros(T)
    elif case == "tiny":
        reference, estimate = 1e-8 * reference, 1e-8 * estimate
    reference, estimate = reference.astype(dtype), estimate.astype(dtype)
    signals = {"estimate": estimate, "reference": reference, "compat": "torchmetrics"}
    si = library(torchmetrics.scale_invariant_signal_distortion_ratio, estimate, reference)
    plain = library(torchmetrics.signal_noise_ratio, estimate, reference)
    assert float(si_sdr(**signals)) == pytest.approx(si, abs=1e-2 if dtype == np.float32 else 1e-6)
    assert float(sdr_plain(**signals)) == pytest.approx(plain, abs=1e-2)
    bss = library(torchmetrics.signal_distortion_ratio, estimate, reference)
    value = float(sdr_bss(**signals))
    if case == "exact":  # what rounding leaves: of that size, or nothing
        assert np.isnan(value) or value > 120
        assert np.isnan(bss) or bss > 120
    else:
        assert value == pytest.approx(bss, abs=1e-5)


@pytest.mark.parametrize("level", [0, 15, 30])
@pytest.mark.parametrize("rate", [16_000, 22_050, 32_000])
def test_references_of_another_rate(rate, level):
    """Of resampled references, whose matrices are near singular; both sides solve the same ones."""
    soxr = pytest.importorskip("soxr")
    rng = np.random.default_rng([rate, level])
    slow = dsp.lfilter([1], [1, -0.9], rng.standard_normal(round(T * rate / RATE) + 100))
    slow = np.round(3000 * slow / np.abs(slow).max()) / 32_768
    reference = soxr.resample(slow, rate, RATE)[:T]
    other = soxr.resample(slow[::-1].copy(), rate, RATE)[:T]
    estimate = reference + other * 10 ** (-level / 20)
    expected = library(torchmetrics.signal_distortion_ratio, estimate, reference)
    value = float(sdr_bss(estimate=estimate, reference=reference))
    assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rate", [16_000, 22_050, 32_000])
def test_notes_of_another_rate_that_swell_and_fade(rate):
    """Matrices singular to rounding: ours is steady, if low; the library is near by luck."""
    soxr = pytest.importorskip("soxr")
    # From an orthogonal basis of the 512 shifts themselves, which takes 20 s to make.
    true = {16_000: 13.390194, 22_050: 13.375029, 32_000: 13.360666}[rate]
    time = np.arange(round(T * rate / RATE)) / rate
    note = sum(np.cos(2 * np.pi * 330 * k * time + k) / k**2 for k in range(1, 9))
    note = 0.2 * note * np.hanning(len(note)) * np.exp(-3 * time)
    reference = np.concatenate([np.zeros(200), soxr.resample(note, rate, RATE), np.zeros(200)])[:T]
    estimate = reference + 0.003 * np.random.default_rng(rate).standard_normal(T)
    value = float(sdr_bss(estimate=estimate, reference=reference))
    assert true - 0.04 < value < true + 1e-3
