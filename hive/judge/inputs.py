"""From the signals of a data set to what a judge hears.

Mono signals go to the judge's rate (48 kHz for SAM-Audio Judge) by the package's one resampler,
mixture and estimate by the same route, and are padded with zeros at the end to 0.1 s if they are
shorter: the judge's own processor pads to whole frames of 1920 samples by reflection, which needs
more samples than it adds. Level, sign and text stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from hive.audio import Float, fit, resample

RATE = 48_000
"""Rate in Hz that SAM-Audio Judge hears at."""
SHORTEST_SECONDS = 0.1

Signals: TypeAlias = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]


class Pair(NamedTuple):
    """A mixture and an estimate as a judge hears them: float32, mono, of equal length."""

    mixture: Float
    estimate: Float


def pairs(
    mixture: Signals,
    estimates: Signals,
    sample_rate: int,
    rate: int = RATE,
    name: str = "estimate",
) -> list[Pair]:
    """Prepare the signals of N items.

    Args:
        mixture: Mixture of all items, shape (T,), or one for each, shape (N, T).
        estimates: Estimates, shape (N, T).
        sample_rate: Rate of these signals in Hz.
        rate: Rate of the result in Hz.
        name: What `estimates` are, for messages.

    Returns:
        One pair for each item; items with one mixture share its array.

    Raises:
        ValueError: Shapes or lengths do not agree, or samples are not finite floats.
    """
    outputs = _rows(estimates, f"{name}s")
    shared = isinstance(mixture, np.ndarray) and mixture.ndim == 1
    mixtures = [np.asarray(mixture)] * len(outputs) if shared else _rows(mixture, "mixtures")
    if len(mixtures) != len(outputs):
        raise ValueError(f"there are {len(outputs)} {name}s and {len(mixtures)} mixtures")
    for index, (heard, output) in enumerate(zip(mixtures, outputs, strict=True)):
        if heard.shape != output.shape:
            raise ValueError(
                f"{name} {index} has {output.size} samples and its mixture {heard.size}"
            )
    ready = {id(heard): prepare(heard, sample_rate, rate, "the mixture") for heard in mixtures}
    return [
        Pair(ready[id(heard)], prepare(output, sample_rate, rate, f"{name} {index}"))
        for index, (heard, output) in enumerate(zip(mixtures, outputs, strict=True))
    ]


def _rows(signals: Signals, name: str) -> list[npt.NDArray[Any]]:
    """Return the rows of (N, T), or the arrays (T,) of a sequence."""
    if isinstance(signals, np.ndarray) and signals.ndim != 2:
        raise ValueError(f"{name} have shape {signals.shape}; (N, T) is needed")
    rows = [np.asarray(row) for row in signals]
    if any(row.ndim != 1 or row.size == 0 for row in rows):
        raise ValueError(f"{name} have shapes {[row.shape for row in rows]}; each must be (T,)")
    return rows


def prepare(signal: npt.NDArray[Any], sample_rate: int, rate: int, name: str) -> Float:
    """Return a mono signal (T,) as float32 at `rate`, of 0.1 s or more.

    Raises:
        ValueError: If samples are not finite floats.
    """
    if signal.dtype.kind != "f":
        raise ValueError(f"{name} holds {signal.dtype}; give floats of full scale 1.0")
    if not np.isfinite(signal).all():
        raise ValueError(f"{name} has NaN or Inf")
    resampled = resample(signal.astype(np.float32, copy=False), sample_rate, rate)
    return fit(resampled, max(len(resampled), round(SHORTEST_SECONDS * rate)))
