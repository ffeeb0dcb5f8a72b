"""Whole files of local and remote places: what `Path` cannot do in one step, or not remotely."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from hive.errors import HiveError
from hive.storage.places import is_remote

if TYPE_CHECKING:
    from hive.storage.remote import Remote

#: Remote audio up to this size is fetched whole, in one request; of more, the parts that are read.
_WHOLE = 2 << 20
_AUDIO_BLOCK = 1 << 18
_STREAM_BLOCK = 8 << 20  # of a file that is read from one end to the other
_MANY = 64  # small files that are fetched at a time
# s3fs sends ten parts of 50 MB at a time, which is half a gigabyte in each worker.
_PARTS = {"chunksize": 16 << 20, "max_concurrency": 4}


@contextlib.contextmanager
def open_audio(path: Path) -> Iterator[Path | IO[bytes]]:
    """Open what a decoder reads: the path itself, or a seekable file for a remote place.

    A decoder calls back to read, and takes an exception there for the end of the file; so what
    went wrong on the way is raised in place of what it makes of that.

    Raises:
        UnreachableError: If the place cannot be reached.
        FileNotFoundError: If there is no such remote file.
    """
    if not is_remote(path):
        yield path
        return
    remote = _remote(path)
    head = _head(remote)
    if len(head) < _WHOLE:
        yield io.BytesIO(head)
        return
    reading: Any = remote.raw(block=_AUDIO_BLOCK, cache="blockcache")
    with reading:
        try:
            yield cast("IO[bytes]", _Quiet(reading))
        except Exception as error:
            if reading.failure is not None:
                raise reading.failure from error
            raise
        if reading.failure is not None:
            raise reading.failure


def open_stream(path: Path) -> IO[bytes]:
    """Open a file that is read from its start to its end, in constant memory."""
    if is_remote(path):
        return _remote(path).open("rb", block=_STREAM_BLOCK)
    return path.open("rb")


def read_many(paths: Sequence[Path]) -> Iterator[bytes]:
    """Yield the contents of many small files in their order; remote ones are fetched together.

    Raises:
        UnreachableError: If the place cannot be reached.
        FileNotFoundError: If one is missing.
    """
    for start in range(0, len(paths), _MANY):
        some = paths[start : start + _MANY]
        found: Sequence[Any] = [None] * len(some)
        if is_remote(some[0]):
            names = [_remote(path).path for path in some]
            # `cat_ranges` takes no name for a pattern, as `cat` would.
            found = _remote(some[0]).fs.cat_ranges(names, 0, None, on_error="return")
        for path, data in zip(some, found, strict=True):
            # What failed is read again by itself, and tells why.
            yield data if isinstance(data, bytes) else path.read_bytes()


def put(local: Path, target: Path) -> None:
    """Put a finished local file to a remote place, where it appears whole or not at all.

    Object stores show an object only once its upload is complete.

    Raises:
        HiveError: If the place is not one to write to, or cannot be reached.
    """
    from hive.storage.remote import S3, check_writable, reached

    remote = _remote(target)
    check_writable(remote)
    with reached(remote):
        try:
            how = _PARTS if remote.protocol in S3 else {}
            remote.fs.put_file(str(local), remote.path, **how)
        except FileNotFoundError as error:
            raise _no_bucket(remote, error) from error


def put_bytes(data: bytes, target: Path) -> None:
    """Put a small file to a remote place, as `put` does.

    Raises:
        HiveError: If the place is not one to write to, or cannot be reached.
    """
    _pipe(data, target, "overwrite")


def put_new(data: bytes, target: Path) -> bool:
    """Put a small file where there is none; of several that try at once, one succeeds.

    S3 decides that by a condition of the upload (`If-None-Match: *`). A server that does not know
    it lets the last one win.

    Returns:
        Whether it was put; False where there was one.

    Raises:
        HiveError: If the place is not one to write to, or cannot be reached.
    """
    try:
        _pipe(data, target, "create")
    except FileExistsError:
        return False
    return True


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder with all that is in it, if it is there."""
    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    from hive.storage.remote import check_writable, reached

    remote = _remote(folder)
    check_writable(remote)
    with reached(remote), contextlib.suppress(FileNotFoundError):
        remote.fs.rm(remote.path, recursive=True)


def stamp(path: Path) -> list[Any]:
    """Return what changes when a file is written anew, as JSON values: its size, and its time.

    Of a remote file it is its size and what the storage marks its version by, if anything.

    Raises:
        OSError: If there is no such file.
    """
    if not is_remote(path):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns]
    entry = _remote(path).entry()
    if entry is None:
        raise FileNotFoundError(str(path))
    marks = (entry.get(name) for name in ("ETag", "etag", "blob_id", "LastModified", "created"))
    return [entry["size"], *(str(mark) for mark in marks if mark)]


def _remote(path: Path) -> Remote:
    return cast("Remote", path)


def _head(remote: Remote) -> bytes:
    """Return the first bytes of a file, which is all of most."""
    from hive.storage.remote import reached

    with reached(remote):
        try:
            return cast(bytes, remote.fs.cat_file(remote.path, start=0, end=_WHOLE))
        except FileNotFoundError:
            raise
        except Exception:
            # There is no first byte of an empty file, which S3 takes for an error.
            with contextlib.suppress(HiveError):
                entry = remote.entry()
                if entry is not None and entry["size"] == 0:
                    return b""
            raise


def _pipe(data: bytes, target: Path, mode: str) -> None:
    from hive.storage.remote import check_writable, reached

    remote = _remote(target)
    check_writable(remote)
    with reached(remote):
        try:
            remote.fs.pipe_file(remote.path, data, mode=mode)
        except FileNotFoundError as error:
            raise _no_bucket(remote, error) from error


def _no_bucket(remote: Remote, error: Exception) -> HiveError:
    return HiveError(f"{remote}: cannot be written ({error})", "make the bucket, or choose another")


class _Quiet(io.RawIOBase):
    """A file that ends where it cannot be read any further, for callers that know no exceptions."""

    def __init__(self, reading: io.RawIOBase) -> None:
        self._reading = reading

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._reading.seek(offset, whence)

    def tell(self) -> int:
        return self._reading.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            return self._reading.readinto(buffer) or 0
        except HiveError:
            return 0
