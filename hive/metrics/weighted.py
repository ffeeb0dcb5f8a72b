"""Means over clustered values as weighted sums, and their standard errors.

The mean of a group, the mean of the group means and the mean over everything differ only in what
each value counts for. As weighted sums they share one formula for what a cluster adds to them and
one for their error.

The standard error is linearised, from sums over whole clusters (Liang and Zeger, Biometrika 73,
1986, for a mean): with r_c the sum of w_i (d_i - mean of its stratum) over the values of cluster c,
its square is C / (C - 1) · Σ r_c².
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hive.metrics.resampling import Floats, Indices


@dataclass(frozen=True)
class Mean:
    """A mean as a weighted sum of N values.

    Attributes:
        inside: Which values it is over, shape (N,).
        weights: What each counts for, 0 outside, shape (N,).
        strata: The groups that are averaged one by one, shape (N,); all 0 for a single mean.
        defined: Whether there is a value in every stratum that it needs.
    """

    inside: NDArray[np.bool_]
    weights: Floats
    strata: Indices
    defined: bool

    def of(self, values: Floats) -> float:
        """Return the mean of values, shape (N,); NaN if it is not defined."""
        return float(self.weights @ values) if self.defined else np.nan


@dataclass(frozen=True)
class Clusters:
    """Which cluster each of N values belongs to.

    Attributes:
        index: Indices of clusters, shape (N,).
        count: Number of clusters.
    """

    index: Indices
    count: int

    @classmethod
    def named(cls, names: NDArray[np.generic]) -> Clusters:
        """Number clusters in the order of their names, shape (N,)."""
        different, index = np.unique(names, return_inverse=True)
        return cls(index.reshape(-1), len(different))

    def sums(self, values: Floats) -> Floats:
        """Add values up by cluster, shape (clusters,)."""
        return np.bincount(self.index, values, minlength=self.count).astype(np.float64)

    def seen(self, inside: NDArray[np.bool_]) -> int:
        """Return how many clusters have a value inside."""
        return int(np.count_nonzero(np.bincount(self.index[inside], minlength=self.count)))


def means(groups: Indices, num_groups: int) -> Iterator[Mean]:
    """Yield the mean of each group, the unweighted mean of these, and the mean over everything.

    Args:
        groups: Indices of groups in [0, `num_groups`), shape (N,).
        num_groups: Number of groups; one without values leaves the mean of the means undefined.
    """
    sizes = np.bincount(groups, minlength=num_groups)
    whole = np.full(len(groups), True)
    share = 1.0 / sizes[groups]
    for group, size in enumerate(sizes):
        inside = groups == group
        yield Mean(inside, np.where(inside, share, 0.0), groups, bool(size))
    yield Mean(whole, share / max(1, num_groups), groups, bool(num_groups and sizes.all()))
    flat = np.full(len(groups), 1.0 / max(1, len(groups)))
    yield Mean(whole, flat, np.zeros_like(groups), bool(len(groups)))


def standard_errors(mean: Mean, values: Floats, clusters: Clusters) -> tuple[float, float]:
    """Return the standard error of a mean from whole clusters, and that of independent values.

    Both are NaN for fewer than two clusters, the second also if a stratum has a single value.
    """
    inside = mean.inside
    num_clusters = clusters.seen(inside)
    if num_clusters < 2:
        return np.nan, np.nan
    strata = mean.strata[inside]
    sizes = np.bincount(strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        centres = np.bincount(strata, values[inside]) / sizes
        unbiased = sizes / (sizes - 1.0)
    residuals = np.zeros(len(values))
    residuals[inside] = mean.weights[inside] * (values[inside] - centres[strata])
    with np.errstate(invalid="ignore"):
        independent = np.sum(unbiased[strata] * residuals[inside] ** 2)
    squares = np.sum(clusters.sums(residuals) ** 2)
    clustered = squares * num_clusters / (num_clusters - 1)
    return float(np.sqrt(clustered)), float(np.sqrt(independent))
