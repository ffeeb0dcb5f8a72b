"""The curation, done by several jobs and on Ray."""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from engine_commands import start

from hive.curation.job import SKIPPABLE
from hive.main import run
from hive.pool.store import read_pool

LABELS = ("Typing", "Printer", "Cough", "Rain")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twenty recordings of noise."""
    root = tmp_path / "corpus"
    root.mkdir()
    lines = ["path,label,licence,author"]
    for number in range(20):
        samples = 0.1 * np.random.default_rng(number).standard_normal(8000)
        soundfile.write(root / f"{number}.wav", samples, 16000)
        lines.append(f"{number}.wav,{LABELS[number % 4]},CC0-1.0,A")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few recordings."""
    monkeypatch.setattr("hive.curation.parts._LEAST", 2)
    monkeypatch.setattr("hive.curation.parts._MEAN", 2)


def arguments(corpus: Path, pool: Path, *more: object) -> list[str]:
    given = ["curate", "--corpus", "folder", "--root", corpus, "--out", pool, "--workers", 1]
    skip = chain.from_iterable(("--skip", stage) for stage in SKIPPABLE[1:])
    return [*map(str, given), *skip, *map(str, more)]


def clips(pool: Path) -> list[dict[str, Any]]:
    return read_pool(pool)[0].to_pylist()


@pytest.fixture
def whole(corpus: Path, small_parts: None, tmp_path: Path) -> list[dict[str, Any]]:
    """The clips that one job makes."""
    assert run(arguments(corpus, tmp_path / "whole")) == 0
    return clips(tmp_path / "whole")


def test_the_job_that_ends_last_fills_the_pool(
    corpus: Path,
    whole: list[dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool = tmp_path / "pool"
    array = ("--shard-count", 3, "--shard-index")
    for number in (2, 0):
        assert run(arguments(corpus, pool, *array, number, "--json")) == 0
        waiting = json.loads(capsys.readouterr().out)
        assert 0 < waiting["missing"] < waiting["parts"]
        assert not (pool / "clips.parquet").exists()
    assert run(arguments(corpus, pool, *array, 1)) == 0
    assert clips(pool) == whole
    assert len(whole) == 20
    assert run(arguments(corpus, pool, *array, 1)) == 0  # again: nothing is left to do
    assert clips(pool) == whole


def test_jobs_that_disagree_are_refused(
    corpus: Path, small_parts: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = tmp_path / "pool"
    array = ("--shard-count", 2, "--shard-index")
    assert run(arguments(corpus, pool, *array, 0)) == 0
    assert run(arguments(corpus, pool, *array, 1, "--short", "drop")) == 1
    assert "short: whole there -> drop asked for" in capsys.readouterr().err
    assert run(arguments(corpus, pool, *array, 1, "--redo", "chunk")) == 1
    assert "run it once without --shard-count" in capsys.readouterr().err
    assert run(arguments(corpus, pool, *array, 1)) == 0
    assert len(clips(pool)) == 20


@pytest.mark.slow
def test_ray_makes_the_same_pool(
    corpus: Path, whole: list[dict[str, Any]], ray_cluster: None, tmp_path: Path
) -> None:
    assert run(arguments(corpus, tmp_path / "pool", "--engine", "ray")) == 0
    assert clips(tmp_path / "pool") == whole


@pytest.mark.slow
def test_jobs_that_start_at_once_fill_the_pool_once(tmp_path: Path, corpus: Path) -> None:
    for number in range(20, 700):  # enough for parts as they are
        samples = 0.1 * np.random.default_rng(number).standard_normal(8000)
        soundfile.write(corpus / f"{number}.wav", samples, 16000)
        with (corpus / "manifest.csv").open("a") as handle:
            handle.write(f"{number}.wav,{LABELS[number % 4]},CC0-1.0,A\n")
    array = ("--shard-count", 3, "--shard-index")
    jobs = [
        start([sys.executable, "-m", "hive", *arguments(corpus, tmp_path / "pool", *array, number)])
        for number in range(3)
    ]
    told = [job.communicate(timeout=600)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], told
    assert run(arguments(corpus, tmp_path / "whole")) == 0
    assert clips(tmp_path / "pool") == clips(tmp_path / "whole")
