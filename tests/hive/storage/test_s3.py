"""S3 over HTTP: what goes wrong on the way, what is fetched, and what other processes see."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from hive import audio
from hive.claims import claim
from hive.errors import HiveError, UnreachableError
from hive.files import atomic_open, sha256_file, write_bytes, write_text
from hive.shards.tar import TarWriter, iterate_members
from hive.storage import is_remote, place, put, read_many
from hive.tables import open_table, write_table

BUCKET = "s3://bucket"


def encoded(kind: str, seconds: float, rate: int = 16000) -> bytes:
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, format=kind) as file:
        # In blocks: libsndfile's Vorbis encoder crashes on a long one.
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate].clip(-1, 1))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
@pytest.mark.parametrize("in_parts", [False, True])
def test_audio_is_read_as_from_the_disk(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr("hive.storage.files._WHOLE", 1 << 13)
        monkeypatch.setattr("hive.storage.files._AUDIO_BLOCK", 1 << 12)
    here, there = tmp_path / f"a.{kind.lower()}", place(f"{BUCKET}/a.{kind.lower()}")
    data = encoded(kind, 10.0)
    write_bytes(here, data)
    write_bytes(there, data)
    assert audio.probe(there) == audio.probe(here)
    want = audio.read_crop(here, (6.0, 7.0), (0.25, 0.75), 44100)
    s3.requests.clear()
    assert np.array_equal(audio.read_crop(there, (6.0, 7.0), (0.25, 0.75), 44100), want)
    assert (len(s3.requests) > 1) == in_parts


def test_a_short_clip_takes_one_request(s3: Any) -> None:
    clip = place(f"{BUCKET}/clip.flac")
    write_bytes(clip, encoded("FLAC", 10.0, 44100))
    s3.requests.clear()
    audio.read_crop(clip, (0.0, 10.0), (2.0, 6.0), 44100)
    assert [each.method for each in s3.requests] == ["GET"]


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_of_a_long_recording_only_parts_are_fetched(s3: Any, kind: str) -> None:
    recording = place(f"{BUCKET}/long.{kind.lower()}")
    # As many bytes as an hour at 44.1 kHz would be too many for a test.
    data = encoded(kind, 240.0)
    write_bytes(recording, data)
    s3.sent = 0
    audio.read_crop(recording, (160.0, 170.0), (2.0, 6.0), 16000)
    # What is fetched at first, and a few blocks to find the place.
    assert s3.sent < (2 << 20) + 6 * (1 << 18) < len(data)


def test_files_of_audio_are_closed(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = place(f"{BUCKET}/long.wav")
    write_bytes(recording, encoded("WAV", 120.0))
    opened = []
    raw = type(recording).raw
    monkeypatch.setattr(
        type(recording), "raw", lambda *a, **k: opened.append(raw(*a, **k)) or opened[-1]
    )
    audio.probe(recording)
    list(audio.mono_blocks(recording, 0, 16000 * 120, 16000 * 50))
    write_bytes(place(f"{BUCKET}/none.wav"), bytes(3 << 20))
    with pytest.raises(HiveError, match="not a readable audio file"):
        audio.probe(place(f"{BUCKET}/none.wav"))
    assert len(opened) == 3
    assert all(file.closed for file in opened)


def test_audio_that_is_not_there_or_none_is_told_as_of_the_disk(s3: Any, tmp_path: Path) -> None:
    for root in (place(BUCKET), tmp_path):
        write_bytes(root / "empty.wav", b"")
        write_bytes(root / "text.wav", b"no sound")
        for name, told in (
            ("gone.wav", "no such file"),
            ("empty.wav", "the file is empty"),
            ("text.wav", "not a readable audio file"),
        ):
            with pytest.raises(HiveError, match=told) as caught:
                audio.probe(root / name)
            assert not isinstance(caught.value, UnreachableError)
            assert str(root / name) in caught.value.problem


def test_a_connection_lost_while_decoding_is_no_broken_recording(
    s3: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    recording = place(f"{BUCKET}/long.flac")
    write_bytes(recording, encoded("FLAC", 200.0))
    s3.fault = lambda each: (403, "AccessDenied") if not each.range.startswith("bytes=0-") else None
    with pytest.raises(UnreachableError, match=r"s3://bucket/long\.flac"):
        audio.read(recording, 16000 * 150, 16000 * 151)
    assert "Traceback" not in capfd.readouterr().err


def test_of_a_table_the_columns_asked_for_are_fetched(s3: Any) -> None:
    schema = pa.schema([("small", pa.int64()), ("large", pa.binary())])
    path = place(f"{BUCKET}/t.parquet")
    rng = np.random.default_rng(0)
    table = pa.table({"small": range(40), "large": [rng.bytes(160_000) for _ in range(40)]}, schema)
    write_table(path, table, schema)
    assert path.stat().st_size > 6_000_000
    s3.sent = 0
    with open_table(path, schema) as file:
        assert file.read(columns=["small"])["small"].to_pylist() == list(range(40))
    assert s3.sent < 3 << 20


def test_a_shard_streams_in_blocks(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hive.storage.files._STREAM_BLOCK", 1 << 20)
    path = place(f"{BUCKET}/a.tar")
    rng = np.random.default_rng(0)
    members = [(f"m{number:02d}.mix.flac", rng.bytes(400_000)) for number in range(12)]
    with TarWriter(path) as tar:
        for name, data in members:
            tar.add(name, data)
    assert sha256_file(path) == tar.sha256
    s3.requests.clear()
    assert list(iterate_members(path)) == members
    ranges = [each.range.removeprefix("bytes=").split("-") for each in s3.requests if each.range]
    assert max(int(last) - int(first) for first, last in ranges) <= 2 << 20
    # The end mark is looked for first; then each byte comes once, in order.
    assert int(ranges[0][0]) == tar.size - 1024
    starts = [int(first) for first, _ in ranges[1:]]
    assert starts == sorted(starts)
    with pytest.raises(HiveError, match="no such shard"):
        list(iterate_members(place(f"{BUCKET}/gone.tar")))
    write_bytes(place(f"{BUCKET}/cut.tar"), path.read_bytes()[:-1024])
    with pytest.raises(HiveError, match="damaged shard"):
        list(iterate_members(place(f"{BUCKET}/cut.tar")))


def operations() -> dict[str, Callable[[Path], Any]]:
    return {
        "is_file": lambda folder: (folder / "a").is_file(),
        "is_dir": lambda folder: folder.is_dir(),
        "exists": lambda folder: (folder / "a").exists(),
        "stat": lambda folder: (folder / "a").stat(),
        "glob": lambda folder: list(folder.glob("*")),
        "iterdir": lambda folder: list(folder.iterdir()),
        "read_bytes": lambda folder: (folder / "a").read_bytes(),
        "open": lambda folder: (folder / "a").open("rb").read(),
        "read_many": lambda folder: list(read_many([folder / "a", folder / "a"])),
        "probe": lambda folder: audio.probe(folder / "a"),
        "write": lambda folder: write_text(folder / "a", "x"),
        "unlink": lambda folder: (folder / "a").unlink(),
        "claim": lambda folder: claim(folder / "new", {}),
    }


def test_no_right_and_no_server_are_never_taken_for_no_file(
    s3: Any, new_client: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    new_client()
    folder = place(f"{BUCKET}/pool")
    write_bytes(folder / "a", encoded("WAV", 0.1))
    faults = {(403, "AccessDenied"): "keys", (500, "InternalError"): "connection"}
    for name, operation in operations().items():
        for fault, remedy in faults.items():
            s3.fault = lambda _, fault=fault: fault
            with pytest.raises(UnreachableError, match=r"s3://bucket/pool") as caught:
                operation(folder)
            assert remedy in caught.value.remedy, name


def test_a_server_that_is_away_is_named(
    new_client: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    new_client()
    with pytest.raises(UnreachableError, match=r"s3://bucket/clips\.parquet: .*127\.0\.0\.1:9"):
        (place(BUCKET) / "clips.parquet").is_file()


def test_no_credentials_are_told(
    new_client: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    new_client()
    with pytest.raises(UnreachableError, match="redential") as caught:
        place(f"{BUCKET}/a").read_bytes()
    assert "environment" in caught.value.remedy


def test_a_missing_bucket_is_named_and_not_made(s3: Any) -> None:
    target = place("s3://no-such-bucket/pool/a")
    target.parent.mkdir(parents=True)
    for write in (lambda path: write_text(path, "x"), lambda path: claim(path, {})):
        with pytest.raises(HiveError, match=r"s3://no-such-bucket/pool/a") as caught:
            write(target)
        assert "make the bucket" in caught.value.remedy
    assert not place("s3://no-such-bucket").exists()


@pytest.mark.parametrize("fault", [(503, "SlowDown"), (500, "InternalError"), (0, "cut")])
def test_what_passes_is_tried_again(s3: Any, fault: tuple[int, str]) -> None:
    path = place(f"{BUCKET}/a")
    write_bytes(path, bytes(range(256)) * 1000)
    left = [1]

    def once(request: Any) -> tuple[int, str] | None:
        if request.method in ("GET", "PUT") and left[0]:
            left[0] -= 1
            return fault
        return None

    s3.fault = once
    assert path.read_bytes() == bytes(range(256)) * 1000
    left[0] = 1
    with path.open("rb") as handle:
        assert handle.read() == bytes(range(256)) * 1000
    if fault[0]:
        left[0] = 1
        write_bytes(path, b"again")
        assert path.read_bytes() == b"again"
    assert left == [0]


def test_an_upload_that_fails_leaves_what_was_there(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = place(f"{BUCKET}/big")
    write_bytes(path, b"old")
    # In parts: the third of them is refused.
    monkeypatch.setattr("hive.storage.files._PARTS", {"chunksize": 5 << 20, "max_concurrency": 1})
    s3.fault = lambda each: (403, "AccessDenied") if "partNumber=3" in each.query else None
    with pytest.raises(UnreachableError, match=r"s3://bucket/big"), atomic_open(path) as handle:
        handle.write(bytes(16 << 20))
    s3.fault = None
    assert path.read_bytes() == b"old"
    uploads = path.fs.call_s3("list_multipart_uploads", Bucket="bucket")  # type: ignore[attr-defined]
    assert not uploads.get("Uploads")
    assert list(tmp_path.iterdir()) == []
    with atomic_open(path) as handle:
        handle.write(bytes(16 << 20))
    assert path.stat().st_size == 16 << 20


def test_a_full_folder_for_uploads_is_named(s3: Any) -> None:
    told = r"s3://bucket/a, collected in .*TMPDIR.*No space"
    with pytest.raises(HiveError, match=told), atomic_open(place(f"{BUCKET}/a")):
        raise OSError(28, "No space left on device")
    assert not (place(BUCKET) / "a").exists()


def test_what_another_process_writes_is_seen_at_once(s3: Any) -> None:
    folder = place(f"{BUCKET}/pool")
    write_text(folder / "a", "a")
    assert [path.name for path in folder.glob("*")] == ["a"]
    assert not (folder / "b").is_file()
    script = (
        "import sys; from hive.storage import place; from hive.files import write_text\n"
        "write_text(place(sys.argv[1]) / 'b', 'of another')"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, env=os.environ)
    assert (folder / "b").is_file()
    assert [path.name for path in folder.glob("*")] == ["a", "b"]
    assert (folder / "b").read_text() == "of another"


def test_of_many_first_runs_one_claims_a_folder(s3: Any) -> None:
    path = place(f"{BUCKET}/data/.hive/render-test.json")
    ready = threading.Barrier(8)

    def run(seed: int) -> bool:
        ready.wait()
        return not claim(path, {"seed": seed})

    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(run, range(8)))
    assert sum(claimed) == 1
    assert claim(path, {"seed": claimed.index(True)}) == []
    assert claim(path, {"seed": 99}) == [("seed", claimed.index(True), 99)]


def test_many_small_files_are_read_together_in_order(s3: Any) -> None:
    folder = place(f"{BUCKET}/many")
    paths = [folder / f"{number:03d}" for number in range(150)]
    for path in paths[:3]:
        write_text(path, path.name)
    write_text(paths[1], "")
    assert list(read_many(paths[:3])) == [b"000", b"", b"002"]
    with pytest.raises(FileNotFoundError, match="003"):
        list(read_many(paths[:4]))


def test_a_local_file_is_put_as_it_is(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"whole")
    put(tmp_path / "a", place(BUCKET) / "x[1].bin")
    found = place(BUCKET) / "x[1].bin"
    assert is_remote(found)
    assert found.read_bytes() == b"whole"
