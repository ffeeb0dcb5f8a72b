"""Paired differences against closed forms, scipy and simulation; Holm; power."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.metrics import resampling
from hive.metrics.multiplicity import holm
from hive.metrics.paired import Difference, Outside, compare
from hive.metrics.power import clusters_needed, detectable_difference
from hive.metrics.resampling import sign_flip_p_values
from hive.metrics.statistics import summarise

INF, NAN = math.inf, math.nan


def by_group(differences: list[Difference]) -> dict[str, Difference]:
    return {one.group: one for one in differences}


def flat(a, b, clusters=None, **settings) -> Difference:
    clusters = range(len(a)) if clusters is None else clusters
    return compare(a, b, clusters, [2] * len(a), **settings)[-1]


def correlated(seed: int, recordings: int, items: int, shift: float = 0.0):
    """Scores of two systems; items of a recording have half their variance in common."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(recordings), items)
    b = rng.normal(5.0, 3.0, recordings * items)
    common = rng.normal(size=recordings)[clusters]
    return b + shift + common + rng.normal(size=len(b)), b, clusters


# --- closed forms ---------------------------------------------------------------------------------


def test_means_of_groups_overall_and_flat():
    a, b = [3.0, 5.0, 4.0, 10.0], [2.0, 3.0, 1.0, 2.0]
    result = by_group(compare(a, b, list("wxyz"), [2, 2, 2, 10]))
    assert list(result) == ["2", "10", "overall", "flat"]
    two, ten, overall, everything = result.values()
    assert two.n == 3
    assert (two.mean_a, two.mean_b, two.difference) == pytest.approx((4.0, 2.0, 2.0))
    assert two.std == pytest.approx(1.0)
    assert ten.difference == pytest.approx(8.0)
    assert overall.difference == pytest.approx((2 + 8) / 2)
    assert everything.difference == pytest.approx((1 + 2 + 3 + 8) / 4)
    assert overall.n == everything.n == 4


def test_the_error_of_independent_pairs_is_that_of_the_mean():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    one = flat(a, b)
    assert one.error == pytest.approx(scipy.stats.sem(a - b))
    assert one.design_effect == pytest.approx(1.0)


def test_the_error_of_equal_clusters_is_that_of_the_mean_of_their_means():
    a, b, clusters = correlated(1, recordings=30, items=4)
    one = flat(a, b, clusters)
    of_means = (a - b).reshape(30, 4).mean(axis=1)
    assert one.error == pytest.approx(scipy.stats.sem(of_means))
    assert one.num_clusters == 30
    # Four like items with correlation 1/2: 1 + (4 - 1) / 2.
    many = flat(*correlated(2, recordings=3000, items=4), replicates=1, permutations=1)
    assert many.design_effect == pytest.approx(2.5, rel=0.05)


def test_the_overall_error_weighs_groups_equally():
    """Independent groups of unlike size and spread: the variances of their means add up."""
    rng = np.random.default_rng(3)
    d2, d5 = rng.normal(0, 1, 400), rng.normal(0, 4, 100)
    result = by_group(
        compare(np.r_[d2, d5], np.zeros(500), range(500), np.repeat([2, 5], [400, 100]))
    )
    expected = math.sqrt(d2.var(ddof=1) / 400 + d5.var(ddof=1) / 100) / 2
    assert result["overall"].error == pytest.approx(expected, rel=0.01)
    assert result["overall"].design_effect == pytest.approx(1.0, rel=0.02)
    assert result["flat"].error == pytest.approx(scipy.stats.sem(np.r_[d2, d5]))


def test_scores_that_are_not_finite_are_left_out_and_counted():
    a = [1.0, INF, -INF, NAN, 4.0, -INF]
    b = [0.0, 1.0, -INF, 2.0, NAN, 7.0]
    one = flat(a, b)
    assert (one.n, one.left_out) == (1, 5)
    assert one.difference == 1.0
    assert one.outside_a == Outside(pos_inf=1, neg_inf=2, nan=1)
    assert one.outside_b == Outside(pos_inf=0, neg_inf=1, nan=1)


