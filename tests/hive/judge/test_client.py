"""Asking a judge in a process: batches, faults, and judges that are none."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hive.errors import HiveError
from hive.judge.base import SCORES
from hive.judge.client import WORKER, ProcessJudge, describe, load

ANSWERS = Path(__file__).with_name("answers.py")
MIXTURE = np.linspace(-0.5, 0.5, 4410)
ESTIMATES = np.stack([0.1 * (n + 1) * MIXTURE for n in range(7)])


def _spec(*arguments: str) -> str:
    return "process:" + shlex.join([sys.executable, str(ANSWERS), *arguments])


@pytest.fixture
def judge() -> Iterator[ProcessJudge]:
    loaded = load(_spec(), timeout=20, start_timeout=20, device="cuda:3")
    assert isinstance(loaded, ProcessJudge)
    yield loaded
    loaded.close()


def test_scores_come_in_the_order_of_the_columns(judge: ProcessJudge) -> None:
    assert SCORES == ("overall", "recall", "precision", "faithfulness")
    scores = judge.score(MIXTURE, ESTIMATES[:2], ["Dog", "Siren"], 44100)
    # Not clamped to 1..5.
    np.testing.assert_array_equal(scores, [[3, -0.25, 3.5, 4.5], [5, -0.25, 3.5, 4.5]])
    assert scores.dtype == np.float64


def test_what_a_judge_says_of_itself(judge: ProcessJudge) -> None:
    assert (judge.name, judge.checkpoint_sha256) == ("answers", 16 * "c0de")
    assert (judge.standin, judge.needs_reference) == (False, False)
    assert judge.details == {"device": "cuda:3"}


def test_items_go_in_batches_as_large_as_the_judge_takes(tmp_path: Path) -> None:
    judge = load(_spec("", str(tmp_path / "log")), timeout=20)
    queries = [str(10**n) for n in range(7)]
    try:
        scores = judge.score(MIXTURE, ESTIMATES, queries, 44100)
        assert judge.score(MIXTURE, ESTIMATES[:0], [], 44100).shape == (0, 4)
    finally:
        judge.close()
    assert (tmp_path / "log").read_text().split() == ["3", "3", "1"]
    np.testing.assert_array_equal(scores[:, 0], [1, 2, 3, 4, 5, 6, 7])


def test_both_signals_arrive_at_the_rate_of_the_judge(judge: ProcessJudge) -> None:
    sizes = judge.score(MIXTURE, ESTIMATES[:1], ["paths"], 44100)[0, :2]
    header = sizes[0] - 4 * 4800  # 0.1 s at 48 kHz, 4 bytes a sample
    assert 40 <= header <= 100
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("refuse", "cannot judge this"),
        ("crash", "exit status 7"),
        ("chatter", "'loading\\n' on its standard output is no JSON object"),
        ("wrong-id", "was answered by"),
        ("nan", "score recall is nan, no finite number"),
        ("infinite", "score recall is inf, no finite number"),
        ("huge", "no finite number"),
        ("text", "score recall is 'good', no finite number"),
        ("true", "score recall is True, no finite number"),
        ("missing", "score precision is None, no finite number"),
        ("count", "its scores for 1 items are [{"),
        ("no-scores", "its scores for 1 items are None"),
        ("list", "the scores of an item are ["),
    ],
)
def test_a_fault_costs_one_item(judge: ProcessJudge, query: str, told: str) -> None:
    with pytest.raises(HiveError) as caught:
        judge.score(MIXTURE, ESTIMATES[:1], [query], 44100)
    assert told in str(caught.value)
    assert caught.value.remedy
    failures: dict[int, HiveError] = {}
    scores = judge.score(
        MIXTURE, ESTIMATES[:5], ["a", query, "ccc", "dddd", "eeeee"], 44100,
        on_failure=failures.__setitem__,
    )  # fmt: skip
    assert list(failures) == [1]
    assert told in str(failures[1])
    np.testing.assert_array_equal(scores[:, 0], [1, np.nan, 3, 4, 5])
    assert np.isnan(scores[1]).all()


def test_a_judge_that_hangs_is_started_again(tmp_path: Path) -> None:
    judge = load(_spec("", str(tmp_path / "log")), timeout=1.5, start_timeout=20)
    try:
        with pytest.raises(HiveError, match=r"no reply within 1\.5 s") as caught:
            judge.score(MIXTURE, ESTIMATES[:1], ["hang"], 44100)
        assert "HIVE_JUDGE_TIMEOUT (a request)" in caught.value.remedy
        assert judge.score(MIXTURE, ESTIMATES[:1], ["Dog"], 44100)[0, 0] == 3
    finally:
        judge.close()


@pytest.mark.parametrize(
    ("query", "told"), [("crash", "exit status 7"), ("count", "its scores for 1 items")]
)
def test_a_judge_that_keeps_failing_is_given_up(tmp_path: Path, query: str, told: str) -> None:
    judge = load(_spec("", str(tmp_path / "log")), timeout=20)
    failures: dict[int, HiveError] = {}
    try:
        for _ in range(2):  # and is not asked again
            with pytest.raises(HiveError, match="the judge failed 3 times in a row, the last one "
                               f"with: worker .*{told}") as caught:  # fmt: skip
                judge.score(MIXTURE, ESTIMATES, [query] * 7, 44100, on_failure=failures.__setitem__)
            assert caught.value.remedy
    finally:
        judge.close()
    # A batch, and two of its items.
    assert (tmp_path / "log").read_text().split() == ["3", "1", "1"]
    assert list(failures) == [0]


def test_refusals_and_failures_between_scores_do_not_end_a_run(judge: ProcessJudge) -> None:
    failures: dict[int, HiveError] = {}
    judge.score(MIXTURE, ESTIMATES, ["refuse"] * 7, 44100, on_failure=failures.__setitem__)
    assert list(failures) == list(range(7))
    failures.clear()
    queries = ["crash", "a", "count", "b", "nan", "text", "c"]
    scores = judge.score(MIXTURE, ESTIMATES, queries, 44100, on_failure=failures.__setitem__)
    assert list(failures) == [0, 2, 4, 5]
    assert np.isfinite(scores[:, 0]).tolist() == [False, True, False, True, False, False, True]


def test_close_from_another_thread_ends_score_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.process.GRACE_SECONDS", 50.0)  # is not waited for
    log = tmp_path / "log"
    judge = load(_spec("", str(log)), timeout=100)
    failures: dict[int, HiveError] = {}

    def work() -> None:
        judge.score(
            MIXTURE, ESTIMATES, ["hang"] * 7, 44100, on_failure=failures.__setitem__
        )  # fmt: skip

    with ThreadPoolExecutor(1) as pool:
        scores = pool.submit(work)
        end = time.monotonic() + 20
        while not log.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        judge.close()
        with pytest.raises(HiveError, match="was closed"):
            scores.result(20)
    assert not failures
    assert log.read_text() == "3\n"
    with pytest.raises(HiveError, match="was closed"):
        work()


def test_close_ends_the_worker_and_removes_its_files(judge: ProcessJudge) -> None:
    judge.score(MIXTURE, ESTIMATES[:1], ["Dog"], 44100)
    process, folder = judge._worker._program.process, judge._worker.folder  # type: ignore[union-attr]
    assert (folder / "estimate-0.wav").is_file()
    judge.close()
    assert process.poll() == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("wrong-task", "its task is 'separate', not 'judge'"),
        ("no-task", "field task of its hello is None"),
        ("old", "it speaks protocol 0"),
        ("no-rate", "field sample_rate of its hello is 0"),
        ("no-batch", "field max_batch of its hello is 0"),
        ("no-start", "exit status 1; the end of its messages:\nGatedRepoError: ask for access"),
        ("slow", "no reply within 1 s"),
    ],
)
def test_what_is_no_judge(mode: str, told: str) -> None:
    with pytest.raises(HiveError) as caught:
        load(_spec(mode), start_timeout=1.0 if mode == "slow" else 20.0)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "no judge is set up"),
        ("sam-audio", "there is no judge 'sam-audio'"),
        ("standin:judge", "there is no judge 'standin:judge'"),
        ("process:", "there is no program ''"),
        ("process:/no/such/python worker.py", "there is no program '/no/such/python'"),
        ("process:python 'worker.py", "No closing quotation"),
    ],
)
def test_a_judge_that_cannot_be_had(spec: str, reason: str) -> None:
    info = describe(spec)
    assert reason in info.reason
    assert not info.available
    assert "docs/judge.md" in info.remedy
    with pytest.raises(HiveError, match="judge: ") as caught:
        load(spec)
    assert caught.value.remedy == info.remedy


def test_the_environment_may_name_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIVE_JUDGE", raising=False)
    info = describe()
    assert info.reason == "no judge is set up"
    assert f'--judge "process:/path/to/its/bin/python {WORKER}"' in info.remedy
    assert WORKER.is_file()
    monkeypatch.setenv("HIVE_JUDGE", _spec())
    assert describe() == describe(_spec())
    assert describe().available
    judge = load(timeout=20)
    judge.close()
    assert judge.name == "answers"


def test_the_environment_may_set_the_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVE_JUDGE_START_TIMEOUT", "1")
    with pytest.raises(HiveError, match="no reply within 1 s") as caught:
        load(_spec("slow"))
    assert "set HIVE_JUDGE_TIMEOUT" in caught.value.remedy
    assert "HIVE_JUDGE_START_TIMEOUT" in caught.value.remedy
    monkeypatch.setenv("HIVE_JUDGE_START_TIMEOUT", "")
    monkeypatch.setenv("HIVE_JUDGE_TIMEOUT", "0.5")
    judge = load(_spec())
    try:
        with pytest.raises(HiveError, match=r"no reply within 0\.5 s"):
            judge.score(MIXTURE, ESTIMATES[:1], ["hang"], 44100)
    finally:
        judge.close()


@pytest.mark.parametrize("variable", ["HIVE_JUDGE_TIMEOUT", "HIVE_JUDGE_START_TIMEOUT"])
@pytest.mark.parametrize("value", ["10 min", "0", "-1", "nan", "inf", "1e300"])
def test_a_time_limit_must_be_a_number_of_seconds(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(HiveError, match=f"{variable} is '{value}', no number of seconds"):
        load(_spec())


@pytest.mark.parametrize(
    ("mixture", "estimates", "queries", "told"),
    [
        (MIXTURE[:-1], ESTIMATES[:1], ["a"], "estimate 0 has 4410 samples and its mixture 4409"),
        (MIXTURE, ESTIMATES[:2], ["a"], "2 estimates and 1 queries"),
    ],
)
def test_signals_that_do_not_fit(
    judge: ProcessJudge, mixture: np.ndarray, estimates: np.ndarray, queries: list[str], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        judge.score(mixture, estimates, queries, 44100)
