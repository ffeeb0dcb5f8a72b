"""SDR of music stems as MUSDB18 is scored: window by window, then medians.

Axes: (targets, samples, channels), or (targets, samples) for one channel. Unit: dB; higher is
better.

sdr_museval
    In windows of 1 s, one after another, 10 log10(|r|^2 / |r - e|^2) with the energies of all
    channels added; the median over the windows of a track, one value for each target.

museval calls this "BSS-eval v4"; its distortion filters enter ISR, SIR and SAR only, and the SDR is
that of `hive.metrics.sdr.sdr_plain`, window by window. Its rules are kept:

- The rest of a track that does not fill a window is dropped; a track shorter than one is one.
- Where the reference or the estimate of any target is silent, the window is NaN for all targets.
  Silent means that the channels add up to zero in every sample, which a stem in antiphase does.
- +inf (an exact match) and NaN are left out of medians; a target with nothing else is NaN.
- The estimate is cut, or padded with zeros, to the reference; `length="strict"` refuses that.

A stem that is silent throughout leaves no window, so that all targets are NaN; museval raises an
error there. An estimate equal to the reference in one window only scores about 350 dB there in
museval, from the rounding of its filters. It rounds values to 1e-5 before it takes medians; here
they stay as they are.

A table has, for each target, the median over tracks (`over_tracks`), and the mean of these.

References: Vincent, Gribonval, Févotte, IEEE TASLP 14(4), 2006; Stöter, Liutkus, Ito, "The 2018
signal separation evaluation campaign", LVA/ICA 2018.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hive.metrics.info import MetricInfo
from hive.metrics.sdr import EXACT_ERROR, decibel
from hive.metrics.validate import FloatArray, Length, OnBad, as_floats

SECONDS = 1.0  # a window, and the step from one to the next

METRICS = (
    MetricInfo(
        "sdr_museval",
        "SDR-museval",
        "dB",
        True,
        "Median over windows of 1 s of the plain SDR, the energies of all channels added.",
        "median over windows of 10 log10(|r|^2 / |r - e|^2)",
        "Stöter et al. 2018; museval 0.4, BSS-eval v4",
        "hive.metrics.museval:sdr_museval",
        ("estimates", "references", "sample_rate"),
        scope="mixture",
        packages=("numpy",),
        waveform=True,
    ),
)


def sdr_museval(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    length: Length = "match",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """SDR of each target of a track in dB, as museval's track score.

    Args:
        estimate: Outputs for all targets, shape (targets, samples, channels) or (targets, samples).
        reference: True stems in the same order; same shape but for the number of samples.
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        length: "match" to cut or pad the estimates, or "strict".
        on_bad: "raise", or "nan" to score windows with NaN or Inf as NaN, for all targets.

    Returns:
        Median over the windows, shape (targets,).

    Raises:
        ValueError: Signals are missing, not of floats, empty or of unlike shapes; there is NaN or
            Inf and `on_bad` is "raise"; or the rate is not a positive whole number.
    """
    if not isinstance(sample_rate, int | np.integer) or sample_rate < 1:
        raise ValueError(f"sample_rate is {sample_rate!r}; it must be a whole number of Hz")
    window = int(SECONDS * sample_rate)
    return over_windows(window_sdr(estimate, reference, window, length=length, on_bad=on_bad))


def window_sdr(
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    window: int,
    hop: int | None = None,
    *,
    length: Length = "match",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """SDR of each target in each window, as `museval.evaluate`.

    Args:
        estimate: As in `sdr_museval`.
        reference: As in `sdr_museval`.
        window: Samples of a window.
        hop: Samples from one window to the next; `window` if not given.
        length: As in `sdr_museval`.
        on_bad: As in `sdr_museval`.

    Returns:
        Values in dB, shape (targets, windows); +inf for an exact match.

    Raises:
        ValueError: As for `sdr_museval`; or window or hop are not positive.
    """
    hop = window if hop is None else hop
    if window < 1 or hop < 1:
        raise ValueError(f"window and hop are {window} and {hop} samples; both must be positive")
    e, r = _tracks(estimate, "estimate"), _tracks(reference, "reference")
    num_samples = r.shape[1]
    if length not in ("strict", "match"):
        raise ValueError(f'length is {length!r}; it must be "strict" or "match"')
    if length == "match":
        e = e[:, :num_samples]
        e = np.pad(e, [(0, 0), (0, num_samples - e.shape[1]), (0, 0)])
    if e.shape != r.shape:
        raise ValueError(
            f"estimate has shape {e.shape} and reference {r.shape} (targets, samples, channels); "
            "they must agree"
        )
    if on_bad not in ("raise", "nan"):
        raise ValueError(f'on_bad is {on_bad!r}; it must be "raise" or "nan"')
    starts = range(0, max(1, num_samples - window + 1), hop)
    values = [_one_window(e[:, s : s + window], r[:, s : s + window], on_bad) for s in starts]
    return np.stack(values, axis=1)


def over_windows(values: npt.ArrayLike) -> FloatArray:
    """Median of the finite values on the last axis; NaN where there is none."""
    return _finite(np.nanmedian, values, axis=-1)


@dataclass(frozen=True)
class StemTable:
    """Scores of a set of tracks.

    Attributes:
        median: Median over tracks for each target, shape (targets,), the usual one.
        mean: Mean over tracks for each target, shape (targets,).
        num_tracks: Tracks with a value, for each target, shape (targets,).
        overall_median: Mean over targets of `median`.
        overall_mean: Mean over targets of `mean`.
    """

    median: FloatArray
    mean: FloatArray
    num_tracks: npt.NDArray[np.int64]
    overall_median: float
    overall_mean: float


def over_tracks(values: npt.ArrayLike) -> StemTable:
    """Gather the scores of tracks, shape (tracks, targets), as a table has them.

    Raises:
        ValueError: `values` is not of that shape.
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2:
        raise ValueError(f"values have shape {table.shape}; it must be (tracks, targets)")
    median, mean = (_finite(each, table, axis=0) for each in (np.nanmedian, np.nanmean))
    return StemTable(
        median=median,
        mean=mean,
        num_tracks=np.isfinite(table).sum(axis=0),
        overall_median=float(median.mean()) if median.size else math.nan,
        overall_mean=float(mean.mean()) if mean.size else math.nan,
    )


