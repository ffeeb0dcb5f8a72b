"""What a user writes, a path or an address, and what it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from hive.errors import HiveError

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*(://|::)", re.IGNORECASE)
#: What opens a kind of address, where it does not come with this package.
_PACKAGES = {"s3": "hive-bench[s3]", "s3a": "hive-bench[s3]", "gs": "gcsfs", "gcs": "gcsfs"}
_LOCAL = ("file", "local")
#: What `Path` makes of an address; without a word it would become a folder of that name.
_MANGLED = re.compile(r"^(s3a?|gc?s|hf|https?|memory):/", re.IGNORECASE)
#: fsspec's file systems take these for patterns, some of them also where a file is deleted.
_PATTERN = re.compile(r"[*?\[\]]")


def place(text: str | Path) -> Path:
    """Return the place that a path or an address names.

    Args:
        text: A path, or an address such as `s3://bucket/pool`. `file://` is a local path. Access
            (keys, endpoints, tokens) is configured where fsspec's back ends look for it: for S3
            `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL` or `~/.aws`, for the
            hub `HF_TOKEN`.

    Returns:
        A `Path`, or a `hive.storage.remote.Remote` with its methods.

    Raises:
        HiveError: If there is no back end for that kind of address, it names no place, or a `Path`
            was made of it.
    """
    if not isinstance(text, str):
        if not is_remote(text) and _MANGLED.match(str(text)):
            raise HiveError(
                f"{text}: an address, where only a path of this machine is taken",
                "give a local path, and copy what it holds there or from there",
            )
        return text
    if not is_address(text):
        return Path(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if "::" in text or not separator:
        raise HiveError(
            f"{text}: addresses inside addresses (::) are not opened", "give the address itself"
        )
    if scheme in _LOCAL:
        return Path(rest)
    _check_address(text, scheme, rest)
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        package = _PACKAGES.get(scheme)
        raise HiveError(
            f"{text}: nothing here opens addresses that begin with {scheme}:// ({error})",
            f"pip install '{package}'" if package else "use a local path, s3:// or hf://",
        ) from error
    from hive.storage.remote import Remote, options

    return cast(Path, Remote(f"{scheme}://{rest.rstrip('/')}", **options(scheme)))


def is_address(text: str) -> bool:
    """Return whether a text is an address (`s3://...`) and no local path."""
    return _ADDRESS.match(text) is not None


def is_remote(path: Path | str) -> bool:
    """Return whether a place is not on this machine's file system."""
    return not isinstance(path, (str, Path))


def folder_name(path: Path) -> str:
    """Return the name of a folder: the last part of its path, of a bare bucket the bucket's."""
    name = path.resolve().name
    return name or str(path).rstrip("/").rpartition("/")[2]


def _check_address(text: str, scheme: str, rest: str) -> None:
    authority, _, path = rest.partition("/")
    if not rest.strip("/") or not (authority or scheme == "memory"):
        raise HiveError(f"{text}: names no bucket or host", "write e.g. s3://bucket/folder")
    if "@" in authority:
        raise HiveError(
            f"{scheme}://...@{authority.rpartition('@')[2]}: an address may hold no user and no "
            "password",
            "set them in the environment, where programs look for them and nothing records them",
        )
    if _PATTERN.search(rest) or ".." in path.split("/"):
        raise HiveError(f"{text}: an address may not hold *, ?, [, ] or ..", "write it out in full")
