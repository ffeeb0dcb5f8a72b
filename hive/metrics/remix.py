"""How completely a mixture's separated tracks add up to it again.

Axes: tracks (..., S, T) for the S labels of a mixture (..., T), time last; one value for each
leading index. X is the mixture, Y the plain sum of the tracks. Unit: dB; higher is better.

re_sdr
    Plain SDR of Y against X (ClearSep, equation 13).
re_si_sdr
    SI-SDR of Y against X (ClearSep, equation 15).
re_sdr_bss
    BSS-eval SDR of Y against X, which the numbers printed by ClearSep (table 4) agree with.
prop_over_sdr, prop_over_si_sdr
    Share of mixtures whose re_sdr_bss or re_si_sdr exceeds 15 dB (ClearSep, table 4).

re_corr, re_share
    Largest correlation of two tracks, and largest share of a track in the energy. A copy of the
    mixture as one track and silence as the rest is perfect by the others, and so are equal parts
    of it: the former has a share of 1, the latter a correlation of 1.

A mixture needs two labels or more. Odd cases as in `hive.metrics.sdr`; an item with a missing
track, given as NaN, scores NaN with `on_bad="nan"`.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hive.metrics import sdr, sdr_bss
from hive.metrics.info import MetricInfo
from hive.metrics.validate import (
    SILENCE_RMS,
    Batch,
    FloatArray,
    Length,
    OnBad,
    as_floats,
    load,
    match_length,
)

Compat: TypeAlias = Literal["torchmetrics"] | None

_INPUTS = ("estimates", "mixture")
METRICS = (
    MetricInfo(
        "re_sdr",
        "Re-SDR",
        "dB",
        True,
        "sdr_plain of the sum of all separated tracks against the mixture.",
        "sdr_plain(sum of e, x)",
        "ClearSep, equation 13",
        "hive.metrics.remix:re_sdr",
        _INPUTS,
        scope="mixture",
        packages=("numpy",),
        waveform=True,
    ),
    MetricInfo(
        "re_si_sdr",
        "Re-SISDR",
        "dB",
        True,
        "si_sdr of the sum of all separated tracks against the mixture.",
        "si_sdr(sum of e, x)",
        "ClearSep, equation 15",
        "hive.metrics.remix:re_si_sdr",
        _INPUTS,
        scope="mixture",
        options=("compat",),
        packages=("numpy",),
        waveform=True,
    ),
    MetricInfo(
        "re_sdr_bss",
        "Re-SDR-BSS",
        "dB",
        True,
        "sdr_bss of the sum of all separated tracks against the mixture.",
        "sdr_bss(sum of e, x)",
        "inferred from ClearSep, table 4",
        "hive.metrics.remix:re_sdr_bss",
        _INPUTS,
        scope="mixture",
        options=("compat",),
        waveform=True,
    ),
    MetricInfo(
        "re_corr",
        "Track correlation",
        "",
        False,
        "Largest correlation of two tracks of a mixture: 1 where a track is there twice.",
        "max |<e_i, e_j>| / (|e_i| |e_j|), i != j, over tracks that are not silent",
        "this package; shows what Re-SDR cannot",
        "hive.metrics.remix:re_corr",
        _INPUTS,
        scope="mixture",
        packages=("numpy",),
    ),
    MetricInfo(
        "re_share",
        "Largest track",
        "",
        False,
        "Largest share of a track in the energy of all: 1 where one track has everything.",
        "max |e_i|^2 / sum |e_j|^2",
        "this package; shows what Re-SDR cannot",
        "hive.metrics.remix:re_share",
        _INPUTS,
        scope="mixture",
        packages=("numpy",),
    ),
    MetricInfo(
        "prop_over_sdr",
        "Prop>15 of Re-SDR-BSS",
        "",
        True,
        "Share of re_sdr_bss values strictly above 15 dB.",
        "share of re_sdr_bss > 15 dB",
        "ClearSep, table 4",
        "hive.metrics.remix:prop_over",
        ("values",),
        scope="share",
        share_of="re_sdr_bss",
        options=("compat",),
        waveform=True,
    ),
    MetricInfo(
        "prop_over_si_sdr",
        "Prop>15 of Re-SISDR",
        "",
        True,
        "Share of re_si_sdr values strictly above 15 dB.",
        "share of re_si_sdr > 15 dB",
        "ClearSep, table 4",
        "hive.metrics.remix:prop_over",
        ("values",),
        scope="share",
        share_of="re_si_sdr",
        options=("compat",),
        packages=("numpy",),
        waveform=True,
    ),
)


def re_sdr(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Plain SDR of the remix in dB.

    Args:
        estimate: One track for each label of the mixture, shape (..., S, T), S at least 2.
        mixture: What the system was given, shape (..., T).
        reference: Not used.
        sample_rate: Not used.
        length: "strict", or "match" to cut or pad the tracks.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...).

    Raises:
        ValueError: There are fewer than two tracks; or see `hive.metrics.validate.load`.

    Example:
        >>> round(float(re_sdr(estimate=[[1.0, 0.0], [0.0, 0.9]], mixture=[1.0, 1.0])), 2)
        23.01
    """
    batch = _load(estimate, mixture, length, on_bad)
    return sdr.plain_values(batch, batch.estimates)


