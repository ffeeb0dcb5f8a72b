"""Signal-to-distortion ratio, plain and scale-invariant.

Axes: (..., T), time last; one value for each leading index. Unit: dB; higher is better.

sdr_plain
    10 log10(|r|^2 / |r - e|^2) for reference r and estimate e (ClearSep, equation 6). Scale
    matters: 0.5 r scores 6.02 dB.
si_sdr
    10 log10(|s|^2 / |e - s|^2), s = (<e, r> / |r|^2) r. The mean is not removed; with `zero_mean`
    the value is known as SI-SNR. Scale and sign of the estimate cost nothing.
sdr_plain_i, si_sdr_i
    Improvement: value of the estimate less value of the mixture, same definition; NaN where the
    mixture's own value is infinite (it holds no other source).

Odd cases: a silent reference gives NaN; a silent estimate 0 (sdr_plain) or -inf (si_sdr); an
error 250 dB below the reference (sdr_plain) or a coherence above 1 - 1e-13 (si_sdr) is an exact
match, +inf. `compat` gives a library's values instead (`hive.metrics.compat`).

References: Le Roux, Wisdom, Erdogan, Hershey, "SDR - half-baked or well done?", ICASSP 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hive.metrics import compat as libraries
from hive.metrics.info import MetricInfo
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

EXACT_ERROR = 1e-25  # of the reference's energy: what rounding leaves of equal sums
EXACT_COHERENCE = 1 - 1e-13
CANCELLATION = 1e-4  # differences of energies smaller than this are summed sample by sample

Compat: TypeAlias = Literal["torchmetrics", "audiosep"] | None

METRICS = (
    MetricInfo(
        "sdr_plain",
        "SDR-plain",
        "dB",
        True,
        "Energy of the reference over the energy of its difference from the estimate.",
        "10 log10(|r|^2 / |r - e|^2)",
        "ClearSep, equation 6",
        "hive.metrics.sdr:sdr_plain",
        options=("compat",),
        packages=("numpy",),
        waveform=True,
    ),
    MetricInfo(
        "sdr_plain_i",
        "SDRi-plain",
        "dB",
        True,
        "sdr_plain of the estimate less that of the mixture.",
        "sdr_plain(e, r) - sdr_plain(x, r)",
        "ClearSep, equation 6",
        "hive.metrics.sdr:sdr_plain_i",
        ("estimate", "reference", "mixture"),
        options=("compat",),
        packages=("numpy",),
        waveform=True,
    ),
    MetricInfo(
        "si_sdr",
        "SI-SDR",
        "dB",
        True,
        "Energy of the estimate's projection on the reference over the rest of the estimate.",
        "10 log10(|s|^2 / |e - s|^2), s = (<e, r> / |r|^2) r",
        "Le Roux et al. 2019, without removal of the mean",
        "hive.metrics.sdr:si_sdr",
        options=("zero_mean", "compat"),
        packages=("numpy",),
        waveform=True,
    ),
    MetricInfo(
        "si_sdr_i",
        "SI-SDRi",
        "dB",
        True,
        "si_sdr of the estimate less that of the mixture.",
        "si_sdr(e, r) - si_sdr(x, r)",
        "Le Roux et al. 2019, without removal of the mean",
        "hive.metrics.sdr:si_sdr_i",
        ("estimate", "reference", "mixture"),
        options=("zero_mean", "compat"),
        packages=("numpy",),
        waveform=True,
    ),
)


def sdr_plain(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Plain SDR in dB.

    Args:
        estimate: Output of a system, shape (..., T).
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Not used.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.
        compat: "torchmetrics" (`signal_noise_ratio`) or "audiosep" for their odd cases.

    Returns:
        Values, shape (...).

    Raises:
        ValueError: See `hive.metrics.validate.load`.

    Example:
        >>> round(float(sdr_plain(estimate=[0.5, -1.0], reference=[1.0, -2.0])), 2)
        6.02
    """
    batch = _load(compat, length, on_bad, estimate=estimate, reference=reference)
    return plain_values(batch, batch.estimates, compat)


