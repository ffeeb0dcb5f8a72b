"""Which files of the corpora are here, asking each folder once where many are wanted."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from hive.errors import HiveError
from hive.files import is_file
from hive.mixing.roots import CorpusRoots
from hive.storage import is_remote

#: From so many wanted files on, a folder is listed; fewer are asked for one by one.
_MANY = 16
_NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def present(paths: Iterable[str], roots: CorpusRoots) -> dict[str, bool]:
    """Say for each path whether there is a file.

    Args:
        paths: Distinct paths `CORPUS/...` that stay below their corpus.
        roots: Folders of the corpora.

    Raises:
        HiveError: If a folder is there but cannot be listed: its files are not missing.
    """
    found: dict[str, bool] = {}
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[path] = False
        by_folder[path.rpartition("/")[0]].append(path)
    for inner, wanted in by_folder.items():
        root = roots.folder(f"{inner}/")
        if root is None:
            continue
        below = inner.partition("/")[2]
        folder = root / below if below else root
        names = _list(folder) if len(wanted) >= _MANY else None
        for path in wanted:
            name = path.rpartition("/")[2]
            found[path] = name in names if names is not None else is_file(folder / name)
    return found


def _list(folder: Path) -> set[str]:
    """Return the names of the files in a folder; none where there is no folder."""
    try:
        if is_remote(folder):
            return {entry.name for entry in folder.iterdir()}
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError as error:
        if error.errno in _NO_FOLDER or isinstance(error, FileNotFoundError):
            return set()
        raise HiveError(
            f"{folder}: cannot be listed ({error.strerror or error})",
            "make it readable, or take the corpus out of the file of --corpora",
        ) from error
