"""Find the files of published metadata: a file, a folder, an address, or the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from hive.errors import HiveError, UnreachableError
from hive.files import is_file, sha256_file, sha256_json
from hive.mixing.published import hub
from hive.mixing.published.block import Block, broken_block
from hive.mixing.published.check import SPLIT_NAMES
from hive.mixing.published.read import json_blocks, parquet_blocks
from hive.storage import place
from hive.tables import open_parquet

_MAGIC = b"PAR1"
_SUFFIXES = (".parquet", ".json")
_SPLIT = re.compile(r"(?<![a-z])(train|validation|val|test)(?![a-z])")
_TAKEN = "give a Parquet table, nested JSON files, or a hub id such as ShandaAI/Hive"


@dataclass(frozen=True)
class Metadata:
    """Published metadata that lies ready to be read.

    Attributes:
        source: What it is, for the settings of a plan: a hub id or the name of a file or folder.
        revision: Commit on the hub; empty elsewhere.
        files: Each file by the name that messages use, in order.
    """

    source: str
    revision: str
    files: dict[str, Path]

    def sha256(self) -> str:
        """Return a hash of the files' bytes: of the one file, or of the list of all."""
        hashes = [[name, sha256_file(path)] for name, path in self.files.items()]
        return hashes[0][1] if len(hashes) == 1 else sha256_json(hashes)

    def blocks(self) -> Iterator[Block]:
        """Read all files, block by block.

        Raises:
            HiveError: If a table, or the only file, cannot be read. One of many JSON files that
                cannot counts as one row that is broken.
        """
        for name, path in self.files.items():
            if _is_parquet(path):
                yield from parquet_blocks(name, path)
                continue
            try:
                yield from json_blocks(name, path)
            except HiveError as error:
                if len(self.files) == 1 or isinstance(error, UnreachableError):
                    raise
                yield broken_block(name, str(error))


def is_published(text: str) -> bool:
    """Return whether a text names published metadata, and no plan of ours.

    A plan of ours is a Parquet table whose settings stand in its metadata, or whose sources have
    the column `clip_id`; the name decides nothing.

    Raises:
        HiveError: If there is no such file, or it is neither.
    """
    if _on_hub(text):
        return True
    path = place(text)
    if not is_file(path):
        return path.is_dir() or _missing(text)
    if not _is_parquet(path):
        with path.open("rb") as handle:
            if handle.read(64).lstrip()[:1] in (b"[", b"{"):
                return True
        raise HiveError(f"{path}: not a Parquet table, and no JSON", _TAKEN)
    with open_parquet(path) as file:
        schema = file.schema_arrow
    return not (b"hive" in (schema.metadata or {}) or _has_clip_ids(schema))


def locate(text: str, split: str | None = None) -> Metadata:
    """Find the files that a text names; those on the hub are fetched.

    Args:
        text: A Parquet or JSON file, a folder of them, an address of either, or a hub id.
        split: Leave out files whose names are those of other splits; all when None.

    Raises:
        HiveError: If there is nothing of the kind, or the hub cannot be reached.
    """
    remote = _on_hub(text)
    if remote is not None:
        fetched = hub.fetch(remote, lambda names: _choose(names, split, remote.inside))
        if not fetched.files:
            raise HiveError(f"{text} holds no metadata" + _of(split), _TAKEN)
        return Metadata(remote.repo, fetched.commit, fetched.files)
    path = place(text)
    if is_file(path):
        return Metadata(path.name, "", {path.name: path})
    if not path.is_dir():
        _missing(text)
    root = str(path).rstrip("/")
    found = {
        str(file)[len(root) :].lstrip("/"): file
        for suffix in _SUFFIXES
        for file in path.rglob(f"*{suffix}")
    }
    names = _choose(list(found), split)
    if not names:
        raise HiveError(f"{path}: no metadata is there" + _of(split), _TAKEN)
    return Metadata(path.name, "", {name: found[name] for name in names})


def _on_hub(text: str) -> hub.HubDataset | None:
    parsed = hub.parse(text)
    if parsed is None or "://" in text:
        return parsed
    # A misspelt path is no dataset.
    return None if Path(text).exists() or text.endswith(_SUFFIXES) else parsed


def _choose(names: Sequence[str], split: str | None, inside: str = "") -> list[str]:
    """Pick the tables, or if there is none the JSON files, that may hold a split."""
    below = [
        name
        for name in names
        if (not inside or name == inside or name.startswith(f"{inside}/"))
        and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    ]
    for suffix in _SUFFIXES:
        if chosen := sorted(name for name in below if name.endswith(suffix)):
            return [name for name in chosen if split is None or _may_hold(name, split)]
    return []


def _may_hold(name: str, split: str) -> bool:
    named = {SPLIT_NAMES[found] for found in _SPLIT.findall(name.lower())}
    return not named or split in named


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(len(_MAGIC)) == _MAGIC


def _has_clip_ids(schema: pa.Schema) -> bool:
    if "sources" not in schema.names:
        return False
    kind = schema.field("sources").type
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return bool(pa.types.is_struct(inner) and inner.get_field_index("clip_id") >= 0)


def _of(split: str | None) -> str:
    return f" of split {split!r}" if split else ""


def _missing(text: str) -> bool:
    raise HiveError(f"{text}: no such table, folder or hub dataset", _TAKEN)
