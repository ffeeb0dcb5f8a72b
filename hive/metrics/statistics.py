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
    (section 5; every "Overall" of its tables A3 to A5 is the mean of the four sizes). It is
    undefined when one group has no finite value, because a mean over the remaining groups would
    answer another question. Its standard deviation and median are those of all finite values
    together.
Flat
    The mean over all items at once, whatever their group, as ClearSep and CLAPSep average. What
    these papers print after ± is the sample standard deviation (ddof 1) of the items, not an error
    of the mean.
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
from numpy.typing import ArrayLike

from hive.metrics.resampling import Floats, bootstrap, interval, tabulate

OVERALL = "overall"
FLAT = "flat"
CLIP_DB = (-30.0, 100.0)


@dataclass(frozen=True)
class Summary:
    """A metric over one group of items.

    Attributes:
        group: Name of the group, "overall" or "flat".
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
    """Summarise a metric for each group, over the groups and over all items.

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
        One summary a group in ascending order, then "overall" (mean of the group means, as in the
        Hive paper), then "flat" (mean over all items, as in ClearSep and CLAPSep).

    Raises:
        ValueError: If the arrays are not one-dimensional and of equal length, or `replicates` is
            not positive.

    Example:
        >>> values, recordings = [1.0, 2.0, 6.0, 9.0], ["a", "b", "c", "d"]
        >>> two, three, overall, flat = summarise(values, recordings, [2, 2, 2, 3], decibel=True)
        >>> two.mean, three.mean, overall.mean, flat.mean
        (3.0, 9.0, 6.0, 4.5)
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
    table = tabulate(scores[finite], cluster_of[finite], group_index[finite], len(names))
    drawn = bootstrap(table, seed=seed, replicates=replicates)
    summaries = [
        _describe(str(name), scores[group_index == index], drawn.groups[:, index], decibel)
        for index, name in enumerate(names)
    ]
    return [
        *summaries,
        _overall(summaries, scores, drawn.overall, decibel),
        _describe(FLAT, scores, drawn.flat, decibel),
    ]


def _describe(name: str, values: Floats, means: Floats, decibel: bool) -> Summary:
    finite = values[np.isfinite(values)]
    clipped = np.clip(values[~np.isnan(values)], *CLIP_DB)
    low, high = interval(means)
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
    pooled = _describe(OVERALL, values, means, decibel)
    if not groups:
        return pooled
    clipped = [group.mean_clipped for group in groups if group.mean_clipped is not None]
    return replace(
        pooled,
        mean=float(np.mean([group.mean for group in groups])),
        mean_clipped=float(np.mean(clipped)) if decibel else None,
    )
