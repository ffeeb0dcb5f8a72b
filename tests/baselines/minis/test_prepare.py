"""The pool of the minis: what is trained on, what is held out, and why."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from baselines.minis.prepare import CORPUS, divide, main, read_manifest
from hive.errors import HiveError
from hive.pool.store import read_pool

FREE = (
    "CC0-1.0",
    "CC-BY-3.0",
    "MIT",
    "BSD-3-Clause",
    "public-domain",
    "CC-BY-SA-3.0",
    "CC-BY-SA-3.0 or later",
    "CC-BY-SA-4.0",
    "GPL-2+ or CC-BY-SA-2.0",
    "CC-BY-3.0 and CC0-1.0",
)
NOT_FREE = (
    "GPL-2+",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-ND-4.0",
    "CC-BY-SA-1.0",
    "CC-BY-SA-4.0 and CC-BY-NC-4.0",
    "Free-Art-1.3",
    "no such licence",
)

Row = dict[str, str]


def row(path: str, licence: str = "CC0-1.0", label: str = "Dog", **told: str) -> Row:
    return {"path": path, "label": label, "licence": licence, "provenance": "recording", **told}


def splits(rows: list[Row]) -> dict[str, str]:
    return {one["path"]: one["split"] for one in divide(rows)}


@pytest.mark.parametrize("licence", FREE)
def test_small_classes_of_free_recordings_are_trained_on(licence: str) -> None:
    assert set(splits([row(f"{n}", licence) for n in range(4)]).values()) == {"train"}


@pytest.mark.parametrize("licence", NOT_FREE)
def test_what_is_not_free_is_tested_with(licence: str) -> None:
    found = Counter(splits([row("free"), *(row(f"{n}", licence) for n in range(200))]).values())
    assert found["train"] == 1
    assert found["validation"] + found["test"] == 200
    assert 70 <= found["test"] <= 130


def test_classes_that_nothing_is_trained_on_are_left_out() -> None:
    assert splits([row("cat", "GPL-3", label="Cat"), row("dog")]) == {"dog": "train"}


def test_one_in_six_of_a_large_class_is_held_out() -> None:
    found = Counter(splits([row(f"{n}") for n in range(1200)]).values())
    assert 155 <= found["validation"] + found["test"] <= 245  # four standard deviations
    assert 60 <= found["test"] <= 140
    assert found["train"] + found["validation"] + found["test"] == 1200


def test_rendered_phrases_are_trained_on_or_left_out() -> None:
    free = [row(f"f{n}", provenance="rendered from notes") for n in range(30)]
    others = [row(f"o{n}", "GPL-3", provenance="rendered from notes") for n in range(30)]
    # Thirty rendered ones do not make a class large, of which some are held out.
    real = [row(f"r{n}") for n in range(4)]
    found = splits(free + others + real)
    assert found == {one["path"]: "train" for one in free + real}


def test_a_recording_with_one_clip_that_is_not_free_is_not_trained_on() -> None:
    clips = [
        row("free", recording_id="same"),
        row("gpl", "GPL-2+", recording_id="same"),
        row("else", recording_id="other"),
    ]
    found = splits(clips)
    assert found["free"] == found["gpl"] != "train"
    assert found["else"] == "train"
    rendered = row("notes", provenance="rendered from notes", recording_id="same")
    assert splits([*clips, rendered]) == {"else": "train"}


def test_recordings_of_no_class_are_left_out() -> None:
    assert splits([row("a", label="Crowd"), row("b", label="no such sound"), row("c")]) == {
        "c": "train"
    }
    by_node = row("d", label="anything", audioset_id="/m/0bt9lr")
    assert splits([by_node]) == {"d": "train"}


CLIPS = st.builds(
    row,
    path=st.uuids().map(str),
    licence=st.sampled_from(["CC0-1.0", "CC-BY-SA-3.0", "GPL-2+"]),
    label=st.sampled_from(["Dog", "Cat", "Meow", "Rain", "Crowd"]),
    provenance=st.sampled_from(["recording", "package", "rendered from notes"]),
    recording_id=st.sampled_from([f"r{n}" for n in range(12)]),
)


@given(st.lists(CLIPS, max_size=40, unique_by=lambda one: one["path"]), st.randoms())
def test_recordings_stay_together_whatever_the_order(rows: list[Row], random: object) -> None:
    found = divide(rows)
    of: dict[str, set[str]] = {}
    for one in found:
        of.setdefault(one["recording_id"], set()).add(one["split"])
    assert all(len(some) == 1 for some in of.values())
    for one in rows:
        if one["licence"] == "GPL-2+" and one["label"] != "Crowd":
            assert "train" not in of.get(one["recording_id"], set())
    for one in found:
        if one["provenance"].startswith("rendered"):
            assert one["split"] == "train"
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert splits(shuffled) == splits(rows)


def write(folder: Path, rows: list[Row]) -> Path:
    """Write a manifest and, for each row, 3 s of noise of its own."""
    folder.mkdir()
    for number, one in enumerate(rows):
        samples = 0.1 * np.random.default_rng(number).standard_normal(3 * 16000)
        soundfile.write(folder / one["path"], samples, 16000)
    return write_manifest(folder, rows)


def write_manifest(folder: Path, rows: list[Row]) -> Path:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


THREE = [
    row("dog.wav", "CC-BY-3.0", author="A"),
    row("other.wav", "GPL-2+", "Dog", author="B"),
    row("rain.wav", "CC-BY-SA-4.0", "Rain", author="C"),
]


def test_a_pool_of_three_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, manifest = tmp_path / "POOL", write(tmp_path / "recordings", THREE)
    main(manifest, pool, per_class=0, workers=1)
    clips = {clip["path"]: clip for clip in read_pool(pool)[0].to_pylist()}
    told = {
        clip["attribution"]: (clip["source"], clip["label"], clip["split"], clip["licence"])
        for clip in clips.values()
    }
    assert told["A"] == (CORPUS, "Dog", "train", "CC-BY-3.0")
    assert told["C"] == (CORPUS, "Rain", "train", "CC-BY-SA-4.0")
    assert told["B"][:2] == (CORPUS, "Dog")
    assert told["B"][2] in ("validation", "test")
    assert (pool / "duplicates.csv").is_file()

    # Again, now with a class of the synthesiser: what was there stays, and synth is trained on.
    monkeypatch.setattr("hive.sources.synth.classes", lambda: ("Typing",))
    main(manifest, pool, per_class=1, workers=1)
    again = {clip["path"]: clip for clip in read_pool(pool)[0].to_pylist()}
    assert {path: again[path] for path in clips} == clips
    (made,) = (clip for path, clip in again.items() if path not in clips)
    assert (made["source"], made["label"], made["split"]) == ("synth", "Typing", "train")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "a.wav", "label": "Dog", "provenance": ""}], "no column 'licence'"),
        ([row("a.wav", "")], r"recording 1 \(a.wav\): no licence"),
        ([row("../a.wav")], "leaves the manifest's folder"),
        ([row("/etc/a.wav")], "leaves the manifest's folder"),
        ([row("a.wav", label="")], "'label' is empty"),
    ],
)
def test_wrong_manifests_are_named(tmp_path: Path, rows: list[Row], message: str) -> None:
    with pytest.raises(HiveError, match=message):
        read_manifest(write_manifest(tmp_path, rows))


def test_missing_manifests_and_useless_ones(tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="no such manifest"):
        read_manifest(tmp_path / "manifest.csv")
    useless = write_manifest(tmp_path, [row("a.wav", label="Crowd")])
    with pytest.raises(HiveError, match="no recording is of a Hive class"):
        main(useless, tmp_path / "POOL", workers=1)


def test_a_byte_order_mark_and_blanks_are_read_over(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    text = "path,label,licence,provenance\na.wav, Dog , MIT ,recording\n"
    manifest.write_text(text, encoding="utf-8-sig")
    assert read_manifest(manifest) == [row("a.wav", "MIT")]


def test_as_a_command_it_tells_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "baselines.minis.prepare"]
    told = subprocess.run(
        [*command, str(tmp_path / "none.csv"), "--out", str(tmp_path / "POOL")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")
    assert "none.csv: no such manifest" in told.stderr
    assert "Traceback" not in told.stderr
