"""Several tests at once: p-values that allow for their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hive.metrics.resampling import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values for being one of several, by Holm's step-down method.

    The adjusted values may be compared with a level as they are: if 0.05 is taken, the chance that
    any difference is declared where there is none is at most 0.05, whatever the dependence (Holm,
    "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6, 1979). NaN stays NaN and is no member of the family.

    Args:
        p_values: Raw p-values, shape (M,).

    Returns:
        Adjusted p-values in [0, 1], shape (M,), none smaller than its raw one.

    Raises:
        ValueError: If they are not one-dimensional, or one is outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
        [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if raw.ndim != 1 or np.any((raw < 0) | (raw > 1)):
        raise ValueError("p-values must be a one-dimensional array of numbers in [0, 1]")
    order = np.argsort(raw, kind="stable")[: np.count_nonzero(~np.isnan(raw))]  # NaN sorts last
    steps = np.arange(len(order), 0, -1) * raw[order]
    adjusted: Floats = np.full(len(raw), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
