"""Fréchet distance of two sets of vectors, each taken as a normal distribution.

    d = |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1^(1/2) C2 C1^(1/2))^(1/2))

m are means and C covariances (ddof 1). The last term is computed in one of two exact forms:

`distance`
    From means and scatters: with C1 = F F', the roots of the eigenvalues of the symmetric F' C2 F,
    negative ones clipped. F is Cholesky's factor or, where C1 is singular, V L^(1/2) of its
    eigenvectors and eigenvalues.
    Sets of fewer vectors than dimensions have covariances of low rank; eigenvalues beyond that rank
    are rounding and are left out, whose square roots would otherwise add up to 1e-7.
`distance_of_vectors`
    From the vectors: the sum of the singular values of the product of the two centred sets, for
    small sets (the windows of one file), where it takes microseconds.

Everything is float64. Sets are counted, added and taken apart as (count, mean, scatter), after
Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American Statistician
37(3), 1983.

References: Dowson and Landau, "The Fréchet distance between multivariate normal distributions",
J. Multivariate Analysis 12(3), 1982; Kilgour et al., "Fréchet audio distance", Interspeech 2019.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_ROWS_AT_ONCE = 4096  # vectors converted to float64 at a time
_ROWS_GATHERED = 1024  # of an accumulator: adding two scatters costs little beside so many products
_ROWS_OF_SHIFT = 64


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of a set of vectors.

    Attributes:
        count: Number of vectors.
        mean: Their mean, shape (D,).
        scatter: Sum of the outer products of their differences from it, shape (D, D).
    """

    count: int
    mean: FloatArray
    scatter: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Sample covariance (ddof 1), shape (D, D).

        Raises:
            ValueError: There are fewer than two vectors.
        """
        if self.count < 2:
            raise ValueError(f"a covariance takes two vectors or more, not {self.count}")
        return self.scatter / (self.count - 1)

    @property
    def rank(self) -> int:
        """Largest rank that the covariance can have."""
        return min(self.count - 1, len(self.mean))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both sets together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        step = other.mean - self.mean
        return Moments(
            count,
            self.mean + step * (other.count / count),
            self.scatter
            + other.scatter
            + np.outer(step, step) * (self.count * other.count / count),
        )

    def __sub__(self, part: Moments) -> Moments:
        """Return the moments of a set without a part of it.

        Raises:
            ValueError: The part has as many vectors as the set, or more.
        """
        count = self.count - part.count
        if count < 1:
            raise ValueError(f"{part.count} of {self.count} vectors cannot be taken away")
        mean = (self.count * self.mean - part.count * part.mean) / count
        step = part.mean - mean
        return Moments(
            count,
            mean,
            self.scatter - part.scatter - np.outer(step, step) * (count * part.count / self.count),
        )


def moments(vectors: npt.NDArray[np.floating[Any]]) -> Moments:
    """Return the moments of vectors, shape (N, D).

    Raises:
        ValueError: There is no vector, or one is not finite.
    """
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"vectors must have shape (N, D) with N above 0, not {vectors.shape}")
    room = np.empty((min(len(vectors), _ROWS_AT_ONCE), vectors.shape[1]))
    blocks = range(0, len(vectors), _ROWS_AT_ONCE)
    return total(_block_moments(vectors[start : start + _ROWS_AT_ONCE], room) for start in blocks)


class Accumulator:
    """Moments of vectors that come in pieces of any size, which are gathered into blocks.

    In D dimensions it holds D^2 + 1024 D numbers.
    """

    def __init__(self) -> None:
        self._room: FloatArray | None = None
        self._gathered = 0
        self._folded: Moments | None = None

    def add(self, vectors: npt.NDArray[np.floating[Any]]) -> None:
        """Add vectors, shape (N, D); they are copied.

        Raises:
            ValueError: The shape is another, or a block of vectors holds NaN or Inf.
        """
        if vectors.ndim != 2 or (
            self._room is not None and vectors.shape[1] != self._room.shape[1]
        ):
            raise ValueError(f"vectors must have shape (N, D) with one D, not {vectors.shape}")
        if self._room is None:
            self._room = np.empty((_ROWS_GATHERED, vectors.shape[1]))
        start = 0
        while start < len(vectors):
            part = vectors[start : start + _ROWS_GATHERED - self._gathered]
            self._room[self._gathered : self._gathered + len(part)] = part
            self._gathered += len(part)
            start += len(part)
            if self._gathered == _ROWS_GATHERED:
                self._fold(self._room)

    def moments(self) -> Moments:
        """Return the moments of what was added so far."""
        if self._room is not None and self._gathered:
            self._fold(self._room)
        return self._folded or Moments(0, np.zeros(0), np.zeros((0, 0)))

    def _fold(self, room: FloatArray) -> None:
        block = _block_moments(room[: self._gathered], room)
        self._folded = block if self._folded is None else self._folded + block
        self._gathered = 0


def total(parts: Iterable[Moments]) -> Moments:
    """Return the moments of several sets together."""
    return functools.reduce(Moments.__add__, parts)


def distance(first: Moments, second: Moments) -> float:
    """Return the Fréchet distance of two sets, at least 0.

    Raises:
        ValueError: A set has fewer than two vectors, or the dimensions differ.
    """
    # Of the two the one of lower rank is factorised; the value is symmetric.
    low, high = sorted((first, second), key=lambda one: one.rank)
    if low.mean.shape != high.mean.shape:
        raise ValueError(f"vectors have {len(low.mean)} and {len(high.mean)} dimensions")
    covariances = low.covariance, high.covariance
    factor = _factor(covariances[0], low.rank)
    inner = np.linalg.eigvalsh(factor.T @ covariances[1] @ factor)
    root = float(np.sqrt(np.clip(inner, 0, None)).sum())
    step = low.mean - high.mean
    traces = float(np.trace(covariances[0]) + np.trace(covariances[1]))
    return max(0.0, float(step @ step) + traces - 2 * root)


def distance_of_vectors(
    first: npt.NDArray[np.floating[Any]], second: npt.NDArray[np.floating[Any]]
) -> float:
    """Return the Fréchet distance of two small sets of vectors, shapes (N, D) and (M, D).

    Time grows with N M min(N, M); above some 300 vectors `distance` is faster.

    Raises:
        ValueError: A set has fewer than two vectors, or the dimensions differ.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"vectors have shapes {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise ValueError("a covariance takes two vectors or more")
    means = [np.mean(vectors, axis=0, dtype=np.float64) for vectors in (first, second)]
    scaled = [
        (vectors - mean) / np.sqrt(len(vectors) - 1)
        for vectors, mean in zip((first, second), means, strict=True)
    ]
    root = float(np.linalg.svd(scaled[0] @ scaled[1].T, compute_uv=False).sum())
    step = means[0] - means[1]
    traces = sum(float(np.vdot(part, part)) for part in scaled)
    return max(0.0, float(step @ step) + traces - 2 * root)


def _factor(covariance: FloatArray, rank: int) -> FloatArray:
    """Return F, shape (D, rank), with F F' the covariance."""
    if rank == len(covariance):
        # Cholesky's factor serves as well as a root, in a quarter of the time; it does not exist
        # where rounding has left an eigenvalue that is not positive.
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.linalg.cholesky(covariance)
    values, directions = np.linalg.eigh(covariance)
    root: FloatArray = directions[:, -rank:] * np.sqrt(np.clip(values[-rank:], 0, None))
    return root


def _block_moments(vectors: npt.NDArray[np.floating[Any]], room: FloatArray) -> Moments:
    """Moments of a block of vectors, converted to float64 in `room`, in one go.

    The vectors may lie in `room` themselves, and are lost then.
    """
    count = len(vectors)
    # A mean of some rows is near enough to that of all for sums of squares to keep their digits.
    near = np.mean(vectors[:_ROWS_OF_SHIFT], axis=0, dtype=np.float64)
    moved = np.subtract(vectors, near, out=room[:count])
    step = np.ones(count) @ moved / count
    if not np.isfinite(step).all():
        raise ValueError("vectors hold NaN or Inf")
    return Moments(count, near + step, moved.T @ moved - np.outer(count * step, step))
