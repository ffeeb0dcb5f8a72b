"""Signal-to-distortion ratio of BSS-eval: a short filter on the reference is forgiven.

Axes: (..., T), time last; one value for each leading index. Unit: dB; higher is better.

sdr_bss
    10 log10(c / (1 - c)), c being the share of the estimate's energy that lies in the span of the
    L = 512 causal shifts of the reference. Scale, sign, delays of up to L - 1 samples and any
    filter of L taps cost nothing; an advance does. The value depends on the rate: 512 taps last
    11.6 ms at 44.1 kHz and 16 ms at 32 kHz. The SDR of the tables of Hive and ClearSep is this.
sdr_bss_i
    Improvement: value of the estimate less value of the mixture; NaN where the latter is infinite.

Other settings show in the name (`hive.metrics.get("sdr_bss_L64")`): _L<taps>, _d<load_diag>, _zm
for zero mean.

Odd cases: a silent reference gives NaN, a silent estimate -inf; a coherence c of 1 - 1e-13 or more
is an exact match, +inf; signals shorter than the filter are refused. Without diagonal loading, c is
never below the share that the reference itself explains, as in si_sdr: it is one of the shifts.

References: Vincent, Gribonval, Fevotte, "Performance measurement in blind audio source
separation", IEEE TASLP 14(4), 2006; Scheibler, "SDR - medium rare with fast computations", ICASSP
2022. The arithmetic is in `hive.metrics.projection`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy.typing as npt

from hive.metrics import compat as libraries
from hive.metrics.info import MetricInfo
from hive.metrics.projection import explained_energy, lag_products
from hive.metrics.sdr import EXACT_COHERENCE, decibel, improvement
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

Compat: TypeAlias = Literal["torchmetrics"] | None

OPTIONS = ("filter_length", "load_diag", "zero_mean", "compat")
METRICS = (
    MetricInfo(
        "sdr_bss",
        "SDR",
        "dB",
        True,
        "Energy explained by 512 causal shifts of the reference over the rest of the estimate.",
        "10 log10(c / (1 - c)), c = b' A^-1 b, A = autocorrelation of r, b = cross-correlation of "
        "r and e, lags 0 to 511, both of norm 1",
        "Vincent et al. 2006; torchmetrics signal_distortion_ratio",
        "hive.metrics.sdr_bss:sdr_bss",
        options=OPTIONS,
        waveform=True,
    ),
    MetricInfo(
        "sdr_bss_i",
        "SDRi",
        "dB",
        True,
        "sdr_bss of the estimate less that of the mixture.",
        "sdr_bss(e, r) - sdr_bss(x, r)",
        "Vincent et al. 2006; torchmetrics signal_distortion_ratio",
        "hive.metrics.sdr_bss:sdr_bss_i",
        ("estimate", "reference", "mixture"),
        options=OPTIONS,
        waveform=True,
    ),
)


@dataclass(frozen=True)
class Options:
    """Variant of the metric; see `sdr_bss`."""

    filter_length: int = 512
    zero_mean: bool = False
    load_diag: float | None = None
    compat: Compat = None

    def __post_init__(self) -> None:
        if self.filter_length < 1:
            raise ValueError(f"filter_length is {self.filter_length}; it must be at least 1")
        if self.load_diag is not None and not self.load_diag >= 0:
            raise ValueError(f"load_diag is {self.load_diag}; it must not be negative")
        if self.compat not in (None, "torchmetrics"):
            raise ValueError(f'compat is {self.compat!r}; it must be None or "torchmetrics"')


def sdr_bss(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    filter_length: int = 512,
    zero_mean: bool = False,
    load_diag: float | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """BSS-eval SDR in dB.

    Args:
        estimate: Output of a system, shape (..., T).
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Not used; the value depends on it, so record it.
        filter_length: Number of taps that are forgiven; 1 gives SI-SDR.
        zero_mean: Remove the mean of both signals first.
        load_diag: Added to the diagonal of the autocorrelation matrix of the unit-norm reference;
            caps the value near -10 log10(load_diag) and lowers those below.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.
        compat: "torchmetrics" repeats the operations of its `signal_distortion_ratio`, so that an
            exact match scores what rounding leaves there (130 to 160 dB, or NaN).

    Returns:
        Values, shape (...).

    Raises:
        ValueError: T is below `filter_length`; or see `hive.metrics.validate.load`.

    Example:
        >>> import numpy as np
        >>> noise, other = np.random.default_rng(0).standard_normal((2, 8000))
        >>> filtered = np.convolve(noise, [1, 0.5, -0.2])[:8000]
        >>> round(float(sdr_bss(estimate=filtered + 0.1 * other, reference=noise)), 4)
        21.4188
    """
    batch = load(
        estimate=estimate,
        reference=reference,
        length=length,
        on_bad=on_bad,
        keep_dtype=compat is not None,
    )
    return bss_values(batch, batch.estimates, Options(filter_length, zero_mean, load_diag, compat))


def sdr_bss_i(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike,
    sample_rate: int | None = None,
    filter_length: int = 512,
    zero_mean: bool = False,
    load_diag: float | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """Improvement of the BSS-eval SDR over the mixture, in dB.

    Arguments as `sdr_bss`; the mixture's shape must broadcast to (..., T).
    """
    batch = load(
        estimate=estimate,
        reference=reference,
        mixture=mixture,
        needs=("estimate", "reference", "mixture"),
        length=length,
        on_bad=on_bad,
        keep_dtype=compat is not None,
    )
    return bss_improvement(batch, Options(filter_length, zero_mean, load_diag, compat))


def bss_values(batch: Batch, tested: Sequence[Signal], options: Options) -> FloatArray:
    """BSS-eval SDR of one tested signal for each item of a batch."""
    if options.compat is None:
        _explain(batch, [tested], options)

    def score(index: int) -> float:
        e, r = tested[index], batch.references[index]
        if options.compat is not None:
            return libraries.torchmetrics_sdr_bss(
                e.samples, r.samples, options.filter_length, options.zero_mean, options.load_diag
            )
        e, r = _prepared(e, options), _prepared(r, options)
        if r.silent:
            return math.nan
        if e.energy == 0:
            return -math.inf
        explained = batch.cache[id(r), id(e), options]
        if not options.load_diag:
            # One tap is among the L, but a projection that is cut at rounding may lose some of it.
            inner = r.inner(e)
            explained = max(explained, inner / r.energy * inner)
        coherence = explained / e.energy
        return math.inf if coherence >= EXACT_COHERENCE else decibel(coherence, 1 - coherence)

    return batch.map(score)


def bss_improvement(batch: Batch, options: Options) -> FloatArray:
    """Improvement for each item of a batch."""
    if options.compat is None:  # both at once: they share the reference's spectra
        _explain(batch, [batch.estimates, batch.mixtures], options)
    return improvement(
        bss_values(batch, batch.estimates, options), bss_values(batch, batch.mixtures, options)
    )


def _explain(batch: Batch, tested: Sequence[Sequence[Signal]], options: Options) -> None:
    """Put into the cache how much energy of each tested signal its reference explains."""
    groups: dict[int, list[tuple[Signal, Signal]]] = {}
    for signals in tested:
        for index, (e, r) in enumerate(zip(signals, batch.references, strict=True)):
            if len(r.samples) < options.filter_length:
                raise ValueError(
                    f"signals have {len(r.samples)} samples; sdr_bss needs at least its filter "
                    f"length, {options.filter_length}"
                )
            if index in batch.bad:
                continue
            e, r = _prepared(e, options), _prepared(r, options)
            if r.silent or e.energy == 0 or (id(r), id(e), options) in batch.cache:
                continue
            # Items with a mixture in common are correlated together: it is transformed once.
            anchor = batch.mixtures[index] if batch.mixtures else batch.references[index]
            groups.setdefault(id(anchor), []).append((r, e))
    for pairs in groups.values():
        _explain_group(batch, pairs, options)


def _explain_group(batch: Batch, pairs: Sequence[tuple[Signal, Signal]], options: Options) -> None:
    signals = list({id(signal): signal for pair in pairs for signal in pair}.values())
    number = {id(signal): index for index, signal in enumerate(signals)}
    by_reference: dict[int, list[int]] = {}
    for r, e in pairs:
        by_reference.setdefault(number[id(r)], []).append(number[id(e)])
    wanted = [(r, other) for r, tested in by_reference.items() for other in (r, *tested)]
    products = lag_products([s.samples for s in signals], wanted, options.filter_length)
    for left, rights in by_reference.items():
        a = products[left, left]
        a[0] += (options.load_diag or 0.0) * signals[left].energy
        energies = explained_energy(a, [products[left, right] for right in rights])
        for right, energy in zip(rights, energies, strict=True):
            batch.cache[id(signals[left]), id(signals[right]), options] = energy


def _prepared(signal: Signal, options: Options) -> Signal:
    return signal.centred if options.zero_mean else signal
