"""Weights by which further sources are drawn, so that labels keep their frequencies.

Drawn in proportion to their clips, labels that may be mixed with nearly everything (speech,
footsteps) would be in far more mixtures than their share of the pool, since they are the ones that
are always offered. With weights a such that P[i, j] = a_i M[i, j] a_j has the pool's frequencies p
as its sums, two-source mixtures hold every label exactly as often as the pool does, and larger ones
come close. Such a symmetric scaling is found by the iteration of Knight, Ruiz and Ucar, "A symmetry
preserving algorithm for matrix scaling", SIAM J. Matrix Anal. Appl. 35(3), 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 300
_RANGE = 2**40


def balanced_weights(counts: NDArray[np.int64], neighbours: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the weight of each label as a further source.

    Where the frequencies cannot be met (a label with more clips than all its partners together),
    the weights come as near as the iteration gets.

    Args:
        counts: Clips of each label, all positive, shape (L,).
        neighbours: Which labels may be mixed, symmetric, shape (L, L).

    Returns:
        Positive integers, shape (L,); only their ratios matter. They are integers so that sums of
        them, and thus draws, are the same on every machine.
    """
    p = counts / counts.sum()
    matrix = neighbours.astype(np.float64)
    connected = neighbours.any(axis=1)
    log_weights = np.log(p)
    for _ in range(_ITERATIONS):
        reached = matrix @ np.exp(log_weights)
        step = np.log(p[connected]) - np.log(reached[connected])
        log_weights[connected] = 0.5 * (log_weights[connected] + step)
        log_weights -= log_weights[connected].mean() if connected.any() else 0.0
        np.clip(log_weights, -40.0, 40.0, out=log_weights)
    relative = np.exp(log_weights - log_weights.max())
    weights: NDArray[np.int64] = np.maximum(1, np.rint(relative * _RANGE)).astype(np.int64)
    return weights
