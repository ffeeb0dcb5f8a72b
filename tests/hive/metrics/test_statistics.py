"""Means against closed forms, intervals against simulation and scipy's bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.metrics.statistics import Summary, summarise


def by_group(summaries: list[Summary]) -> dict[str, Summary]:
    return {summary.group: summary for summary in summaries}


def normal_items(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(5.0, 3.0, count)


# --- closed forms ---------------------------------------------------------------------------------


def test_groups_come_in_ascending_order_then_overall_then_flat():
    summaries = summarise([1.0, 2.0, 3.0], ["a", "b", "c"], [10, 2, 3], decibel=True)
    assert [summary.group for summary in summaries] == ["2", "3", "10", "overall", "flat"]


def test_means_medians_and_deviations():
    result = by_group(
        summarise([1.0, 2.0, 6.0, 10.0, 20.0], list("abcde"), [2, 2, 2, 3, 3], decibel=True)
    )
    assert result["2"].n == 3
    assert result["2"].mean == pytest.approx(3.0)
    assert result["2"].median == 2.0
    assert result["2"].std == pytest.approx(math.sqrt(7.0))
    assert result["3"].mean == pytest.approx(15.0)
    assert result["3"].std == pytest.approx(math.sqrt(50.0))
    overall = result["overall"]
    assert overall.n == 5
    assert overall.mean == pytest.approx(9.0)  # of the group means
    assert overall.median == 6.0
    assert overall.std == pytest.approx(np.std([1, 2, 6, 10, 20], ddof=1))
    flat = result["flat"]
    assert flat.mean == pytest.approx(7.8)  # of the items
    assert (flat.n, flat.median) == (overall.n, overall.median)
    # Mean and ± as the papers print them: sum of squared deviations 236.8 over 4.
    assert flat.std == pytest.approx(math.sqrt(236.8 / 4))


def test_infinite_and_undefined_values_are_counted_and_clipped():
    values = [math.inf, -math.inf, -math.inf, math.nan, 4.0, -50.0]
    result = by_group(summarise(values, range(6), [2] * 6, decibel=True))["2"]
    assert (result.n, result.n_pos_inf, result.n_neg_inf, result.n_nan) == (2, 1, 2, 1)
    assert result.mean == pytest.approx(-23.0)
    assert result.mean_clipped == pytest.approx((100 - 30 - 30 + 4 - 30) / 5)


def test_overall_clipped_mean_weighs_groups_equally():
    result = by_group(summarise([math.inf, 10.0, 10.0, 10.0], range(4), [2, 3, 3, 3], decibel=True))
    assert result["overall"].mean_clipped == pytest.approx((100 + 10) / 2)
    assert result["flat"].mean_clipped == pytest.approx((100 + 30) / 4)


def test_other_units_have_no_clipped_mean():
    assert all(
        summary.mean_clipped is None
        for summary in summarise([0.5, 0.7], ["a", "b"], [2, 3], decibel=False)
    )


# --- odd cases ------------------------------------------------------------------------------------


def test_no_rows():
    summaries = summarise([], [], [], decibel=True)
    assert [summary.group for summary in summaries] == ["overall", "flat"]
    for summary in summaries:
        assert summary.n == 0
        assert math.isnan(summary.mean)
        assert math.isnan(summary.mean_clipped)
        assert math.isnan(summary.ci_low)


def test_only_undefined_values():
    result = by_group(summarise([math.nan] * 3, list("abc"), [2, 2, 3], decibel=True))
    assert result["2"].n_nan == 2
    assert all(math.isnan(result[name].mean) for name in ("2", "3", "overall", "flat"))
    assert math.isnan(result["overall"].ci_high)
    assert math.isnan(result["flat"].ci_high)


def test_a_group_without_finite_value_leaves_overall_undefined():
    result = by_group(summarise([1.0, 2.0, -math.inf], list("abc"), [2, 2, 3], decibel=True))
    assert result["2"].mean == pytest.approx(1.5)
    assert math.isnan(result["overall"].mean)
    assert math.isnan(result["overall"].ci_low)
    assert result["flat"].mean == pytest.approx(1.5)
    assert math.isfinite(result["flat"].ci_low)


def test_one_cluster_has_a_mean_but_no_interval():
    result = by_group(summarise([1.0, 3.0, 5.0, 6.0], list("aabc"), [2, 2, 3, 3], decibel=True))
    assert result["2"].mean == pytest.approx(2.0)
    assert math.isnan(result["2"].ci_low)
    assert math.isnan(result["2"].ci_high)
    assert math.isfinite(result["3"].ci_low)
    assert math.isnan(result["overall"].ci_low)
    assert math.isfinite(result["flat"].ci_low)


@pytest.mark.parametrize(
    ("values", "clusters", "groups", "replicates"),
    [
        ([1.0], ["a", "b"], [2], 10),
        ([[1.0]], [["a"]], [[2]], 10),
        ([1.0], ["a"], [2], 0),
    ],
)
def test_bad_arguments_are_refused(values, clusters, groups, replicates):
    with pytest.raises(ValueError, match="must be"):
        summarise(values, clusters, groups, decibel=True, replicates=replicates)


# --- intervals ------------------------------------------------------------------------------------


def test_equals_scipy_for_single_item_clusters():
    values = np.random.default_rng(1).exponential(4.0, 80)
    ours = summarise(values, np.arange(80), np.full(80, 2), decibel=True, replicates=20_000)[0]
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, random_state=0
    ).confidence_interval
    error = values.std(ddof=1) / math.sqrt(80)
    assert ours.ci_low == pytest.approx(theirs.low, abs=0.05 * error)
    assert ours.ci_high == pytest.approx(theirs.high, abs=0.05 * error)


def test_the_flat_interval_is_that_of_one_group_of_all_items():
    """Group sizes may vary from replicate to replicate: they are part of what is drawn."""
    rng = np.random.default_rng(8)
    clusters, groups = rng.integers(40, size=200), rng.integers(2, 6, size=200)
    values = rng.normal(groups, 1.0)
    flat = summarise(values, clusters, groups, decibel=True)[-1]
    alone = summarise(values, clusters, np.zeros(200, int), decibel=True)[0]
    for name in ("mean", "ci_low", "ci_high", "std", "median", "mean_clipped"):
        assert getattr(flat, name) == pytest.approx(getattr(alone, name), abs=1e-12)


def test_whole_clusters_are_drawn():
    """With clusters of equal size, it is the bootstrap of the cluster means."""
    values = np.random.default_rng(2).normal(size=(30, 4)) + np.arange(30)[:, None]
    clustered = summarise(values.ravel(), np.repeat(range(30), 4), [2] * 120, decibel=True)[0]
    of_means = summarise(values.mean(axis=1), range(30), [2] * 30, decibel=True)[0]
    assert clustered.ci_low == pytest.approx(of_means.ci_low, abs=1e-9)
    assert clustered.ci_high == pytest.approx(of_means.ci_high, abs=1e-9)


def test_correlation_within_recordings_widens_the_interval():
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=50), 20) + 0.1 * rng.normal(size=1000)
    clustered = summarise(values, np.repeat(range(50), 20), [2] * 1000, decibel=True)[0]
    naive = summarise(values, range(1000), [2] * 1000, decibel=True)[0]
    ratio = (clustered.ci_high - clustered.ci_low) / (naive.ci_high - naive.ci_low)
    assert ratio == pytest.approx(math.sqrt(20), rel=0.15)


def test_shared_recordings_are_drawn_for_all_groups_at_once():
    """Equal group means move together; opposite ones cancel in the overall mean."""
    values = np.random.default_rng(4).normal(size=100)
    clusters, groups = np.tile(range(100), 2), np.repeat([2, 3], 100)
    same = by_group(summarise(np.tile(values, 2), clusters, groups, decibel=True))
    assert same["overall"].ci_low == pytest.approx(same["2"].ci_low, abs=1e-9)
    opposite = by_group(summarise(np.r_[values, -values], clusters, groups, decibel=True))
    assert opposite["overall"].ci_high - opposite["overall"].ci_low < 1e-9


def test_the_interval_covers_the_truth_95_times_in_100():
    """400 experiments with two groups over 60 shared recordings of correlated items."""
    rng = np.random.default_rng(5)
    experiments, recordings = 400, 60
    clusters = np.tile(np.repeat(np.arange(recordings), 3), 2)
    groups = np.repeat([2, 5], recordings * 3)
    truth = {"2": 10.0, "5": 4.0, "overall": 7.0, "flat": 7.0}
    hits = dict.fromkeys(truth, 0)
    for experiment in range(experiments):
        effect = rng.normal(0, 2, recordings)[clusters]
        values = np.where(groups == 2, 10.0, 4.0) + effect + rng.normal(size=len(groups))
        for summary in summarise(
            values, clusters, groups, decibel=True, seed=experiment, replicates=400
        ):
            hits[summary.group] += summary.ci_low <= truth[summary.group] <= summary.ci_high
    for count in hits.values():
        assert 0.915 <= count / experiments <= 0.975  # three standard errors; percentile is low


# --- properties -----------------------------------------------------------------------------------

rows = st.lists(
    st.tuples(
        st.floats(-60, 60) | st.sampled_from([math.inf, -math.inf, math.nan]),
        st.integers(0, 5),
        st.integers(2, 5),
    ),
    min_size=1,
    max_size=40,
)


def numbers(summary: Summary) -> list[float]:
    return [math.nan if v is None else v for v in list(vars(summary).values())[1:]]


@settings(max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(items, random):
    shuffled = items.copy()
    random.shuffle(shuffled)
    for one, other in zip(
        summarise(*zip(*items, strict=True), decibel=True, replicates=50),
        summarise(*zip(*shuffled, strict=True), decibel=True, replicates=50),
        strict=True,
    ):
        assert one.group == other.group
        np.testing.assert_allclose(numbers(one), numbers(other), atol=1e-9)


@settings(max_examples=60)
@given(rows, st.floats(-1e4, 1e4))
def test_a_shift_of_all_scores_shifts_means_and_intervals(items, shift):
    values, clusters, groups = (np.array(column) for column in zip(*items, strict=True))
    before = summarise(values, clusters, groups, decibel=False, replicates=50)
    after = summarise(values + shift, clusters, groups, decibel=False, replicates=50)
    for one, other in zip(before, after, strict=True):
        for name in ("mean", "median", "ci_low", "ci_high"):
            np.testing.assert_allclose(getattr(one, name) + shift, getattr(other, name), atol=1e-7)
        np.testing.assert_allclose(one.std, other.std, atol=1e-7)


@settings(max_examples=60)
@given(rows)
def test_counts_add_up_and_intervals_are_ordered(items):
    values, clusters, groups = (np.array(column) for column in zip(*items, strict=True))
    *levels, overall, flat = summarise(values, clusters, groups, decibel=True, replicates=50)
    for name in ("n", "n_pos_inf", "n_neg_inf", "n_nan"):
        assert getattr(overall, name) == sum(getattr(level, name) for level in levels)
        assert getattr(flat, name) == getattr(overall, name)
    assert overall.n + overall.n_pos_inf + overall.n_neg_inf + overall.n_nan == len(items)
    for summary in (*levels, overall, flat):
        assert not summary.ci_low > summary.ci_high


def test_the_seed_decides_the_interval():
    values = normal_items(6, 50)
    first = summarise(values, range(50), [2] * 50, decibel=True, seed=1)
    assert first == summarise(values, range(50), [2] * 50, decibel=True, seed=1)
    assert first != summarise(values, range(50), [2] * 50, decibel=True, seed=2)


def test_blocks_of_replicates_do_not_change_the_result(monkeypatch):
    values = normal_items(7, 300)
    whole = summarise(values, range(300), [2] * 300, decibel=True, replicates=100)
    monkeypatch.setattr("hive.metrics.resampling._BLOCK", 1000)
    for one, other in zip(
        whole, summarise(values, range(300), [2] * 300, decibel=True, replicates=100), strict=True
    ):
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-12)
