from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from hive.errors import HiveError
from hive.files import (
    atomic_open,
    remove_temporaries,
    sha256_file,
    sha256_json,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table"
    write_text(path, "old")
    with pytest.raises(TypeError), atomic_open(path) as handle:
        handle.writelines([b"half of the n", "not bytes"])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_file_and_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "table"
    with pytest.raises(HiveError, match=r"table.*No space left") as caught, atomic_open(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "free some space" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".x.tar.abc.part").write_bytes(b"half")
    (tmp_path / "sub" / "x.tar").write_bytes(b"whole")
    remove_temporaries(tmp_path)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["x.tar"]


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})


def test_json_is_strict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "f", {"a": float("nan")})
    assert not (tmp_path / "f").exists()