def test_clipping_takes_in_the_infinite_ones():
    a = [1.0, INF, -INF, NAN, 4.0, -INF]
    b = [0.0, 1.0, -INF, 2.0, NAN, 7.0]
    one = flat(a, b, clip=True)
    assert (one.n, one.left_out) == (4, 2)
    assert one.difference == pytest.approx((1 + 99 + 0 - 37) / 4)
    assert one.outside_a == Outside(pos_inf=1, neg_inf=2, nan=1)


def test_a_silent_system_cannot_gain_by_silence():
    """Silent on the hard half: better on what is left, worse when all is counted."""
    b = np.r_[np.full(20, 10.0), np.full(20, -5.0)] + np.random.default_rng(4).normal(size=40)
    a = np.r_[b[:20] + 1.0, np.full(20, -INF)]
    left, clipped = flat(a, b), flat(a, b, clip=True)
    assert left.difference == pytest.approx(1.0)
    assert left.ci_low > 0
    assert clipped.difference < -10
    assert clipped.ci_high < 0


# --- odd cases ------------------------------------------------------------------------------------


def test_no_pairs():
    for one in compare([], [], [], []):
        assert (one.n, one.num_clusters, one.left_out) == (0, 0, 0)
        assert math.isnan(one.difference)
        assert math.isnan(one.p_value)
        assert math.isnan(one.detectable)


def test_a_group_without_a_pair_leaves_overall_undefined():
    result = by_group(compare([1.0, 2.0, NAN], [0.0, 0.0, 0.0], list("abc"), [2, 2, 3]))
    assert math.isnan(result["3"].difference)
    assert math.isnan(result["3"].p_value)
    for name in ("difference", "mean_a", "p_value", "ci_low", "error", "detectable"):
        assert math.isnan(getattr(result["overall"], name))
    assert result["flat"].difference == 1.5


def test_one_recording_gives_a_mean_and_no_more():
    one = flat([1.0, 2.0], [0.0, 0.0], ["a", "a"])
    assert one.difference == 1.5
    assert one.p_value == 1.0
    for name in ("ci_low", "ci_high", "error", "detectable"):
        assert math.isnan(getattr(one, name))


def test_equal_systems():
    scores = np.random.default_rng(5).normal(size=40)
    one = flat(scores, scores)
    assert (one.difference, one.ci_low, one.ci_high, one.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert (one.error, one.detectable) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("arrays", "numbers"),
    [
        (([1.0], [1.0, 2.0], [1], [2]), {}),
        (([[1.0]], [[1.0]], [[1]], [[2]]), {}),
        (([1.0], [1.0], [1], [2]), {"replicates": 0}),
        (([1.0], [1.0], [1], [2]), {"permutations": 0}),
    ],
)
def test_bad_arguments_are_refused(arrays, numbers):
    with pytest.raises(ValueError, match="must be"):
        compare(*arrays, **numbers)


# --- intervals ------------------------------------------------------------------------------------


def test_the_interval_is_the_bootstrap_of_the_differences():
    a, b, clusters = correlated(6, recordings=20, items=3)
    groups = np.tile([2, 2, 5], 20)
    ours = compare(a, b, clusters, groups)
    alone = summarise(a - b, clusters, groups, decibel=False)
    for one, other in zip(ours, alone, strict=True):
        assert one.difference == pytest.approx(other.mean, abs=1e-12)
        assert one.ci_low == pytest.approx(other.ci_low, abs=1e-12)
        assert one.ci_high == pytest.approx(other.ci_high, abs=1e-12)


def test_the_interval_agrees_with_scipy():
    a, b = np.random.default_rng(7).exponential(4.0, (2, 80))
    one = flat(a, b, replicates=20_000)
    theirs = scipy.stats.bootstrap(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        random_state=0,
    ).confidence_interval
    assert one.ci_low == pytest.approx(theirs.low, abs=0.05 * one.error)
    assert one.ci_high == pytest.approx(theirs.high, abs=0.05 * one.error)


def test_pairing_narrows_the_interval():
    a, b, clusters = correlated(8, recordings=200, items=2)
    one = flat(a, b, clusters)
    alone = summarise(a, clusters, [2] * len(a), decibel=True)[0]
    assert one.ci_high - one.ci_low < 0.6 * (alone.ci_high - alone.ci_low)


