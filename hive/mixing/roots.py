"""Where the audio of a mixture table is: what turns a path of the table into a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError
from hive.inside import inside

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
        """
        folder = self.folder(path)
        if folder is None:
            raise HiveError(
                f"{path!r}: no folder is given for its corpus", "add it to the file of --corpora"
            )
        return folder / inside(path.partition("/")[2])