def sdr_plain_i(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Improvement of the plain SDR over the mixture, in dB.

    Arguments as `sdr_plain`; the mixture's shape must broadcast to (..., T).
    """
    batch = _load(compat, length, on_bad, estimate=estimate, reference=reference, mixture=mixture)
    return plain_improvement(batch, compat)


def si_sdr(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    zero_mean: bool = False,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Scale-invariant SDR in dB.

    Args:
        estimate: Output of a system, shape (..., T).
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Not used.
        zero_mean: Remove the mean of both signals first.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.
        compat: "torchmetrics" (`scale_invariant_signal_distortion_ratio`) or "audiosep": both add
            the machine epsilon to every sum, and a silent estimate scores 0 dB.

    Returns:
        Values, shape (...).

    Raises:
        ValueError: See `hive.metrics.validate.load`.

    Example:
        >>> round(float(si_sdr(estimate=[2.5, 0.0, 2.0, 8.0], reference=[3.0, -0.5, 2.0, 7.0])), 4)
        18.403
    """
    batch = _load(compat, length, on_bad, estimate=estimate, reference=reference)
    return si_values(batch, batch.estimates, zero_mean, compat)


def si_sdr_i(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike,
    sample_rate: int | None = None,
    zero_mean: bool = False,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Improvement of SI-SDR over the mixture, in dB.

    Arguments as `si_sdr`; the mixture's shape must broadcast to (..., T).
    """
    batch = _load(compat, length, on_bad, estimate=estimate, reference=reference, mixture=mixture)
    return si_improvement(batch, zero_mean, compat)


def plain_values(batch: Batch, tested: Sequence[Signal], compat: Compat = None) -> FloatArray:
    """Plain SDR of one tested signal for each item of a batch."""

    def score(index: int) -> float:
        e, r = tested[index], batch.references[index]
        if compat == "audiosep":
            return libraries.audiosep_plain(e.samples, r.samples)
        if compat == "torchmetrics":
            return libraries.torchmetrics_plain(e.samples, r.samples)
        if r.silent:
            return math.nan
        error = r.energy - 2 * r.inner(e) + e.energy
        if error < CANCELLATION * max(r.energy, e.energy):
            difference = r.samples - e.samples
            error = float(np.dot(difference, difference))
        return decibel(r.energy, error) if error > EXACT_ERROR * r.energy else math.inf

    return batch.map(score)


def si_values(
    batch: Batch, tested: Sequence[Signal], zero_mean: bool = False, compat: Compat = None
) -> FloatArray:
    """SI-SDR of one tested signal for each item of a batch."""

    def score(index: int) -> float:
        e, r = tested[index], batch.references[index]
        if compat is not None:
            return libraries.si_sdr(e.samples, r.samples, zero_mean)
        if zero_mean:
            e, r = e.centred, r.centred
        if r.silent:
            return math.nan
        inner = r.inner(e)
        target = inner**2 / r.energy
        if target >= EXACT_COHERENCE * e.energy > 0:
            return math.inf
        error = e.energy - target
        if error < CANCELLATION * e.energy:
            difference = e.samples - (inner / r.energy) * r.samples
            error = float(np.dot(difference, difference))
        return decibel(target, error)

    return batch.map(score)


def plain_improvement(batch: Batch, compat: Compat = None) -> FloatArray:
    """Improvement of the plain SDR for each item of a batch."""
    return improvement(
        plain_values(batch, batch.estimates, compat), plain_values(batch, batch.mixtures, compat)
    )


def si_improvement(batch: Batch, zero_mean: bool = False, compat: Compat = None) -> FloatArray:
    """Improvement of SI-SDR for each item of a batch."""
    return improvement(
        si_values(batch, batch.estimates, zero_mean, compat),
        si_values(batch, batch.mixtures, zero_mean, compat),
    )


def improvement(of_estimate: FloatArray, of_mixture: FloatArray) -> FloatArray:
    """Value of the estimate less that of the mixture; NaN where the latter is not finite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isfinite(of_mixture), of_estimate - of_mixture, np.nan))


def decibel(signal: float, error: float) -> float:
    """10 log10 of an energy ratio; -inf for no signal."""
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


def _load(compat: Compat, length: Length, on_bad: OnBad, **signals: npt.ArrayLike) -> Batch:
    if compat not in (None, "torchmetrics", "audiosep"):
        raise ValueError(f'compat is {compat!r}; it must be None, "torchmetrics" or "audiosep"')
    return load(
        **signals,
        needs=tuple(signals),
        length=length,
        on_bad=on_bad,
        keep_dtype=compat is not None,
    )
