"""Planted contamination, from the training set to the report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from hive.contamination import store as store_module
from hive.contamination import volumes as volumes_module
from hive.contamination.report import NAME, Report, read_report
from hive.contamination.run import Probe, contamination
from hive.errors import HiveError
from hive.execution import Engine
from hive.files import read_csv

RATE = 44100


def probe(test: Path, against: Path, out: Path, **more) -> Report:
    with mock.patch("hive.contamination.run.write_contamination_page"):  # plots take their time
        return contamination(Probe(str(test), (str(against),), **more), out, None, Engine())


def matches(out: Path, evidence: str) -> dict[str, dict[str, str]]:
    rows = read_csv(out / "matches.csv")
    return {row["clip_id"]: row for row in rows if row["evidence"] == evidence}


PLANTED: dict[str, tuple[Callable, str]] = {
    "louder": (lambda x, more: (0.1 * x, RATE), "a.wav"),
    "other_rate": (lambda x, more: (soxr.resample(x, RATE, 16000), 16000), "b.flac"),
    "mp3": (lambda x, more: (x, RATE), "c.mp3"),
    "ogg": (lambda x, more: (x, RATE), "d.ogg"),
    "in_a_longer_file": (
        lambda x, more: (np.concatenate([more(50, 33.0), x, more(51, 20.0)]), RATE),
        "deep/e.wav",
    ),
}


def test_planted_copies_are_found_where_they_are_and_nothing_else(
    world, sound, tmp_path: Path
) -> None:
    training, out = tmp_path / "training", tmp_path / "out"
    for number, (change, name) in enumerate(PLANTED.values()):
        (training / name).parent.mkdir(parents=True, exist_ok=True)
        samples, rate = change(sound(number), sound)
        soundfile.write(training / name, samples, rate)
    for seed in range(60, 64):
        soundfile.write(training / f"other_{seed}.wav", sound(seed), RATE)
    (training / "broken.wav").write_bytes(b"RIFF")
    (training / "film.mp4").write_bytes(b"")
    (training / "notes.txt").write_text("no audio")
    report = probe(world.dataset, training, out)
    found = matches(out, "sound")
    assert {clip: row["training_item"] for clip, row in found.items()} == {
        f"own_{number}": name for number, (_, name) in enumerate(PLANTED.values())
    }
    for number, row in enumerate(found.values()):
        lies = 33.0 if number == 4 else 0.0
        assert float(row["train_second"]) - float(row["test_second"]) == pytest.approx(
            lies, abs=0.05
        )
        assert 1.0 < float(row["seconds"]) <= 4.0
        assert float(row["bit_error_rate"]) < 0.25
    # Clip 5 alone is clean; mixture n holds clips n and n + 1.
    assert report.overall.clips.any.found == 5
    assert report.overall.recordings.found == 5
    assert (report.overall.mixtures.found, report.overall.whole_mixtures.found) == (6, 4)
    assert (report.overall.stems.found, report.overall.stems.of) == (10, 12)
    assert (out / "clean.txt").read_text() == ""
    (one,) = report.training_sets
    assert (one.kind, one.items, one.unread) == ("folder", 11, 2)
    seconds = 4 * 10 + 63 + 4 * 10
    assert one.hours == pytest.approx(seconds / 3600, rel=1e-3)
    problems = {row["item"]: row["problem"] for row in read_csv(out / "problems.csv")}
    assert set(problems) == {"broken.wav", "film.mp4"}
    assert "not been extracted" in problems["film.mp4"]
    assert report.limits.backwards.of > 0
    assert report.limits.backwards.found == 0


def test_what_is_clean_is_found_clean(world, sound, tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    for seed in range(60, 66):
        soundfile.write(tmp_path / "training" / f"{seed}.wav", sound(seed), RATE)
    report = probe(world.dataset, tmp_path / "training", tmp_path / "out")
    assert report.overall.clips.any.found == 0
    assert report.overall.mixtures.found == 0
    clean = (tmp_path / "out" / "clean.txt").read_text().split()
    assert clean == [f"test-{number:08d}" for number in range(6)]
    assert [(row.num_sources, row.mixtures.of) for row in report.sizes] == [(2, 6)]
    assert sum(row.stems.of for row in report.classes) == 12


def test_ids_and_hashes_are_enough(world, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    stem = json.loads(
        next(data for name, data in _members(world.dataset) if name == "test-00000002.json")
    )["sources"][1]["pcm_sha256"]
    ids.write_text(f"https://youtu.be/--abcdEFG_1\nown/1\n{stem}\nyoutube/xxxxxxxxxxx\n?!\n")
    report = probe(world.dataset, ids, tmp_path / "out")
    (one,) = report.training_sets
    assert (one.kind, one.items, one.unread) == ("list", 5, 1)
    assert (one.clips.recording.found, one.clips.samples.found, one.clips.sound.found) == (2, 1, 0)
    assert set(matches(tmp_path / "out", "recording")) == {"own_0", "own_1"}
    assert set(matches(tmp_path / "out", "samples")) == {"own_3"}
    # Clips 0, 1 and 3: mixtures 4 (clips 4 and 5) alone is clean.
    assert (tmp_path / "out" / "clean.txt").read_text() == "test-00000004\n"
    assert report.limits.backwards.of == 0


def test_a_pool_is_probed_by_its_clips_and_finds_itself(world, tmp_path: Path) -> None:
    report = probe(world.pool, world.pool, tmp_path / "out", against_split="test")
    (one,) = report.training_sets
    assert [share.found for _, share in one.clips] == [6, 6, 6, 6]
    assert report.test.mixtures == 0
    assert report.overall.mixtures.share is None
    assert (tmp_path / "out" / "clean.txt").read_text() == ""
    row = matches(tmp_path / "out", "sound")["own_2"]
    assert (row["training_item"], row["matches"]) == ("own_2", "1")
    assert float(row["bit_error_rate"]) == 0.0
    with pytest.raises(HiveError, match="no clips of split 'validation'"):
        probe(world.pool, world.pool, tmp_path / "other", split="validation")


def test_a_pool_has_nothing_of_a_split_that_it_does_not_hold(world, tmp_path: Path) -> None:
    report = probe(world.dataset, world.pool, tmp_path / "out")  # its clips are of the test
    assert report.training_sets[0].items == 0
    assert report.overall.clips.any.found == 0


def test_clips_of_a_mixture_table_are_read_from_the_pool(world, tmp_path: Path) -> None:
    table = world.dataset / "mixtures.parquet"
    report = probe(world.dataset, table, tmp_path / "out", against_split="test", pool=world.pool)
    assert report.test.kind == report.training_sets[0].kind == "mixture table"
    assert [share.found for _, share in report.training_sets[0].clips] == [6, 6, 6, 6]
    with pytest.raises(HiveError, match="a mixture table without audio"):
        probe(world.dataset, table, tmp_path / "out", against_split="test")


def test_a_manifest_gives_ids_and_intervals(world, sound, tmp_path: Path) -> None:
    long = np.concatenate([sound(70, 12.0), sound(4)])
    soundfile.write(tmp_path / "long.wav", long, RATE)
    soundfile.write(tmp_path / "noise.wav", sound(71, 2.0), RATE)
    with (tmp_path / "manifest.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["path", "label", "start", "end", "recording_id", "split"])
        writer.writerow(["long.wav", "Cough", "0", "12", "x", "train"])
        writer.writerow(["long.wav", "Cough", "12", "22", "y", "test"])
        writer.writerow(["noise.wav", "Cough", "", "", "youtube/--abcdEFG_1", ""])
    manifest = tmp_path / "manifest.csv"
    report = probe(world.dataset, manifest, tmp_path / "out")
    assert (report.training_sets[0].kind, report.training_sets[0].items) == ("manifest", 2)
    assert set(matches(tmp_path / "out", "recording")) == {"own_0"}
    assert matches(tmp_path / "out", "sound") == {}
    report = probe(world.dataset, manifest, tmp_path / "out", against_split="all")
    row = matches(tmp_path / "out", "sound")["own_4"]
    assert float(row["train_second"]) - float(row["test_second"]) == pytest.approx(12.0, abs=0.05)


def test_a_second_probe_and_one_that_was_stopped_read_nothing_twice(
    world, sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "training").mkdir()
    for seed in (2, 60, 61, 62):
        soundfile.write(tmp_path / "training" / f"{seed}.wav", sound(seed), RATE)
    monkeypatch.setattr(store_module, "_BATCH", 1)
    search = volumes_module._search
    monkeypatch.setattr("hive.contamination.volumes._search", _stop)
    with pytest.raises(KeyboardInterrupt):
        probe(world.dataset, tmp_path / "training", tmp_path / "out")
    assert not (tmp_path / "out" / NAME).exists()
    monkeypatch.setattr("hive.contamination.volumes._search", search)
    monkeypatch.setattr(store_module, "item_rows", _stop)
    monkeypatch.setattr("hive.contamination.stems.item_rows", _stop)
    first = probe(world.dataset, tmp_path / "training", tmp_path / "out")
    assert first.overall.clips.sound.found == 1
    monkeypatch.setattr("hive.contamination.volumes._search", _stop)
    assert probe(world.dataset, tmp_path / "training", tmp_path / "out") == first
    assert read_report(tmp_path / "out" / NAME) == first


def test_a_damaged_shard_costs_its_clips_only(world, sound, tmp_path: Path) -> None:
    import shutil

    dataset = tmp_path / "dataset"
    shutil.copytree(world.dataset, dataset)
    shard = dataset / "data" / "2mix" / "test-00000-of-00001.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "training").mkdir()
    soundfile.write(tmp_path / "training" / "0.wav", sound(0), RATE)
    report = probe(dataset, tmp_path / "training", tmp_path / "out")
    assert report.limits.unread > 0
    assert report.limits.clean_unjudged > 0
    assert set(matches(tmp_path / "out", "sound")) == {"own_0"}
    problems = list(read_csv(tmp_path / "out" / "problems.csv"))
    assert any("damaged shard" in row["problem"] for row in problems)
    # Mended, it is read anew.
    shard.write_bytes(whole)
    assert probe(dataset, tmp_path / "training", tmp_path / "out").limits.unread == 0


@pytest.mark.parametrize(
    ("test", "against", "told"),
    [
        ("nowhere", ["ids.txt"], "nowhere: no such file or folder"),
        ("ids.txt", ["ids.txt"], "a list is no test"),
        ("mini", ["ids.txt", "ids.txt"], "names no training set, or one twice"),
        ("mini", ["empty"], "holds no audio files"),
        ("mini", ["fsd50k:nowhere"], "nowhere: no such folder"),
        ("mini", ["mini"], "no .* of split 'train'"),
    ],
)
def test_what_cannot_be_probed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, against: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.txt").write_text("own/1\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiveError, match=told):
        contamination(Probe(test, tuple(against)), tmp_path / "out", None, Engine())


def test_the_command_and_its_page(world, tmp_path: Path) -> None:
    from hive.cli import app

    name = "<script>alert(1)</script>.txt"
    folder = tmp_path / "a"
    folder.mkdir()
    ids = folder / name.replace("/", "_")
    ids.write_text("own/1\n=HYPERLINK(1)\n")
    out = tmp_path / "out"
    call = ["contamination", str(world.dataset), "--against", str(ids), "--out", str(out)]
    ran = CliRunner().invoke(app, [*call, "--workers", "1", "--json"])
    assert ran.exit_code == 0, ran.output
    value = json.loads(ran.stdout)
    assert value == json.loads((out / NAME).read_text())
    assert value["overall"]["clips"]["any"] == {"found": 1, "of": 6, "share": 1 / 6}
    assert value["test"]["fingerprint"] == _fingerprint(world.dataset)
    page = (out / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "'=HYPERLINK(1)" in (out / "problems.csv").read_text()
    shown = CliRunner().invoke(app, [*call, "--workers", "1"])
    assert shown.exit_code == 0
    assert "1 of 6 clips, 2 of 6 mixtures have such a source, 0 have no other" in shown.output


def _fingerprint(dataset: Path) -> str:
    from benchmarks.dataset import open_dataset

    return open_dataset(str(dataset), "test").fingerprint


def _members(dataset: Path):
    from hive.shards.tar import iterate_members

    yield from iterate_members(dataset / "data" / "2mix" / "test-00000-of-00001.tar")


def _stop(task: object) -> None:
    raise KeyboardInterrupt
