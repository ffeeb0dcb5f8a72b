"""How small a difference a test can see, and how many recordings it takes to see one.

A mean of C independent clusters with standard error e is tested by Student's t with C - 1 degrees
of freedom. The test sees a true difference of d with the probability ("power") that a noncentral t
variable with noncentrality d / e exceeds the critical value (Cohen, "Statistical Power Analysis for
the Behavioral Sciences", 2nd ed., 1988, chapter 2; the other tail adds less than 1e-5 at a power of
0.8 and is left out). Dependence of items from one recording is in the standard error, which
`hive.metrics.paired` computes from whole recordings: its square is that of independent items times
the design effect (Kish, "Survey Sampling", 1965, section 8.2).

The sign-flip test of `hive.metrics.resampling` has nearly the power of the t test when there are
many clusters.
"""

from __future__ import annotations

import functools
import math

ALPHA = 0.05
POWER = 0.8


def detectable_difference(
    error: float, num_clusters: int, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Return the smallest true difference that a two-sided test sees with this power.

    Args:
        error: Standard error of the mean difference, in the unit of the metric.
        num_clusters: Number of clusters behind it.
        alpha: Level of the test, in (0, 1).
        power: Probability of seeing it, in (`alpha`, 1).

    Returns:
        The difference in the unit of `error`; NaN if `error` is NaN or there are fewer than two
        clusters.

    Raises:
        ValueError: If `alpha` or `power` are out of range.

    Example:
        >>> round(detectable_difference(0.1, 1001), 3)
        0.28
    """
    _check(alpha, power)
    if math.isnan(error) or num_clusters < 2:
        return math.nan
    return _noncentrality(num_clusters - 1, alpha, power) * error


def clusters_needed(
    difference: float,
    error: float,
    num_clusters: int,
    *,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int | None:
    """Return how many clusters like these it takes to see a true difference with this power.

    The squared error is taken to fall as one over the number of clusters, with as many items a
    cluster as here.

    Args:
        difference: The difference to be seen, positive, in the unit of the metric.
        error: Standard error of the mean difference that `num_clusters` gave.
        num_clusters: Number of clusters behind `error`.
        alpha: Level of the test, in (0, 1).
        power: Probability of seeing it, in (`alpha`, 1).

    Returns:
        The smallest number, at least two; None where `detectable_difference` is NaN.

    Raises:
        ValueError: If `difference` is not positive, or `alpha` or `power` are out of range.

    Example:
        >>> clusters_needed(0.1, 0.1, 1001)
        7859
    """
    _check(alpha, power)
    if not difference > 0:
        raise ValueError(f"difference must be positive, got {difference}")
    if math.isnan(error) or num_clusters < 2:
        return None

    def seen(count: int) -> bool:
        scaled = error * math.sqrt(num_clusters / count)
        return _noncentrality(count - 1, alpha, power) * scaled <= difference

    enough = 2
    while not seen(enough):
        enough *= 2
    too_few = 1 if enough == 2 else enough // 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if seen(middle) else (middle, enough)
    return enough


def _check(alpha: float, power: float) -> None:
    if not 0 < alpha < power < 1:
        raise ValueError(f"0 < alpha < power < 1 must hold, got alpha {alpha}, power {power}")


@functools.lru_cache(maxsize=4096)
def _noncentrality(degrees: int, alpha: float, power: float) -> float:
    """Return the noncentrality at which a two-sided t test has this power."""
    from scipy import special

    critical = special.stdtrit(degrees, 1 - alpha / 2)
    return float(special.nctdtrinc(degrees, 1 - power, critical))
