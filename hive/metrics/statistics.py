"""Means of scores and what they are worth: counts, spread and bootstrap intervals.

Conventions
    Values are scores of single items, one a row, float64. NaN means undefined, infinities are
    scores of perfect or silent estimates. Rows to which a metric does not apply are left out by
    the caller.
Headline
    The mean over the finite values; infinite and undefined ones are counted beside it.
Clipped mean
    For decibels: the mean after clipping to [-30, 100] dB, which takes in the infinite values.
Overall
    The unweighted mean of the group means, as the Hive paper averages over mixture sizes
    (section 5). It is undefined when one group has no finite value, because a mean over the
    remaining groups would answer another question. Its standard deviation and median are those of
    all finite values together.
Interval
    95 % percentile interval of the cluster bootstrap (Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993, chapters 8 and 13): items cut from one recording are not independent, so
    whole recordings are drawn with replacement. A recording with items in several groups is drawn
    for all of them at once, so the interval of "overall" knows about the dependence between
    groups. Replicates in which a mean has no item are left out of its percentiles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hive.seeding import Stream

OVERALL = "overall"
CLIP_DB = (-30.0, 100.0)
LEVEL = 0.95
_BLOCK = 1 << 17  # draws held at a time: three arrays of this length stay in the cache

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Summary:
    """A metric over one group of items.

    Attributes:
        group: Name of the group, or "overall".
        n: Number of finite values, those behind `mean`.
        mean: Mean of the finite values; NaN if there is none.
        ci_low: Lower end of the 95 % interval of `mean`; NaN if the finite values of the group
            (for "overall": of any group) come from fewer than two clusters.
        ci_high: Upper end of it.
        std: Sample standard deviation (ddof 1) of the finite values; NaN for fewer than two.
        median: Median of the finite values.
        mean_clipped: Mean after clipping to [-30, 100] dB; None for metrics not in decibels.
        n_pos_inf: Number of values at +inf.
        n_neg_inf: Number of values at -inf.
        n_nan: Number of undefined values.
    """

    group: str
    n: int
    mean: float
    ci_low: float
    ci_high: float
    std: float
    median: float
    mean_clipped: float | None
    n_pos_inf: int
    n_neg_inf: int
    n_nan: int


def summarise(
    values: ArrayLike,
    clusters: ArrayLike,
    groups: ArrayLike,
    *,
    decibel: bool,
    seed: int = 0,
    replicates: int = 1000,
) -> list[Summary]:
    """Summarise a metric for each group and overall.

    The same seed and clusters give the same resamples, so intervals can be computed again
    elsewhere and agree to rounding.

    Args:
        values: Scores, shape (N,).
        clusters: What may not be split when resampling, such as recording ids, shape (N,).
        groups: Groups as integers, such as numbers of sources, shape (N,).
        decibel: Whether the values are decibels, which have a clipped mean.
        seed: Seed of the bootstrap.
        replicates: Number of bootstrap replicates.

    Returns:
        One summary a group in ascending order, then "overall".

    Raises:
        ValueError: If the arrays are not one-dimensional and of equal length, or `replicates` is
            not positive.

    Example:
        >>> first, overall = summarise([1.0, 2.0, 6.0], ["a", "b", "c"], [2, 2, 2], decibel=True)
        >>> first.mean, first.median, overall.mean
        (3.0, 2.0, 3.0)
    """
    scores = np.asarray(values, dtype=np.float64)
    cluster_of, group_of = np.asarray(clusters), np.asarray(groups)
    if scores.ndim != 1 or not scores.shape == cluster_of.shape == group_of.shape:
        raise ValueError(
            "values, clusters and groups must be one-dimensional and of equal length, got shapes "
            f"{scores.shape}, {cluster_of.shape} and {group_of.shape}"
        )
    if replicates < 1:
        raise ValueError(f"replicates must be positive, got {replicates}")

    names, group_index = np.unique(group_of, return_inverse=True)
    finite = np.isfinite(scores)
    means = _bootstrap(
        scores[finite], cluster_of[finite], group_index[finite], len(names), seed, replicates
    )
    summaries = [
        _describe(str(name), scores[group_index == index], means[:, index], decibel)
        for index, name in enumerate(names)
    ]
    return [*summaries, _overall(summaries, scores, means, decibel)]


def _describe(name: str, values: Floats, means: Floats, decibel: bool) -> Summary:
    finite = values[np.isfinite(values)]
    clipped = np.clip(values[~np.isnan(values)], *CLIP_DB)
    low, high = _interval(means)
    return Summary(
        group=name,
        n=len(finite),
        mean=float(finite.mean()) if len(finite) else np.nan,
        ci_low=low,
        ci_high=high,
        std=float(finite.std(ddof=1)) if len(finite) > 1 else np.nan,
        median=float(np.median(finite)) if len(finite) else np.nan,
        mean_clipped=(float(clipped.mean()) if len(clipped) else np.nan) if decibel else None,
        n_pos_inf=int(np.count_nonzero(values == np.inf)),
        n_neg_inf=int(np.count_nonzero(values == -np.inf)),
        n_nan=int(np.count_nonzero(np.isnan(values))),
    )


def _overall(groups: list[Summary], values: Floats, means: Floats, decibel: bool) -> Summary:
    if not groups:
        return _describe(OVERALL, values, np.empty(0), decibel)
    clipped = [group.mean_clipped for group in groups if group.mean_clipped is not None]
    return replace(
        _describe(OVERALL, values, means.mean(axis=1), decibel),
        mean=float(np.mean([group.mean for group in groups])),
        mean_clipped=float(np.mean(clipped)) if decibel else None,
    )


def _interval(means: Floats) -> tuple[float, float]:
    defined = means[~np.isnan(means)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _bootstrap(
    values: Floats,
    clusters: NDArray[np.generic],
    groups: Indices,
    num_groups: int,
    seed: int,
    replicates: int,
) -> Floats:
    """Return the group means of every replicate, shape (replicates, groups).

    A replicate draws C of the C clusters with replacement. Its group means depend on how often
    each cluster was drawn and on the sum and count of the cluster's items in each group, so the
    items themselves are never copied. Groups seen in fewer than two clusters are NaN.
    """
    names, cluster_index = np.unique(clusters, return_inverse=True)
    num_clusters = len(names)
    if num_clusters < 2:
        return np.full((replicates, num_groups), np.nan)
    cell = cluster_index.reshape(-1) * num_groups + groups
    shape = (num_clusters, num_groups)
    centre = values.mean()  # sums of deviations keep their digits when the scores are far from 0
    sums = np.bincount(cell, values - centre, minlength=num_clusters * num_groups).reshape(shape)
    counts = np.bincount(cell, minlength=num_clusters * num_groups).reshape(shape)
    table = np.concatenate([sums, counts], axis=1)

    stream = Stream(seed, "statistics", 0, "bootstrap")
    totals = np.empty((replicates, 2 * num_groups))
    block = max(1, _BLOCK // num_clusters)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        draws = stream.uniforms(size * num_clusters, 0.0, num_clusters).astype(np.intp)
        draws += np.repeat(np.arange(size) * num_clusters, num_clusters)
        weights = np.bincount(draws, minlength=size * num_clusters).astype(np.float64)
        totals[start : start + size] = weights.reshape(size, num_clusters) @ table

    drawn = totals[:, num_groups:]
    means: Floats = np.full((replicates, num_groups), np.nan)
    np.divide(totals[:, :num_groups], drawn, out=means, where=drawn > 0)
    means[:, np.count_nonzero(counts, axis=0) < 2] = np.nan
    means += centre
    return means
