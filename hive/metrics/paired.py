"""Two systems on the same items: mean differences, intervals, tests, and what they could see.

Conventions
    A pair is an item that both systems have a score for. Differences are first less second.
    Pairs in which either score is infinite or undefined are left out and counted; the means of
    both systems are over the same remaining pairs, so that they differ by the mean difference.
Clipped
    For decibels: scores are clipped to [-30, 100] dB first, so that only undefined ones are left
    out. A system that is silent on hard items gains by leaving those out, and loses by clipping.
Groups, "overall", "flat"
    As in `hive.metrics.statistics`; an overall value is undefined when a group has no pair.
Interval
    Paired cluster bootstrap, 95 % percentiles: a replicate draws whole recordings, the same for
    both systems, so it is the bootstrap of the differences (Efron and Tibshirani, "An Introduction
    to the Bootstrap", 1993, chapters 8 and 13).
p-value
    Paired permutation test: if the systems were as good as each other, exchanging their scores on
    all items of a recording would change nothing, so the signs of the differences of a recording
    are flipped together (Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd
    ed., 2005, chapter 3). Where only the means are equal and the differences are skew, the level
    holds for many recordings (Romano, Journal of the American Statistical Association 85, 1990).
Standard error
    From the sums of whole recordings (`hive.metrics.weighted`). The design effect is its square
    over that of independent items: how many times as many items it takes because of recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hive.metrics.power import detectable_difference
from hive.metrics.resampling import (
    Floats,
    Indices,
    bootstrap,
    interval,
    sign_flip_p_values,
    tabulate,
)
from hive.metrics.statistics import CLIP_DB, FLAT, OVERALL
from hive.metrics.weighted import Clusters, Mean, means, standard_errors


@dataclass(frozen=True)
class Outside:
    """How many scores of one system, among all pairs of a group, are not finite, by kind."""

    pos_inf: int
    neg_inf: int
    nan: int


@dataclass(frozen=True)
class Difference:
    """The difference between two systems over one group of pairs.

    Attributes:
        group: Name of the group, "overall" or "flat".
        n: Number of pairs behind the means.
        num_clusters: Number of clusters that they come from.
        mean_a: Mean of the first system over these pairs.
        mean_b: Mean of the second.
        difference: `mean_a` less `mean_b`; NaN if there is no pair.
        ci_low: Lower end of the 95 % interval of `difference`; NaN if the pairs of the group (for
            "overall": of any group) come from fewer than two clusters.
        ci_high: Upper end of it.
        p_value: Two-sided p-value for a difference of 0; NaN if there is no pair.
        std: Sample standard deviation (ddof 1) of the differences of all pairs.
        error: Standard error of `difference`, from whole clusters; NaN where the interval is.
        design_effect: Square of `error` over that of independent items; NaN if that is 0.
        detectable: Smallest true difference seen with a probability of 0.8 by a two-sided test at
            0.05.
        left_out: Number of pairs that the means leave out.
        outside_a: Scores of the first system that are not finite, before clipping.
        outside_b: The same of the second.
    """

    group: str
    n: int
    num_clusters: int
    mean_a: float
    mean_b: float
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    std: float
    error: float
    design_effect: float
    detectable: float
    left_out: int
    outside_a: Outside
    outside_b: Outside


def compare(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike,
    groups: ArrayLike,
    *,
    clip: bool = False,
    seed: int = 0,
    replicates: int = 1000,
    permutations: int = 9999,
) -> list[Difference]:
    """Compare two systems for each group, over the groups and over all pairs.

    Args:
        a: Scores of the first system, shape (N,).
        b: Scores of the second for the same items, shape (N,).
        clusters: What may not be split when resampling, such as recording ids, shape (N,).
        groups: Groups as integers, such as numbers of sources, shape (N,).
        clip: Whether to clip scores to [-30, 100] dB, which takes in the infinite ones.
        seed: Seed of the bootstrap and of the random sign patterns.
        replicates: Number of bootstrap replicates.
        permutations: Number of random sign patterns, where there are too many to try all.

    Returns:
        One record a group in ascending order, then "overall" (mean of the group means), then
        "flat" (mean over all pairs).

    Raises:
        ValueError: If the arrays are not one-dimensional and of equal length, or a number of
            resamples is not positive.

    Example:
        >>> *_, flat = compare([3.0, 5.0, 4.0], [2.0, 3.0, 1.0], ["x", "y", "z"], [2, 2, 2])
        >>> flat.difference, flat.p_value  # 2 of the 8 sign patterns are as extreme
        (2.0, 0.25)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    cluster_of, group_of = np.asarray(clusters), np.asarray(groups)
    shapes = [one.shape for one in (first, second, cluster_of, group_of)]
    if first.ndim != 1 or any(shape != shapes[0] for shape in shapes):
        raise ValueError(
            "a, b, clusters and groups must be one-dimensional and of equal length, got shapes "
            + ", ".join(map(str, shapes))
        )
    if replicates < 1 or permutations < 1:
        raise ValueError(
            f"replicates and permutations must be positive, got {replicates} and {permutations}"
        )

    used_a, used_b = (np.clip(one, *CLIP_DB) if clip else one for one in (first, second))
    kept = np.isfinite(used_a) & np.isfinite(used_b)
    names, group_index = np.unique(group_of, return_inverse=True)
    pairs = _Pairs(
        used_a[kept], used_b[kept], Clusters.named(cluster_of[kept]), group_index[kept], len(names)
    )
    table = tabulate(pairs.differences, pairs.clusters.index, pairs.groups, len(names))
    drawn = bootstrap(table, seed=seed, replicates=replicates)
    whole = np.full(len(kept), True)
    masks = [*(group_index == group for group in range(len(names))), whole, whole]
    return [
        _describe(
            name,
            pairs,
            mean,
            interval(replicate_means),
            p_value,
            outside=(_outside(first[mask]), _outside(second[mask])),
            left_out=int(np.count_nonzero(mask & ~kept)),
        )
        for name, mean, replicate_means, p_value, mask in zip(
            [*map(str, names), OVERALL, FLAT],
            pairs.means,
            [*drawn.groups.T, drawn.overall, drawn.flat],
            pairs.p_values(seed, permutations),
            masks,
            strict=True,
        )
    ]


