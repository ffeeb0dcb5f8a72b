"""Short-time objective intelligibility (STOI), classic and extended.

Axes: (..., T), time last; one value for each leading index. No unit, about 0 to 1 (slightly
negative values occur); higher is better.

Both signals are brought to 10 kHz with the filter of `hive.metrics.polyphase` and cut into Hann
frames of 256 samples every 128. Frames whose reference lies more than 40 dB below its loudest are
dropped, in both, and the rest is overlapped and added. Spectra of 512 points are gathered in 15
third-octave bands from 150 Hz, and every run of 30 frames (384 ms) is compared:

stoi
    In each band, the estimate's envelope is scaled to the reference's energy, limited to 15 dB of
    distortion and correlated with the reference's; mean over bands and runs (Taal 2011).
estoi
    Each run's envelopes are normalised along time, then across bands, and correlated as a whole;
    mean over runs (Jensen and Taal 2016).

The values are those of pystoi 0.4 (which drops the last frame of a signal, as is done here). It
adds noise of the size of rounding to `estoi`, which decides the outcome in bands where a signal is
digitally silent for 384 ms; here such bands correlate to zero.

Odd cases: a silent reference, or fewer than 31 frames kept (0.41 s), gives NaN; a silent estimate
0. `compat="pystoi"` gives 0 and 1e-5 for the first two, as that library does.

STOI is a measure of speech; content above 4.3 kHz plays no part in it.

References: Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011; Jensen and Taal, IEEE/ACM
TASLP 24(11), 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from hive.metrics.info import MetricInfo
from hive.metrics.polyphase import resampler
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

RATE = 10_000  # Hz
FRAME, HOP, NUM_BINS = 256, 128, 512
NUM_BANDS, LOWEST_BAND = 15, 150.0  # Hz, centre
RUN = 30  # frames compared at a time
DYNAMIC_RANGE = 40.0  # dB
LIMIT = 1 + 10 ** (15 / 20)  # of the reference's envelope: distortion of -15 dB
ROWS_AT_ONCE = 128  # frames or runs: keeps temporaries in the cache, and off the system
EPS = float(np.finfo(np.float64).eps)

Compat: TypeAlias = Literal["pystoi"] | None

METRICS = (
    MetricInfo(
        "stoi",
        "STOI",
        "",
        True,
        "Correlation of third-octave envelopes over 384 ms; a measure of speech.",
        "mean over 15 bands and runs of 30 frames of the correlation of r's envelope with e's, "
        "scaled and clipped at -15 dB of distortion, at 10 kHz",
        "Taal et al. 2011; pystoi, extended=False",
        "hive.metrics.stoi:stoi",
        ("estimate", "reference", "sample_rate"),
        waveform=True,
    ),
    MetricInfo(
        "stoi_speech",
        "STOI of speech",
        "",
        True,
        "STOI of the items whose label is a kind of speech, which is what it is a measure of.",
        "stoi(e, r) where r is speech",
        "this package",
        "hive.metrics.stoi:stoi",
        ("estimate", "reference", "sample_rate"),
        below="Speech",
        waveform=True,
    ),
    MetricInfo(
        "estoi",
        "ESTOI",
        "",
        True,
        "Correlation of normalised third-octave spectrograms over 384 ms; a measure of speech.",
        "mean over runs of 30 frames of the correlation of the spectrograms, normalised along time "
        "and bands, at 10 kHz",
        "Jensen and Taal 2016; pystoi, extended=True",
        "hive.metrics.stoi:estoi",
        ("estimate", "reference", "sample_rate"),
        waveform=True,
    ),
)


def stoi(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Classic STOI.

    Args:
        estimate: Output of a system, shape (..., T).
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Rate of the signals in Hz. Pass them at their own rate: resampling them to
            10 kHz by other means changes the value.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.
        compat: "pystoi" for its values in odd cases.

    Returns:
        Values, shape (...).

    Raises:
        ValueError: `sample_rate` is no positive whole number; or see `hive.metrics.validate.load`.
    """
    batch = load(estimate=estimate, reference=reference, length=length, on_bad=on_bad)
    return stoi_values(batch, batch.estimates, sample_rate, compat=compat)