def re_si_sdr(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """SI-SDR of the remix in dB.

    Arguments as `re_sdr`; `compat="torchmetrics"` gives that library's values in odd cases,
    computed in the type of the inputs.
    """
    batch = _load(estimate, mixture, length, on_bad, compat)
    return sdr.si_values(batch, batch.estimates, compat=compat)


def re_sdr_bss(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
    compat: Compat = None,
) -> FloatArray:
    """BSS-eval SDR of the remix in dB; arguments as `re_si_sdr`."""
    batch = _load(estimate, mixture, length, on_bad, compat)
    return sdr_bss.bss_values(batch, batch.estimates, sdr_bss.Options(compat=compat))


def re_corr(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Largest correlation of two tracks, 0 to 1; arguments as `re_sdr`.

    Silent tracks have none; 0 if fewer than two are left.
    """
    _load(estimate, mixture, length, on_bad)  # the same checks as the others of the family
    tracks = as_floats(estimate, "estimate")
    gram = tracks @ np.swapaxes(tracks, -1, -2)
    norms = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))
    heard = norms / math.sqrt(tracks.shape[-1]) >= SILENCE_RMS
    scale = np.where(heard, norms, np.inf)
    corr = np.abs(gram) / (scale[..., :, None] * scale[..., None, :])
    corr[..., np.arange(corr.shape[-1]), np.arange(corr.shape[-1])] = 0.0
    return np.asarray(corr.max(axis=(-2, -1)), np.float64)


def re_share(
    *,
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
    sample_rate: int | None = None,
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Largest share of a track in the energy of all, 1/S to 1; arguments as `re_sdr`.

    NaN if all tracks are silent.
    """
    _load(estimate, mixture, length, on_bad)
    tracks = as_floats(estimate, "estimate")
    energy = np.einsum("...t,...t->...", tracks, tracks)
    total = energy.sum(axis=-1)
    silent = np.sqrt(total / tracks.shape[-1]) < SILENCE_RMS
    with np.errstate(invalid="ignore", divide="ignore"):
        share = energy.max(axis=-1) / total
    return np.asarray(np.where(silent, np.nan, share), np.float64)


def prop_over(values: npt.ArrayLike, threshold: float = 15.0) -> float:
    """Share of values strictly above a threshold.

    Args:
        values: Values in dB, any shape; +inf counts as above, NaN is left out.
        threshold: Threshold in dB.

    Returns:
        Share, 0 to 1; NaN if no value is defined.
    """
    defined = np.asarray(values, np.float64)
    defined = defined[~np.isnan(defined)]
    return float(np.mean(defined > threshold)) if defined.size else math.nan


def _load(
    estimate: npt.ArrayLike,
    mixture: npt.ArrayLike,
    length: Length,
    on_bad: OnBad,
    compat: Compat = None,
) -> Batch:
    keep = compat is not None
    tracks, whole = as_floats(estimate, "estimate", keep), as_floats(mixture, "mixture", keep)
    if tracks.ndim < 2 or tracks.shape[-2] < 2:
        raise ValueError(
            f"estimate has shape {tracks.shape}; a remix needs two tracks or more, (..., S, T)"
        )
    if length == "match":
        tracks = match_length(tracks, whole.shape[-1])
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is found below
        remix = tracks.sum(axis=-2)
    return load(estimate=remix, reference=whole, length=length, on_bad=on_bad, keep_dtype=keep)
