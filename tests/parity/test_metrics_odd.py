"""Odd pairs: what the libraries return, and what ours return, both asserted."""

import math
import warnings

import numpy as np
import pytest

from hive.metrics.museval import over_windows, window_sdr
from hive.metrics.sdr import sdr_plain, si_sdr
from hive.metrics.sdr_bss import sdr_bss
from hive.metrics.stoi import stoi

torch = pytest.importorskip("torch")
library = pytest.importorskip("torchmetrics.functional.audio")

RATE, T = 44_100, 88_200
SEEDS = range(10)
SILENCE = np.zeros(T)


def noise(seed, coloured=True):
    """Noise of RMS 0.1 with a moving envelope, coloured or white."""
    rng = np.random.default_rng([17, seed])
    x = rng.standard_normal(T) * (1.1 + np.sin(2 * np.pi * rng.uniform(1, 6) * np.arange(T) / RATE))
    if coloured:
        x = np.convolve(x, rng.uniform(0.5, 0.97) ** np.arange(60))[:T]
    return 0.1 * x / np.sqrt(np.mean(x**2))


def ours(estimate, reference, **options):
    pair = {"estimate": estimate, "reference": reference, **options}
    return [float(metric(**pair)) for metric in (sdr_bss, si_sdr, sdr_plain)]


def theirs(estimate, reference, dtype=np.float64):
    pair = [torch.from_numpy(np.asarray(x, dtype)) for x in (estimate, reference)]
    return [
        float(metric(*pair))
        for metric in (
            library.signal_distortion_ratio,
            library.scale_invariant_signal_distortion_ratio,
            library.signal_noise_ratio,
        )
    ]


def close(values, expected, allowed=1e-6):
    assert values == [pytest.approx(one, abs=allowed, rel=0, nan_ok=True) for one in expected]


def ceiling(energy, dtype):
    """The machine epsilon on both sums, torchmetrics' value for an error of zero."""
    return 10 * math.log10((energy + np.finfo(dtype).eps) / np.finfo(dtype).eps)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gain", [1.0, 0.5, -1.0])
