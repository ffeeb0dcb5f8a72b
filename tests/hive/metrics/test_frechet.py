"""The Fréchet distance against scipy's matrix square root and closed forms."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.metrics.frechet import Accumulator, Moments, distance, distance_of_vectors, moments, total


def vectors(count, dimensions, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    scales = np.geomspace(1, 0.05, dimensions)
    return rng.standard_normal((count, dimensions)) * scales + shift


def by_sqrtm(x, y):
    """The textbook formula with scipy's general matrix square root."""
    c1, c2 = np.cov(x.T), np.cov(y.T)
    step = x.mean(0) - y.mean(0)
    return step @ step + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (65, 300), (2000, 500)])
def test_full_rank_is_scipys_square_root(n, m):
    x, y = vectors(n, 64), vectors(m, 64, seed=1, shift=0.1)
    expected = by_sqrtm(x, y)
    assert distance(moments(x), moments(y)) == pytest.approx(expected, abs=1e-9)
    assert distance_of_vectors(x, y) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 100), (10, 10), (30, 12), (64, 64), (63, 200)])
def test_low_rank_agrees_between_both_forms(n, m):
    x, y = vectors(n, 64), vectors(m, 64, seed=1, shift=0.1)
    expected = distance_of_vectors(x, y)
    assert distance(moments(x), moments(y)) == pytest.approx(expected, abs=1e-10)
    assert distance(moments(y), moments(x)) == pytest.approx(expected, abs=1e-10)
    assert distance_of_vectors(y, x) == pytest.approx(expected, abs=1e-12)
    assert by_sqrtm(x, y) == pytest.approx(expected, abs=1e-6)


def test_one_dimension_has_a_closed_form():
    x, y = vectors(50, 1), 3 * vectors(80, 1, seed=1) + 2
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert distance(moments(x), moments(y)) == pytest.approx(expected, abs=1e-12)


def test_commuting_covariances_have_a_closed_form():
    x = vectors(300, 20)
    y = 2 * x + 1  # the covariance is four times the other
    expected = np.sum((y.mean(0) - x.mean(0)) ** 2) + np.trace(np.cov(x.T))
    assert distance(moments(x), moments(y)) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=40)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 24), st.integers(0, 99))
def test_properties(n, m, dimensions, seed):
    x, y = vectors(n, dimensions, seed), vectors(m, dimensions, seed + 1, 0.2)
    value = distance_of_vectors(x, y)
    scale = np.vdot(x, x) + np.vdot(y, y)
    assert value >= 0
    assert distance_of_vectors(x, x) == pytest.approx(0, abs=1e-12 * scale)
    assert distance(moments(x), moments(y)) == pytest.approx(value, abs=1e-7 * scale)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions,) * 2))[0]
    assert distance_of_vectors(x @ turn, y @ turn) == pytest.approx(value, abs=1e-10 * scale)
    assert distance_of_vectors(3 * x, 3 * y) == pytest.approx(9 * value, abs=1e-10 * scale)
    assert distance_of_vectors(x + 5, y + 5) == pytest.approx(value, abs=1e-9 * scale)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 99))
def test_moments_add_up_and_come_apart(sizes, seed):
    whole = vectors(sum(sizes), 7, seed, shift=100.0)
    parts = [moments(part) for part in np.split(whole, np.cumsum(sizes)[:-1])]
    together = total(parts)
    assert together.count == len(whole)
    np.testing.assert_allclose(together.mean, whole.mean(0), rtol=1e-14)
    expected = (whole - whole.mean(0)).T @ (whole - whole.mean(0))
    np.testing.assert_allclose(together.scatter, expected, atol=1e-10)
    if len(parts) > 1:
        rest = total(parts[1:])
        left = together - parts[0]
        assert left.count == rest.count
        np.testing.assert_allclose(left.mean, rest.mean, rtol=1e-13)
        np.testing.assert_allclose(left.scatter, rest.scatter, atol=1e-9)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=6), st.integers(0, 99))
def test_vectors_that_come_in_pieces_have_the_moments_of_all(sizes, seed):
    whole = vectors(sum(sizes) + 1, 3, seed, shift=100.0)
    gathered = Accumulator()
    for part in np.split(whole, np.cumsum(sizes)):
        piece = part.copy()
        gathered.add(piece)
        piece[:] = np.nan  # it was copied
    for _ in range(2):  # asking changes nothing
        found = gathered.moments()
        assert found.count == len(whole)
        np.testing.assert_allclose(found.mean, whole.mean(0), rtol=1e-14)
        expected = (whole - whole.mean(0)).T @ (whole - whole.mean(0))
        np.testing.assert_allclose(found.scatter, expected, rtol=1e-10, atol=1e-9)
    with pytest.raises(ValueError, match="one D"):
        gathered.add(np.zeros((2, 4)))


def test_a_far_mean_costs_no_digits():
    x = vectors(5000, 8)  # more than one block
    near, far = moments(x), moments(x + 1e4)
    np.testing.assert_allclose(far.scatter, near.scatter, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(near.covariance, np.cov(x.T), atol=1e-13)


def test_float32_vectors_are_summed_in_float64():
    x = vectors(3000, 16).astype(np.float32)
    np.testing.assert_allclose(
        moments(x).covariance, np.cov(x.astype(np.float64).T), rtol=1e-12, atol=1e-15
    )


def test_a_singular_covariance_of_full_count_is_taken_by_its_eigenvectors():
    x = np.repeat(vectors(40, 5), 4, axis=1)  # 20 dimensions of rank 5, 40 vectors
    y = np.repeat(vectors(40, 5, seed=1, shift=0.3), 4, axis=1)
    expected = 4 * by_sqrtm(x[:, ::4], y[:, ::4])
    assert distance(moments(x), moments(y)) == pytest.approx(expected, abs=1e-6)


def test_equal_vectors_have_no_covariance_and_a_distance():
    x, y = np.ones((5, 8)), np.zeros((5, 8))
    assert distance(moments(x), moments(y)) == pytest.approx(8)
    assert distance_of_vectors(x, y) == pytest.approx(8)


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.zeros(3), np.full((4, 3), np.nan)])
def test_what_has_no_moments_is_refused(bad):
    with pytest.raises(ValueError, match=r"shape|NaN"):
        moments(bad)


def test_too_few_vectors_or_other_dimensions_are_refused():
    one, two = moments(vectors(1, 3)), moments(vectors(2, 3))
    with pytest.raises(ValueError, match="two vectors or more"):
        distance(one, two)
    with pytest.raises(ValueError, match="two vectors or more"):
        distance_of_vectors(vectors(1, 3), vectors(2, 3))
    with pytest.raises(ValueError, match="dimensions"):
        distance(two, moments(vectors(5, 4)))
    with pytest.raises(ValueError, match="shapes"):
        distance_of_vectors(vectors(5, 3), vectors(5, 4))
    with pytest.raises(ValueError, match="cannot be taken away"):
        two - two
    assert (Moments(0, np.zeros(3), np.zeros((3, 3))) + two) is two
