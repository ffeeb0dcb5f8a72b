from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import webdataset
from typer.testing import CliRunner

from hive import audio
from hive.build import build
from hive.errors import HiveError
from hive.execution.engine import Engine, Share
from hive.mixing.plan import Planner, PlanSettings, write_plan
from hive.mixing.roots import PoolRoot
from hive.pool.importer import import_folder
from hive.pool.layout import Short
from hive.pool.store import read_pool
from hive.shards.finish import finish, unfinished
from hive.shards.layout import find_shards, locate
from hive.shards.leakage import Finding, leaks
from hive.shards.read import read_raw, read_shard
from hive.shards.tar import TarWriter
from hive.shards.verify import verify
from hive.shards.write import RenderSettings, render_plan
from hive.tables import MIXTURE_SCHEMA, read_table

COUNTS = {"train": 24, "validation": 0, "test": 6}
SHARES = {"train": 0.5, "test": 0.5}
SMALL = RenderSettings(shard_size=3)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    names = ["Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Telephone"]
    lines = ["path,label,licence,author"]
    for number, label in enumerate([*names, "Cough"]):
        for take in range(4):
            rng = np.random.default_rng(10 * number + take)
            samples = 0.05 * rng.standard_normal(44100 * 2)
            soundfile.write(root / f"{number}_{take}.wav", samples, 44100)
            licence = "CC0-1.0" if take % 2 else "CC-BY-4.0"
            lines.append(f'{number}_{take}.wav,"{label}",{licence},Author {take}')
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    import_folder(root, root / "pool", "c", short=Short.REPEAT, seed=0, workers=1)
    return root / "pool"


def make(pool: Path, dataset: Path, workers: int = 1, seed: int = 0) -> None:
    build(
        pool,
        dataset,
        COUNTS,
        seed=seed,
        engine=Engine(workers=workers),
        settings=SMALL,
        shares=SHARES,
    )


@pytest.fixture(scope="module")
def dataset(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "dataset"
    make(pool, folder)
    return folder


def sums(dataset: Path) -> str:
    return (dataset / "SHA256SUMS").read_text()


def test_the_dataset_verifies(dataset: Path) -> None:
    assert verify(dataset) == (30, [])
    check = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dataset, check=False
    )
    assert check.returncode == 0


def test_mixtures_are_the_sums_of_their_sources(dataset: Path) -> None:
    shards = find_shards(dataset, "test")
    samples = [sample for shard in shards for sample in read_shard(shard)]
    assert len(samples) == 6
    for sample in samples:
        total = np.sum(list(sample.sources.values()), axis=0)
        assert np.array_equal(total, sample.mixture)  # sums of 16-bit values: exact in float32
        assert len(sample.mixture) == 441000
        assert sample.sample_rate == 44100
        assert np.abs(sample.mixture).max() <= 0.95


