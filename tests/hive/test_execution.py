from __future__ import annotations

import os

import pytest

from hive.errors import HiveError
from hive.execution.engine import Engine
from hive.execution.local import run_tasks

# Tasks for worker processes must be importable there, so they are functions of the library.


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_does_not_stop_the_others(workers: int) -> None:
    outcome = run_tasks(
        int, ["5", "clip 3", "1"], engine=Engine(workers=workers), title="x", total=3
    )
    assert outcome.results == [("5", 5), ("1", 1)]
    assert [task for task, _ in outcome.failures] == ["clip 3"]
    with pytest.raises(HiveError, match=r"1 of 3 numbers failed:\n  .*'clip 3'") as caught:
        outcome.check("numbers")
    assert "what is done is kept" in caught.value.remedy


def test_a_worker_that_dies_is_told() -> None:
    outcome = run_tasks(os._exit, [1, 2], engine=Engine(workers=2), title="x", total=2)
    assert len(outcome.failures) == 2
    with pytest.raises(HiveError, match="a worker process died"):
        outcome.check("tasks")


def test_workers_use_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    assert run_tasks(os.getenv, names, engine=Engine(workers=2), title="x", total=2).check("t") == [
        "1",
        "1",
    ]
