"""What a system leaves when it is asked for a sound that is not there.

Axes: (..., T), time last; one value for each leading index. X is the mixture, p the output for an
absent label. Unit: dB; higher is better.

silence_sdr
    10 log10(|X|^2 / |p|^2) (ClearSep, equation 10). Silence scores +inf, the mixture itself 0.
silence_si_sdr
    SI-SDR of X - p against X (ClearSep, equation 11). It does not see a leak of the mixture as a
    whole (p = 0.9 X scores +inf): never report it alone.
silence_sdr_bss
    BSS-eval SDR of X - p against X, which the numbers printed by ClearSep (table 3) agree with;
    on float32 signals with `compat="torchmetrics"`, as there, an output of exact zeros scores
    what rounding leaves, about 133 dB, so that means tell little but the share of exact zeros.
silent_rate
    Share of items with silence_sdr of 60 dB or more.

Odd cases: a silent mixture gives NaN; p = X scores -inf on the last two.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hive.metrics import sdr, sdr_bss
from hive.metrics.info import MetricInfo
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

Compat: TypeAlias = Literal["torchmetrics"] | None

_INPUTS = ("estimate", "mixture")
METRICS = (
    MetricInfo(
        "silence_sdr",
        "Silence-SDR",
        "dB",
        True,
        "Energy of the mixture over the energy of the output for an absent label.",
        "10 log10(|x|^2 / |e|^2)",
        "ClearSep, equation 10",
        "hive.metrics.silence:silence_sdr",
        _INPUTS,
        packages=("numpy",),
    ),
    MetricInfo(
        "silence_si_sdr",
        "Silence-SISDR",
        "dB",
        True,
        "SI-SDR of the mixture less the output for an absent label, against the mixture.",
        "si_sdr(x - e, x)",
        "ClearSep, equation 11",
        "hive.metrics.silence:silence_si_sdr",
        _INPUTS,
        options=("compat",),
        packages=("numpy",),
    ),
    MetricInfo(
        "silence_sdr_bss",
        "Silence-SDR-BSS",
        "dB",
        True,
        "sdr_bss of the mixture less the output for an absent label, against the mixture.",
        "sdr_bss(x - e, x)",
        "inferred from ClearSep, table 3",
        "hive.metrics.silence:silence_sdr_bss",
        _INPUTS,
        options=("compat",),
    ),
    MetricInfo(
        "silent_rate",
        "Silent rate",
        "",
        True,
        "Share of silence_sdr values of 60 dB or more.",
        "share of silence_sdr(e, x) >= 60 dB",
        "this package",
        "hive.metrics.silence:silent_rate",
        ("values",),
        scope="share",
        share_of="silence_sdr",
        packages=("numpy",),
    ),
)


def silence_sdr(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Level of the mixture over the level of the output, in dB.

    Args:
        estimate: Output for a label that is absent, shape (..., T).
        mixture: What the system was given, shape broadcastable to (..., T).
        reference: Not used (it is silence).
        sample_rate: Not used.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...).

    Raises:
        ValueError: See `hive.metrics.validate.load`.

    Example:
        >>> float(silence_sdr(estimate=[0.1, 0.2], mixture=[1.0, -2.0]))
        20.0
    """
    return silence_values(_load(estimate, mixture, length, on_bad, None))


def silence_si_sdr(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """SI-SDR of what is left of the mixture, in dB.

    Arguments as `silence_sdr`; `compat="torchmetrics"` gives that library's values in odd cases,
    computed in the type of the inputs.
    """
    return silence_si_values(_load(estimate, mixture, length, on_bad, compat), compat)


def silence_sdr_bss(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """BSS-eval SDR of what is left of the mixture, in dB; arguments as `silence_si_sdr`."""
    return silence_bss_values(_load(estimate, mixture, length, on_bad, compat), compat)


def silent_rate(values: npt.ArrayLike, threshold: float = 60.0) -> float:
    """Share of `silence_sdr` values at or above a threshold.

    Args:
        values: Values in dB, any shape; +inf counts as above, NaN is left out.
        threshold: Level in dB from which an output counts as silent.

    Returns:
        Share, 0 to 1; NaN if no value is defined.
    """
    defined = np.asarray(values, np.float64)
    defined = defined[~np.isnan(defined)]
    return float(np.mean(defined >= threshold)) if defined.size else math.nan


def silence_values(batch: Batch) -> FloatArray:
    """`silence_sdr` of each item of a batch."""

    def score(index: int) -> float:
        p, x = batch.estimates[index], batch.mixtures[index]
        if x.silent:
            return math.nan
        return sdr.decibel(x.energy, p.energy) if p.energy > 0 else math.inf

    return batch.map(score)


def silence_si_values(batch: Batch, compat: Compat = None) -> FloatArray:
    """`silence_si_sdr` of each item of a batch."""
    left = what_is_left(batch)
    return sdr.si_values(left, left.estimates, compat=compat)


def silence_bss_values(batch: Batch, compat: Compat = None) -> FloatArray:
    """`silence_sdr_bss` of each item of a batch."""
    left = what_is_left(batch)
    return sdr_bss.bss_values(left, left.estimates, sdr_bss.Options(compat=compat))


def what_is_left(batch: Batch) -> Batch:
    """The same items, with what is left of the mixture as estimate and the mixture as reference."""
    if "left" not in batch.cache:
        left = [
            Signal(x.samples - p.samples)
            for p, x in zip(batch.estimates, batch.mixtures, strict=True)
        ]
        batch.cache["left"] = Batch(
            batch.shape, estimates=left, references=batch.mixtures, bad=batch.bad
        )
    value: Batch = batch.cache["left"]
    return value


def _load(
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    length: Length,
    on_bad: OnBad,
    compat: Compat,
) -> Batch:
    return load(
        estimate=estimate,
        mixture=mixture,
        needs=("estimate", "mixture"),
        length=length,
        on_bad=on_bad,
        keep_dtype=compat is not None,
    )
