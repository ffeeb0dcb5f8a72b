"""The judge's scores as metrics: shapes, one call for all, and what cannot be judged."""

from __future__ import annotations

import inspect
import pickle
import shlex
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hive.errors import HiveError
from hive.judge.standin import SnrJudge, snr_scores
from hive.metrics import judge as judging
from hive.metrics.judge import METRICS, judge_fai, judge_oq, judge_pre, judge_rec, judge_scores

RATE = 48000
R, N, D = 0.1 * np.random.default_rng(11).standard_normal((3, 6000))
MIXTURE = R + N
NAMES = ["judge_oq", "judge_rec", "judge_pre", "judge_fai"]


class Recorder:
    """A judge that notes what it is given and scores items by their number."""

    name = "recorder"
    standin = False
    needs_reference = False
    checkpoint_sha256 = None

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.closed = False

    def score(
        self, mixture: Any, estimates: Any, queries: Sequence[str], sample_rate: int, **more: Any
    ) -> np.ndarray:
        self.calls.append((mixture, estimates, list(queries), sample_rate, more))
        return np.array([[10 * n, 10 * n + 1, 10 * n + 2, 10 * n + 3] for n in range(len(queries))])

    def close(self) -> None:
        self.closed = True


def test_one_call_serves_all_four_in_the_right_order() -> None:
    judge = Recorder()
    values = judge_scores(
        estimate=np.stack([R, N]), mixture=MIXTURE, text=["Dog", "Rain"], sample_rate=44100,
        judge=judge,
    )  # fmt: skip
    assert list(values) == NAMES
    assert [values[name].tolist() for name in NAMES] == [[0, 10], [1, 11], [2, 12], [3, 13]]
    ((mixtures, estimates, queries, rate, more),) = judge.calls
    assert queries == ["Dog", "Rain"]
    assert rate == 44100
    assert more == {"references": None}
    # One array for one mixture, so that it is resampled and written once.
    assert mixtures[0] is mixtures[1]
    np.testing.assert_array_equal(mixtures[0], MIXTURE)
    np.testing.assert_array_equal(estimates[1], N)
    assert not judge.closed


def test_values_have_the_leading_shape() -> None:
    estimate = np.broadcast_to(R, (2, 3, 6000))
    for text in ("Dog", [["a", "b", "c"]], np.full((2, 3), "x")):
        judge = Recorder()
        values = judge_scores(
            estimate=estimate, mixture=MIXTURE, text=text, sample_rate=RATE, judge=judge
        )
        assert values["judge_fai"].tolist() == [[3, 13, 23], [33, 43, 53]]
        assert len(judge.calls[0][2]) == 6
    one = judge_scores(estimate=R, mixture=MIXTURE, text="Dog", sample_rate=RATE, judge=Recorder())
    assert one["judge_pre"].shape == ()
    assert one["judge_pre"].dtype == np.float64


def test_the_single_functions_give_the_same(tmp_path: Path) -> None:
    estimate, reference = R + 0.3 * N + 0.2 * D, R
    given = {"estimate": estimate, "mixture": MIXTURE, "text": "Dog", "sample_rate": RATE}
    expected = snr_scores(estimate, reference, MIXTURE)
    for function, score in zip((judge_oq, judge_rec, judge_pre, judge_fai), expected, strict=True):
        value = function(**given, reference=reference, judge="standin:judge-snr")
        assert float(value) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_single_functions_show_their_arguments(name: str) -> None:
    function = getattr(judging, name)
    expected, found = inspect.signature(judge_scores), inspect.signature(function)
    assert found.parameters == expected.parameters
    assert set(found.parameters) >= {"estimate", "mixture", "text", "sample_rate", "on_bad"}
    hints = typing.get_type_hints(function)
    assert hints["return"] == np.ndarray[typing.Any, np.dtype[np.float64]] == judging.FloatArray
    assert found.return_annotation == "FloatArray"
    assert (function.__name__, function.__module__) == (name, judging.__name__)
    assert "about 1 to 5" in function.__doc__
    assert pickle.loads(pickle.dumps(function)) is function
    with pytest.raises(TypeError, match="'other'"):
        function(estimate=R, mixture=MIXTURE, text="a", sample_rate=RATE, other=1)


