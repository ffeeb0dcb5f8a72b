"""Tar files whose bytes depend on their members alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from hive.errors import HiveError
from hive.files import atomic_open
from hive.storage import open_stream

# WebDataset splits a name at its first dot, and lower-cases the rest.
_MEMBER = re.compile(r"^[a-z0-9_-]+\.[a-z0-9.]+$")
_BLOCK = 512


class TarWriter:
    """Writes members with fixed owner, mode and time, atomically, and hashes the file meanwhile.

    Used as a context manager; the file appears under its name on a clean exit only.

    Args:
        path: The tar file.

    Attributes:
        sha256: Hash of the whole file, after the context has ended.
        size: Its bytes.
    """

    def __init__(self, path: Path) -> None:
        self._context = atomic_open(path)
        self._handle: IO[bytes]
        self._digest = hashlib.sha256()
        self.size = 0
        self.sha256 = ""

    def __enter__(self) -> TarWriter:
        self._handle = self._context.__enter__()
        return self

    def add(self, name: str, data: bytes) -> None:
        """Add one member.

        Raises:
            ValueError: If the name is not `[a-z0-9_-]+` followed by a lower-case field.
        """
        if not _MEMBER.match(name):
            raise ValueError(f"member name {name!r} is not [a-z0-9_-]+.field")
        header = tarfile.TarInfo(name)
        header.size = len(data)
        header.mode = 0o644
        self._write(header.tobuf(tarfile.USTAR_FORMAT, "utf-8"))
        self._write(data)
        self._write(bytes(-len(data) % _BLOCK))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self._write(bytes(2 * _BLOCK))
            except OSError as full:  # the disk, at the very end
                self._context.__exit__(type(full), full, full.__traceback__)
                raise
            self.sha256 = self._digest.hexdigest()
        self._context.__exit__(kind, error, trace)

    def _write(self, data: bytes) -> None:
        self._handle.write(data)
        self._digest.update(data)
        self.size += len(data)


class HashingReader:
    """Hashes a file while it is read, so that its content and its hash are checked in one pass.

    Args:
        handle: A file opened for binary reading, at its start.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        data = self._handle.read(size)
        self._digest.update(data)
        return data

    def sha256(self) -> str:
        """Return the hash of the whole file; what nobody has read yet is read now."""
        while self.read(1 << 20):
            pass
        return self._digest.hexdigest()


def iterate_members(path: Path, reader: HashingReader | None = None) -> Iterator[tuple[str, bytes]]:
    """Read the members of a tar file one after another; nothing is ever unpacked to the disk.

    Args:
        path: The tar file.
        reader: Reads it, where its hash is wanted too.

    Yields:
        Name and content of each member.

    Raises:
        HiveError: If the file is missing or damaged.
    """
    with damage_told(path), contextlib.ExitStack() as opened:
        _check_end(path)
        source = reader or opened.enter_context(open_stream(path))
        archive = tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|")  # noqa: SIM115
        for info in opened.enter_context(archive):
            handle = archive.extractfile(info)
            if handle is not None:
                yield info.name, handle.read()


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what is wrong with a shard that is read into an error that names it.

    Args:
        path: The shard.

    Raises:
        HiveError: If the file is missing or damaged.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise HiveError(f"{path}: no such shard", "check the path") from error
    except (tarfile.TarError, EOFError) as error:
        raise HiveError(
            f"{path}: damaged shard ({error})", "render or download it again"
        ) from error


def _check_end(path: Path) -> None:
    # tarfile takes a file that was cut between two members for a whole one.
    with path.open("rb") as handle:
        handle.seek(-min(2 * _BLOCK, handle.seek(0, os.SEEK_END)), os.SEEK_END)
        if handle.read() != bytes(2 * _BLOCK):
            raise tarfile.ReadError("it was cut off: its end mark is missing")
