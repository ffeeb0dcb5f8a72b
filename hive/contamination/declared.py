"""What a training set is declared as, and how its recordings are listed.

`NAME:ROOT` is a corpus (of `hive-bench sources`), a folder with a clip table is a pool, one with
mixtures a dataset, any other a folder of audio files; a table with a column `path` is a manifest,
a Parquet file a mixture table, any other file a list of ids (`hive.contamination.identity`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hive.contamination import mixtures
from hive.contamination.identity import canonical, is_manifest
from hive.contamination.pieces import Item
from hive.errors import HiveError
from hive.inside import inside
from hive.mixing.roots import PoolRoot
from hive.pool.store import TABLE, read_pool
from hive.shards.layout import EMBEDDED, MIXTURES, locate
from hive.sources import catalogue
from hive.sources.corpus import Problem, Recording
from hive.sources.opening import FOLDER, open_corpus
from hive.sources.shelf import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from hive.storage import is_remote, place, stamp
from hive.tables import SPLITS

ALL = "all"
_SOUND = (*AUDIO_SUFFIXES, ".aif", ".aiff", ".au", ".caf", ".w64")


class Kind(str, Enum):
    """What a set of recordings is."""

    CORPUS = "corpus"
    POOL = "pool"
    DATASET = "dataset"  # read from its stems
    TABLE = "mixture table"  # read from the clips of a pool
    FOLDER = "folder"
    MANIFEST = "manifest"
    LIST = "list"


@dataclass(frozen=True)
class Declared:
    """A set of recordings: a training set, or what is tested.

    Attributes:
        text: As the user named it.
        kind: What it is.
        root: Its folder or file.
        corpus: Name of the corpus, for `Kind.CORPUS`.
        pool: The pool that holds the clips of a mixture table.
        split: The split that is meant, or "all"; what belongs to no split is meant in any case.
    """

    text: str
    kind: Kind
    root: Path
    split: str
    corpus: str = ""
    pool: Path | None = None


def declare(text: str, split: str, pool: Path | None = None) -> Declared:
    """Find out what a set of recordings is.

    Args:
        text: A path, an address, `mini`, or `NAME:ROOT` for a corpus.
        split: The split that is meant, or "all".
        pool: A pool that may hold the clips of mixture tables.

    Raises:
        HiveError: If there is nothing of that name, or a mixture table without its clips.
    """
    name, colon, rest = text.partition(":")
    if colon and not rest.startswith("//") and name in _corpus_names():
        return Declared(text, Kind.CORPUS, place(rest), split, catalogue.get(name).name)
    root = locate(text) if text == EMBEDDED else place(text)
    if text == EMBEDDED or root.is_dir():
        if (root / TABLE).is_file():
            return Declared(text, Kind.POOL, root, split)
        if text == EMBEDDED or (root / MIXTURES).is_file() or (root / "data").is_dir():
            return _dataset(text, root, split, pool)
        return Declared(text, Kind.FOLDER, root, split)
    if not root.is_file():
        raise HiveError(
            f"{text}: no such file or folder",
            "give a dataset, a pool, a folder of audio files, a manifest, a list of ids, or "
            f"NAME:FOLDER with a corpus of {', '.join(catalogue.NAMES)}",
        )
    if root.suffix.lower() == ".parquet":
        return _dataset(text, root, split, pool)
    kind = Kind.MANIFEST if is_manifest(root) else Kind.LIST
    return Declared(text, kind, root, split)


def in_split(splits: pa.ChunkedArray, split: str) -> pa.ChunkedArray:
    """Return which clips of a pool are of a split: those of none too, but no others."""
    wanted = splits.unique().to_pylist() if split == ALL else ["", split]
    return pc.is_in(splits, value_set=pa.array(wanted, pa.string()))


def items(declared: Declared) -> Iterator[Item]:
    """Yield the recordings of a set that is no dataset and no list.

    What is found to be missing or unreadable is an item with a problem.

    Raises:
        HiveError: If the set cannot be listed.
    """
    listing = {
        Kind.CORPUS: _corpus_items,
        Kind.MANIFEST: _corpus_items,
        Kind.POOL: _pool_items,
        Kind.TABLE: _table_items,
        Kind.FOLDER: _folder_items,
    }
    yield from listing[declared.kind](declared)


def _dataset(text: str, root: Path, split: str, pool: Path | None) -> Declared:
    if split == ALL:
        raise HiveError(f"{text}: mixtures are of one split", f"choose one of {', '.join(SPLITS)}")
    if pool is not None:
        first = next(mixtures.clips(root, split))
        if (pool / inside(first.path)).is_file():
            return Declared(text, Kind.TABLE, root, split, pool=pool)
    if not root.is_dir() or not (root / "data").is_dir():
        raise HiveError(
            f"{text}: a mixture table without audio",
            "give the pool that holds its clips with --pool",
        )
    return Declared(text, Kind.DATASET, root, split)


def _corpus_items(declared: Declared) -> Iterator[Item]:
    opened = open_corpus(declared.corpus or FOLDER, declared.root)
    for entry in opened.items:
        if isinstance(entry, Problem):
            yield Item(
                f"problem {entry.path} {entry.reason}",
                entry.path,
                str(opened.root / entry.path),
                problem=entry.reason,
                remedy=entry.remedy,
            )
        elif declared.split == ALL or entry.split in ("", declared.split):
            yield _recording_item(opened.root, entry)


def _recording_item(root: Path, recording: Recording) -> Item:
    path = root / recording.path
    return Item(
        f"{recording.path} {recording.start} {recording.end} {_state(path)}",
        recording.path,
        str(path),
        canonical(recording.recording_id),
        recording.start,
        recording.end,
    )


def _pool_items(declared: Declared) -> Iterator[Item]:
    clips, _ = read_pool(declared.root)
    clips = clips.filter(in_split(clips["split"], declared.split))
    find = PoolRoot(declared.root)
    names = ["clip_id", "path", "recording_id", "pcm_sha256"]
    for batch in clips.select(names).to_batches(10_000):
        for row in batch.to_pylist():
            yield Item(
                f"{row['clip_id']} {row['pcm_sha256']}",
                row["clip_id"],
                str(find(row["path"])),
                canonical(row["recording_id"] or ""),
            )


def _table_items(declared: Declared) -> Iterator[Item]:
    find = PoolRoot(declared.pool or declared.root)
    for clip in mixtures.clips(declared.root, declared.split):
        path = find(clip.path)
        yield Item(
            f"{clip.path} {clip.start} {clip.end} {_state(path)}",
            clip.clip_id,
            str(path),
            clip.recording_id,
            clip.start,
            clip.end,
        )


def _folder_items(declared: Declared) -> Iterator[Item]:
    some = False
    for path in _files(declared.root):
        suffix = path.suffix.lower()
        if suffix in _SOUND or suffix in VIDEO_SUFFIXES:
            some = True
            video = suffix in VIDEO_SUFFIXES
            name = str(path)[len(str(declared.root)) :].lstrip("/\\")
            yield Item(
                f"{name} {_state(path)}",
                name,
                str(path),
                problem="a video whose audio has not been extracted" if video else "",
                remedy="extract it, e.g. to FLAC beside it" if video else "",
            )
    if not some:
        raise HiveError(
            f"{declared.root}: holds no audio files ({', '.join(_SOUND)})", "check the folder"
        )


def _files(root: Path) -> Iterator[Path]:
    """Yield the files below a folder in a fixed order; hidden ones are passed over."""
    if is_remote(root):
        yield from sorted((path for path in root.rglob("*") if path.suffix), key=str)
        return
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _state(path: Path) -> str:
    try:
        return str(stamp(path))
    except OSError:  # not there, which reading it will tell
        return ""


def _corpus_names() -> set[str]:
    return {*catalogue.NAMES, *(n for one in catalogue.corpora() for n in one.published_names)}
