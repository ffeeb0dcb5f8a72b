"""The signal metrics on a device are those of the numpy pass, odd cases included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as dsp

from hive.metrics import projection
from hive.metrics.polyphase import resampler
from hive.metrics.signal import signal_metrics

torch = pytest.importorskip("torch")
block = pytest.importorskip("hive.metrics.accelerated.block")
intelligibility = pytest.importorskip("hive.metrics.accelerated.intelligibility")

RATE, T = 16_000, 12_000
TIME = np.arange(T) / RATE
KINDS = ("white", "low_passed", "upsampled", "tones", "speech_like", "bursts", "quiet", "offset")
LEVELS = (-20, 0, 6, 15, 39)
NAMES = (
    *("sdr_bss", "sdr_bss_i", "si_sdr", "si_sdr_i", "sdr_plain", "sdr_plain_i", "stoi", "estoi"),
    *("silence_sdr", "silence_si_sdr", "silence_sdr_bss"),
    *("sdr_bss_L64", "sdr_bss_i_zm", "sdr_bss_d1e-06", "si_sdr_zm"),
)
ANCHORS = ("sdr_bss", "si_sdr", "stoi", "estoi")
DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    ),
]


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture
def no_detour(monkeypatch):
    """Let nothing be computed by the numpy pass."""

    def refuse(*args):
        raise AssertionError("the numpy pass computed this")

    monkeypatch.setattr("hive.metrics.sdr_bss.lag_products", refuse)
    monkeypatch.setattr("hive.metrics.stoi._bands", refuse)


def make(kind, seed=0):
    rng = np.random.default_rng([KINDS.index(kind), seed])
    noise = rng.standard_normal(T)
    if kind == "low_passed":
        noise = dsp.sosfilt(dsp.butter(4, 3000, fs=RATE, output="sos"), noise)
    elif kind == "upsampled":
        noise = dsp.resample_poly(rng.standard_normal(T // 2), 2, 1) + 1e-4 * noise
    elif kind == "tones":
        phase = 2 * np.pi * 220 * TIME + 2 * np.sin(2 * np.pi * 5 * TIME)
        noise = sum(np.cos(k * phase) / k for k in range(1, 12)) + 1e-3 * noise
    elif kind == "speech_like":
        noise = dsp.lfilter([1], [1, -1.6, 0.8], noise) * (1 + np.sin(2 * np.pi * 4 * TIME)) ** 2
    elif kind == "bursts":
        noise *= (TIME % 0.5) < 0.2
    elif kind == "offset":
        noise += 0.5
    level = 1e-4 if kind == "quiet" else 0.1
    return level * noise / np.sqrt(np.mean(noise**2))


def items(levels=LEVELS, kinds=KINDS):
    """Every kind at every level: references, estimates and mixtures, shape (kinds, levels, T)."""
    references = np.stack([[make(kind)] * len(levels) for kind in kinds])
    power = np.sqrt(np.mean(references**2, axis=-1, keepdims=True))
    others = np.stack(
        [
            [np.random.default_rng([9, i, j]).standard_normal(T) for j in range(len(levels))]
            for i in range(len(kinds))
        ]
    )
    gains = 10 ** (-np.array(levels, np.float64)[:, None] / 20)
    return {
        "estimate": references + power * gains * others,
        "reference": references,
        "mixture": references + power * others,
        "sample_rate": RATE,
    }


def both(signals, device, names=NAMES, anchors=ANCHORS, **options):
    usual = signal_metrics(**signals, names=names, anchors=anchors, **options)
    there = signal_metrics(**signals, names=names, anchors=anchors, device=device, **options)
    assert list(there) == list(usual)
    return usual, there


def assert_same(usual, there, decibel=1e-9, stoi=1e-10):
    for name, values in usual.items():
        tolerance = stoi if "stoi" in name else decibel
        np.testing.assert_allclose(there[name], values, rtol=0, atol=tolerance, err_msg=name)


def test_values_are_those_of_the_numpy_pass(device):
    usual, there = both(items(), device)
    assert_same(usual, there)
    for name in ("sdr_bss", "si_sdr", "stoi"):
        assert np.isfinite(there[name]).all()
        assert np.ptp(there[name]) > 0.3


def test_at_60_db(device):
    names = ("sdr_bss", "si_sdr", "sdr_plain", "stoi")
    usual, there = both(items((60,)), device, names, ())
    assert_same(usual, there, decibel=1e-4)
    assert there["sdr_bss"].min() > 55


def test_the_device_does_the_work(device, no_detour):
    signals = items((3, 20), ("white", "speech_like", "bursts", "quiet", "offset"))
    there = signal_metrics(**signals, names=NAMES, anchors=ANCHORS, device=device)
    assert np.isfinite(there["sdr_bss_i"]).all()
    assert np.isfinite(there["stoi"]).all()
    assert np.isfinite(there["silence_sdr_bss"]).all()


#: Extended STOI normalises what is left of an estimate that is digitally silent for a while.
PARTLY_SILENT = ("estimate of half",)


def odd_items():
    reference, other = make("speech_like"), make("white", 1)
    silence = np.zeros(T)
    half = reference * (TIME < 0.5)
    tone = np.cos(2 * np.pi * 400 * TIME)
    swell = tone * np.hanning(T)
    cases = {
        "exact": (reference, reference, reference + other),
        "scaled": (0.5 * reference, reference, reference + other),
        "inverted": (-reference, reference, reference + other),
        "delayed": (np.concatenate([silence[:100], reference[:-100]]), reference, reference),
        "advanced": (np.concatenate([reference[100:], silence[:100]]), reference, reference),
        "silent reference": (other, silence, other),
        "silent estimate": (silence, reference, reference + other),
        "both silent": (silence, silence, silence),
        "tiny": (1e-8 * (reference + other), 1e-8 * reference, 1e-8 * other),
        "faint": (1e-5 * (reference + other), 1e-5 * reference, 1e-5 * other),
        "tone": (tone + 0.1 * other, tone, tone + other),
        "swell": (swell + 0.1 * other, swell, swell + other),
        "offset": (silence + 0.1, silence + 0.2, silence + 0.3),
        "click": (other, np.eye(1, T, 5000)[0], other),
        "short sound": (half + 0.1 * other, half, half + other),
        "very short sound": (other, reference * (TIME < 0.06), reference + other),
        "estimate is the mixture": (reference + other, reference, reference + other),
        "estimate of half": (half, reference, reference + other),
        "not finite": (np.where(TIME == 0, np.nan, reference), reference, reference + other),
        "infinite": (reference, np.where(TIME == 0, np.inf, reference), reference + other),
    }
    return list(cases), [np.stack(rows) for rows in zip(*cases.values(), strict=True)]


def test_odd_cases(device):
    labels, (estimate, reference, mixture) = odd_items()
    signals = {"estimate": estimate, "reference": reference, "mixture": mixture}
    usual, there = both(signals | {"sample_rate": RATE}, device, on_bad="nan")
    for name, values in usual.items():
        for label, expected, value in zip(labels, values, there[name], strict=True):
            tolerance = 1e-4 if expected > 40 else 1e-8
            if name.endswith("estoi") and label in PARTLY_SILENT:
                tolerance = 1e-4
            assert value == pytest.approx(expected, abs=tolerance, nan_ok=True), (name, label)
    at = {label: index for index, label in enumerate(labels)}
    assert there["sdr_bss"][at["exact"]] == there["si_sdr"][at["inverted"]] == np.inf
    assert there["sdr_bss"][at["silent estimate"]] == -np.inf
    assert np.isnan(there["stoi"][at["silent reference"]])
    assert there["sdr_bss"][at["delayed"]] > 20 > 0 > there["si_sdr"][at["delayed"]]


def test_what_is_refused_there_is_refused_here(device):
    _, (estimate, reference, mixture) = odd_items()
    signals = {"estimate": estimate, "reference": reference, "mixture": mixture}
    with pytest.raises(ValueError, match=r"reference of item \(19,\)"):
        signal_metrics(**signals, names=["si_sdr"], device=device)
    short = {name: value[0, :300] for name, value in signals.items()}
    with pytest.raises(ValueError, match="300 samples"):
        signal_metrics(**short, names=["sdr_bss"], device=device)
    with pytest.raises(ValueError, match="sample_rate"):
        signal_metrics(**short, names=["stoi"], device=device)
    with pytest.raises(ValueError, match="mixture= is missing"):
        signal_metrics(estimate=mixture, names=["silence_sdr"], device=device)


def test_singular_references_are_left_to_the_numpy_pass(device, monkeypatch):
    solved = []

    def watch(autocorrelation, correlations):
        solved.append(len(correlations))
        return projection.explained_energy(autocorrelation, correlations)

    monkeypatch.setattr("hive.metrics.sdr_bss.explained_energy", watch)
    noise = make("white")
    swell = np.cos(2 * np.pi * 400 * TIME) * np.hanning(T)
    reference = np.stack([noise, swell, make("tones"), swell + 1e-9 * noise])
    signals = {"estimate": reference + 0.1 * make("white", 1), "reference": reference}
    there = signal_metrics(**signals, names=["sdr_bss"], device=device)
    assert len(solved) == 2
    usual = signal_metrics(**signals, names=["sdr_bss"])
    np.testing.assert_allclose(there["sdr_bss"], usual["sdr_bss"], rtol=0, atol=1e-9)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    lead=st.sampled_from([(), (1,), (3,), (2, 2)]),
    num_samples=st.integers(512, 15_000),
    rate=st.sampled_from([8000, 10_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000]),
    shared=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_shape_length_and_rate(seed, lead, num_samples, rate, shared, dtype):
    rng = np.random.default_rng(seed)
    shape = (*lead, num_samples)
    envelope = rng.uniform(size=shape) < rng.uniform(0.2, 1, size=(*lead, 1))
    reference = 0.1 * rng.standard_normal(shape) * envelope
    mixture = reference + 0.1 * rng.standard_normal(shape[-1:] if shared else shape)
    mixture = mixture.reshape(-1, num_samples)[0] if shared else mixture
    estimate = reference + 10 ** rng.uniform(-1.5, 1, (*lead, 1)) * rng.standard_normal(shape) * 0.1
    signals = {"estimate": estimate, "reference": reference, "mixture": mixture}
    signals = {name: value.astype(dtype) for name, value in signals.items()}
    usual, there = both(signals | {"sample_rate": rate}, "cpu")
    assert_same(usual, there)
    assert there["stoi"].shape == lead


def test_chunks_make_no_difference(device, monkeypatch):
    signals = items((0, 20), KINDS[:3])
    whole = signal_metrics(**signals, names=NAMES, anchors=ANCHORS, device=device)
    monkeypatch.setitem(block.MEMORY, device, 3 * block.SIGNALS_PER_PAIR * 8 * T)
    parts = signal_metrics(**signals, names=NAMES, anchors=ANCHORS, device=device)
    assert_same(whole, parts, stoi=1e-12)


@pytest.mark.parametrize("room", [5, 0])
def test_a_full_device_takes_fewer_at_once_or_none(device, monkeypatch, room):
    sizes, compute = [], block._compute_at_once

    def at_most(pairs, *rest):
        sizes.append(len(pairs))
        if len(pairs) > room:
            raise torch.OutOfMemoryError("full")
        compute(pairs, *rest)

    signals = items((0, 20), KINDS[:3])
    usual = signal_metrics(**signals, names=NAMES)
    monkeypatch.setattr(block, "_compute_at_once", at_most)
    there = signal_metrics(**signals, names=NAMES, device=device)
    assert_same(usual, there)
    assert max(sizes) > 5 >= min(sizes)


def test_values_of_a_library_stay_the_librarys(device):
    names = ("si_sdr", "si_sdr_tm", "sdr_bss_tm", "sdr_plain_tm")
    signals = {"estimate": np.zeros((1, T)), "reference": make("white")[None]}
    usual, there = both(signals, device, names, ())
    for name in names:
        np.testing.assert_array_equal(there[name], usual[name])
    assert there["si_sdr"][0] == -np.inf
    assert there["si_sdr_tm"][0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("rate", [8000, 10_000, 11_025, 16_000, 44_100, 44_056, 48_000, 96_000])
@pytest.mark.parametrize("num_samples", [1, 441, 5000, 44_101])
def test_resampling(device, rate, num_samples):
    samples = np.random.default_rng(num_samples).standard_normal((2, num_samples))
    expected = [resampler(rate, 10_000)(row) for row in samples]
    if rate == 10_000:
        expected = samples
    value = intelligibility.resample(torch.from_numpy(samples).to(device), rate).cpu()
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def test_digital_silence_stays_silent(device):
    samples = np.random.default_rng(1).standard_normal((1, 44_100))
    samples[:, 10_000:30_000] = 0
    value = intelligibility.resample(torch.from_numpy(samples).to(device), 44_100).cpu().numpy()[0]
    assert (value[2400:6700] == 0).all()
    assert np.abs(value).max() > 0.5