def test_coverage_and_level_in_a_simulation():
    """300 experiments of skew differences over 50 recordings shared by two groups."""
    rng = np.random.default_rng(9)
    experiments, recordings = 300, 50
    clusters = np.tile(np.repeat(np.arange(recordings), 2), 2)
    groups = np.repeat([2, 5], recordings * 2)
    truth = {"2": 0.7, "5": -0.7, "overall": 0.0, "flat": 0.0}
    covered, rejected = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for experiment in range(experiments):
        effect = rng.gamma(2.0, 1.0, recordings)[clusters] - 2.0
        d = np.where(groups == 2, 0.7, -0.7) + effect + rng.normal(size=len(groups))
        b = rng.normal(size=len(groups))
        for one in compare(
            b + d, b, clusters, groups, seed=experiment, replicates=300, permutations=199
        ):
            covered[one.group] += one.ci_low <= truth[one.group] <= one.ci_high
            rejected[one.group] += one.p_value <= 0.05
    for group, count in covered.items():
        assert 0.90 <= count / experiments <= 0.98, group  # three standard errors; it is a bit low
    for group in ("overall", "flat"):
        assert rejected[group] / experiments <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / experiments)


def test_the_detectable_difference_is_detected_four_times_in_five():
    experiments = 300
    found = 0
    error = math.sqrt((1 + 1 / 3) / 60)  # of 60 recordings with three items, as made below
    truth = detectable_difference(error, 60)
    for experiment in range(experiments):
        a, b, clusters = correlated(1000 + experiment, recordings=60, items=3, shift=truth)
        one = flat(a, b, clusters, seed=experiment, replicates=1, permutations=399)
        found += one.p_value <= 0.05
    assert found / experiments == pytest.approx(0.8, abs=3 * math.sqrt(0.8 * 0.2 / experiments))


# --- p-values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 5, 9, 14])
def test_exact_p_values_equal_scipys(count):
    a, b = np.random.default_rng(count).normal((0.6, 0.0), 1.0, (count, 2)).T
    theirs = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=INF,
    )
    assert flat(a, b).p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_exact_p_values_of_whole_recordings_by_hand():
    """Recordings of unlike size flip as one: 4 of the 16 patterns reach the observed sum of 9."""
    d, clusters = [1.0, 1.0, 3.0, 4.0, -1.0, 1.0], [0, 0, 1, 2, 3, 3]
    sums = (2.0, 3.0, 4.0, 0.0)
    patterns = [np.dot(signs, sums) for signs in itertools.product((1, -1), repeat=4)]
    assert np.mean(np.abs(patterns) >= 9 - 1e-9) == 4 / 16
    assert flat(d, np.zeros(6), clusters).p_value == 4 / 16


def test_ties_count_as_extreme_whatever_rounding_does():
    d = np.array([0.1, 0.2, 0.3, -0.3])  # 0.1 + 0.2 and 0.3 are not the same float
    sums = [np.dot(signs, (1, 2, 3, 3)) for signs in itertools.product((1, -1), repeat=4)]
    expected = np.mean(np.abs(sums) >= 3)
    for order in itertools.permutations(range(4)):
        assert flat(d[list(order)], np.zeros(4)).p_value == expected


def test_random_p_values_agree_with_scipys():
    a, b = np.random.default_rng(10).normal((0.25, 0.0), 1.0, (60, 2)).T
    theirs = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        random_state=0,
    ).pvalue
    assert 0.02 < theirs < 0.3
    spread = math.sqrt(2 * theirs * (1 - theirs) / 9999)
    assert flat(a, b).p_value == pytest.approx(theirs, abs=4 * spread)


def test_a_random_p_value_is_never_zero():
    """(b + 1) / (m + 1) with b = 0."""
    a = np.full(30, 5.0) + np.random.default_rng(11).normal(size=30)
    assert flat(a, np.zeros(30), permutations=199).p_value == 1 / 200
    assert flat(a, np.zeros(30)).p_value == 1 / 10_000


