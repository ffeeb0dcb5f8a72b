"""The commands with addresses in place of paths: the same bytes, on S3 as on the disk."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.results import read_scores
from hive.files import write_bytes
from hive.main import run
from hive.shards.read import find_shards, read_raw
from hive.storage import is_remote, place

LABELS = ("Typing", "Air conditioning", "Printer", "Telephone", "Cough")
S3 = "s3://bucket"


@pytest.fixture(scope="module")
def monkeymodule() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("storage") / "recordings"
    rng = np.random.default_rng(0)
    for label in LABELS:
        for take in range(2):
            path = root / label.replace(" ", "_") / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal(44100 * 3).clip(-5, 5), 44100)
    return root


@pytest.fixture(scope="module")
def local(recordings: Path, s3_server: Any, monkeymodule: pytest.MonkeyPatch) -> Path:
    """A pool, a plan and a dataset on the disk, and the same on S3."""
    s3_server.reset()
    for name, value in s3_server.environment.items():
        monkeymodule.setenv(name, value)
    root = recordings.parent
    for where, workers in ((root, 1), (S3, 2)):
        ok("pool", "import", recordings, "--out", f"{where}/pool", "--workers", 1)
        ok("mix", "plan", f"{where}/pool", "--out", f"{where}/test.parquet", "--split", "test",
           "--num", 6, "--sources", "2-3", "--shares", "0/0/1", "--seconds", 1,
           "--workers", 1)  # fmt: skip
        ok(*render(where, f"{where}/data"), "--workers", workers)
    return root


def ok(*arguments: object) -> None:
    assert run([str(each) for each in arguments]) == 0, arguments


def render(where: object, out: object) -> list[object]:
    return ["mix", "render", f"{where}/test.parquet", "--pool", f"{where}/pool", "--out", out,
            "--shard-size", 2]  # fmt: skip


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder, but for locks, which are of one machine."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def same(one: Path, other: Path) -> dict[str, bytes]:
    assert is_remote(other)
    here, there = tree(one), tree(other)
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    return here


def test_a_pool_a_plan_and_a_dataset_have_the_same_bytes(local: Path) -> None:
    pool = same(local / "pool", place(f"{S3}/pool"))
    assert len([name for name in pool if name.endswith(".flac")]) == 10
    assert (local / "test.parquet").read_bytes() == place(f"{S3}/test.parquet").read_bytes()
    data = same(local / "data", place(f"{S3}/data"))
    assert len([name for name in data if name.endswith(".tar")]) == 3
    assert {"mixtures.parquet", "SHA256SUMS", "README.md"} <= data.keys()


def test_recordings_may_be_remote(local: Path, recordings: Path) -> None:
    for name, data in tree(recordings).items():
        write_bytes(place(f"{S3}/recordings") / name, data)
    ok("pool", "import", f"{S3}/recordings", "--out", f"{S3}/pool-of-remote", "--workers", 1)
    clips = {n: d for n, d in tree(local / "pool").items() if n.endswith(".flac")}
    found = {n: d for n, d in tree(place(f"{S3}/pool-of-remote")).items() if n.endswith(".flac")}
    assert found == clips


def test_a_synthetic_pool_has_the_same_bytes(local: Path) -> None:
    for where in (local, S3):
        ok("pool", "synth", "--out", f"{where}/synth", "--label", "Clock", "--per-class", 1,
           "--workers", 1)  # fmt: skip
    same(local / "synth", place(f"{S3}/synth"))


def test_a_build_has_the_same_bytes(local: Path) -> None:
    for where in (local, S3):
        ok("build", f"{where}/pool", "--out", f"{where}/built", "--train", 3, "--test", 2,
           "--sources", 2, "--shares", "50/0/50", "--workers", 1)  # fmt: skip
    same(local / "built", place(f"{S3}/built"))


def test_statistics_are_the_same(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for where in (local, S3):
        ok("mix", "stats", f"{where}/data", "--json")
        ok("pool", "stats", f"{where}/pool", "--json")
        told[where] = capsys.readouterr().out
    assert told[local] == told[S3]
    ok("mix", "stats", f"{S3}/data", "--out", f"{S3}/stats")
    written = tree(place(f"{S3}/stats"))
    assert b"Dataset data" in written["index.html"]
    assert b"mixtures" in written["tables/labels.csv"]
    assert written["plots/levels.png"].startswith(b"\x89PNG")


def test_verify_finds_what_was_changed(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ok("mix", "verify", f"{S3}/data", "--workers", 1)
    assert "all is well" in capsys.readouterr().out
    shard = sorted(place(f"{S3}/data").glob("data/*/*.tar"))[0]
    whole = shard.read_bytes()
    try:
        write_bytes(shard, whole[:700] + b"X" + whole[701:])
        assert run(["mix", "verify", f"{S3}/data", "--workers", "1"]) == 1
        assert "differs from its checksum" in " ".join(capsys.readouterr().out.split())
        write_bytes(shard, whole[:-1024])
        assert run(["mix", "verify", f"{S3}/data", "--workers", "1"]) == 1
    finally:
        write_bytes(shard, whole)


def test_other_settings_are_refused(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(each) for each in (*render(S3, f"{S3}/data"), "--format", "wav")]) == 1
    told = capsys.readouterr().err
    assert "audio_format: flac there -> wav asked for" in told
    assert "s3://bucket/data" in told


def test_a_run_that_lost_the_server_goes_on(
    local: Path, s3_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"{S3}/lost"
    puts = []

    def fault(request: Any) -> tuple[int, str] | None:
        if request.method == "PUT" and request.path.endswith(".tar"):
            puts.append(request.path)
            return (403, "AccessDenied") if len(puts) > 2 else None
        return None

    s3_server.fault = fault
    try:
        assert run([str(each) for each in (*render(S3, out), "--workers", 1)]) == 1
    finally:
        s3_server.fault = None
    told = capsys.readouterr().err
    assert "shards failed" in told
    assert "s3://bucket/lost/data" in told
    before = tree(place(out))
    assert len([name for name in before if name.endswith(".tar")]) == 2
    s3_server.requests.clear()
    ok(*render(S3, out), "--workers", 1)
    again = {r.path for r in s3_server.requests if r.method == "PUT" and r.path.endswith(".tar")}
    assert again.isdisjoint(puts[:2])
    same(local / "data", place(out))


def test_a_pool_that_is_away_rejects_nothing(
    local: Path, s3_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    s3_server.fault = lambda each: (403, "AccessDenied") if each.path.endswith(".flac") else None
    try:
        assert run([str(each) for each in (*render(S3, f"{S3}/away"), "--workers", 1)]) == 1
    finally:
        s3_server.fault = None
    assert "AccessDenied" in capsys.readouterr().err.replace(" ", "")
    assert [name for name in tree(place(f"{S3}/away")) if name.endswith((".tar", ".csv"))] == []


def test_a_remote_dataset_is_registered(
    local: Path, hf_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    ok("register", f"{S3}/data")
    monkeypatch.chdir(tmp_path)  # where no folder has the name
    rows = load_dataset("hive", "all_test", split="test").with_format("arrow")[:]
    want = [raw for shard in find_shards(local / "data", "test") for raw in read_raw(shard)]
    assert rows["__key__"].to_pylist() == [raw.key for raw in want]
    stored = [mixture["bytes"] for mixture in rows["mix.flac"].to_pylist()]
    assert stored == [raw.audio_field("mix") for raw in want]


def test_models_are_scored_on_a_remote_dataset_into_a_remote_run(
    local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--workers", 0, "--metrics", "si_sdr,si_sdr_i", "--examples", 2]
    for where, model in ((S3, "mixture"), (S3, "irm"), (local, "irm")):
        ok("evaluate", "--model", model, "--benchmark", f"{where}/data",
           "--out", f"{where}/runs/{model}", *more)  # fmt: skip
    here, there = local / "runs" / "irm", place(f"{S3}/runs/irm")
    same(here / "examples", there / "examples")
    scores = [read_scores(folder).drop_columns(["seconds"]) for folder in (here, there)]
    assert scores[0].equals(scores[1])
    runs = [f"{S3}/runs/irm", f"{S3}/runs/mixture"]
    ok("report", *runs, "--out", f"{S3}/report.html")
    assert b"data:audio/flac" in place(f"{S3}/report.html").read_bytes()
    ok("compare", *runs, "--csv", f"{S3}/compare.csv")
    ok("compare", local / "runs" / "irm", runs[1], "--csv", local / "c.csv")
    assert place(f"{S3}/compare.csv").read_bytes() == (local / "c.csv").read_bytes()
    capsys.readouterr()
    assert run(["evaluate", "--model", "irm", "--benchmark", f"{S3}/data", "--out", runs[0],
                "--metrics", "si_sdr"]) == 1  # fmt: skip
    assert "holds a run with other settings" in capsys.readouterr().err


def test_a_dataset_on_the_hub_is_read(local: Path) -> None:
    hub_server = runpy.run_path(str(Path(__file__).parents[2] / "hub_server.py"))
    files = {n: d for n, d in tree(local / "data").items() if not n.startswith(".hive")}
    with hub_server["HubServer"]() as hub:
        hub.repos["owner/name"] = hub_server["Repo"](private=False)
        entries = {
            name: hub_server["Entry"](data, name.endswith((".tar", ".parquet")))
            for name, data in files.items()
        }
        hub.repos["owner/name"].add("main", entries, "all")
        environment = {**os.environ, **hub.environment}
        address = "hf://datasets/owner/name"
        command = [sys.executable, "-m", "hive", "mix", "verify", address, "--workers", "1"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 mixtures: all is well" in done.stdout


@pytest.mark.slow
def test_rendering_goes_on_after_it_was_killed(local: Path) -> None:
    out = place(f"{S3}/killed")
    command = [sys.executable, "-m", "hive", *map(str, render(S3, out)), "--workers", "2"]
    process = subprocess.Popen(command, env=os.environ, start_new_session=True)
    while process.poll() is None and not list(out.glob(".hive/data/*/*.json")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = list(out.glob(".hive/data/*/*.json"))
    assert done
    assert not (out / "SHA256SUMS").is_file()
    subprocess.run(command, env=os.environ, check=True)
    same(local / "data", out)
