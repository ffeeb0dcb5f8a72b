"""Where the audio of a mixture table is: what turns a path of the table into a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hive.errors import HiveError

#: Gives the place of a source's path; a value that can be sent to other processes.
Find = Callable[[str], Path]


@dataclass(frozen=True)
class PoolRoot:
    """Paths that count from a clip pool."""

    pool: Path

    def __call__(self, path: str) -> Path:
        """Return the place of a path.

        Raises:
            HiveError: If the path leads out of the pool.
        """
        return self.pool / inside(path)


def inside(path: str) -> str:
    """Return a relative path of a table as it is, if it stays below its root.

    Raises:
        HiveError: If it is absolute or goes up: a table is not trusted.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        raise HiveError(f"{path!r}: a path that leads out of its folder", "correct the table")
    return path