def test_a_judge_loaded_here_is_closed_again(tmp_path: Path) -> None:
    answers = Path(__file__).parents[1] / "judge" / "answers.py"
    log = tmp_path / "log"
    spec = "process:" + shlex.join([sys.executable, str(answers), "", str(log)])
    values = judge_scores(
        estimate=np.stack([R, N]), mixture=MIXTURE, text=["Dog", "Siren"], sample_rate=44100,
        judge=spec,
    )  # fmt: skip
    assert values["judge_oq"].tolist() == [3, 5]
    assert values["judge_fai"].tolist() == [4.5, 4.5]
    assert log.read_text() == "2\n"


def test_without_a_judge_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIVE_JUDGE", raising=False)
    with pytest.raises(HiveError, match="no judge is set up") as caught:
        judge_oq(estimate=R, mixture=MIXTURE, text="Dog", sample_rate=RATE)
    assert "docs/judge.md" in caught.value.remedy


def test_a_silent_estimate_is_judged_and_warned_of() -> None:
    estimates = np.stack([R, np.zeros_like(R), 1e-8 * R])
    with pytest.warns(RuntimeWarning, match="silent_estimate: 2 of 3 estimates are silent"):
        values = judge_scores(
            estimate=estimates, mixture=MIXTURE, text="Dog", sample_rate=RATE, judge=Recorder()
        )
    assert np.isfinite(values["judge_oq"]).all()


def test_bad_items_are_not_sent() -> None:
    estimates = np.stack([R, np.full_like(R, np.nan), N])
    judge = Recorder()
    given = {"mixture": MIXTURE, "text": ["a", "b", "c"], "sample_rate": RATE, "judge": judge}
    with pytest.raises(ValueError, match="estimate of item"):
        judge_scores(estimate=estimates, **given)
    values = judge_scores(estimate=estimates, on_bad="nan", **given)
    np.testing.assert_array_equal(values["judge_rec"], [1, np.nan, 11])
    assert judge.calls[0][2] == ["a", "c"]
    none = judge_scores(estimate=estimates[1:2], on_bad="nan", **{**given, "text": "b"})
    assert np.isnan(none["judge_rec"]).all()
    assert len(judge.calls) == 1


def test_lengths_must_agree_or_be_matched() -> None:
    given = {"mixture": MIXTURE, "text": "a", "sample_rate": RATE}
    with pytest.raises(ValueError, match="estimate has 5990 samples and mixture 6000"):
        judge_scores(estimate=R[:-10], judge=Recorder(), **given)
    judge = Recorder()
    judge_scores(estimate=R[:-10], length="match", judge=judge, **given)
    assert judge.calls[0][1][0].shape == (6000,)


def test_the_standin_needs_the_reference() -> None:
    with pytest.raises(ValueError, match="reference= is missing"):
        judge_oq(estimate=R, mixture=MIXTURE, text="a", sample_rate=RATE, judge=SnrJudge())


def test_texts_must_fit() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        judge_oq(
            estimate=np.stack([R, N]), mixture=MIXTURE, text=["a", "b", "c"], sample_rate=RATE,
            judge=Recorder(),
        )  # fmt: skip


def test_the_records_name_functions_and_needs() -> None:
    assert [info.name for info in METRICS] == NAMES
    for info in METRICS:
        module, function = info.target.split(":")
        assert module == judging.__name__
        assert callable(getattr(judging, function))
        assert info.judged
        assert info.higher_is_better
        assert info.unit == ""
        assert info.requires == ("estimate", "mixture", "sample_rate", "text")
