"""Remote places as such: in the memory of this process, where nothing goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from hive.errors import HiveError
from hive.files import (
    atomic_open,
    read_csv,
    remove_temporaries,
    sha256_file,
    write_bytes,
    write_csv,
    write_json,
    write_text,
)
from hive.storage import open_stream, place, put_new, read_many, remove, remove_folder, stamp
from hive.tables import open_table, read_table, write_table

FILES = ("a.txt", "data/2mix/b.tar", "data/2mix/c.tar", "data/3mix/d.tar", "data/x.txt", ".hive/e")


@pytest.fixture(params=["remote", "local"])
def folder(request: pytest.FixtureRequest, memory: Path, tmp_path: Path) -> Path:
    """The same folder remotely and here: both have to behave alike."""
    root = memory if request.param == "remote" else tmp_path / "folder"
    for name in FILES:
        write_text(root / name, f"this is {name}")
    return root


def names(root: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))


def test_folders_are_listed_alike(folder: Path) -> None:
    tars = ["data/2mix/b.tar", "data/2mix/c.tar", "data/3mix/d.tar"]
    assert names(folder, "data/*/*.tar") == tars
    assert names(folder, "*") == [".hive", "a.txt", "data"]
    assert names(folder, "data/*") == ["data/2mix", "data/3mix", "data/x.txt"]
    assert names(folder, "**/*.tar") == names(folder, "data/*/*.tar")
    assert names(folder, "data/?mix/[bd].tar") == ["data/2mix/b.tar", "data/3mix/d.tar"]
    assert names(folder, "gone/*") == names(folder, "a.txt/*") == []
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.t*"))
    assert found == ["a.txt", *names(folder, "data/*/*.tar"), "data/x.txt"]
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["2mix", "3mix", "x.txt"]
    with pytest.raises(FileNotFoundError):
        list((folder / "gone").iterdir())


def test_files_and_folders_are_told_apart(folder: Path) -> None:
    assert (folder / "a.txt").is_file()
    assert not (folder / "a.txt").is_dir()
    assert (folder / "data" / "2mix").is_dir()
    assert not (folder / "data" / "2mix").is_file()
    for missing in ("gone", "a.txt2", "data/2mi", "data/2mix/b"):
        assert not (folder / missing).exists()
        assert not (folder / missing).is_file()
        assert not (folder / missing).is_dir()
    assert (folder / "a.txt").stat().st_size == len("this is a.txt")


def test_files_are_read_alike(folder: Path) -> None:
    path = folder / "a.txt"
    write_bytes(path, "é\r\nü\n".encode())
    assert path.read_bytes() == "é\r\nü\n".encode()
    assert path.read_text(encoding="utf-8") == "é\nü\n"
    with path.open(encoding="utf-8") as handle:
        assert list(handle) == ["é\n", "ü\n"]
    with path.open("rb") as handle:
        handle.seek(-2, 2)
        assert handle.read() == b"\xbc\n"
    with open_stream(path) as handle:
        assert handle.read(2) == "é".encode()
    for read in (Path.read_bytes, Path.open):
        with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
            getattr(folder / "gone.txt", read.__name__)()
    paths = [folder / name for name in FILES[1:]]
    assert list(read_many(paths)) == [f"this is {name}".encode() for name in FILES[1:]]
    assert list(read_many([])) == []
    with pytest.raises(FileNotFoundError):
        list(read_many([*paths, folder / "gone.txt"]))


def test_files_are_written_alike(folder: Path) -> None:
    write_json(folder / "new" / "b.json", {"b": 1, "a": [2]})
    assert (folder / "new" / "b.json").read_text() == '{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'
    write_csv(folder / "c.csv", ["x", "y"], [("=1", 2), ("é", 3)])
    assert list(read_csv(folder / "c.csv")) == [{"x": "=1", "y": "2"}, {"x": "é", "y": "3"}]
    schema = pa.schema([("x", pa.int64()), ("y", pa.list_(pa.string()))])
    rows = [{"x": 1, "y": ["a"]}, {"x": 2, "y": []}]
    write_table(folder / "t.parquet", rows, schema, {"seed": 1})
    table, settings = read_table(folder / "t.parquet", schema)
    assert table.to_pylist() == rows
    assert settings == {"seed": 1}
    write_bytes(folder / "h", b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert sha256_file(folder / "h") == digest


def test_what_is_not_whole_never_appears(folder: Path) -> None:
    for name in ("a.txt", "b.txt"):
        with pytest.raises(TypeError), atomic_open(folder / name) as handle:
            handle.write(None)  # type: ignore[arg-type]
    remove_temporaries(folder)
    assert names(folder, "*") == [".hive", "a.txt", "data"]
    assert (folder / "a.txt").read_text() == "this is a.txt"


def test_files_and_folders_are_deleted(folder: Path) -> None:
    remove(folder / "a.txt")
    remove(folder / "a.txt")
    with pytest.raises(FileNotFoundError):
        (folder / "a.txt").unlink()
    # A name is no pattern: of these two, one goes.
    for name in ("x[1].flac", "x1.flac"):
        write_text(folder / "odd" / name, name)
    remove(folder / "odd" / "x[1].flac")
    assert names(folder, "odd/*") == ["odd/x1.flac"]
    remove_folder(folder / "data")
    remove_folder(folder / "data")
    assert names(folder, "*") == [".hive", "odd"]


def test_a_stamp_changes_with_the_file(folder: Path) -> None:
    path = folder / "a.txt"
    before = stamp(path)
    assert stamp(path) == before
    write_text(path, "something else")
    assert stamp(path) != before
    with pytest.raises(FileNotFoundError):
        stamp(folder / "gone")


def test_of_two_that_put_a_file_anew_one_does(memory: Path) -> None:
    assert put_new(b"first", memory / "claim")
    assert not put_new(b"second", memory / "claim")
    assert (memory / "claim").read_bytes() == b"first"


def test_files_are_opened_for_writing_by_no_other_way(memory: Path) -> None:
    with pytest.raises(ValueError, match="atomic_open"):
        (memory / "a").open("wb")


def test_closing_a_table_closes_its_file(memory: Path) -> None:
    schema = pa.schema([("x", pa.int64())])
    write_table(memory / "t.parquet", [{"x": 1}], schema)
    opened = []
    raw = type(memory).raw

    def watched(self: Path, **how: object) -> object:
        opened.append(raw(self, **how))  # type: ignore[arg-type]
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(memory), "raw", watched)
        with open_table(memory / "t.parquet", schema) as table:
            assert table.metadata.num_rows == 1
            assert not opened[0].closed
        assert opened[0].closed
        assert read_table(memory / "t.parquet", schema)[0].num_rows == 1
    assert len(opened) == 2
    assert opened[1].closed


@pytest.mark.parametrize("address", ["hf://datasets/a/b/x", "https://host/x"])
def test_what_is_only_read_is_not_written_to(address: str) -> None:
    for write in (write_text, lambda path, text: put_new(text.encode(), path)):
        with pytest.raises(HiveError, match="is for reading"):
            write(place(address), "x")
    with pytest.raises(HiveError, match="is for reading"):
        remove(place(address))


def test_the_hub_is_written_to_by_publishing() -> None:
    with pytest.raises(HiveError) as caught:
        write_text(place("hf://datasets/a/b/x"), "x")
    assert "hive-bench publish" in caught.value.remedy
