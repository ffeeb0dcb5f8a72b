"""Writing files so that a reader sees the whole file or none, and hashing them."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import hashlib
import io
import json
import os
import re
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from hive.errors import HiveError
from hive.storage import is_remote, open_stream, place, put, put_bytes, put_new

TEMPORARY_SUFFIX = ".part"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_DISK_ERRORS = {
    errno.ENOSPC: "free some space, or write elsewhere; then run the same command again",
    errno.EDQUOT: "free some of your quota, or write elsewhere; then run the same command again",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "choose a place that is not read-only",
    errno.ENOTDIR: "choose a folder: a part of the path is a file",
}


@contextlib.contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn a full or closed disk into an error that says how to mend it; other errors pass.

    Args:
        path: What is being written, for the message.

    Raises:
        HiveError: If the disk is full, or the place cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise HiveError(
                f"{path}: cannot be written ({error.strerror})", _DISK_ERRORS[error.errno]
            ) from error
        raise


@contextlib.contextmanager
def atomic_open(path: Path | str) -> Iterator[IO[bytes]]:
    """Open a file for binary writing that appears under its name only when complete.

    The data goes to a temporary file beside the target, is flushed to the disk and renamed. On any
    error, a full disk too, the temporary file is removed and the old file, if any, stays. For a
    remote place the temporary file is in the local folder for such (`TMPDIR`), and is uploaded.

    Args:
        path: The file to write; its folder is made when it is missing.

    Yields:
        A binary file object.

    Raises:
        HiveError: If the disk is full, or the place cannot be written to.
    """
    path = place(path)
    opened = _remote_open(path) if is_remote(path) else _atomic_open(path)
    with explained(path), opened as handle:
        yield handle


@contextlib.contextmanager
def _remote_open(path: Path) -> Iterator[IO[bytes]]:
    """Collect the data in a local file and put it when it is whole; object stores keep no parts."""
    with (
        explained(f"{path}, collected in {tempfile.gettempdir()} (TMPDIR)"),
        tempfile.TemporaryDirectory(prefix="hive-upload-") as folder,
    ):
        temporary = Path(folder) / "whole"
        with temporary.open("wb") as handle:
            yield handle
        put(temporary, path)


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


@contextlib.contextmanager
def locked(path: Path | str, busy: str = "") -> Iterator[None]:
    """Hold an exclusive lock on a file, among all processes of this machine.

    For what is read, changed and written back: the table of a pool, for instance. The lock is freed
    when the process ends, however it ends. Of a lock on a remote file no other machine knows.

    Args:
        path: The lock's file; it is made, and stays.
        busy: What to say at once if another process holds the lock; empty to wait for it.

    Raises:
        HiveError: If the lock is held and `busy` says something.
    """
    from filelock import FileLock, Timeout

    path = place(path)
    path = _local_lock(path) if is_remote(path) else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HiveError(
            f"{path.parent}: cannot be made ({error.strerror})", "choose a folder to write to"
        ) from error
    lock = FileLock(path, timeout=0 if busy else -1)
    try:
        with lock:
            yield
    except Timeout as error:
        raise HiveError(busy, "wait for it to end, or stop it") from error


def _local_lock(path: Path | str) -> Path:
    """Return a file of this machine that stands for a remote one, which nobody can lock."""
    name = hashlib.sha256(str(path).encode("utf-8")).hexdigest()[:32]
    return Path(tempfile.gettempdir()) / "hive-locks" / name


def is_file(path: Path) -> bool:
    """Return whether there is a file, also for a name that no file can have."""
    try:
        return path.is_file()
    except OSError:  # too long a name, for instance
        return False


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write `data` atomically."""
    if is_remote(path := place(path)):
        put_bytes(data, path)
        return
    with atomic_open(path) as handle:
        handle.write(data)


def write_new(path: Path, data: bytes) -> bool:
    """Write `data` where there is no file, whole; of several that try at once, one succeeds.

    Returns:
        Whether it was written; False where there is a file.
    """
    if is_remote(path):
        return put_new(data, path)
    # A process id would not do: two containers that share a folder may have the same.
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    write_bytes(fresh, data)
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return True


def write_text(path: Path | str, text: str) -> None:
    """Write `text` atomically as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` atomically as indented JSON with sorted keys; NaN and infinity are refused."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return `value` as `write_json` writes it."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file atomically.

    A spreadsheet runs text that begins like a formula, and much of what we list was written by
    strangers: such cells get an apostrophe before them, which `read_csv` takes away.

    Args:
        path: The file.
        columns: Its header.
        rows: Its rows; cells that are not text are written as they are.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([_harmless(name) for name in columns])
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    write_text(path, buffer.getvalue())


def write_records(path: Path | str, kind: type[Any], records: Iterable[Any]) -> None:
    """Write the instances of a dataclass as a CSV file, with its fields as columns."""
    names = [field.name for field in dataclasses.fields(kind)]
    write_csv(path, names, ([getattr(record, name) for name in names] for record in records))


def read_csv(path: Path | str) -> Iterator[dict[str, str]]:
    """Yield the rows of a file that `write_csv` wrote, by column."""
    with place(path).open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            yield {
                name: cell[1:] if cell and _FORMULA.match(cell, 1) and cell[0] == "'" else cell
                for name, cell in row.items()
            }


def _harmless(cell: Any) -> Any:
    # Apostrophes before such a beginning are counted in, so that reading gives back every text.
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def remove_temporaries(folder: Path) -> None:
    """Delete what an interrupted `atomic_open` left under `folder`; remote places keep nothing."""
    if is_remote(folder):
        return
    for leftover in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def remove_temporaries_of(targets: Iterable[Path]) -> None:
    """Delete what an interrupted `atomic_open` of these files left, and nothing of other files."""
    wanted = {target for target in targets if not is_remote(target)}
    for folder in {target.parent for target in wanted}:
        for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            name = leftover.name.removesuffix(TEMPORARY_SUFFIX)[1:].rpartition(".")[0]
            if folder / name in wanted:
                leftover.unlink(missing_ok=True)


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open_stream(place(path)) as handle:
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
