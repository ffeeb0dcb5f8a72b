"""Paths of a table that must stay below its folder: a table is not trusted."""

from __future__ import annotations

from pathlib import PurePosixPath

from hive.errors import HiveError
from hive.storage import is_address


def inside(path: str) -> str:
    """Return a relative path of a table as it is, if it stays below its root.

    Raises:
        HiveError: If it is absolute, an address or goes up.
    """
    parts = PurePosixPath(path)
    leaves = parts.is_absolute() or ".." in parts.parts or is_address(path)
    if leaves or "\\" in path or "\0" in path:
        raise HiveError(f"{path!r}: a path that leads out of its folder", "correct the table")
    return path
