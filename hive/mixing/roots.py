"""Where the audio of a mixture table is: what turns a path of the table into a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError, UnreachableError
from hive.inside import inside
from hive.storage import is_remote

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


@dataclass(frozen=True)
class CorpusRoots:
    """Paths whose first part names a corpus.

    Attributes:
        folders: Folder of each corpus, by that first part in lower case.
    """

    folders: Mapping[str, Path]

    def folder(self, path: str) -> Path | None:
        """Return the folder that a path counts from; None for a corpus that has none."""
        return self.folders.get(path.partition("/")[0].casefold())

    def __call__(self, path: str) -> Path:
        """Return the place of a path.

        Raises:
            HiveError: If its corpus has no folder, or the path leads out of it.
            UnreachableError: If the folder is not here, as on a machine that does not see it.
        """
        folder = self.folder(path)
        if folder is None:
            raise HiveError(
                f"{path!r}: no folder is given for its corpus", "add it to the file of --corpora"
            )
        below = inside(path.partition("/")[2])
        if not is_remote(folder) and not folder.is_dir():
            # Not to be taken for the loss of all its files.
            raise UnreachableError(
                f"{folder}: no such folder, and a corpus was in it",
                "mount it, or make it visible on every machine",
            )
        return folder / below
