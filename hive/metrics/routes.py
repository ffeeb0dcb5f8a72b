"""What is done to signals before a metric sees them: another rate, a limited band, float32.

`_32k`: estimate, reference and mixture go to 32 kHz by soxr HQ, all by the same route.
`_bl16k`: reference and mixture go to 16 kHz and back, which is the way that the output of a model
of that rate has come; the estimate stays as it is. So a model that works at 16 kHz is not charged
for what it can never hold, and a perfect one scores an exact match.
`_tm`: signals are rounded to float32, in which torchmetrics is commonly called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from hive.metrics.registry import Metric
from hive.metrics.validate import match_length

Array = npt.NDArray[Any]


def routed(metric: Metric, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a metric's function with the route of its name before it."""

    @functools.wraps(function)
    def compute(*, sample_rate: int | None = None, **signals: Any) -> Any:
        given = {
            name: np.asarray(value)
            for name, value in signals.items()
            if name in ("estimate", "reference", "mixture") and value is not None
        }
        changed, rate = route(metric, given, sample_rate)
        return function(**{**signals, **changed}, sample_rate=rate)

    return compute


def route(
    metric: Metric, signals: dict[str, Array], sample_rate: int | None
) -> tuple[dict[str, Array], int | None]:
    """Bring signals where a metric wants them.

    Args:
        metric: The metric.
        signals: "estimate", "reference" and "mixture", shape (..., T), as far as there are any.
        sample_rate: Their rate in Hz; needed if the metric limits the band or changes the rate.

    Returns:
        The signals and their rate.

    Raises:
        ValueError: The rate is needed and not given, or the model's rate is not known.
    """
    if metric.band is not None or metric.rate is not None:
        if sample_rate is None:
            raise ValueError(f"{metric.name} needs sample_rate=")
        if metric.band == 0:
            raise ValueError(
                f"{metric.name} does not say which band; write it as in {metric.info.name}_bl16k"
            )
    if metric.band is not None and sample_rate is not None:
        signals = {
            name: value if name == "estimate" else limit_band(value, sample_rate, metric.band)
            for name, value in signals.items()
        }
    if metric.rate is not None and sample_rate is not None:
        signals = {
            name: resample_last(value, sample_rate, metric.rate) for name, value in signals.items()
        }
        sample_rate = metric.rate
    if metric.compat:
        signals = {name: value.astype(np.float32) for name, value in signals.items()}
    return signals, sample_rate


def limit_band(signal: Array, sample_rate: int, band_rate: int) -> Array:
    """Limit signals (..., T) to what `band_rate` holds, by going there and back; same length."""
    if band_rate >= sample_rate:
        return signal
    down = resample_last(signal, sample_rate, band_rate)
    return match_length(resample_last(down, band_rate, sample_rate), signal.shape[-1])


def resample_last(signal: Array, source_rate: int, target_rate: int) -> Array:
    """Resample signals (..., T) along the last axis by the package's one resampler."""
    from hive.audio import resample

    if source_rate == target_rate:
        return signal
    flat = signal.reshape(-1, signal.shape[-1])
    rows = [resample(row, source_rate, target_rate) for row in flat]
    return np.stack(rows).reshape(*signal.shape[:-1], -1)
