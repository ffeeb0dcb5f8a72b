"""Writing files so that a reader sees the whole file or none, and hashing them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hive.errors import HiveError

TEMPORARY_SUFFIX = ".part"
_DISK_ERRORS = {
    errno.ENOSPC: "free some space, or write elsewhere; then run the same command again",
    errno.EDQUOT: "free some of your quota, or write elsewhere; then run the same command again",
    errno.EACCES: "choose a place that you may write to",
    errno.EROFS: "choose a place that is not read-only",
    errno.ENOTDIR: "choose a folder: a part of the path is a file",
}


@contextlib.contextmanager
def atomic_open(path: Path | str) -> Iterator[IO[bytes]]:
    """Open a file for binary writing that appears under its name only when complete.

    The data goes to a temporary file beside the target, is flushed to the disk and renamed. On any
    error, a full disk too, the temporary file is removed and the old file, if any, stays.

    Args:
        path: The file to write; its folder is made when it is missing.

    Yields:
        A binary file object.

    Raises:
        HiveError: If the disk is full, or the place cannot be written to.
    """
    path = Path(path)
    try:
        with _atomic_open(path) as handle:
            yield handle
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise HiveError(
                f"{path}: cannot be written ({error.strerror})", _DISK_ERRORS[error.errno]
            ) from error
        raise


@contextlib.contextmanager
def _atomic_open(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX
    )
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write `data` atomically."""
    with atomic_open(path) as handle:
        handle.write(data)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` atomically as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` atomically as indented JSON with sorted keys; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def remove_temporaries(folder: Path) -> None:
    """Delete what an interrupted `atomic_open` left under `folder`."""
    for leftover in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value, independent of key order and white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut; not every file system allows it.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