def test_copies(seed, gain):
    reference = noise(seed)
    plain = math.inf if gain == 1 else -20 * math.log10(abs(1 - gain))
    close(ours(gain * reference, reference), [math.inf, math.inf, plain])
    energy = float(np.sum(reference**2))
    for dtype in (np.float64, np.float32):
        bss, si, snr = theirs(gain * reference, reference, dtype)
        assert math.isnan(bss) or bss > 120  # what rounding leaves
        assert si > (160 if dtype == np.float64 else 80)
        assert si <= ceiling(energy, dtype) + 0.1
        assert snr == pytest.approx(plain if gain != 1 else ceiling(energy, dtype), abs=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_silent_estimate(seed):
    reference = noise(seed)
    close(ours(SILENCE, reference), [-math.inf, -math.inf, 0.0])
    for dtype in (np.float64, np.float32):
        close(theirs(SILENCE, reference, dtype), [-math.inf, 0.0, 0.0], 1e-4)


@pytest.mark.parametrize("estimate", ["noise", "silence"])
def test_silent_reference(estimate):
    estimate = noise(1) if estimate == "noise" else SILENCE
    close(ours(estimate, SILENCE), [math.nan] * 3)
    pair = torch.from_numpy(estimate), torch.from_numpy(SILENCE)
    with pytest.raises(RuntimeError, match="singular"):  # LinAlgError
        library.signal_distortion_ratio(*pair)
    loaded = float(library.signal_distortion_ratio(*pair, load_diag=1e-3))
    assert loaded == -math.inf
    expected = 0.0 if estimate is SILENCE else -ceiling(float(np.sum(estimate**2)), np.float64)
    values = theirs_without_bss(estimate)
    assert values == [pytest.approx(expected, abs=1e-6)] * 2


def theirs_without_bss(estimate):
    pair = torch.from_numpy(estimate), torch.from_numpy(SILENCE)
    return [
        float(library.scale_invariant_signal_distortion_ratio(*pair)),
        float(library.signal_noise_ratio(*pair)),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_tiny_signals(seed):
    reference, other = noise(seed), noise(100 + seed)
    faint = 1e-5 * (reference + 0.3 * other), 1e-5 * reference
    close(ours(*faint), theirs(*faint), 1e-3)  # their epsilon shows
    close(ours(*faint), ours(reference + 0.3 * other, reference), 1e-9)
    tiny = 1e-7 * (reference + 0.3 * other), 1e-7 * reference
    close(ours(*tiny), [math.nan] * 3)  # RMS below 1e-6
    usual = theirs(reference + 0.3 * other, reference)
    bss, si, snr = theirs(*tiny, np.float32)
    assert bss == pytest.approx(usual[0], abs=0.01)
    assert si == pytest.approx(0, abs=0.01)
    assert snr == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_loud_estimate_of_a_tiny_reference(seed):
    estimate, reference = noise(seed), 1e-7 * noise(100 + seed)
    close(ours(estimate, reference), [math.nan] * 3)
    bss, si, snr = theirs(estimate, reference)
    assert -40 < bss < -15
    assert si < -30
    assert snr == pytest.approx(-140, abs=1)


@pytest.mark.parametrize("position", [0, 500, T - 1])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite(position, value):
    reference = noise(1)
    estimate = reference + noise(2)
    estimate[position] = value
    with pytest.raises(ValueError, match="NaN, Inf"):
        ours(estimate, reference)
    close(ours(estimate, reference, on_bad="nan"), [math.nan] * 3)
    bss, si, snr = theirs(estimate, reference)
    assert math.isnan(bss)
    assert not math.isfinite(si)
    assert not math.isfinite(snr)


@pytest.mark.parametrize("shift", [1, 100, 511, 512, 700])
def test_delays(shift):
    reference = noise(3, coloured=False)
    delayed = np.concatenate([SILENCE[:shift], reference[:-shift]])
    close(ours(delayed, reference), theirs(delayed, reference))
    bss, si, plain = ours(delayed, reference)
    assert (bss > 15) == (shift <= 511)
    assert si < 0
    assert plain < 0
    advanced = np.concatenate([reference[shift:], SILENCE[:shift]])
    close(ours(advanced, reference), theirs(advanced, reference))
    assert ours(advanced, reference)[0] < 0


def test_unequal_lengths():
    reference, estimate = noise(1), noise(1) + 0.1 * noise(2)
    with pytest.raises(ValueError, match="samples"):
        ours(estimate[:-10], reference)
    with pytest.raises(RuntimeError):
        theirs(estimate[:-10], reference)
    padded = np.concatenate([estimate[:-10], np.zeros(10)])
    close(ours(estimate[:-10], reference, length="match"), theirs(padded, reference))


@pytest.mark.parametrize("num_samples", [64, 200, 256])
def test_shorter_than_the_filter(num_samples):
    reference, estimate = noise(1)[:num_samples], (noise(1) + 0.3 * noise(2))[:num_samples]
    with pytest.raises(ValueError, match="at least"):
        sdr_bss(estimate=estimate, reference=reference)
    pair = torch.from_numpy(estimate), torch.from_numpy(reference)
    try:
        value = float(library.signal_distortion_ratio(*pair))
    except RuntimeError:  # its circular correlation makes a singular matrix
        value = math.inf
    assert math.isnan(value) or value > 40  # true value is about that of SI-SDR, 10 dB
    si = float(si_sdr(estimate=estimate, reference=reference))
    assert si == pytest.approx(
        float(library.scale_invariant_signal_distortion_ratio(*pair)), abs=1e-6
    )


@pytest.mark.parametrize("num_samples", [512, 513, 600, 1023, 5121])
def test_a_little_longer_than_the_filter(num_samples):
    reference, estimate = noise(1)[:num_samples], (noise(1) + 0.3 * noise(2))[:num_samples]
    value = float(sdr_bss(estimate=estimate, reference=reference))
    separation = pytest.importorskip("mir_eval.separation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = separation.bss_eval_sources(reference[None], estimate[None], False)[0][0]
    assert value == pytest.approx(expected, abs=1e-6)


def test_what_other_libraries_raise():
    separation = pytest.importorskip("mir_eval.separation")
    sources = pytest.importorskip("museval.metrics").bss_eval_sources
    fast = pytest.importorskip("fast_bss_eval")
    reference = noise(1)
    for estimate, target in ((SILENCE, reference), (reference, SILENCE), (SILENCE, SILENCE)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            with pytest.raises(ValueError, match=r"silent|all-zeros"):
                separation.bss_eval_sources(target[None], estimate[None], False)
        with pytest.raises(ValueError, match=r"silent|all-zeros"):
            sources(target[None], estimate[None], False)
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        fast.sdr(SILENCE[None], reference[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = separation.bss_eval_sources(reference[None], reference[None], False)[0][0]
    assert exact > 200
    assert ours(reference, reference)[0] == math.inf


@pytest.mark.parametrize("seed", SEEDS)
def test_stoi(seed):
    measure = pytest.importorskip("pystoi").stoi
    reference, other = noise(seed), noise(100 + seed)

    def both(estimate, target, rate=16_000):
        value = float(stoi(estimate=estimate, reference=target, sample_rate=rate))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return value, float(measure(target, estimate, rate))

    for gain in (1.0, 0.01, -3.0):
        assert both(gain * reference, reference) == pytest.approx((1, 1), abs=1e-9)
    assert both(SILENCE, reference) == pytest.approx((0, 0), abs=1e-9)
    assert both(other, SILENCE) == pytest.approx((math.nan, 0), abs=1e-9, nan_ok=True)
    assert both(SILENCE, SILENCE) == pytest.approx((math.nan, 0), abs=1e-9, nan_ok=True)
    short = both(reference[:6000], other[:6000])
    assert short == pytest.approx((math.nan, 1e-5), abs=1e-12, nan_ok=True)
    value, expected = both(1e-4 * (reference + other), 1e-4 * reference)
    assert value == pytest.approx(expected, abs=1e-9)
    bad = reference.copy()
    bad[100] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        both(bad, reference)
    assert math.isnan(measure(reference, bad, 16_000))
    with pytest.raises(Exception, match="same length"):
        measure(reference, other[:-1], 16_000)
    with pytest.raises(ValueError, match="samples"):
        both(other[:-1], reference)
    with pytest.raises(IndexError):  # AxisError
        measure(reference[:200], other[:200], 10_000)
    assert math.isnan(
        float(stoi(estimate=other[:200], reference=reference[:200], sample_rate=10_000))
    )


def stems(seed, channels):
    rng = np.random.default_rng([23, seed])
    references = 0.1 * rng.standard_normal((2, 10_500, channels))
    leak = rng.uniform(0.05, 1)
    return references, references + leak * references[::-1] + 0.02 * rng.standard_normal(
        (10_500, 1)
    )


@pytest.mark.parametrize("seed", range(4))
def test_windows_of_museval(seed):
    museval = pytest.importorskip("museval")
    references, estimates = stems(seed, 1 + seed % 2)
    window, hop = (4000, 4000) if seed < 2 else (3000, 1700)
    expected = museval.evaluate(references, estimates, win=window, hop=hop)[0]
    values = window_sdr(estimates, references, window, hop)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "case",
    ["gap", "gap in an estimate", "antiphase", "longer", "shorter", "short", "one target"],
)
def test_odd_windows_of_museval(case):
    museval = pytest.importorskip("museval")
    references, estimates = stems(9, 2 if case == "antiphase" else 1)
    if case == "gap":
        references[0, 4000:8000] = 0
    elif case == "gap in an estimate":
        estimates[1, 3000:9000] = 0
    elif case == "antiphase":
        references[1, :4000, 1] = -references[1, :4000, 0]
    elif case == "longer":
        references = references[:, :9000]
    elif case == "shorter":
        estimates = estimates[:, :9000]
    elif case == "short":
        references, estimates = references[:, :3000], estimates[:, :3000]
    else:
        references, estimates = references[:1], estimates[:1]
    expected = museval.evaluate(references, estimates, win=4000, hop=4000)[0]
    values = window_sdr(estimates, references, 4000)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert np.isnan(values).any() == case.startswith(("gap", "antiphase"))


def test_stems_that_museval_refuses_or_scores_otherwise():
    museval = pytest.importorskip("museval")
    references, estimates = stems(10, 1)
    for silent in ("reference", "estimate"):
        r, e = references.copy(), estimates.copy()
        (r if silent == "reference" else e)[0] = 0
        with pytest.raises(ValueError, match="silent"):
            museval.evaluate(r, e, win=4000, hop=4000)
        assert np.isnan(window_sdr(e, r, 4000)).all()
    exact = museval.evaluate(references, references, win=4000, hop=4000)[0]
    assert (exact > 250).all()  # inf, or what rounding leaves
    assert (window_sdr(references, references, 4000) == math.inf).all()
    partly = estimates.copy()
    partly[0, :4000] = references[0, :4000]
    expected = museval.evaluate(references, partly, win=4000, hop=4000)[0]
    values = window_sdr(partly, references, 4000)
    assert expected[0, 0] > 250
    assert values[0, 0] == math.inf
    np.testing.assert_allclose(values[:, 1:], expected[:, 1:], rtol=0, atol=1e-12)


def test_a_track_is_scored_as_by_musevals_store():
    store = pytest.importorskip("museval").TrackStore("track")
    values = np.array([[1.234567, 4.0, np.nan, np.inf, 2.5], [7.0, -3.0, np.nan, 0.1, 0.2]])
    for name, row in zip("ab", values, strict=True):
        frames = {key: row.tolist() for key in ("SDR", "SIR", "ISR", "SAR")}
        store.add_target(name, frames)
    table = store.df
    medians = table[table.metric == "SDR"].groupby("target").score.median()
    np.testing.assert_allclose(over_windows(values), medians, rtol=0, atol=1e-5)
