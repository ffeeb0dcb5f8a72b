"""Telling by its first bytes what was saved in place of a checkpoint."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hive.errors import HiveError

_ZIP = b"PK"
_POINTER = b"version https://git-lfs"


def is_zip(file: Path, remedy: str) -> bool:
    """Say whether a downloaded file is a zip archive, as `torch.save` writes it.

    Args:
        file: The file.
        remedy: What to tell the user whose file is none of use.

    Returns:
        True for a whole archive, False for another binary file, such as an old checkpoint.

    Raises:
        HiveError: If it cannot be read, is empty, a web page, a Git LFS pointer or cut off.
    """
    try:
        with file.open("rb") as handle:
            start = handle.read(64)
    except OSError as error:
        raise HiveError(f"{file}: cannot be read ({error.strerror})", remedy) from error
    found = ""
    if not start:
        found = "is empty"
    elif start.startswith(_POINTER):
        found = "is a Git LFS pointer, not the file it points to"
    elif start.lstrip()[:1] in (b"", b"<", b"{"):
        found = "is a web page or a message, not a checkpoint"
    elif start.startswith(_ZIP) and not zipfile.is_zipfile(file):
        found = "is cut off"
    if found:
        raise HiveError(f"{file}: {found}", remedy)
    return start.startswith(_ZIP)
