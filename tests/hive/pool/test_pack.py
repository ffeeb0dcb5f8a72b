from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hive import audio
from hive.errors import HiveError
from hive.execution.engine import Engine
from hive.files import locked, sha256_file
from hive.mixing.stream.readers import FileReader, PackReader
from hive.mixing.stream.recipe import Ingredient
from hive.pool import pack as pack_module
from hive.pool.cli import app
from hive.pool.pack import pack_pool
from hive.pool.packed import BLOCK, INDEX_SCHEMA, Pack, block_levels, is_pack, verify_pack
from hive.pool.store import QUARANTINE, read_pool, read_quarantine

WORLD: Any = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "stream" / "world.py"))
)
PART = 600_000  # four clips


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = WORLD.make_pool(tmp_path_factory.mktemp("packed") / "pool")
    return made


@pytest.fixture(scope="module")
def pack(pool: Path) -> Path:
    pack_pool(pool, pool.parent / "pack", part_bytes=PART)
    return pool.parent / "pack"


@pytest.fixture
def own(pack: Path, tmp_path: Path) -> Path:
    """A pack that a test may damage."""
    shutil.copytree(pack, tmp_path / "pack")
    return tmp_path / "pack"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_sample_comes_back(pool: Path, pack: Path) -> None:
    opened = Pack(pack)
    clips, settings = read_pool(pool)
    assert len(opened) == clips.num_rows == 15
    assert len(list((pack / "audio").iterdir())) == 4
    for path in clips["path"].to_pylist():
        want, _ = soundfile.read(pool / path, dtype="int16")
        number = opened.find(path)
        assert opened.frames(number) == len(want)
        found = np.empty(len(want), np.int16)
        opened.read(number, 0, found)
        assert np.array_equal(found, want)
        levels = opened.levels(number, 0, -(-len(want) // BLOCK))
        starts = range(0, len(want), BLOCK)
        blocks = [want[start : start + BLOCK].astype(np.int64) for start in starts]
        assert levels["energy"].tolist() == [int((block**2).sum()) for block in blocks]
        assert levels["peak"].tolist() == [int(np.abs(block).max()) for block in blocks]
    # What plans mixtures takes the pack for the pool.
    assert read_pool(pack) == (clips, settings)
    assert verify_pack(pack) == []


@settings(max_examples=60)
@given(st.lists(st.integers(-32768, 32767), max_size=3), st.integers(0, 2100))
def test_levels_of_extreme_samples(values: list[int], zeros: int) -> None:
    samples = np.array([*values, *[0] * zeros, *values], np.int16)
    levels = block_levels(samples)
    assert len(levels) == -(-len(samples) // BLOCK)
    exact = samples.astype(np.int64)
    assert int(levels["energy"].sum()) == int((exact**2).sum())
    assert int(levels["peak"].max(initial=0)) == int(np.abs(exact).max(initial=0))


@settings(max_examples=100)
@given(
    chunk=st.floats(0, 1.69),
    start=st.floats(0, 2),
    length=st.integers(1, 90_000),
    which=st.integers(0, 14),
)
def test_crops_and_levels_are_those_of_the_files(
    pool: Path, pack: Path, chunk: float, start: float, length: int, which: int
) -> None:
    """Also where a crop begins or ends in a block, reaches past the chunk, or lies in one block."""
    path = read_pool(pool)[0]["path"][which].as_py()
    crop = (start, start + length / 44100)
    ingredient = Ingredient(path, "x", (chunk, 1.7), crop, 0.0, None)
    want = FileReader(pool.joinpath).read(ingredient, 44100, length)
    reader = PackReader(Pack(pack))
    reader.expect([ingredient])
    found = reader.read(ingredient, 44100, length)
    assert np.array_equal(found.samples * np.float32(found.unit), want.samples)
    assert (found.rms, found.peak) == (want.rms, want.peak)


def test_what_is_not_there_is_refused(pack: Path) -> None:
    opened = Pack(pack)
    with pytest.raises(HiveError, match="corpus/none: not in the pack"):
        opened.find("corpus/none")
    for first, count in ((-1, 5), (opened.frames(0) - 4, 5)):
        with pytest.raises(IndexError):
            opened.read(0, first, np.empty(count, np.int16))
    with pytest.raises(IndexError):
        opened.levels(0, 0, 1 + -(-opened.frames(0) // BLOCK))


def test_workers_and_interruptions_change_nothing(
    pool: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents(pack)
    pack_pool(pool, tmp_path / "two", engine=Engine(workers=2), part_bytes=PART)
    assert contents(tmp_path / "two") == whole

    written: list[int] = []
    original = pack_module.write_json

    def stopping(path: Path, value: Any) -> None:
        original(path, value)
        written.append(1)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(pack_module, "write_json", stopping)
    with pytest.raises(KeyboardInterrupt):
        pack_pool(pool, tmp_path / "stopped", part_bytes=PART)
    assert not is_pack(tmp_path / "stopped")
    with pytest.raises(HiveError, match="not a finished pack"):
        Pack(tmp_path / "stopped")
    before = (tmp_path / "stopped/audio/00000.pcm").stat().st_mtime_ns
    monkeypatch.setattr(pack_module, "write_json", original)
    pack_pool(pool, tmp_path / "stopped", part_bytes=PART)
    assert contents(tmp_path / "stopped") == whole
    assert (tmp_path / "stopped/audio/00000.pcm").stat().st_mtime_ns == before


def test_a_killed_run_goes_on(pool: Path, pack: Path, tmp_path: Path) -> None:
    """Killed while it writes its second part; what it left half-written goes."""
    out = tmp_path / "pack"
    code = (
        "import sys, time; from pathlib import Path; import hive.pool.pack as p\n"
        "read, count = p._read, [0]\n"
        "def slow(*a):\n"
        "    count[0] += 1\n"
        "    if count[0] == 6: time.sleep(60)\n"
        "    return read(*a)\n"
        "p._read = slow\n"
        f"p.pack_pool(Path(sys.argv[1]), Path(sys.argv[2]), part_bytes={PART})"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(pool), str(out)])
    deadline = time.monotonic() + 60
    while not list(out.glob("audio/.00001*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert list(out.glob("audio/.00001*"))
    pack_pool(pool, out, part_bytes=PART)
    assert contents(out) == contents(pack)


def test_a_broken_clip_is_listed_and_the_others_packed(pool: Path, tmp_path: Path) -> None:
    shutil.copytree(pool, tmp_path / "pool")
    paths = sorted(read_pool(pool)[0]["path"].to_pylist())
    other, _ = soundfile.read(pool / paths[0])
    (tmp_path / "pool" / paths[2]).write_bytes(b"nothing")
    (tmp_path / "pool" / paths[5]).unlink()
    soundfile.write(tmp_path / "pool" / paths[7], other, 44100)
    soundfile.write(tmp_path / "pool" / paths[9], np.stack([other, other], 1), 44100)
    soundfile.write(tmp_path / "pool" / paths[11], other * 3, 44100, format="WAV", subtype="FLOAT")
    out = tmp_path / "pack"
    done = pack_pool(tmp_path / "pool", out, part_bytes=PART)
    broken = {paths[number] for number in (2, 5, 7, 9, 11)}
    assert {reject.path for reject in done.rejects} == broken
    assert [reject.path for reject in read_quarantine(out)] == sorted(broken)
    told = " ".join(reject.reason for reject in done.rejects)
    for part in ("not a readable audio", "no such file", "another hash", "2 channels at 44100 Hz"):
        assert part in told
    assert set(read_pool(out)[0]["path"].to_pylist()) == set(paths) - broken
    assert len(Pack(out)) == 10
    # Mended, the same command packs what was missing.
    for path in broken:
        shutil.copy(pool / path, tmp_path / "pool" / path)
    assert not pack_pool(tmp_path / "pool", out, part_bytes=PART).rejects
    assert len(Pack(out)) == 15


def test_another_pool_is_not_mixed_in(pool: Path, own: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="part_bytes: 600000 there -> 2147483648 asked for"):
        pack_pool(pool, own)
    other = WORLD.make_pool(tmp_path / "other", per_label=1)
    with pytest.raises(HiveError, match=r"clips_sha256: .* there -> .* asked for"):
        pack_pool(other, own, part_bytes=PART)


def test_tampering_is_found(pool: Path, own: Path) -> None:
    part = own / "audio" / "00001.pcm"
    data = bytearray(part.read_bytes())
    data[1000] ^= 1
    part.write_bytes(data)
    Pack(own)  # the size is right: only the checksum tells
    assert verify_pack(own) == ["audio/00001.pcm"]
    part.write_bytes(data[:-2])
    with pytest.raises(HiveError, match=r"00001\.pcm: has \d+ bytes, not"):
        Pack(own)
    part.unlink()
    with pytest.raises(HiveError, match=r"00001\.pcm: is missing"):
        Pack(own)
    pack_pool(pool, own, part_bytes=PART)  # writes what is missing
    assert verify_pack(own) == []


@pytest.mark.parametrize("name", ["clips.parquet", "index.arrow"])
def test_other_tables_are_found(own: Path, name: str) -> None:
    (own / name).write_bytes((own / name).read_bytes() + b"\0")
    with pytest.raises(HiveError, match=f"{name}: not the file that was packed"):
        Pack(own)


def test_an_index_that_leads_out_of_a_part_is_refused(own: Path) -> None:
    """Even one whose checksum was written to match."""
    with pa.memory_map(str(own / "index.arrow")) as source:
        rows = pa.ipc.open_file(source).read_all().to_pylist()
    described = json.loads((own / "pack.json").read_text())
    for change in (
        {"part": 4},
        {"part": -1},
        {"first": -1},
        {"first": 10**9},
        {"frames": 10**7},
        {"frames": 0},
        {"block": 10**6},
    ):
        table = pa.Table.from_pylist([rows[0] | change, *rows[1:]], schema=INDEX_SCHEMA)
        with (
            pa.OSFile(str(own / "index.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        described["sha256"]["index.arrow"] = sha256_file(own / "index.arrow")
        (own / "pack.json").write_text(json.dumps(described))
        with pytest.raises(HiveError, match="lies outside its part"):
            Pack(own)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 2}', "format 2, this version reads 1"),
        ('{"format": 1, "parts": 3}', "cannot be read"),
    ],
)
def test_a_broken_description_is_explained(own: Path, text: str, message: str) -> None:
    (own / "pack.json").write_text(text)
    with pytest.raises(HiveError, match=message):
        Pack(own)


def test_a_part_that_shrinks_while_it_is_read(own: Path) -> None:
    """An error that names the part; a memory map would end the process."""
    opened = Pack(own)
    os.truncate(own / "audio" / "00000.pcm", 100)
    with pytest.raises(HiveError, match=r"00000\.pcm: ends too soon"):
        opened.read(0, 0, np.empty(5000, np.int16))


def test_the_command(pool: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    out = str(tmp_path / "pack")
    done = runner.invoke(app, ["pack", str(pool), "--out", out, "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "15 clips, 0.01 h" in done.stderr
    checked = runner.invoke(app, ["pack", str(pool), "--out", out, "--verify"])
    assert "all is well" in checked.stderr
    part = tmp_path / "pack" / "audio" / "00000.pcm"
    part.write_bytes(part.read_bytes()[:-1] + b"\x7f")
    spoilt = runner.invoke(app, ["pack", str(pool), "--out", out, "--verify"])
    assert isinstance(spoilt.exception, HiveError)
    assert "audio/00000.pcm" in str(spoilt.exception)
    assert not (tmp_path / "pack" / QUARANTINE).read_text().splitlines()[1:]
    assert audio.probe(pool / read_pool(pool)[0]["path"][0].as_py()).sample_rate == 44100


def test_a_pack_that_is_being_mended_is_none(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a part is written anew, pack.json does not tell of the old one."""
    shutil.copytree(pool, tmp_path / "pool")
    path = sorted(read_pool(pool)[0]["path"].to_pylist())[2]
    (tmp_path / "pool" / path).write_bytes(b"nothing")
    out = tmp_path / "pack"
    pack_pool(tmp_path / "pool", out, part_bytes=PART)
    assert is_pack(out)
    shutil.copy(pool / path, tmp_path / "pool" / path)
    seen: list[bool] = []
    write = pack_module.write_part
    monkeypatch.setattr(
        pack_module, "write_part", lambda task: (seen.append(is_pack(out)), write(task))
    )
    pack_pool(tmp_path / "pool", out, part_bytes=PART)
    assert seen == [False]
    assert len(Pack(out)) == 15


def test_two_at_once_are_refused(pool: Path, own: Path) -> None:
    with (
        locked(own / ".hive" / "lock"),
        pytest.raises(HiveError, match="another process is packing"),
    ):
        pack_pool(pool, own, part_bytes=PART)


@pytest.mark.parametrize(
    ("column", "value"), [("first", 2**63 - 1), ("frames", 2**62), ("block", 2**63 - 1)]
)
def test_places_that_overflow_lie_outside(own: Path, column: str, value: int) -> None:
    with pa.ipc.open_file(own / "index.arrow") as source:
        rows = source.read_all().to_pylist()
    rows[3][column] = value
    table = pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
    with pa.ipc.new_file(str(own / "index.arrow"), INDEX_SCHEMA) as writer:
        writer.write_table(table)
    told = json.loads((own / "pack.json").read_text())
    told["sha256"]["index.arrow"] = sha256_file(own / "index.arrow")
    (own / "pack.json").write_text(json.dumps(told))
    with pytest.raises(HiveError, match="lies outside its part"):
        Pack(own)


def test_an_index_that_is_none_is_told(own: Path) -> None:
    (own / "index.arrow").write_bytes(b"ARROW1" + bytes(100))
    told = json.loads((own / "pack.json").read_text())
    told["sha256"]["index.arrow"] = sha256_file(own / "index.arrow")
    (own / "pack.json").write_text(json.dumps(told))
    with pytest.raises(HiveError, match="not the index of a pack"):
        Pack(own)
