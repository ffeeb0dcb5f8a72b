"""The stand-in: monotone in what it is said to measure, and nothing of a judge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.judge.client import describe, load
from hive.judge.standin import SnrJudge, snr_scores
from hive.metrics.sdr import si_sdr

# Orthogonal: a true source, the rest of its mixture, and something foreign to both.
R, N, D = np.linalg.qr(np.random.default_rng(5).standard_normal((600, 3)))[0].T
MIXTURE = R + N
levels = st.floats(-40, 40)


def _logistic(decibel: float) -> float:
    return 1 + 4 / (1 + math.exp(-(decibel - 10) / 5))


@given(lost=levels, other=levels, noise=levels)
def test_each_score_is_a_logistic_curve_of_its_ratio(
    lost: float, other: float, noise: float
) -> None:
    kept = 1 - 10 ** (-abs(lost) / 20)
    estimate = kept * R + 10 ** (-other / 20) * N + 10 ** (-noise / 20) * D
    overall, recall, precision, faithfulness = snr_scores(estimate, R, MIXTURE)
    power, foreign = 10 ** (-other / 10), 10 ** (-noise / 10)

    def decibel(good: float, bad: float) -> float:
        return 10 * math.log10(good / bad) if good > 0 else -math.inf

    assert recall == pytest.approx(_logistic(abs(lost)))
    if kept > 1e-3:
        assert overall == pytest.approx(_logistic(decibel(kept**2, power + foreign)), abs=1e-6)
        assert precision == pytest.approx(_logistic(decibel(kept**2, power)), abs=1e-6)
        expected = _logistic(decibel(kept**2 + power, foreign))
        assert faithfulness == pytest.approx(expected, abs=1e-6)
        value = float(si_sdr(estimate=estimate, reference=R))
        assert overall == pytest.approx(_logistic(value), abs=1e-6)


@given(snr=levels, step=st.floats(0, 20), which=st.sampled_from([N, D, N - D]))
def test_a_better_snr_never_scores_less(snr: float, step: float, which: np.ndarray) -> None:
    worse = snr_scores(R + 10 ** (-snr / 20) * which, R, MIXTURE)
    better = snr_scores(R + 10 ** (-(snr + step) / 20) * which, R, MIXTURE)
    assert all(high >= low - 1e-9 for high, low in zip(better, worse, strict=True))
    assert all(1 <= score <= 5 for score in (*better, *worse))


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_scores_lie_in_1_to_5_whatever_the_signals(seed: int, gain: float) -> None:
    e, r, x = np.random.default_rng(seed).standard_normal((3, 50))
    assert all(1 <= score <= 5 for score in snr_scores(gain * e, r, x))


def test_odd_signals() -> None:
    zero = np.zeros(600)
    assert snr_scores(zero, R, MIXTURE) == (1, 1, 1, 1)
    assert snr_scores(R, zero, MIXTURE) == (1, 1, 1, 1)
    assert snr_scores(R, R, MIXTURE) == pytest.approx((5, 5, 5, 5))
    assert snr_scores(R, R, R) == pytest.approx((5, 5, 5, 5))
    assert snr_scores(2 * R, R, MIXTURE)[1] == 5
    unprocessed = snr_scores(MIXTURE, R, MIXTURE)
    assert unprocessed == pytest.approx((_logistic(0), 5, _logistic(0), 5))


def test_as_a_judge_it_takes_the_way_of_the_real_one() -> None:
    judge = load("standin:judge-snr")
    info = describe("standin:judge-snr")
    assert isinstance(judge, SnrJudge)
    assert (judge.standin, judge.needs_reference) == (info.standin, info.needs_reference)
    assert judge.standin is True
    assert judge.checkpoint_sha256 is None
    assert info.available
    rate = 48000
    estimates = np.stack([R + 0.1 * N, R + 0.1 * D])
    scores = judge.score(MIXTURE, estimates, ["a", "b"], rate, references=np.stack([R, R]))
    expected = [snr_scores(estimate, R, MIXTURE) for estimate in estimates]
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    judge.close()


def test_as_a_judge_it_needs_references_of_the_right_shape() -> None:
    judge = SnrJudge()
    with pytest.raises(ValueError, match="needs references="):
        judge.score(MIXTURE, R[None], ["a"], 48000)
    with pytest.raises(ValueError, match="reference 0 has 5 samples"):
        judge.score(MIXTURE, R[None], ["a"], 48000, references=np.ones((1, 5)))
    with pytest.raises(ValueError, match="1 estimates, 2 references, 1 queries"):
        judge.score(MIXTURE, R[None], ["a"], 48000, references=np.stack([R, R]))
