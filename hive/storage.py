"""Places of files: local folders, and remote ones (`s3://`, `hf://`, ...) through fsspec.

`place` turns what a user writes into something with the methods of `pathlib.Path`: a `Path`, or a
`UPath` (universal_pathlib) for a remote address, which the rest of the package treats alike. What
`Path` cannot do remotely is here: opening audio, and putting a whole file in one step.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import IO, Any, cast

from hive.errors import HiveError

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: Which package a kind of address needs beyond what is always installed.
_PACKAGES = {"s3": "hive-bench[s3]"}
#: Remote files up to this size are fetched whole, larger ones block by block.
_WHOLE = 8 << 20
_BLOCK = 1 << 20


def place(text: str | Path) -> Path:
    """Return the place that a path or an address names.

    Args:
        text: A path, or an address such as `s3://bucket/pool`. `file://` is a local path. Access
            (keys, endpoints, tokens) is configured where fsspec's back ends look for it: for S3
            `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL` or `~/.aws`, for the
            hub `HF_TOKEN`.

    Returns:
        A `Path`, or a `UPath` with its methods.

    Raises:
        HiveError: If there is no back end for that kind of address.
    """
    if not isinstance(text, str):
        return text
    if not is_address(text):
        return Path(text)
    scheme = text.partition("://")[0].lower()
    if scheme == "file":
        return Path(text.partition("://")[2])
    try:
        from upath import UPath

        found = UPath(text)
        found.fs  # noqa: B018  (imports the back end)
    except (ImportError, ValueError) as error:
        package = _PACKAGES.get(scheme)
        raise HiveError(
            f"{text}: nothing here opens addresses that begin with {scheme}:// ({error})",
            f"pip install '{package}'" if package else "use a local path, s3:// or hf://",
        ) from error
    return cast(Path, found)


def is_address(text: str) -> bool:
    """Return whether a text is an address (`s3://...`) and no local path."""
    return _ADDRESS.match(text) is not None


def is_remote(path: Path | str) -> bool:
    """Return whether a place is not on this machine's file system."""
    return not isinstance(path, (str, Path))


def open_audio(path: Path) -> Path | IO[bytes]:
    """Return what a decoder can open: the path itself, or a seekable file for a remote place.

    Raises:
        HiveError: If the place cannot be reached.
    """
    if not is_remote(path):
        return path
    remote: Any = path
    try:
        if remote.stat().st_size <= _WHOLE:
            return io.BytesIO(remote.fs.cat_file(remote.path))
        return cast(
            "IO[bytes]", remote.fs.open(remote.path, "rb", block_size=_BLOCK, cache_type="bytes")
        )
    except OSError as error:
        raise HiveError(
            f"{path}: cannot be read ({error})", "check the address and the connection"
        ) from error


def put(local: Path, target: Path) -> None:
    """Put a finished local file to a remote place, where it appears whole or not at all.

    Object stores show an object only once its upload is complete.

    Raises:
        HiveError: If the place cannot be written to.
    """
    remote: Any = target
    try:
        remote.fs.put_file(str(local), remote.path)
    except OSError as error:
        raise HiveError(
            f"{target}: cannot be written ({error})",
            "check the address, your right to write there, and the connection",
        ) from error