def test_blocks_of_patterns_do_not_change_the_result(monkeypatch):
    a, b, clusters = correlated(12, recordings=100, items=2)
    whole = compare(a, b, clusters, [2] * 200)
    monkeypatch.setattr(resampling, "_BLOCK", 1000)
    assert [one.p_value for one in compare(a, b, clusters, [2] * 200)] == [
        one.p_value for one in whole
    ]


def test_blocks_of_recordings_keep_the_level(monkeypatch):
    """With 200 recordings dealt to 32 blocks, p-values are as uniform as they should be."""
    monkeypatch.setattr(resampling, "MOST_BLOCKS", 32)
    weights = np.random.default_rng(13).normal(size=(200, 500))
    p_values = sign_flip_p_values(weights, seed=0, permutations=199)
    assert len(np.unique(p_values)) > 100
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_many_recordings_agree_with_the_t_test():
    a, b = np.random.default_rng(16).normal((0.03, 0.0), 1.0, (6000, 2)).T
    expected = scipy.stats.ttest_rel(a, b).pvalue
    assert 0.01 < expected < 0.5
    assert flat(a, b).p_value == pytest.approx(expected, abs=0.03)


def test_the_seed_decides_the_random_patterns():
    a, b, clusters = correlated(15, recordings=40, items=2, shift=0.2)
    assert flat(a, b, clusters) == flat(a, b, clusters)
    assert flat(a, b, clusters, seed=1).p_value != flat(a, b, clusters, seed=2).p_value


# --- properties -----------------------------------------------------------------------------------

score = st.floats(-60, 60) | st.sampled_from([INF, -INF, NAN])
rows = st.lists(
    st.tuples(score, score, st.integers(0, 20), st.integers(2, 4)), min_size=1, max_size=60
)


def columns(items):
    return [np.array(column) for column in zip(*items, strict=True)]


def quick(*arrays, **settings) -> list[Difference]:
    return compare(*arrays, replicates=40, permutations=60, **settings)


def assert_equal(one: Difference, names: tuple[str, ...], expected: list[float]) -> None:
    values = [getattr(one, name) for name in names]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=60)
@given(rows, st.booleans())
def test_swapping_the_systems_negates(items, clip):
    a, b, clusters, groups = columns(items)
    forth, back = quick(a, b, clusters, groups, clip=clip), quick(b, a, clusters, groups, clip=clip)
    for one, other in zip(forth, back, strict=True):
        assert_equal(
            one,
            ("difference", "ci_low", "ci_high", "mean_a", "mean_b", "p_value", "error", "std"),
            [
                -other.difference,
                -other.ci_high,
                -other.ci_low,
                other.mean_b,
                other.mean_a,
                other.p_value,
                other.error,
                other.std,
            ],
        )
        assert (one.n, one.left_out) == (other.n, other.left_out)
        assert (one.outside_a, one.outside_b) == (other.outside_b, other.outside_a)


@settings(max_examples=60)
@given(rows, st.floats(-100, 100))
def test_a_shift_of_one_system_shifts_its_mean_and_the_interval(items, shift):
    a, b, clusters, groups = columns(items)
    before, after = quick(a, b, clusters, groups), quick(a + shift, b, clusters, groups)
    for one, other in zip(before, after, strict=True):
        moved = [one.difference + shift, one.ci_low + shift, one.ci_high + shift]
        assert_equal(other, ("difference", "ci_low", "ci_high"), moved)
        assert_equal(other, ("mean_b", "error", "std"), [one.mean_b, one.error, one.std])


@settings(max_examples=60)
@given(rows, st.floats(-100, 100))
def test_a_shift_of_both_systems_changes_no_difference(items, shift):
    a, b, clusters, groups = columns(items)
    names = ("difference", "ci_low", "ci_high", "error", "std")
    for one, other in zip(
        quick(a, b, clusters, groups), quick(a + shift, b + shift, clusters, groups), strict=True
    ):
        assert_equal(other, names, [getattr(one, name) for name in names])


