"""Fréchet audio distance of two sets of embedded sounds, with its interval.

A set is a list of sounds, each the vectors of its windows, shape (W, D). The distance is that of
all windows of one set to all windows of the other.

Interval
    95 %, by the delete-a-group jackknife: whole recordings are put into at most 20 groups of nearly
    the same number of windows, the distance is computed again without each group, and the spread of
    the results gives the standard error (Kott, "The delete-a-group jackknife", J. Official
    Statistics 17(4), 2001; for groups of unlike size Busing, Meijer and van der Leeden, "Delete-m
    jackknife for unequal m", Statistics and Computing 9, 1999). The quantile is Student's for the
    groups less one. In paired sets a group leaves both at once. It is an interval about the value
    for sets of this size: the bias of small sets (two sets of 1,000 vectors of one distribution lie
    0.035 apart in 512 dimensions) is in the value and not in the interval. `extrapolate` removes
    the bias of the evaluated set.
Cost
    Each group's moments are computed once and taken away from the total, so the interval costs 20
    eigenvalue problems however many sounds there are. `PairedSets` takes items one by one: in 512
    dimensions it holds 0.25 GB however many there are, and a twentieth of that without an interval.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from hive.embedding.base import Float32
from hive.metrics.frechet import Accumulator, Moments, distance, moments, total
from hive.seeding import Stream

GROUPS = 20
LEVEL = 0.95
STEPS = 25  # of the extrapolation, as in fadtk
SMALLEST = 500  # windows of its first step, as in fadtk; half of them where there are not 1,000

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SetValue:
    """A value of a whole set.

    Attributes:
        value: The distance, at least 0.
        half: Half the width of its 95 % interval, to be averaged over sets before an end is clipped
            at 0; NaN where there is no interval, as for fewer than two recordings.
        n_files: Number of evaluated sounds.
        n_windows: Number of their windows.
        low_rank: Whether a set has no more windows than dimensions, so that its covariance is
            singular: the value is then dominated by the size of the sets.
    """

    value: float
    half: float
    n_files: int
    n_windows: int
    low_rank: bool

    @property
    def low(self) -> float:
        """Lower end of the interval, at least 0; NaN where there is none."""
        return self.half if math.isnan(self.half) else max(0.0, self.value - self.half)

    @property
    def high(self) -> float:
        """Upper end of the interval; NaN where there is none."""
        return self.value + self.half

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class Extrapolation:
    """A distance as a straight line over 1 / (number of windows).

    Attributes:
        value: Its intercept: the distance for infinitely many windows. It may be negative.
        slope: Its slope.
        r2: Share of the variance along the line that it explains; NaN where there is none.
        points: Numbers of windows and distances that it is fitted to.
        n_files: Number of evaluated sounds.
        n_windows: Number of their windows.
    """

    value: float
    slope: float
    r2: float
    points: tuple[tuple[int, float], ...]
    n_files: int
    n_windows: int

    def __float__(self) -> float:
        return self.value


class PairedSets:
    """The distance of estimates to their references, from items that come one by one.

    Items may come in any order, each once; their vectors are not kept.

    Args:
        recordings: What each item was cut from; items of one recording leave together.
        windows: Number of windows of each estimate.
        interval: Whether to compute the interval; without it, `SetValue.half` is NaN.

    Raises:
        ValueError: The lists differ in length, or an estimate has no window.
    """

    def __init__(
        self, recordings: Sequence[str], windows: Sequence[int], *, interval: bool = True
    ) -> None:
        if len(recordings) != len(windows):
            raise ValueError(
                f"there are {len(recordings)} recordings, and numbers of windows for {len(windows)}"
            )
        if min(windows, default=1) < 1:
            raise ValueError("an estimate has no window")
        count = len(recordings)
        self._interval = interval
        self._windows = np.asarray(windows, np.int64)
        self._group_of = _grouped(recordings, windows) if interval else np.zeros(count, np.intp)
        self._missing = np.ones(count, np.bool_)
        num_groups = int(self._group_of.max()) + 1 if count else 0
        self._references = [Accumulator() for _ in range(num_groups)]
        self._estimates = [Accumulator() for _ in range(num_groups)]

    def add(self, item: int, reference: Float32, estimate: Float32) -> None:
        """Add the windows of an item.

        Args:
            item: Its place in the lists that the set was made with.
            reference: Windows of its reference, shape (V, D).
            estimate: Windows of its estimate, shape (W, D).

        Raises:
            ValueError: There is no such item, it was added before, the reference has no window or
                the estimate another number than was said, or vectors hold NaN or Inf (found when a
                block of them is full, or by `value`).
        """
        if not 0 <= item < len(self._missing) or not self._missing[item]:
            raise ValueError(f"there is no item {item}, or it was added before")
        if len(estimate) != self._windows[item] or not len(reference):
            raise ValueError(
                f"item {item} has {len(reference)} windows of its reference and {len(estimate)} of "
                f"its estimate, which was to have {self._windows[item]}"
            )
        group = self._group_of[item]
        self._references[group].add(reference)
        self._estimates[group].add(estimate)
        self._missing[item] = False

    def value(self) -> SetValue:
        """Return the distance of all estimates to all references.

        Raises:
            ValueError: An item is missing, or a side has fewer than two windows in all.
        """
        if self._missing.any():
            raise ValueError(
                f"{int(self._missing.sum())} of {len(self._missing)} items are missing"
            )
        first, second = (
            [one.moments() for one in side] for side in (self._references, self._estimates)
        )
        _check_counts(sum(one.count for one in first), sum(one.count for one in second))
        whole = total(first), total(second)
        value = distance(*whole)
        if not self._interval:
            return _set_value(value, math.nan, 0, whole, len(self._missing))
        without = [
            _distance_or_nan(whole[0], a, whole[1], b) for a, b in zip(first, second, strict=True)
        ]
        variance = _variance(value, without, [part.count for part in second])
        return _set_value(value, variance, len(second) - 1, whole, len(self._missing))


def paired_distance(
    references: Sequence[Float32],
    estimates: Sequence[Float32],
    recordings: Sequence[str],
    *,
    interval: bool = True,
) -> SetValue:
    """Return the distance of estimates to their references; see `PairedSets`.

    Args:
        references: Windows of each reference, shape (W, D) each.
        estimates: Windows of each estimate, in the same order.
        recordings: What each item was cut from; items of one recording leave together.
        interval: Whether to compute the interval; without it, `SetValue.half` is NaN.

    Raises:
        ValueError: The lists differ in length, or one has fewer than two windows in all.
    """
    if not len(references) == len(estimates) == len(recordings):
        raise ValueError(
            f"there are {len(references)} references, {len(estimates)} estimates and "
            f"{len(recordings)} recordings"
        )
    sets = PairedSets(recordings, _lengths(estimates), interval=interval)
    for item, (reference, estimate) in enumerate(zip(references, estimates, strict=True)):
        sets.add(item, reference, estimate)
    return sets.value()


def unpaired_distance(references: Sequence[Float32], estimates: Sequence[Float32]) -> SetValue:
    """Return the distance of two sets that have nothing to do with each other.

    The variances of both sets add up; each sound is a recording of its own.

    Args:
        references: Windows of each sound of the one set, shape (W, D) each.
        estimates: Windows of each sound of the other.

    Raises:
        ValueError: A set has fewer than two windows in all.
    """
    _check_size(references, estimates)
    parts = [
        _group_moments(sounds, _grouped([str(i) for i in range(len(sounds))], _lengths(sounds)))
        for sounds in (references, estimates)
    ]
    whole = total(parts[0]), total(parts[1])
    value = distance(*whole)
    variance = 0.0
    for kept, groups in ((whole[1], parts[0]), (whole[0], parts[1])):
        full = total(groups)
        without = [_distance_or_nan(full, group, kept, None) for group in groups]
        variance += _variance(value, without, [group.count for group in groups])
    freedom = min(len(groups) for groups in parts) - 1
    return _set_value(value, variance, freedom, whole, len(estimates))


def extrapolate(
    references: Sequence[Float32], estimates: Sequence[Float32], seed: int = 0
) -> Extrapolation:
    """Extrapolate the distance to infinitely many windows of the evaluated set.

    As fadtk's `score_inf`: distances of random parts of 25 sizes, evenly spaced from 500 windows
    (or half of them all, where there are fewer than 1,000) to all, and a straight line over
    1 / size. Unlike there, windows are drawn without replacement (repeated ones would shrink the
    covariance) and from a seed. The reference set is taken as it is.

    Args:
        references: Windows of each reference, shape (W, D) each.
        estimates: Windows of each estimate.
        seed: Seed of the drawing.

    Raises:
        ValueError: A set has fewer than two windows, or the evaluated one fewer than four.
    """
    _check_size(references, estimates)
    reference = moments(np.concatenate(references))
    vectors = np.concatenate(estimates)
    count = len(vectors)
    if count < 4:
        raise ValueError(f"an extrapolation takes four windows or more, not {count}")
    smallest = SMALLEST if count >= 2 * SMALLEST else count // 2
    points = []
    for step, size in enumerate(np.linspace(smallest, count, STEPS).astype(int)):
        drawn = Stream(seed, "fad_inf", step, "windows").uniforms(count)
        chosen = np.sort(np.argsort(drawn, kind="stable")[:size])
        points.append((int(size), distance(reference, moments(vectors[chosen]))))
    inverse = np.array([1 / size for size, _ in points])
    values = np.array([value for _, value in points])
    slope, intercept = np.polyfit(inverse, values, 1)
    spread = float(np.sum((values - values.mean()) ** 2))
    residue = float(np.sum((values - slope * inverse - intercept) ** 2))
    return Extrapolation(
        value=float(intercept),
        slope=float(slope),
        r2=1 - residue / spread if spread > 0 else math.nan,
        points=tuple(points),
        n_files=len(estimates),
        n_windows=count,
    )


def _check_size(references: Sequence[Float32], estimates: Sequence[Float32]) -> None:
    _check_counts(sum(_lengths(references)), sum(_lengths(estimates)))


def _check_counts(references: int, estimates: int) -> None:
    for name, count in (("reference", references), ("evaluated", estimates)):
        if count < 2:
            raise ValueError(
                f"the {name} set has {count} window{'' if count == 1 else 's'}; a Fréchet distance "
                "takes two or more"
            )


def _lengths(sounds: Sequence[Float32]) -> list[int]:
    return [len(windows) for windows in sounds]


def _grouped(recordings: Sequence[str], windows: Sequence[int]) -> npt.NDArray[np.intp]:
    """Put each sound into a group, whole recordings together, groups of nearly equal size.

    The largest recordings go first, each to the smallest group; the outcome does not depend on the
    order of the sounds.
    """
    sizes: dict[str, int] = {}
    for recording, count in zip(recordings, windows, strict=True):
        sizes[recording] = sizes.get(recording, 0) + count
    order = sorted(sizes, key=lambda name: (-sizes[name], hashlib.sha256(name.encode()).digest()))
    filled = [0] * min(GROUPS, len(sizes))
    group_of: dict[str, int] = {}
    for name in order:
        group_of[name] = filled.index(min(filled))
        filled[group_of[name]] += sizes[name]
    return np.array([group_of[recording] for recording in recordings], np.intp)


def _group_moments(sounds: Sequence[Float32], group_of: npt.NDArray[np.intp]) -> list[Moments]:
    return [
        moments(np.concatenate([sounds[i] for i in np.flatnonzero(group_of == group)]))
        for group in range(int(group_of.max()) + 1)
    ]


def _distance_or_nan(
    first: Moments, from_first: Moments, second: Moments, from_second: Moments | None
) -> float:
    """Distance without a group; NaN where too little is left."""
    left = first.count - from_first.count, second.count - (from_second.count if from_second else 0)
    if min(left) < 2:
        return math.nan
    return distance(first - from_first, second - from_second if from_second else second)


def _variance(value: float, without: Sequence[float], sizes: Sequence[int]) -> float:
    """Variance of a value from the values without each group (Busing et al., equation 8)."""
    if len(without) < 2:
        return math.nan
    ratio = sum(sizes) / np.asarray(sizes, np.float64)
    left = np.asarray(without)
    pseudo = ratio * value - (ratio - 1) * left
    centre = len(left) * value - float(np.sum((1 - 1 / ratio) * left))
    return float(np.mean((pseudo - centre) ** 2 / (ratio - 1)))


def _set_value(
    value: float, variance: float, freedom: int, sets: tuple[Moments, Moments], n_files: int
) -> SetValue:
    half = math.nan
    if freedom > 0 and math.isfinite(variance):
        half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(variance)
    return SetValue(
        value=value,
        half=half,
        n_files=n_files,
        n_windows=sets[1].count,
        low_rank=any(one.count <= len(one.mean) for one in sets),
    )
