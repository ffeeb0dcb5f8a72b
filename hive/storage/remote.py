"""An address with the methods of a path.

`universal_pathlib` has the names; what differs here is what happens when something is not as it
should be. fsspec's `isfile` says no, and its `glob` leaves files out, also when the server cannot
be reached: a shard would be rendered again, a table would lack rows. Here, no answer is an error.
Listings of places that are written to are not cached, since other processes write there too. And
nothing is taken for a pattern but the argument of `glob`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import IO, Any, cast

from upath.extensions import ProxyUPath

from hive.errors import HiveError, UnreachableError

#: What is read ahead where a file is read in parts.
BLOCK = 1 << 20
S3 = ("s3", "s3a")
_READ_ONLY = {"hf": "write to a folder, then `hive-bench publish` it", "http": "", "https": ""}
_MAGIC = re.compile(r"[*?\[]")
#: What a place tells of itself; the rest tells of the way there.
_ANSWERS = (HiveError, FileExistsError, NotADirectoryError, IsADirectoryError)


def options(scheme: str) -> dict[str, Any]:
    """Return the options of fsspec's back end for a kind of address."""
    return {"use_listings_cache": False} if scheme in S3 else {}


@contextlib.contextmanager
def reached(address: object) -> Iterator[None]:
    """Turn the failures of a storage's client into an `UnreachableError` that names the address.

    What was found there, or not found, passes.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(address)) from error
    except _ANSWERS:
        raise
    except Exception as error:  # each back end has its own kinds
        raise _unreachable(address, error) from error


def check_writable(address: Remote) -> None:
    """Check that files can be written to an address at all.

    Raises:
        HiveError: If it is one to read from.
    """
    remedy = _READ_ONLY.get(address.protocol)
    if remedy is not None:
        raise HiveError(
            f"{address}: {address.protocol}:// is for reading",
            remedy or "write to a local folder or to s3://",
        )


class Remote(ProxyUPath):
    """A place that is not on this machine's file system; see the module.

    Its methods are those of `pathlib.Path`. What they find out is the state of this moment, and
    takes a request or more each.
    """

    def entry(self) -> dict[str, Any] | None:
        """Return what the storage says of a file or folder; None where there is neither."""
        with reached(self):
            try:
                found: dict[str, Any] = self.fs.info(self.path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found

    def is_file(self, **_: Any) -> bool:
        """Return whether there is a file."""
        found = self.entry()
        return found is not None and found["type"] == "file"

    def is_dir(self, **_: Any) -> bool:
        """Return whether there is a file below it: folders exist by what they hold."""
        found = self.entry()
        return found is not None and found["type"] == "directory"

    def exists(self, **_: Any) -> bool:
        """Return whether there is a file or a folder."""
        return self.entry() is not None

    def stat(self, **_: Any) -> Any:
        """Return size and times, those that the storage knows."""
        with reached(self):
            return super().stat()

    def iterdir(self) -> Iterator[Remote]:
        """Yield files and folders, by name."""
        names = self._names()
        if not names:
            raise FileNotFoundError(str(self))
        for name in names:
            yield self / name

    def glob(self, pattern: str, **_: Any) -> Iterator[Remote]:
        """Yield files and folders that match, by name; `**` stands for any number of folders."""
        yield from self._matching(pattern.split("/"))

    def rglob(self, pattern: str, **_: Any) -> Iterator[Remote]:
        """Yield files and folders that match, at any depth."""
        yield from self.glob(f"**/{pattern}")

    def open(self, mode: str = "r", *, block: int = BLOCK, **text: Any) -> IO[Any]:  # type: ignore[override]
        """Open a file for reading; `hive.files` writes.

        Args:
            mode: "r" or "rb".
            block: Bytes that are read ahead.
            text: For "r": encoding, errors and newline.
        """
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"{self}: opened with {mode!r}; hive.files.atomic_open writes")
        reader = io.BufferedReader(self.raw(block=block), 1 << 16)
        return reader if mode == "rb" else io.TextIOWrapper(reader, **text)

    def raw(self, *, block: int, cache: str = "readahead") -> io.RawIOBase:
        """Open a file whose failures name the address, through one of fsspec's caches."""
        with reached(self):
            file = self.fs.open(self.path, "rb", block_size=block, cache_type=cache)
        return _Reading(file, str(self))

    def read_bytes(self) -> bytes:
        """Read a whole file."""
        with reached(self):
            return cast(bytes, self.fs.cat_file(self.path))

    def read_text(self, encoding: str | None = None, *_: Any, **__: Any) -> str:
        """Read a whole file as text."""
        return io.TextIOWrapper(io.BytesIO(self.read_bytes()), encoding or "utf-8").read()

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Do nothing: folders come with their files, and buckets are not ours to make."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete a file."""
        check_writable(self)
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(str(self))
        with reached(self), contextlib.suppress(FileNotFoundError, KeyError):
            self.fs.rm_file(self.path)

    def _matching(self, parts: list[str]) -> Iterator[Remote]:
        first, *rest = parts
        if first == "**":
            yield from self._matching(rest)
            for name, kind in self._names().items():
                if kind == "directory":
                    yield from (self / name)._matching(parts)
        elif rest and not _MAGIC.search(first):
            yield from (self / first)._matching(rest)
        else:
            for name, kind in self._names().items():
                if fnmatchcase(name, first):
                    if not rest:
                        yield self / name
                    elif kind == "directory":
                        yield from (self / name)._matching(rest)

    def _names(self) -> dict[str, str]:
        """Return what is in a folder, by name, with the type; nothing where there is none."""
        own = self.path.rstrip("/")
        with reached(self):
            try:
                entries = self.fs.ls(self.path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        # A file is listed as itself, and so is the empty object by which some tools mark a folder.
        paths = ((entry["name"].rstrip("/"), entry["type"]) for entry in entries)
        return dict(sorted((path.rpartition("/")[2], kind) for path, kind in paths if path != own))


class _Reading(io.RawIOBase):
    """A file of fsspec, opened for reading, whose failures name its address.

    Attributes:
        failure: The first failure, for readers that swallow it.
    """

    def __init__(self, file: Any, address: str) -> None:
        self._file = file
        self._address = address
        self.failure: UnreachableError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        try:
            with reached(self._address):
                data = self._file.read(len(buffer))
        except UnreachableError as error:
            self.failure = self.failure or error
            raise
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _unreachable(address: object, error: Exception) -> UnreachableError:
    told = str(error) or type(error).__name__
    refused = isinstance(error, PermissionError) or "redential" in told
    return UnreachableError(
        f"{address}: {told}",
        "set the keys in the environment and check what they allow (docs/storage.md)"
        if refused
        else "check the address and the connection, then run the same command again",
    )
