"""Windowed SDR of stems: closed forms and rules; `tests/parity` compares it with museval."""

import math

import numpy as np
import pytest

from hive.metrics.museval import METRICS, over_tracks, over_windows, sdr_museval, window_sdr
from hive.metrics.sdr import sdr_plain

RATE = 1000
RNG = np.random.default_rng(5)
REFERENCE = RNG.standard_normal((3, 4500, 2))
ESTIMATE = REFERENCE + RNG.uniform(0.1, 1, (3, 4500, 1)) * RNG.standard_normal((3, 4500, 2))


def test_a_window_is_plain_sdr_over_all_channels():
    values = window_sdr(ESTIMATE, REFERENCE, RATE)
    assert values.shape == (3, 4)  # the half window at the end is dropped
    for target, window in np.ndindex(3, 4):
        cut = slice(window * RATE, (window + 1) * RATE)
        expected = sdr_plain(
            estimate=ESTIMATE[target, cut].ravel(), reference=REFERENCE[target, cut].ravel()
        )
        assert values[target, window] == pytest.approx(float(expected), abs=1e-9)


def test_a_track_is_the_median_of_its_windows():
    scale = np.array([0.5, 0.9, 0.99, 0.999]).repeat(RATE)[None, :, None]
    reference = REFERENCE[:, :4000]
    value = sdr_museval(estimate=scale * reference, reference=reference, sample_rate=RATE)
    np.testing.assert_allclose(value, 30, atol=1e-9)  # 6, 20, 40 and 60 dB
    assert value.shape == (3,)


def test_the_record_names_the_function():
    assert [info.name for info in METRICS] == ["sdr_museval"]
    assert METRICS[0].target == f"{sdr_museval.__module__}:{sdr_museval.__name__}"
    assert METRICS[0].decibel


def test_a_silent_stem_takes_all_targets_out_of_its_window():
    for name in ("reference", "estimate"):
        signals = {"reference": REFERENCE.copy(), "estimate": ESTIMATE.copy()}
        signals[name][1, RATE : 2 * RATE] = 0
        values = window_sdr(**signals, window=RATE)
        assert np.isnan(values[:, 1]).all()
        assert np.isfinite(values[:, [0, 2, 3]]).all()
        usual = window_sdr(ESTIMATE, REFERENCE, RATE)
        np.testing.assert_array_equal(values[:, [0, 2, 3]], usual[:, [0, 2, 3]])


def test_antiphase_counts_as_silent_and_almost_silent_does_not():
    reference = REFERENCE.copy()
    reference[0, :RATE, 1] = -reference[0, :RATE, 0]
    assert np.isnan(window_sdr(ESTIMATE, reference, RATE)[:, 0]).all()
    reference[0, 7, 1] += 1e-12
    assert np.isfinite(window_sdr(ESTIMATE, reference, RATE)).all()


def test_exact_windows_leave_the_median():
    estimate = ESTIMATE.copy()
    estimate[2, :RATE] = REFERENCE[2, :RATE]
    values = window_sdr(estimate, REFERENCE, RATE)
    assert values[2, 0] == np.inf
    assert np.isfinite(values[:2]).all()
    np.testing.assert_array_equal(over_windows(values)[2], np.median(values[2, 1:]))
    assert np.isnan(over_windows([[np.inf, np.nan], [1, 2]])).tolist() == [True, False]
    exact = sdr_museval(estimate=REFERENCE, reference=REFERENCE, sample_rate=RATE)
    assert np.isnan(exact).all()


def test_lengths():
    usual = window_sdr(ESTIMATE, REFERENCE, RATE)
    longer = np.concatenate([ESTIMATE, ESTIMATE], axis=1)
    np.testing.assert_array_equal(window_sdr(longer, REFERENCE, RATE), usual)
    shorter = window_sdr(ESTIMATE[:, :3500], REFERENCE, RATE)
    np.testing.assert_array_equal(shorter[:, :3], usual[:, :3])
    assert (shorter[:, 3] < usual[:, 3]).all()
    short = window_sdr(ESTIMATE[:, :600], REFERENCE[:, :600], RATE)
    assert short.shape == (3, 1)
    with pytest.raises(ValueError, match="must agree"):
        window_sdr(longer, REFERENCE, RATE, length="strict")


def test_overlapping_windows_and_one_channel():
    values = window_sdr(ESTIMATE[..., 0], REFERENCE[..., 0], RATE, 250)
    assert values.shape == (3, 15)
    np.testing.assert_array_equal(
        values[:, ::4], window_sdr(ESTIMATE[..., :1], REFERENCE[..., :1], RATE)
    )


def test_what_is_not_finite():
    estimate = ESTIMATE.copy()
    estimate[1, 2500] = np.nan
    with pytest.raises(ValueError, match="target 1"):
        window_sdr(estimate, REFERENCE, RATE)
    values = window_sdr(estimate, REFERENCE, RATE, on_bad="nan")
    assert np.isnan(values[:, 2]).all()
    assert np.isfinite(values[:, [0, 1, 3]]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window"),
        ({"hop": 0}, "hop"),
        ({"length": "cut"}, "length"),
        ({"on_bad": "skip"}, "on_bad"),
        ({"reference": REFERENCE[:2]}, "agree"),
        ({"reference": REFERENCE[0, :, 0]}, "targets, samples"),
        ({"estimate": ESTIMATE.astype(int)}, "floats"),
    ],
    ids=lambda value: str(list(value)) if isinstance(value, dict) else "",
)
def test_what_is_refused(options, message):
    usual = {"estimate": ESTIMATE, "reference": REFERENCE, "window": RATE}
    with pytest.raises(ValueError, match=message):
        window_sdr(**(usual | options))


@pytest.mark.parametrize("rate", [None, 0, 44_100.0])
def test_the_rate_must_be_a_whole_number(rate):
    with pytest.raises(ValueError, match="sample_rate"):
        sdr_museval(estimate=ESTIMATE, reference=REFERENCE, sample_rate=rate)


def test_tables_are_medians_over_tracks_and_means_over_targets():
    nan = math.nan
    table = over_tracks([[1, 10, nan], [2, 20, nan], [9, nan, nan], [4, 60, nan]])
    np.testing.assert_array_equal(table.median, [3, 20, nan])
    np.testing.assert_array_equal(table.mean, [4, 30, nan])
    assert table.num_tracks.tolist() == [4, 3, 0]
    assert math.isnan(table.overall_median)
    full = over_tracks([[1, 10], [2, 20], [9, 60]])
    assert full.overall_median == 11
    assert full.overall_mean == 17
    with pytest.raises(ValueError, match="tracks, targets"):
        over_tracks([1.0, 2.0])
