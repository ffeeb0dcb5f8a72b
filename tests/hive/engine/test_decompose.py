from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from datasets import load_dataset
from typer.testing import CliRunner

from hive import audio
from hive.cli import app
from hive.engine.cli import open_parts
from hive.engine.part import PARTS
from hive.engine.rules import Rules, score
from hive.engine.run import Job, Unfinished, decompose
from hive.engine.separation import ModelChoice, open_model
from hive.engine.table import WINDOW_SCHEMA
from hive.errors import HiveError
from hive.execution import Engine, Share
from hive.metrics import remix
from hive.shards.read import find_shards, read_shard
from hive.shards.verify import verify
from hive.tables import CLIP_SCHEMA, TRACK_SCHEMA, read_table

HERE = Path(__file__).parent
BANDS = {"Typing": (100.0, 900.0), "Rain": (1200.0, 3600.0), "Cough": (4500.0, 8500.0)}


def band(label: str, seconds: float, seed: int) -> np.ndarray:
    """Noise in the band of a label."""
    count = round(seconds * 44100)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / 44100)
    low, high = BANDS[label]
    samples = np.fft.irfft(spectrum * ((frequencies > low) & (frequencies < high)), count)
    return 0.1 * samples / samples.std()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Natural recordings: two of two events, one of three, and some that cannot be used."""
    root = tmp_path_factory.mktemp("recordings")
    rows: list[tuple[str, ...]] = []

    def add(name: str, sounds: list[np.ndarray], *labels: str, split: str = "") -> None:
        soundfile.write(root / name, np.sum(sounds, axis=0), 44100)
        rows.extend((name, label, "CC-BY-4.0", f"Author of {name}", split) for label in labels)

    for number in range(3):
        sounds = [band("Typing", 10, number), band("Rain", 10, 50 + number)]
        add(f"two{number}.wav", sounds, "Typing", "Rain")
    three = [band(label, 26, 7) for label in BANDS]
    add("three.wav", three, *BANDS, "Human sounds")
    add("one.wav", [band("Rain", 10, 1)], "Rain")
    add("test.wav", [band("Rain", 10, 1), band("Cough", 10, 2)], "Rain", "Cough", split="test")
    add("strange.wav", [band("Rain", 10, 1), band("Cough", 10, 2)], "Rain", "Piano")
    add("quiet.wav", [1e-5 * band("Rain", 10, 1)], "Rain", "Cough")
    add("short.wav", [band("Rain", 2, 1), band("Cough", 2, 2)], "Rain", "Cough")
    # Rain is labelled and cannot be heard.
    add("absent.wav", [band("Typing", 10, 9), 1e-4 * band("Rain", 10, 9)], "Typing", "Rain")
    (root / "broken.wav").write_bytes(b"RIFF no sound")
    rows += [("broken.wav", label, "CC-BY-4.0", "", "") for label in ("Rain", "Cough")]
    with (root / "manifest.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("path", "label", "licence", "author", "split"))
        writer.writerows(rows)
    return root / "manifest.csv"


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The models of `separators.py`, as `python:separators:NAME`."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    yield
    open_model.cache_clear()


def job(folder: Path, model: str = "Bands", **changes: object) -> Job:
    settings = {"rules": Rules(), "shard_size": 2, **changes}
    choice = ModelChoice(f"python:separators:{model}", batch_size=3)
    return Job(folder, "recordings", choice, **settings)  # type: ignore[arg-type]


def parts(recordings: Path) -> list:
    """One part for each recording, so that there is something to interrupt."""
    from hive.curation.parts import divide
    from hive.engine.windows import CorpusWindows

    (whole,) = open_parts(recordings, "folder", "train", (), None)
    return [
        CorpusWindows(whole.root, whole.corpus, part)
        for recording in whole.part.recordings
        for part in divide([recording], whole.root)
    ]


def files(folder: Path) -> dict[str, bytes]:
    """All files that do not tell of the course of the run."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "/jobs/" not in path.as_posix()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, recordings: Path) -> Path:
    """Tracks of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "tracks"
    sys.path.insert(0, str(HERE))
    try:
        decompose(job(folder), parts(recordings))
    finally:
        sys.path.remove(str(HERE))
    return folder


def test_every_window_has_its_verdict(whole: Path) -> None:
    tables = [
        read_table(path, WINDOW_SCHEMA)[0] for path in sorted((whole / PARTS).glob("*.parquet"))
    ]
    rows = pa.concat_tables(tables).to_pylist()
    told = sorted((Path(row["path"]).name, row["reason"] or row["subset"]) for row in rows)
    assert told == [
        ("absent.wav", "share"),
        ("broken.wav", "unreadable"),
        ("one.wav", "one_label"),
        ("quiet.wav", "silent"),
        ("short.wav", "short"),
        ("strange.wav", "unknown_to_model"),
        ("test.wav", "test_split"),
        ("three.wav", "self_separate"),  # two windows of 10 s, and what does not fill a third
        ("three.wav", "self_separate"),
        ("three.wav", "tail"),
        *(((f"two{number}.wav", "self_separate")) for number in range(3)),
    ]


def test_tracks_and_rest_are_the_recording_and_scores_hold(whole: Path, recordings: Path) -> None:
    assert verify(whole) == (5, [])
    shards = find_shards(whole, "train")
    assert [shard.relative_to(whole).as_posix() for shard in shards] == [
        "data/2mix/train-00000-of-00002.tar",
        "data/2mix/train-00001-of-00002.tar",
        "data/3mix/train-00000-of-00001.tar",
    ]
    for shard in shards:
        for sample in read_shard(shard):
            tracks = np.stack(list(sample.sources.values())).astype(np.float64)
            told = sample.meta["separation"]
            again = score(sample.mixture, tracks, sample.sample_rate)
            assert told["re_sdr"] == pytest.approx(again.re_sdr, abs=1e-6)
            assert told["re_sdr"] == pytest.approx(
                float(remix.re_sdr(estimate=tracks, mixture=sample.mixture)), abs=1e-6
            )
            assert (told["model"], told["iteration"]) == ("bands", 1)
            assert told["model_sha256"] == "ab" * 32
            source = sample.meta["sources"][0]
            name = source["path"].partition("/")[2]
            start = round(44100 * source["chunk_start_second"])
            native, _ = soundfile.read(recordings.parent / name)
            native = native[start : start + len(sample.mixture)]
            np.testing.assert_allclose(
                sample.mixture, sample.meta["global_normalization_factor"] * native, atol=4e-5
            )
            assert source["attribution"] == f"Author of {name}"


def test_tracks_are_the_events(whole: Path) -> None:
    for shard in find_shards(whole, "train"):
        for sample in read_shard(shard):
            for source in sample.meta["sources"]:
                low, high = BANDS[source["label"]]
                spectrum = np.abs(np.fft.rfft(sample.sources[source["source_id"]])) ** 2
                frequencies = np.fft.rfftfreq(len(sample.mixture), 1 / 44100)
                inside = (frequencies > low) & (frequencies < high)
                assert spectrum[inside].sum() > 0.999 * spectrum.sum()


def test_tracks_are_clips_that_can_be_mixed(whole: Path) -> None:
    clips = read_table(whole / "tracks.parquet", CLIP_SCHEMA)[0].to_pylist()
    assert len(clips) == 3 * 2 + 2 * 3
    members = {
        f"{shard.relative_to(whole)}:{sample.key}.{name}": (samples, sample.meta)
        for shard in find_shards(whole, "train")
        for sample in read_shard(shard)
        for name, samples in sample.sources.items()
    }
    assert {clip["path"] for clip in clips} == set(members)
    for clip in clips:
        samples, meta = members[clip["path"]]
        source = next(one for one in meta["sources"] if one["clip_id"] == clip["clip_id"])
        assert clip["label"] == source["label"]
        assert clip["pcm_sha256"] == source["pcm_sha256"]
        assert clip["rms"] == pytest.approx(audio.rms(samples), rel=1e-6)
        assert len(clip["activity"]) == 100
        assert clip["provenance"][0]["decision"] == "bands, iteration 1, self_separate"
    listed = (whole / "SHA256SUMS").read_text()
    assert "  tracks.parquet" in listed


def test_opens_with_stock_datasets(whole: Path, hf_cache: Path) -> None:
    data = load_dataset(str(whole), "3mix", split="train", cache_dir=str(hf_cache))
    assert data.column_names == [
        *("mix.flac", "s1.flac", "s2.flac", "s3.flac", "rest.flac", "json", "__key__", "__url__")
    ]
    row = data[0]
    assert row["json"]["separation"]["subset"] == "self_separate"
    mixture, *tracks = (
        audio.decode_integers(row[name])[0].astype(np.int64) for name in data.column_names[:5]
    )
    assert np.array_equal(mixture, np.sum(tracks, axis=0))


def test_card_tells_what_tracks_are(whole: Path) -> None:
    card = (whole / "README.md").read_text()
    assert "5 natural recordings, or windows of them, with 2 to 3 sound events" in card
    assert "**Tracks are estimates**" in card
    assert "| model | bands |" in card
    assert r"| self\_separate | 15 dB | 5 |" in card
    assert "sums of mono clips" not in card
    assert "cheng2025unleashing" in card
    described = json.loads((whole / "croissant.json").read_text())
    (mixtures,) = (one for one in described["recordSet"] if one["@id"] == "mixtures")
    fields = {field["@id"]: field for field in mixtures["field"]}
    assert len(fields["mixtures/separation"]["subField"]) == 9


def test_report_counts_yields_and_reasons(whole: Path) -> None:
    report = json.loads((whole / "report" / "report.json").read_text())
    assert (report["seen"], report["separated"]) == (13, 6)
    independent, self_separate = report["subsets"]
    assert independent["recordings"] == self_separate["recordings"] == 5
    assert independent["tracks"] == 3 * 2 + 2 * 3
    assert independent["track_hours"] == pytest.approx(120 / 3600)
    assert {one["reason"]: one["count"] for one in report["refused"]}["share"] == 1
    assert {one["label"]: one["tracks"] for one in report["labels"]} == {
        "Rain": 5,
        "Typing": 5,
        "Cough": 2,
    }
    tables = [read_table(path, WINDOW_SCHEMA)[0] for path in (whole / PARTS).glob("*.parquet")]
    for one in report["remixed"]:
        values = pa.concat_tables(tables)[one["metric"]].drop_null().to_numpy()
        assert (one["windows"], one["exact"]) == (len(values), 0) == (6, 0)
        assert one["mean"] == pytest.approx(float(np.mean(values)))
        assert one["over_15"] == pytest.approx(float(np.mean(values > 15.0)))
    assert sum(report["histograms"]["correlation"]) == 6
    page = (whole / "report" / "index.html").read_text()
    assert "&gt; 10 dB" in page
    assert "<script" not in page


@pytest.mark.parametrize("model", ["Identity", "First"])
def test_separators_that_separate_nothing_are_refused(
    model: str, tmp_path: Path, recordings: Path
) -> None:
    some = [one for one in parts(recordings) if "two" in one.part.recordings[0].path]
    with pytest.raises(HiveError, match="no recording is kept") as error:
        decompose(job(tmp_path, model), some)
    reason = {"Identity": "remix 3", "First": "share 3"}[model]
    assert reason in error.value.problem
    assert not (tmp_path / "data").exists()


def test_thresholds_divide_what_leaks(tmp_path: Path, recordings: Path) -> None:
    some = [one for one in parts(recordings) if "two" in one.part.recordings[0].path]
    choice = ModelChoice("python:separators:Bands", (("leak", "0.2"),))
    # Both tracks hold a fifth of the other, so their sum is 1.2 times the recording: 14 dB.
    run = Job(tmp_path, "recordings", choice, Rules(correlation=0.5))
    report = decompose(run, some)
    assert not isinstance(report, Unfinished)
    assert [one.recordings for one in report.subsets] == [3, 0]
    table, _ = read_table(tmp_path / "mixtures.parquet", TRACK_SCHEMA)
    values = [row["re_sdr"] for row in table["separation"].to_pylist()]
    assert values == pytest.approx([10 * np.log10(1 / 0.04)] * 3, abs=0.05)


def test_others_are_what_to_drop(tmp_path: Path, recordings: Path) -> None:
    from separators import Positive

    some = [one for one in parts(recordings) if "three" in one.part.recordings[0].path]
    for negatives in (True, False):
        choice = ModelChoice("python:separators:Positive", negatives=negatives)
        with pytest.raises(HiveError, match="no recording is kept"):
            decompose(Job(tmp_path / str(negatives), "recordings", choice), some)
    asked = Positive.asked
    assert [query.text for query in asked[:3]] == ["Cough", "Rain", "Typing"]
    assert [query.negatives for query in asked[:3]] == [
        ("Rain", "Typing"),
        ("Cough", "Typing"),
        ("Cough", "Rain"),
    ]
    assert {query.negatives for query in asked[6:]} == {()}


KILLED = """
import os, sys
sys.path[:0] = [{here!r}]
from test_decompose import job, parts
from hive.engine.run import decompose
from pathlib import Path
decompose(job(Path({folder!r})), parts(Path({recordings!r})))
"""


def test_killed_and_run_again_gives_the_same_bytes(
    tmp_path: Path, recordings: Path, whole: Path
) -> None:
    folder = tmp_path / "tracks"
    code = KILLED.format(here=str(HERE), folder=str(folder), recordings=str(recordings))
    killed = {**os.environ, "ENGINE_TEST_KILL": "Cough"}  # at the first recording with a cough
    done = subprocess.run([sys.executable, "-c", code], env=killed, check=False)
    assert done.returncode == -9
    assert list((folder / PARTS).glob("*.parquet"))
    assert not (folder / "data").exists()
    decompose(job(folder), parts(recordings))
    assert files(folder) == files(whole)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.tar")}
    decompose(job(folder), parts(recordings))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.tar")} == before


def test_jobs_of_an_array_and_workers_give_the_same_bytes(
    tmp_path: Path, recordings: Path, whole: Path
) -> None:
    for index in range(3):
        told = decompose(
            job(tmp_path / "array", share=Share(index, 3)),
            parts(recordings),
        )
        assert isinstance(told, Unfinished) == (index < 2)
    assert files(tmp_path / "array") == files(whole)
    decompose(job(tmp_path / "two", engine=Engine(workers=2)), parts(recordings))
    assert files(tmp_path / "two") == files(whole)


def test_a_shard_that_was_lost_is_made_again(tmp_path: Path, recordings: Path, whole: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "tracks")
    (folder / "data/2mix/train-00001-of-00002.tar").unlink()
    decompose(job(folder), parts(recordings))
    assert files(folder) == files(whole)


def test_other_settings_need_another_folder(tmp_path: Path, recordings: Path, whole: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "tracks")
    with pytest.raises(HiveError, match=r"iteration: 1 there -> 2 asked for"):
        decompose(job(folder, iteration=2), parts(recordings))
    with pytest.raises(HiveError, match=r"rules\.similarity: 0\.9 there -> 0\.5 asked for"):
        decompose(job(folder, rules=Rules(similarity=0.5)), parts(recordings))


@pytest.mark.parametrize(
    ("model", "problem"),
    [("Truth", "is shown the true sources"), ("Broken", "NaN or infinity")],
)
def test_models_that_cannot_be_used(
    model: str, problem: str, tmp_path: Path, recordings: Path
) -> None:
    with pytest.raises(HiveError, match=problem):
        decompose(job(tmp_path, model), parts(recordings))


def test_command_on_a_folder_and_on_a_dataset(
    tmp_path: Path, recordings: Path, whole: Path
) -> None:
    run = CliRunner()
    words = ["decompose", str(recordings), "--model", "python:separators:Bands", "--device", "cpu"]
    told = run.invoke(app, [*words, "--out", str(tmp_path / "one"), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["subsets"][1]["recordings"] == 5
    # The tracks' own recordings, as a dataset: the labels are known, the tracks are made anew.
    words[1] = str(whole)
    told = run.invoke(app, [*words, "--out", str(tmp_path / "two"), "--limit", "4"])
    assert told.exit_code == 0, told.output
    assert verify(tmp_path / "two") == (4, [])
    again = next(read_shard(find_shards(tmp_path / "two", "train")[0]))
    first = next(read_shard(find_shards(whole, "train")[0]))
    assert again.key == first.key
    np.testing.assert_allclose(again.sources["s1"], first.sources["s1"], atol=1e-3)
