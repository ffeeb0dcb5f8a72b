from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hive import audio
from hive.contamination import store as store_module
from hive.contamination.judge import NEEDED, reach
from hive.contamination.pieces import Item, hash_of, item_rows
from hive.contamination.store import facts, fill, parts, piece_codes
from hive.contamination.volumes import backwards, build_volumes
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine
from hive.fingerprint import Index, fingerprint
from hive.fingerprint.codes import SILENT

RATE = 44100
HERE = Engine()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five short files."""
    paths = []
    for number in range(5):
        noise = np.random.default_rng(number).standard_normal(RATE // 2)
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], 0.1 * noise, RATE)
    return paths


def item(path: Path, key: str = "1") -> Item:
    return Item(f"{path.name} {key}", path.name, str(path))


def names(store: Path) -> list[str]:
    return sorted(fact["name"] for part in parts(store) for fact in facts(part))


def read_items(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that will name the items that are read."""
    read: list[str] = []
    rows = store_module.item_rows
    monkeypatch.setattr(
        store_module, "item_rows", lambda one: (read.append(one.name), rows(one))[1]
    )
    return read


def test_a_long_recording_is_cut_so_that_every_ten_seconds_lie_in_one_piece(tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(75.5 * 8000))
    soundfile.write(tmp_path / "long.wav", samples, 8000)
    rows = item_rows(item(tmp_path / "long.wav"))
    spans = [(row["start_second"], row["start_second"] + row["seconds"]) for row in rows]
    assert spans == [(0.0, 30.0), (20.0, 50.0), (40.0, 70.0), (60.0, 75.5)]
    assert all(row["pcm_sha256"] == "" for row in rows)
    for row, (start, end) in zip(rows, spans, strict=True):
        part, _ = audio.read(tmp_path / "long.wav", round(start * 8000), round(end * 8000))
        assert np.array_equal(row["codes"], fingerprint(audio.to_mono(part), 8000))


@pytest.mark.parametrize(("seconds", "pieces"), [(9.99, 1), (10.0, 1), (30.0, 1), (30.01, 2)])
def test_up_to_thirty_seconds_are_one_piece(tmp_path: Path, seconds: float, pieces: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(round(seconds * 8000)), 8000)
    rows = item_rows(item(tmp_path / "a.wav"))
    assert len(rows) == pieces
    assert rows[-1]["start_second"] + rows[-1]["seconds"] == pytest.approx(seconds)


def test_an_interval_is_read_and_one_past_the_end_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    (row,) = item_rows(Item("k", "a", str(tmp_path / "a.wav"), start=0.25, end=0.75))
    assert (row["start_second"], row["seconds"]) == (0.25, 0.5)
    (row,) = item_rows(Item("k", "a", str(tmp_path / "a.wav"), start=1.5))
    assert "lies past its end" in row["problem"]


def test_only_sixteen_bit_samples_have_a_hash() -> None:
    integers = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    samples = (integers / 32768.0).astype(np.float32)
    assert hash_of(samples) == audio.pcm_sha256(integers)
    assert hash_of(samples * np.float32(0.3)) == ""
    assert hash_of(np.ones(4, np.float32)) == ""
    assert hash_of(np.full(4, 1.5, np.float32)) == ""