def estoi(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Extended STOI; arguments as `stoi`."""
    batch = load(estimate=estimate, reference=reference, length=length, on_bad=on_bad)
    return stoi_values(batch, batch.estimates, sample_rate, extended=True, compat=compat)


def stoi_values(
    batch: Batch,
    tested: Sequence[Signal],
    sample_rate: int | None,
    *,
    extended: bool = False,
    compat: Compat = None,
) -> FloatArray:
    """STOI of one tested signal for each item of a batch."""
    if not isinstance(sample_rate, int | np.integer) or sample_rate < 1:
        raise ValueError(f"sample_rate is {sample_rate!r}; STOI needs it as a whole number of Hz")
    if compat not in (None, "pystoi"):
        raise ValueError(f'compat is {compat!r}; it must be None or "pystoi"')
    rate = int(sample_rate)

    def score(index: int) -> float:
        e, r = tested[index], batch.references[index]
        if compat is None:
            if r.silent:
                return math.nan
            key = cache_key(rate, extended, e, r)
            if key in batch.cache:
                return float(batch.cache[key])
        clean = r.once(("stoi", rate), lambda: _clean(_at_rate(r, rate)))
        if clean is None:
            return math.nan if compat is None else 1e-5
        bands = e.once(
            ("stoi", rate, id(r)),
            lambda: _bands(_frames(_at_rate(e, rate))[clean.kept] * window()),
        )
        return _extended(clean.bands, bands) if extended else _classic(clean, bands)

    return batch.map(score)


@dataclass(frozen=True)
class _Clean:
    """What a reference contributes.

    Attributes:
        kept: Indices of the frames that are not silent, shape (K,).
        bands: Envelopes, shape (K - 1, bands).
        norms: Euclidean norm of the envelope in each run and band, shape (runs, bands).
        units: Envelope of each run less its mean, of norm 1, shape (RUN, runs, bands).
    """

    kept: npt.NDArray[np.intp]
    bands: FloatArray
    norms: FloatArray
    units: FloatArray


def cache_key(rate: int, extended: bool, tested: Signal, reference: Signal) -> tuple[Any, ...]:
    """Key of a batch's cache under which a value computed elsewhere is found."""
    return "stoi", rate, extended, id(tested), id(reference)


def _clean(samples: FloatArray) -> _Clean | None:
    """Analyse a reference at 10 kHz; None if too few frames are left."""
    frames = _frames(samples)
    if len(frames) <= RUN:
        return None
    frames = frames * window()
    levels = 20 * np.log10(np.sqrt(np.einsum("ft,ft->f", frames, frames)) + EPS)
    kept = np.flatnonzero(levels.max() - DYNAMIC_RANGE - levels < 0)
    if len(kept) <= RUN:
        return None
    bands = _bands(frames[kept])
    runs = _runs(bands)
    norms, units = np.empty(runs.shape[1:]), np.empty(runs.shape)
    for start in range(0, len(norms), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        part = runs[:, rows]
        np.sqrt(np.einsum("krb,krb->rb", part, part), out=norms[rows])
        part = part - part.mean(axis=0)
        part /= np.sqrt(np.einsum("krb,krb->rb", part, part)) + EPS
        units[:, rows] = part
    return _Clean(kept, bands, norms, units)


def _at_rate(signal: Signal, rate: int) -> FloatArray:
    return signal.samples if rate == RATE else resampler(rate, RATE)(signal.samples)


def _frames(samples: FloatArray) -> FloatArray:
    """Frames that end before the last sample, as a view of shape (F, FRAME)."""
    if len(samples) <= FRAME:
        return np.zeros((0, FRAME))
    return sliding_window_view(samples[:-1], FRAME)[::HOP]


def _bands(frames: FloatArray) -> FloatArray:
    """Third-octave envelopes of K windowed frames put together, shape (K - 1, bands)."""
    halves = frames.reshape(len(frames), 2, HOP)
    joined = halves[:, 0].copy()
    joined[1:] += halves[:-1, 1]
    lowest, weights = third_octaves()
    bands = np.empty((len(frames) - 1, NUM_BANDS))
    for start in range(0, len(bands), ROWS_AT_ONCE):
        part = joined[start : start + ROWS_AT_ONCE + 1]
        again = np.concatenate([part[:-1], part[1:]], axis=1) * window()
        parts = scipy.fft.rfft(again, NUM_BINS).view(np.float64)  # real, imaginary, real ...
        used = parts[:, 2 * lowest : 2 * lowest + len(weights)]
        np.sqrt((used * used) @ weights, out=bands[start : start + ROWS_AT_ONCE])
    return bands


def _runs(bands: FloatArray) -> FloatArray:
    """All runs of successive frames, as a view of shape (RUN, runs, bands)."""
    return sliding_window_view(bands, RUN, axis=0).transpose(2, 0, 1)


def _classic(clean: _Clean, bands: FloatArray) -> float:
    reference, estimate = _runs(clean.bands * LIMIT), _runs(bands)
    total = 0.0
    for start in range(0, reference.shape[1], ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        tested = estimate[:, part]
        norms = np.sqrt(np.einsum("krb,krb->rb", tested, tested))
        tested = tested * (clean.norms[part] / (norms + EPS))
        np.minimum(tested, reference[:, part], out=tested)
        tested -= tested.mean(axis=0)
        norms = np.sqrt(np.einsum("krb,krb->rb", tested, tested)) + EPS
        total += float(np.sum(np.einsum("krb,krb->rb", tested, clean.units[:, part]) / norms))
    return total / clean.norms.size


def _extended(reference: FloatArray, estimate: FloatArray) -> float:
    first, second = _normalised(reference), _normalised(estimate)
    return float(np.sum(first * second)) / (RUN * first.shape[1])


def _normalised(bands: FloatArray) -> FloatArray:
    """Runs with mean 0 and norm 1 along time, then across bands."""
    runs = _runs(bands)
    for axis in (0, 2):
        runs = runs - runs.mean(axis=axis, keepdims=True)
        runs = runs / (np.sqrt(np.sum(runs**2, axis=axis, keepdims=True)) + EPS)
    return runs


@lru_cache(maxsize=1)
def window() -> FloatArray:
    """Hann window without its zero ends."""
    return np.hanning(FRAME + 2)[1:-1]


@lru_cache(maxsize=1)
def third_octaves() -> tuple[int, FloatArray]:
    """First bin of the lowest band; the sums over parts of bins as a matrix, (2 bins, bands)."""
    edges = LOWEST_BAND * 2 ** ((2 * np.arange(NUM_BANDS + 1) - 1) / 6)
    bins = np.rint(edges * NUM_BINS / RATE).astype(int)
    weights = np.zeros((bins[-1] - bins[0], NUM_BANDS))
    for band in range(NUM_BANDS):
        weights[bins[band] - bins[0] : bins[band + 1] - bins[0], band] = 1
    return int(bins[0]), weights.repeat(2, axis=0)
