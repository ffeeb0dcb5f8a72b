from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed.curves import averaged, compare, plot

REFERENCE = [4.0, 3.0, 2.0, 1.0]
LOSSES = st.floats(-50, 50)


def test_stretches_are_means_of_consecutive_steps() -> None:
    assert averaged([1.0, 3.0, 5.0, 7.0, 10.0], 2).tolist() == [3.0, 8.5]
    assert averaged([1.0, 3.0], 20).tolist() == [1.0, 3.0]


def test_comparison_in_closed_form() -> None:
    found = compare([4.4, 3.0, 2.0, 1.4], REFERENCE, [6.0, 3.0, 2.0, 1.0])
    assert found.difference == pytest.approx(0.4 * math.sqrt(2 / 4))
    assert found.noise == pytest.approx(2.0 / math.sqrt(4))
    assert found.first_step == pytest.approx(0.1)
    assert found.last == pytest.approx((1.4, 1.0, 1.0))
    assert found.within


def test_more_than_noise_is_told() -> None:
    shifted = [loss + 0.2 for loss in REFERENCE]
    assert not compare(shifted, REFERENCE, [loss - 0.1 for loss in REFERENCE]).within
    assert compare(shifted, REFERENCE, [loss - 0.3 for loss in REFERENCE]).within


@given(st.lists(LOSSES, min_size=1, max_size=90), st.floats(-3, 3), st.floats(-3, 3))
def test_constant_shifts_are_the_distances(losses: list[float], shift: float, noise: float) -> None:
    found = compare([loss + shift for loss in losses], losses, [loss + noise for loss in losses])
    assert found.difference == pytest.approx(abs(shift), abs=1e-9)
    assert found.noise == pytest.approx(abs(noise), abs=1e-9)


@pytest.mark.parametrize("curves", [([1.0], [1.0], [1.0, 2.0]), ([], [], [])])
def test_curves_that_do_not_compare_are_refused(curves: tuple[list[float], ...]) -> None:
    with pytest.raises(ValueError, match="do not compare"):
        compare(*curves)


def test_a_curve_that_is_no_number_is_not_within_noise() -> None:
    assert not compare([math.nan] * 4, REFERENCE, [5.0] * 4).within


def test_plot_draws_every_curve(tmp_path) -> None:
    from matplotlib.image import imread

    file = tmp_path / "curve.png"
    plot(file, "title", {"reference": [2.0, 1.0], "other": [3.0, 1.0], "ours": [2.0, 1.1]}, "other")
    picture = imread(file)[..., :3]
    assert picture.shape[0] > 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
