"""Resampling of whole recordings: bootstrap replicates of group means, and sign flips.

Items cut from one recording are not independent, so whole recordings ("clusters") are drawn or
flipped. Both need only sums and counts of the items by cluster and group, which are made once; the
items themselves are never copied. A cluster with items in several groups is drawn for all of them
at once.

Random numbers come from `hive.seeding`, and clusters are taken in the order of their names: the
result depends on neither the order of the items nor the platform.

References:
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8, 13 and 15.
    Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd ed., 2005, chapter 3.
    Hemerik and Goeman, "Exact testing with random permutations", TEST 27, 2018 (subgroups).
    Phipson and Smyth, "Permutation P-values should never be zero", Statistical Applications in
    Genetics and Molecular Biology 9(1), 2010.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hive.seeding import Stream

LEVEL = 0.95
EXACT_CLUSTERS = 14  # their 2^13 flips, but for the common sign, are fewer than the random ones
MOST_BLOCKS = 4096
_BLOCK = 1 << 17  # draws held at a time: three arrays of this length stay in the cache
_TIE = 1e-12  # of the sum of magnitudes: what rounding may part
_WORD_BITS = 48  # bits taken of each uniform number

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """Values by cluster and group.

    Attributes:
        sums: Sums of the values less `centre`, shape (clusters, groups): deviations keep their
            digits when the values are far from 0.
        counts: Numbers of values, shape (clusters, groups).
        centre: Mean of all values; 0 if there is none.
    """

    sums: Floats
    counts: Indices
    centre: float


@dataclass(frozen=True)
class Replicates:
    """Means in every bootstrap replicate; NaN where a replicate has no item.

    Attributes:
        groups: Mean of each group, shape (replicates, groups).
        flat: Mean over all items, shape (replicates,).
    """

    groups: Floats
    flat: Floats

    @property
    def overall(self) -> Floats:
        """Unweighted mean of the group means, shape (replicates,)."""
        if not self.groups.shape[1]:
            return np.full(len(self.groups), np.nan)
        overall: Floats = self.groups.mean(axis=1)
        return overall


def tabulate(
    values: Floats, clusters: NDArray[np.generic], groups: Indices, num_groups: int
) -> Table:
    """Add finite values up by cluster and group.

    Args:
        values: Finite values, shape (N,).
        clusters: Names of clusters, shape (N,).
        groups: Indices of groups in [0, `num_groups`), shape (N,).
        num_groups: Number of groups.
    """
    names, index = np.unique(clusters, return_inverse=True)
    cell = index.reshape(-1) * num_groups + groups
    shape = (len(names), num_groups)
    size = len(names) * num_groups
    centre = float(values.mean()) if len(values) else 0.0
    sums: Floats = np.bincount(cell, values - centre, minlength=size).astype(np.float64)
    counts = np.bincount(cell, minlength=size)
    return Table(sums.reshape(shape), counts.reshape(shape), centre)


def bootstrap(table: Table, *, seed: int, replicates: int) -> Replicates:
    """Draw whole clusters with replacement, as many as there are, and take the means.

    The means of groups that are seen in fewer than two clusters are NaN, and so is the flat mean if
    there are fewer than two clusters in all.
    """
    num_clusters, num_groups = table.counts.shape
    if num_clusters < 2:
        empty = np.full((replicates, num_groups + 1), np.nan)
        return Replicates(groups=empty[:, 1:], flat=empty[:, 0])
    cells = np.concatenate([table.sums, table.counts], axis=1)
    stream = Stream(seed, "statistics", 0, "bootstrap")
    drawn = np.empty((replicates, 2 * num_groups))
    block = max(1, _BLOCK // num_clusters)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        draws = stream.uniforms(size * num_clusters, 0.0, num_clusters).astype(np.intp)
        draws += np.repeat(np.arange(size) * num_clusters, num_clusters)
        weights = np.bincount(draws, minlength=size * num_clusters).astype(np.float64)
        drawn[start : start + size] = weights.reshape(size, num_clusters) @ cells

    sums, counts = drawn[:, :num_groups], drawn[:, num_groups:]
    groups: Floats = np.full((replicates, num_groups), np.nan)
    np.divide(sums, counts, out=groups, where=counts > 0)
    groups[:, np.count_nonzero(table.counts, axis=0) < 2] = np.nan
    flat: Floats = sums.sum(axis=1) / counts.sum(axis=1)
    return Replicates(groups=groups + table.centre, flat=flat + table.centre)


def interval(means: Floats) -> tuple[float, float]:
    """Return the 95 % percentile interval of replicates; NaN if none is defined."""
    defined = means[~np.isnan(means)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def sign_flip_p_values(weights: Floats, *, seed: int, permutations: int) -> Floats:
    """Test whether sums of cluster weights are 0, by flipping the signs of clusters.

    A column's statistic is the magnitude of its sum. Under the null hypothesis that every cluster's
    weight might as well have had the other sign, the p-value is the share of sign patterns whose
    statistic is at least the observed one: of all patterns for up to 14 clusters that are not 0
    (exact), else (b + 1) / (m + 1) for b of m random ones, which is never 0 and keeps the level
    (Phipson and Smyth, equation 2).

    Clusters beyond 4,096 are dealt to 4,096 blocks that flip as one. The flips of blocks are a
    subgroup of all flips, so the level is kept as well, and the time does not grow further.

    Args:
        weights: What each cluster adds to each statistic, shape (clusters, columns).
        seed: Seed of the random patterns.
        permutations: Number m of random patterns.

    Returns:
        The two-sided p-value of each column, shape (columns,).
    """
    blocks = _deal(weights, seed)
    results: Floats = np.empty(weights.shape[1])
    many = []
    for column, values in enumerate(blocks.T):
        present = values[values != 0.0]
        if len(present) > EXACT_CLUSTERS:
            many.append(column)
        else:
            sums = _all_sums(present)
            results[column] = np.mean(_as_extreme(sums, present))
    if many:
        columns = blocks[:, many]
        exceeding = sum(
            np.count_nonzero(_as_extreme(sums, columns), axis=0)
            for sums in _random_sums(columns, seed, permutations)
        )
        results[many] = (exceeding + 1.0) / (permutations + 1.0)
    return results


def _deal(weights: Floats, seed: int) -> Floats:
    count = len(weights)
    if count <= MOST_BLOCKS:
        return weights
    order = np.argsort(Stream(seed, "statistics", 0, "blocks").uniforms(count), kind="stable")
    dealt: Floats = np.zeros((MOST_BLOCKS, weights.shape[1]))
    np.add.at(dealt, np.arange(count) % MOST_BLOCKS, weights[order])
    return dealt


def _as_extreme(sums: Floats, values: Floats) -> NDArray[np.bool_]:
    slack = _TIE * np.abs(values).sum(axis=0)
    extreme: NDArray[np.bool_] = np.abs(sums) >= np.abs(values.sum(axis=0)) - slack
    return extreme


def _all_sums(values: Floats) -> Floats:
    """Return the sums under all sign patterns, up to the common sign."""
    sums: Floats = values[:1].sum(keepdims=True)
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: Floats, seed: int, permutations: int) -> Iterator[Floats]:
    """Yield the sums of the columns under random sign patterns, some patterns at a time."""
    stream = Stream(seed, "statistics", 0, "permutation")
    count = len(values)
    words = -(-count // _WORD_BITS)
    block = max(1, _BLOCK // count)
    for start in range(0, permutations, block):
        size = min(block, permutations - start)
        drawn = stream.uniforms(size * words, 0.0, 2.0**_WORD_BITS).astype("<u8")
        octets = drawn.view(np.uint8).reshape(size, words, 8)[:, :, : _WORD_BITS // 8]
        flips = np.unpackbits(octets.reshape(size, -1), axis=1, count=count)
        yield (1.0 - 2.0 * flips) @ values