@settings(max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(items, random):
    shuffled = items.copy()
    random.shuffle(shuffled)
    names = ("difference", "ci_low", "ci_high", "p_value", "error", "std", "n", "left_out")
    for one, other in zip(quick(*columns(items)), quick(*columns(shuffled)), strict=True):
        assert_equal(other, names, [getattr(one, name) for name in names])


@settings(max_examples=60)
@given(rows)
def test_results_are_in_their_ranges(items):
    for one in quick(*columns(items)):
        assert not one.ci_low > one.ci_high
        assert math.isnan(one.p_value) == math.isnan(one.difference)
        assert math.isnan(one.p_value) or 0 < one.p_value <= 1
        assert one.n + one.left_out == len(items) or one.group not in ("overall", "flat")
        assert not one.error < 0
        if one.n:
            gap = one.mean_a - one.mean_b
            assert math.isnan(one.difference) or one.difference == pytest.approx(gap, abs=1e-9)


# --- Holm -----------------------------------------------------------------------------------------


def test_holm_by_hand():
    """4 x 0.005, 3 x 0.01, 2 x 0.03, 1 x 0.04 raised to the step before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_undefined_values_out_of_the_family():
    adjusted = holm([0.01, NAN, 0.04])
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(adjusted[1])
    assert len(holm([])) == 0


@pytest.mark.parametrize("values", [[-0.1], [1.1], [[0.5]]])
def test_holm_refuses_what_is_no_p_value(values):
    with pytest.raises(ValueError, match="p-values"):
        holm(values)


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_monotone_and_between_raw_and_bonferroni(values):
    raw, adjusted = np.array(values), holm(values)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= np.minimum(1, len(raw) * raw) + 1e-15)
    order = np.argsort(raw)
    assert np.all(np.diff(adjusted[order]) >= 0)
    # The definition: p_(i) is rejected if every p_(j), j <= i, is at most alpha / (m - j + 1).
    for alpha in (0.01, 0.05, 0.3):
        passed = np.cumprod(np.arange(len(raw), 0, -1) * raw[order] <= alpha).astype(bool)
        assert (adjusted[order] <= alpha).tolist() == passed.tolist()


# --- power ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("clusters", [3, 5, 20, 100, 5000])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.9)])
def test_scipys_t_test_has_that_power(clusters, alpha, power):
    difference = detectable_difference(0.2, clusters, alpha=alpha, power=power)
    critical = scipy.stats.t.isf(alpha / 2, clusters - 1)
    found = scipy.stats.nct.sf(critical, clusters - 1, difference / 0.2)
    assert found == pytest.approx(power, abs=1e-5)


def test_many_clusters_are_normal():
    """z(0.975) + z(0.8)."""
    assert detectable_difference(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-4)


def test_cohens_example():
    """A paired t test needs 34 pairs to see half a standard deviation (Cohen's d_z = 0.5)."""
    assert clusters_needed(0.5, 1 / math.sqrt(100), 100) == 34


@settings(max_examples=50)
@given(st.floats(0.01, 3), st.floats(0.001, 2), st.integers(2, 3000))
def test_the_number_needed_is_the_smallest_that_is_enough(difference, error, clusters):
    needed = clusters_needed(difference, error, clusters)
    at = [
        detectable_difference(error * math.sqrt(clusters / count), count)
        for count in (needed, max(2, needed - 1))
    ]
    assert at[0] <= difference
    assert needed == 2 or at[1] > difference


def test_nothing_is_known_of_one_cluster():
    assert math.isnan(detectable_difference(0.1, 1))
    assert math.isnan(detectable_difference(NAN, 10))
    assert clusters_needed(0.1, NAN, 10) is None
    assert clusters_needed(0.1, 0.1, 1) is None
    assert clusters_needed(0.1, 0.0, 5) == 2


@pytest.mark.parametrize("numbers", [{"alpha": 0.0}, {"power": 1.0}, {"alpha": 0.9}])
def test_levels_out_of_range_are_refused(numbers):
    with pytest.raises(ValueError, match="alpha"):
        detectable_difference(0.1, 10, **numbers)
    with pytest.raises(ValueError, match="alpha"):
        clusters_needed(0.1, 0.1, 10, **numbers)


def test_a_difference_to_be_seen_is_positive():
    with pytest.raises(ValueError, match="positive"):
        clusters_needed(0.0, 0.1, 10)