def test_no_recording_is_in_two_splits(dataset: Path) -> None:
    rows = read_table(dataset / "mixtures.parquet", MIXTURE_SCHEMA)[0].to_pylist()
    seen: dict[str, set[str]] = {}
    for row in rows:
        for source in row["sources"]:
            seen.setdefault(source["recording_id"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in seen.values())
    assert {row["target_duration"] for row in rows if row["split"] == "train"} == {4.0}
    assert {row["target_duration"] for row in rows if row["split"] == "test"} == {10.0}


def test_workers_change_nothing(pool: Path, dataset: Path, tmp_path: Path) -> None:
    make(pool, tmp_path / "again", workers=2)
    assert sums(tmp_path / "again") == sums(dataset)


@pytest.mark.parametrize("how", ["SIGKILL to all", "SIGKILL to the program", "Ctrl-C"])
def test_a_build_that_was_stopped_goes_on(
    pool: Path, dataset: Path, tmp_path: Path, how: str
) -> None:
    target = tmp_path / "stopped"
    command = [
        *(sys.executable, "-m", "hive", "build", str(pool), "--out", str(target)),
        *("--train", "24", "--test", "6", "--shares", "50/0/50", "--shard-size", "3"),
        *("--workers", "2"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not any((target / ".hive" / "data").glob("*/*.json")):
            assert process.poll() is None, "the build ended before it could be stopped"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        if how == "Ctrl-C":
            process.send_signal(signal.SIGINT)
            assert process.wait(60) not in (0, -signal.SIGINT)
            assert not list(target.rglob("*.part"))
        elif how == "SIGKILL to the program":
            process.kill()
            if shutil.which("ps") is None:
                pytest.skip("ps is needed to see whether workers are left")
            wait_for_the_group_to_end(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (target / "SHA256SUMS").exists()
    done = len(list((target / ".hive" / "data").glob("*/*.json")))
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert done < len(list((target / ".hive" / "data").glob("*/*.json")))
    assert sums(target) == sums(dataset)
    assert not list(target.rglob("*.part"))


def wait_for_the_group_to_end(group: int) -> None:
    """Fail if a worker outlives the program by long."""
    deadline = time.monotonic() + 30
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            # The program itself is a zombie until it is waited for; its workers must go.
            states = subprocess.run(
                ["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False
            ).stdout.split()
            if all(state.startswith("Z") for state in states):
                return
            time.sleep(0.05)
        pytest.fail("a worker process outlived the program")


def test_a_job_array_gives_the_same(pool: Path, dataset: Path, tmp_path: Path) -> None:
    target = tmp_path / "array"
    for split in ("train", "test"):
        for job in (1, 0):
            plan = dataset / ".hive" / "plan" / f"{split}.parquet"
            render_plan(plan, PoolRoot(pool), target, SMALL, share=Share(job, 2))
            assert unfinished(target) == (job == 1)
    finish(target)
    assert sums(target) == sums(dataset)


def test_other_settings_into_the_same_folder_are_refused(pool: Path, dataset: Path) -> None:
    with pytest.raises(HiveError, match=r"split 'train' is there with other settings") as caught:
        make(pool, dataset, seed=1)
    assert "plan.seed: 0 there -> 1 asked for" in caught.value.problem
    assert verify(dataset) == (30, [])


def test_webdataset_reads_the_shards(dataset: Path) -> None:
    urls = [str(path) for path in find_shards(dataset, "train", (5,))]
    stream = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)
    samples = list(stream)
    assert [sample["__key__"] for sample in samples] == sorted(s["__key__"] for s in samples)
    row = json.loads(samples[0]["json"])
    assert row["mix_id"] == samples[0]["__key__"]
    assert row["num_sources"] == 5
    assert audio.decode(samples[0]["mix.flac"])[1] == 44100


def test_names_layout_and_shard_sizes(dataset: Path) -> None:
    names = sorted(path.name for path in (dataset / "data" / "5mix").iterdir())
    assert all(name.startswith(("train-0000", "test-0000")) for name in names)
    for split in ("train", "test"):
        counts = [sum(1 for _ in read_raw(path)) for path in find_shards(dataset, split)]
        assert max(counts) <= 3
        assert sum(counts) == COUNTS[split]
    licences = (dataset / "LICENSES.csv").read_text().splitlines()
    columns = "clip_id,path,corpus,label,licence,stated,attribution,url,mixtures"
    assert licences[0] == columns
    assert any("Author 2" in line and "CC-BY-4.0" in line for line in licences)


def tamper(dataset: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "tampered"
    shutil.copytree(dataset, copy)
    return copy


def test_verify_names_what_was_changed(dataset: Path, tmp_path: Path) -> None:
    copy = tamper(dataset, tmp_path)
    path = find_shards(copy, "test")[0]
    samples = list(read_raw(path))
    with TarWriter(path) as tar:
        for sample in samples:
            for field, data in sample.fields.items():
                if field == "s1.flac":
                    integers = audio.decode_integers(data)[0]
                    integers[1000] += 1
                    data = audio.encode(integers, 44100)
                tar.add(f"{sample.key}.{field}", data)
    (copy / "LICENSES.csv").write_text("")
    problems = {(finding.where, finding.problem) for finding in verify(copy)[1]}
    key = samples[0].key
    assert ("LICENSES.csv", "differs from its checksum") in problems
    assert (path.relative_to(copy).as_posix(), "differs from its checksum") in problems
    assert (key, "the sources do not add up to the mixture") in problems
    assert (f"{key} s1", "samples differ from their hash") in problems


def test_verify_names_missing_and_foreign_shards(dataset: Path, tmp_path: Path) -> None:
    copy = tamper(dataset, tmp_path)
    first, second = find_shards(copy, "test")[:2]
    first.unlink()
    shutil.copy(second, second.with_name("test-00007-of-00009.tar"))
    problems = [(finding.where, finding.problem) for finding in verify(copy)[1]]
    assert (first.relative_to(copy).as_posix(), "is missing") in problems
    assert any(problem == "is not listed in SHA256SUMS" for _, problem in problems)


def test_verify_finds_leaks_and_forbidden_pairs(dataset: Path, tmp_path: Path) -> None:
    copy = tamper(dataset, tmp_path)
    table = pq.ParquetFile(copy / "mixtures.parquet")
    groups = [table.read_row_group(n).to_pylist() for n in range(table.num_row_groups)]
    groups[0][0]["sources"][0]["recording_id"] = groups[-1][0]["sources"][0]["recording_id"]
    groups[0][0]["sources"][1]["label"] = groups[0][0]["sources"][0]["label"]
    with pq.ParquetWriter(copy / "mixtures.parquet", MIXTURE_SCHEMA) as writer:
        for rows in groups:
            writer.write_table(pa.Table.from_pylist(rows, schema=MIXTURE_SCHEMA))
    problems = " / ".join(finding.problem for finding in verify(copy)[1])
    assert "recording is in train and in test" in problems
    assert "may not be mixed" in problems
    assert "its json member differs from the mixture table" in problems


def test_verify_reads_a_row_group_at_a_time(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    read = pq.ParquetFile.read_row_group

    def watched(file: pq.ParquetFile, *args: object, **options: object) -> pa.Table:
        nonlocal largest
        rows = read(file, *args, **options)
        largest = max(largest, rows.num_rows)
        return rows

    def whole(*args: object, **options: object) -> None:
        raise AssertionError("the table was read whole")

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    monkeypatch.setattr(pq.ParquetFile, "read", whole)
    monkeypatch.setattr(pq, "read_table", whole)
    assert verify(dataset) == (30, [])
    assert largest == 3


def test_a_leak_is_told_once_and_with_what_it_sounds_like(dataset: Path, tmp_path: Path) -> None:
    copy = tamper(dataset, tmp_path)
    rows = pq.read_table(copy / "mixtures.parquet").to_pylist()
    by_split = {
        split: [s["recording_id"] for row in rows if row["split"] == split for s in row["sources"]]
        for split in ("train", "test")
    }
    train, test = by_split["train"][0], by_split["test"][0]
    (copy / ".hive" / "duplicates.json").write_text(json.dumps({train: "g", test: "g"}))
    assert list(leaks(copy)) == [
        Finding(test, f"is in test, and {train}, which holds the same sound, in train")
    ]
    (copy / ".hive" / "duplicates.json").unlink()
    assert list(leaks(copy)) == []


def test_a_broken_clip_is_quarantined_and_tried_again(
    pool: Path, dataset: Path, tmp_path: Path
) -> None:
    copy, target = tmp_path / "pool", tmp_path / "out"
    shutil.copytree(pool, copy)
    used = read_table(dataset / "mixtures.parquet", MIXTURE_SCHEMA)[0].to_pylist()[0]
    clip = copy / used["sources"][0]["path"]
    whole = clip.read_bytes()
    clip.write_bytes(b"broken")
    with pytest.raises(SystemExit) as caught:
        command(["build", copy, "--out", target])
    assert caught.value.code == 1
    text = (target / "quarantine.csv").read_text()
    assert used["mix_id"] in text
    assert "not a readable audio file" in text
    rows = read_table(target / "mixtures.parquet", MIXTURE_SCHEMA)[0].to_pylist()
    assert 0 < len(rows) < 30
    assert verify(target)[1] == []
    clip.write_bytes(whole)
    command(["build", copy, "--out", target])
    assert sums(target) == sums(dataset)


def command(arguments: list[object]) -> None:
    """Run `hive-bench build` in this process, as the program's `main` does."""
    options = [
        "--train",
        "24",
        "--test",
        "6",
        "--shares",
        "50/0/50",
        "--shard-size",
        "3",
        "--workers",
        "1",
    ]
    from hive.main import run

    code = run([*map(str, arguments), *options])
    if code:
        raise SystemExit(code)


def test_wav_and_24_bits(pool: Path, tmp_path: Path) -> None:
    clips = read_pool(pool)[0]
    write_plan(Planner(clips, PlanSettings("train", 0, 4.0)), 4, tmp_path / "plan")
    settings = RenderSettings("wav", 24)
    render_plan(tmp_path / "plan", PoolRoot(pool), tmp_path / "out", settings)
    finish(tmp_path / "out")
    assert verify(tmp_path / "out") == (4, [])
    sample = next(read_raw(find_shards(tmp_path / "out", "train")[0]))
    assert "mix.wav" in sample.fields
    assert "mix.wav" in (tmp_path / "out" / "README.md").read_text()


def test_missing_datasets_and_splits_are_told(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="not a dataset folder"):
        locate(tmp_path)
    with pytest.raises(HiveError, match="no shards of split 'validation'") as caught:
        find_shards(dataset, "validation")
    assert "test, train" in caught.value.remedy
    copy = tamper(dataset, tmp_path)
    shards = find_shards(copy, "train", (5,))
    shards[0].unlink()
    with pytest.raises(HiveError, match="has gaps"):
        find_shards(copy, "train")


def test_a_full_disk_is_told_and_nothing_is_half_written(pool: Path, tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        with pytest.raises(HiveError, match=r"No space left on device") as caught:
            make(pool, mount / "out")
        assert "free some space" in str(caught.value)
        assert not list(mount.rglob("*.part"))
        assert not (mount / "out" / "SHA256SUMS").exists()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_help_of_every_data_command_has_an_example() -> None:
    from hive.main import build as build_program

    runner = CliRunner()
    program = build_program()
    for name in (
        *("labels", "sources", "build", "register", "doctor"),
        *("pool import", "pool synth", "pool stats", "mix plan", "mix render", "mix verify"),
    ):
        result = runner.invoke(program, [*name.split(), "--help"])
        assert result.exit_code == 0
        assert f"Example: hive-bench {name}" in " ".join(result.output.split())
