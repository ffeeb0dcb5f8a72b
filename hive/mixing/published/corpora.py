"""The file that says where corpora are: the authors' `dataset_paths.json`."""

from __future__ import annotations

import json
from pathlib import Path

from hive.errors import HiveError
from hive.mixing.roots import CorpusRoots
from hive.storage import is_address, is_remote, place

_EXAMPLE = 'write {"ESC50": "/data/ESC-50-master", "FSD50K": "/data/FSD50K"}'
#: One name for two: the authors' own list of corpora writes DCASE where their paths have these.
_ALIASES = {"dcase": ("dcase_real", "dcase_synth")}


def read_corpora(path: Path) -> CorpusRoots:
    """Read a JSON object of folders by the first part of paths.

    Names count without regard to case, so that `ClothoV2` serves paths of `clothov2`, and `DCASE`
    serves `DCASE_real` and `DCASE_synth` where these have no entry. Relative folders count from
    the file's folder; addresses such as `s3://bucket/esc50` are folders too.

    Args:
        path: The file.

    Raises:
        HiveError: If it cannot be read, is of another form, or names a corpus twice.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HiveError(f"{path}: cannot be read ({error})", _EXAMPLE) from error
    if not isinstance(value, dict) or not value:
        raise HiveError(f"{path}: no object of folders by corpus", _EXAMPLE)
    folders: dict[str, Path] = {}
    for name, folder in value.items():
        if not isinstance(folder, str) or not folder.strip() or "\0" in folder:
            raise HiveError(f"{path}: the value of {name!r} is no folder", _EXAMPLE)
        key = name.casefold()
        if key in folders:
            raise HiveError(f"{path}: {name!r} is there twice, but for case", "keep one of them")
        folders[key] = _folder(folder, path.parent)
    for alias, names in _ALIASES.items():
        if alias in folders:
            for name in names:
                folders.setdefault(name, folders[alias])
    return CorpusRoots(folders)


def _folder(text: str, base: Path) -> Path:
    found = place(text)
    if is_address(text) or is_remote(found):
        return found
    found = found.expanduser()
    return found if found.is_absolute() else base / found
