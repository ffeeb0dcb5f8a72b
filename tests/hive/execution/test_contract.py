"""What every back end does."""

from __future__ import annotations

import errno
import os
import signal
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import engine_tasks
import pytest
from engine_tasks import Piece

from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, Outcome, run_tasks
from hive.execution.attempt import may_pass
from hive.execution.engine import RAY, Share

ENGINES = {
    "in process": Engine(),
    "workers": Engine(workers=2),
    "ray": Engine(RAY, workers=2),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return ENGINES[request.param]


@pytest.fixture(params=["workers", "ray"])
def elsewhere(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return ENGINES[request.param]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the bar was told, step by step."""
    monkeypatch.setattr("hive.execution.ledger._PAUSE", 0.01)
    told: list[int] = []

    def advance(self: object, count: int) -> None:
        told.append(count)

    monkeypatch.setattr("hive.execution.display.Display.advance", advance)
    return told


def run(engine: Engine, pieces: list[Piece]) -> Outcome[Piece, str]:
    total = sum(piece.items for piece in pieces)
    return run_tasks(engine_tasks.do, pieces, engine=engine, title="x", total=total)


def test_one_failure_loses_no_other(engine: Engine, shown: list[int], tmp_path: Path) -> None:
    ways = {"a": "well", "b": "broken", "c": "bug", "d": "loses connection once", "e": "well"}
    pieces = [Piece(name, tmp_path, how) for name, how in ways.items()]
    outcome = run(engine, pieces)
    assert outcome.results == [(pieces[0], "A"), (pieces[3], "D"), (pieces[4], "E")]
    (first, broken), (second, bug) = outcome.failures
    assert (first, second) == (pieces[1], pieces[2])
    assert (broken.problem, broken.remedy) == ("b.wav: is broken", "mend it")
    assert bug.problem.startswith("c: KeyError: 'no such thing' (engine_tasks.py, line ")
    tries = {name: (tmp_path / f"{name}.tries").stat().st_size for name in ways}
    assert tries == {"a": 1, "b": 1, "c": 1, "d": 2, "e": 1}
    assert sum(shown) == 15  # what is done, and nothing of the tries that failed
    with pytest.raises(HiveError) as caught:
        outcome.check("pieces")
    assert caught.value.problem.startswith("2 of 5 pieces failed:\n  b.wav: is broken")
    assert "what is done is kept" in caught.value.remedy


def test_a_lost_connection_is_given_up_in_the_end(
    engine: Engine, shown: list[int], tmp_path: Path
) -> None:
    pieces = [Piece("a", tmp_path, "loses connection"), Piece("b", tmp_path)]
    outcome = run(engine, pieces)
    assert outcome.results == [(pieces[1], "B")]
    assert "a: ConnectionResetError: the storage hung up" in outcome.failures[0][1].problem
    assert "(tried 3 times)" in outcome.failures[0][1].problem
    assert (tmp_path / "a.tries").stat().st_size == 3
    assert sum(shown) == 5


@pytest.mark.parametrize(
    "elsewhere", ["workers", pytest.param("ray", marks=pytest.mark.slow)], indirect=True
)
def test_a_worker_that_is_killed_costs_nothing(
    elsewhere: Engine, shown: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [Piece(str(n), tmp_path, "dies once" if n in (1, 4) else "well") for n in range(8)]
    assert run(elsewhere, pieces).check("pieces") == [str(n) for n in range(8)]
    tries = [(tmp_path / f"{n}.tries").stat().st_size for n in range(8)]
    assert tries == [1, 2, 1, 1, 2, 1, 1, 1]
    assert sum(shown) == 40
    told = capsys.readouterr().err
    assert "1: the worker process" in told
    assert "tried again (1 of 2)" in told


def test_only_the_task_that_kills_its_worker_fails(
    elsewhere: Engine, shown: list[int], tmp_path: Path
) -> None:
    pieces = [Piece(str(n), tmp_path, "dies" if n == 2 else "well") for n in range(6)]
    outcome = run(elsewhere, pieces)
    assert [result for _, result in outcome.results] == ["0", "1", "3", "4", "5"]
    ((piece, error),) = outcome.failures
    assert piece is pieces[2]
    assert error.problem.startswith("2: the worker process")
    assert "(tried 3 times)" in error.problem
    assert "fewer workers" in error.remedy
    assert (tmp_path / "2.tries").stat().st_size == 3
    assert sum(shown) == 25


def test_no_more_run_at_a_time_than_was_asked_for(elsewhere: Engine, tmp_path: Path) -> None:
    most = 1 if elsewhere.kind == RAY else 2  # the cluster itself would take two
    found = run_tasks(
        engine_tasks.count_running,
        [tmp_path] * 5,
        engine=replace(elsewhere, workers=most),
        title="x",
        total=5,
    )
    assert max(found.check("tasks")) <= most


def test_workers_use_one_thread_each(elsewhere: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    found = run_tasks(os.getenv, names, engine=elsewhere, title="x", total=3)
    assert found.check("names") == ["1", "1", "1"]


def test_nothing_is_started_for_no_tasks() -> None:
    nowhere = Engine(RAY, address="127.0.0.1:1")
    assert run_tasks(int, [], engine=nowhere, title="x", total=0).results == []


def test_a_result_that_cannot_be_sent_is_told() -> None:
    outcome = run_tasks(
        engine_tasks.unsendable, [1, 2], engine=Engine(workers=2), title="x", total=2
    )
    assert all("its result cannot be sent" in error.problem for _, error in outcome.failures)
    assert len(outcome.failures) == 2


def test_when_nothing_works_the_run_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hive.execution.ledger._MOST_LOST", 3)
    pieces = [Piece(str(n), tmp_path, "loses connection") for n in range(50)]
    with pytest.raises(HiveError, match="3 tasks were lost one after the other"):
        run(Engine(retries=0), pieces)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_stop_that_is_lost_on_the_way_stops_all_the_same(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook
    tasks = [tmp_path / "first", tmp_path / "second"]
    with pytest.raises(KeyboardInterrupt):
        run_tasks(engine_tasks.lose_the_stop, tasks, engine=Engine(), title="x", total=2)
    assert [path.name for path in tmp_path.iterdir()] == ["first.lost"]
    after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook
    assert after == before
    assert run_tasks(int, ["1"], engine=Engine(), title="x", total=1).check("x") == [1]


def test_a_name_that_is_no_engine() -> None:
    with pytest.raises(HiveError, match="unknown engine 'slurm'"):
        run_tasks(int, ["1"], engine=Engine("slurm"), title="x", total=1)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


#: As that of botocore, which is no OSError.
LostConnection = type("ConnectionError", (Exception,), {})


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), True),
        (TimeoutError("took too long"), True),
        (OSError(errno.ESTALE, "stale file handle"), True),
        (OSError(errno.EBUSY, "slow down"), True),
        (UnreachableError("s3://x: did not answer", ""), True),
        (LostConnection("no endpoint"), True),
        (caused(HiveError("cannot be read"), BrokenPipeError(errno.EPIPE, "gone")), True),
        (HiveError("is broken"), False),
        (FileNotFoundError(errno.ENOENT, "no such file"), False),
        (OSError(errno.ENOSPC, "no space"), False),
        (PermissionError(errno.EACCES, "denied"), False),
        (MemoryError(), False),
        (ValueError("bug"), False),
    ],
)
def test_what_is_tried_again(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_shares_divide_the_tasks() -> None:
    taken = [[n for n in range(10) if Share(i, 3).takes(n)] for i in range(3)]
    assert sorted(chain.from_iterable(taken)) == list(range(10))
    assert {len(part) for part in taken} == {3, 4}
    with pytest.raises(HiveError, match="--shard-index 3 is not below --shard-count 3"):
        Share(3, 3)
