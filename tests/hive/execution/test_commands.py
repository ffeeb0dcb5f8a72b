"""The program under signals, and several of it at once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from engine_commands import files, kill_session, render, session_of, shards_done, start, wait_until

from hive.main import run

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def stop_in_the_middle(command: list[str], out: Path, how: str) -> tuple[int, str]:
    """Stop a rendering after its first shard; returns its exit code and what it said."""
    process = start(command)
    try:
        wait_until(lambda: shards_done(out) > 0, process)
        if how == "Ctrl-C":  # a terminal sends it to all
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        _, told = process.communicate(timeout=60)
        wait_until(lambda: not session_of(process.pid))
    finally:
        kill_session(process.pid)
    return process.returncode, told


@pytest.mark.parametrize(
    ("how", "code"),
    [("Ctrl-C", 130), pytest.param("SIGTERM", 143, marks=pytest.mark.slow)],
)
def test_stopped_it_leaves_nothing_and_goes_on(
    plan: Path, pool: Path, whole: dict[str, str], tmp_path: Path, how: str, code: int
) -> None:
    out = tmp_path / "out"
    command = render(plan, pool, out, "--workers", 2)
    found, told = stop_in_the_middle(command, out, how)
    assert found == code
    assert "Traceback" not in told
    if how == "Ctrl-C":
        assert "goes on with the same command" in told
    assert not list(out.rglob("*.part"))
    assert not (out / "SHA256SUMS").exists()
    assert run([*command[3:], "--workers", "1"]) == 0  # in this process: it is quicker
    assert files(out) == whole


def test_jobs_of_an_array_that_start_at_once(
    plan: Path, pool: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    jobs = [
        start(render(plan, pool, out, "--workers", 1, "--shard-index", i, "--shard-count", 2))
        for i in range(2)
    ]
    told = [job.communicate(timeout=300)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], told
    assert sum("shards still missing: " not in text for text in told) >= 1
    assert files(out) == whole


@pytest.mark.slow
def test_jobs_with_other_settings_are_refused(plan: Path, pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    share = ("--workers", 1, "--shard-count", 2, "--shard-index")
    jobs = [
        start(render(plan, pool, out, *share, 0)),
        start([*render(plan, pool, out, *share, 1), "--bits", "24"]),
    ]
    told = [job.communicate(timeout=300)[1] for job in jobs]
    assert sorted(job.returncode for job in jobs) == [0, 1]
    refused = told[0] if jobs[0].returncode else told[1]
    assert "is there with other settings" in refused
    assert "bits: 16 there -> 24 asked for" in refused or (
        "bits: 24 there -> 16 asked for" in refused
    )


@pytest.mark.slow
def test_ctrl_c_on_ray(plan: Path, pool: Path, whole: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "out"
    command = render(plan, pool, out, "--workers", 2, "--engine", "ray")
    found, told = stop_in_the_middle(command, out, "Ctrl-C")
    assert found == 130
    assert "goes on with the same command" in told
    assert not list(out.rglob("*.part"))
    subprocess.run(command, check=True, capture_output=True)
    assert files(out) == whole