def _one_window(e: FloatArray, r: FloatArray, on_bad: OnBad) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        energies = np.einsum("jtc,jtc->j", r, r)
        errors = np.einsum("jtc,jtc->j", r - e, r - e)
    if not np.isfinite(energies + errors).all():
        if on_bad == "raise":
            target = int(np.flatnonzero(~np.isfinite(energies + errors))[0])
            raise ValueError(
                f"target {target} has NaN, Inf or samples too large to square; "
                'on_bad="nan" scores such windows as NaN'
            )
        return np.full(len(r), np.nan)
    if any((signals.sum(axis=2) == 0).all(axis=1).any() for signals in (e, r)):
        return np.full(len(r), np.nan)
    return np.array(
        [
            decibel(energy, error) if error > EXACT_ERROR * energy else math.inf
            for energy, error in zip(energies, errors, strict=True)
        ]
    )


def _tracks(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return signals as (targets, samples, channels)."""
    array = as_floats(value, name)
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"{name} has shape {array.shape}; it must be (targets, samples, channels) or "
            "(targets, samples), and not empty"
        )
    return array


def _finite(summary: Callable[..., Any], values: npt.ArrayLike, axis: int) -> FloatArray:
    """Summarise finite values along an axis; NaN where there is none."""
    array = np.asarray(values, np.float64)
    array = np.where(np.isfinite(array), array, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty", RuntimeWarning)
        return np.asarray(summary(array, axis=axis))