def test_what_is_known_is_not_read_again_and_what_is_gone_goes(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_BATCH", 2)
    store = tmp_path / "store"
    fill(store, map(item, files[:3]), HERE, "")
    assert names(store) == ["0.wav", "1.wav", "2.wav"]
    read = read_items(monkeypatch)
    fill(store, map(item, files[:3]), HERE, "")
    assert read == []
    # One goes, one has changed, two come, and one is listed twice.
    changed = [item(files[0]), item(files[2], "2"), item(files[3]), item(files[4]), item(files[4])]
    fill(store, changed, HERE, "")
    assert sorted(read) == ["2.wav", "3.wav", "4.wav"]
    assert names(store) == ["0.wav", "2.wav", "3.wav", "4.wav"]


def test_a_broken_file_is_told_and_tried_again_and_the_rest_is_kept(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    whole = files[1].read_bytes()
    files[1].write_bytes(b"RIFF, but nothing follows")
    fill(store, map(item, files), HERE, "")
    told = [fact for part in parts(store) for fact in facts(part) if fact["problem"]]
    assert [fact["name"] for fact in told] == ["1.wav"]
    assert "not a readable audio file" in told[0]["problem"]
    files[1].write_bytes(whole)
    read = read_items(monkeypatch)
    fill(store, map(item, files), HERE, "")
    assert read == ["1.wav"]
    assert names(store) == [path.name for path in files]
    assert not [fact for part in parts(store) for fact in facts(part) if fact["problem"]]


def test_what_is_mended_beside_something_broken_is_indexed(
    tmp_path: Path, files: list[Path]
) -> None:
    """The same items are read again, and give another table: an index of the old one is not it."""
    store, two = tmp_path / "store", files[:2]
    whole = two[0].read_bytes()
    for path in two:
        path.write_bytes(b"RIFF, but nothing follows")
    fill(store, map(item, two), HERE, "")
    before, tables = build_volumes(store, HERE), parts(store)
    two[0].write_bytes(whole)
    fill(store, map(item, two), HERE, "")
    after = build_volumes(store, HERE)
    assert not set(before) & set(after)
    assert not set(tables) & set(parts(store))
    assert len(Index.load(after[0])) == 1


def test_fingerprints_of_another_version_are_made_anew(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    fill(store, map(item, files), HERE, "")
    read = read_items(monkeypatch)
    monkeypatch.setattr(store_module, "VERSION", store_module.VERSION + 1)
    fill(store, map(item, files), HERE, "")
    assert len(read) == len(files)
    assert names(store) == [path.name for path in files]


def test_a_run_that_was_stopped_goes_on(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_BATCH", 2)
    store = tmp_path / "store"
    rows, read = store_module.item_rows, []

    def stops(one: Item) -> list:
        if len(read) == 3:
            raise KeyboardInterrupt
        read.append(one.name)
        return rows(one)

    monkeypatch.setattr(store_module, "item_rows", stops)
    with pytest.raises(KeyboardInterrupt):
        fill(store, map(item, files), HERE, "")
    monkeypatch.setattr(store_module, "item_rows", rows)
    again = read_items(monkeypatch)
    fill(store, map(item, files), HERE, "")
    assert again == ["2.wav", "3.wav", "4.wav"]  # the batch of 2 and 3 was not done
    assert names(store) == [path.name for path in files]


def test_a_failure_that_is_no_broken_file_is_raised(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(one: Item) -> list:
        raise HiveError("the disk is full", "free some space")

    monkeypatch.setattr(store_module, "item_rows", fails)
    with pytest.raises(HiveError, match="the disk is full"):
        fill(tmp_path / "store", map(item, files), HERE, "")


def test_storage_that_is_not_reached_is_no_fault_of_a_file(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> None:
        raise UnreachableError(f"{path}: cannot be reached", "check the connection")

    monkeypatch.setattr("hive.contamination.pieces.audio.probe", gone)
    with pytest.raises(HiveError, match="cannot be reached"):
        fill(tmp_path / "store", map(item, files), Engine(retries=0), "")
    assert parts(tmp_path / "store") == []


def test_volumes_are_bounded_and_stay_as_long_as_their_tables_do(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_BATCH", 1)
    monkeypatch.setattr("hive.contamination.volumes.VOLUME_CODES", 50)  # two files of 22 codes
    store = tmp_path / "store"
    fill(store, map(item, files), HERE, "")
    volumes = build_volumes(store, HERE)
    assert len(volumes) == 3
    before = {path: path.stat().st_mtime_ns for path in store.glob("volumes/*/*")}
    assert build_volumes(store, HERE) == volumes
    assert {path: path.stat().st_mtime_ns for path in store.glob("volumes/*/*")} == before
    fill(store, map(item, files[:1]), HERE, "")
    (left,) = build_volumes(store, HERE)
    assert list((store / "volumes").iterdir()) == [left]


def test_codes_come_back_as_they_were(tmp_path: Path, files: list[Path]) -> None:
    store = tmp_path / "store"
    fill(store, map(item, files), HERE, "")
    (part,) = parts(store)
    table, codes = piece_codes(part)
    for name, mine in zip(table["name"].to_pylist(), codes, strict=True):
        samples, rate = audio.read(tmp_path / name)
        assert np.array_equal(mine, fingerprint(audio.to_mono(samples), rate))


def test_backwards_is_the_fingerprint_of_the_sound_played_backwards(sound) -> None:
    # A whole number of hops, so that frames lie at the same places from both ends.
    samples = audio.fit(audio.resample(sound(3), RATE, 11025), 256 * 400)
    turned = fingerprint(np.ascontiguousarray(samples[::-1]), 11025)
    guess = backwards(fingerprint(samples, 11025))
    both = (turned != SILENT) & (guess != SILENT)
    wrong = [(int(a) ^ int(b)).bit_count() for a, b in zip(turned, guess, strict=True)]
    assert both.mean() > 0.9
    assert np.mean(np.array(wrong)[both]) / 32 < 0.01


def test_what_repeats_a_short_sound_reaches_no_further_than_the_sound(sound) -> None:
    short = sound(1, 0.3)
    clip = np.zeros(10 * RATE, dtype=np.float32)
    for start in (1, 4, 7):
        clip[start * RATE : start * RATE + len(short)] = short
    assert reach(fingerprint(clip, RATE)) < NEEDED < reach(fingerprint(sound(1), RATE))
    assert reach(np.zeros(10, np.uint32)) == 0.0
