"""Which tests of a comparison count, and what it takes to allow for their number.

An improvement is the metric less a constant of the item, what the unprocessed mixture scores. In
the difference of two runs the constant falls out: `si_sdr` and `si_sdr_i` then ask one question
twice, and counting both would only make Holm's method stricter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.results import MetricRecord
from hive.metrics.multiplicity import holm
from hive.metrics.paired import Difference

PERMUTATIONS = 9_999
PERMUTATIONS_A_TEST = 200
MOST_PERMUTATIONS = 49_999
SAME = 1e-6  # in the unit of the metric: rounding of scores near 100 dB is 1e-14

Test = tuple[str, str]  # run, metric


def bases(metrics: Sequence[MetricRecord]) -> dict[str, str]:
    """Return, for each improvement whose own metric is there with the same settings, that metric.

    `sdr_bss_i_L64` is the improvement in `sdr_bss_L64`.
    """
    names = {metric.name for metric in metrics}
    found = {}
    for metric in metrics:
        definition = metric.identity.definition
        if definition.endswith("_i") and metric.name.startswith(definition):
            suffix = metric.name.removeprefix(definition)
            found[metric.name] = definition.removesuffix("_i") + suffix
    return {name: base for name, base in found.items() if base in names}


def permutations(tests: int) -> int:
    """Return how many random sign patterns make the smallest p of so many tests small enough.

    A p-value from m patterns is at least 1 / (m + 1), and Holm's is that times the number of
    tests: with 200 patterns a test, 0.005. Beyond 249 tests the number of patterns stays, and
    Holm's p can still be 0.05 or less up to 2,500 tests.
    """
    return min(max(PERMUTATIONS, PERMUTATIONS_A_TEST * tests), MOST_PERMUTATIONS)


def adjust(
    tests: Mapping[Test, Difference | None], base_of: Mapping[str, str]
) -> tuple[dict[Test, float], int]:
    """Adjust p-values for the number of tests, counting those that are the same once.

    Args:
        tests: The difference that each run and metric was tested for, None where there is no test.
        base_of: See `bases`.

    Returns:
        The adjusted p-value of each test, NaN where there is none, and the number that counted.
    """
    stands_for: dict[Test, Test] = {}
    for (run, metric), found in tests.items():
        base = run, base_of.get(metric, metric)
        same = base in tests and _same(found, tests[base])
        stands_for[run, metric] = base if same else (run, metric)
    family = [*dict.fromkeys(stands_for.values())]
    raw = [found.p_value if (found := tests[one]) else math.nan for one in family]
    adjusted = dict(zip(family, holm(raw).tolist(), strict=True))
    counted = sum(not math.isnan(p_value) for p_value in raw)
    return {test: adjusted[one] for test, one in stands_for.items()}, counted


def _same(one: Difference | None, other: Difference | None) -> bool:
    """Return whether two tests are of the same differences.

    An improvement is undefined where the mixture's own score is infinite; then it is of fewer
    items. Clipping an improvement is not clipping the score either.
    """
    if one is None or other is None or one.n != other.n:
        return False
    pairs = (
        (one.difference, other.difference),
        (one.error, other.error),
        (one.ci_low, other.ci_low),
        (one.ci_high, other.ci_high),
    )
    return all(
        math.isclose(here, there, abs_tol=SAME) or (math.isnan(here) and math.isnan(there))
        for here, there in pairs
    )