class _Pairs:
    """The pairs whose scores are both finite, and the means to be compared."""

    def __init__(
        self, a: Floats, b: Floats, clusters: Clusters, groups: Indices, num_groups: int
    ) -> None:
        self.a, self.b, self.differences = a, b, a - b
        self.clusters, self.groups = clusters, groups
        self.means = list(means(groups, num_groups))

    def p_values(self, seed: int, permutations: int) -> Floats:
        """Return the p-value of each mean difference; NaN for those that are not defined."""
        sums = [self.clusters.sums(mean.weights * self.differences) for mean in self.means]
        found = sign_flip_p_values(np.stack(sums, axis=1), seed=seed, permutations=permutations)
        found[[not mean.defined for mean in self.means]] = np.nan
        return found


def _describe(
    name: str,
    pairs: _Pairs,
    mean: Mean,
    ends: tuple[float, float],
    p_value: float,
    *,
    outside: tuple[Outside, Outside],
    left_out: int,
) -> Difference:
    differences = pairs.differences[mean.inside]
    num_clusters = pairs.clusters.seen(mean.inside)
    error, independent = np.nan, np.nan
    if not np.isnan(ends[0]):
        error, independent = standard_errors(mean, pairs.differences, pairs.clusters)
    return Difference(
        group=name,
        n=len(differences),
        num_clusters=num_clusters,
        mean_a=mean.of(pairs.a),
        mean_b=mean.of(pairs.b),
        difference=mean.of(pairs.differences),
        ci_low=ends[0],
        ci_high=ends[1],
        p_value=float(p_value),
        std=float(differences.std(ddof=1)) if len(differences) > 1 else np.nan,
        error=error,
        design_effect=(error / independent) ** 2 if independent else np.nan,
        detectable=detectable_difference(error, num_clusters),
        left_out=left_out,
        outside_a=outside[0],
        outside_b=outside[1],
    )


def _outside(scores: Floats) -> Outside:
    return Outside(
        pos_inf=int(np.count_nonzero(scores == np.inf)),
        neg_inf=int(np.count_nonzero(scores == -np.inf)),
        nan=int(np.count_nonzero(np.isnan(scores))),
    )
