"""How a stage's table is divided on the disk, and what binds it to its settings.

    POOL/.hive/curate/CORPUS/2-single_label/_settings.json
    POOL/.hive/curate/CORPUS/2-single_label/5eed0d06-1c0ffee5.parquet

A part holds the segments of some hundred recordings and has the same name in every stage; the name
depends on the recordings and on the size and time of their files, so that a corrected file is done
anew through all stages with its part and nothing else is. Where a part ends depends on the
recordings themselves, so that a row more or less in the metadata moves no other part. A part that
is there is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from hive.claims import claim, describe
from hive.curation.table import SEGMENT_SCHEMA, Row
from hive.errors import HiveError
from hive.files import remove_temporaries_of, sha256_json, write_json
from hive.sources.corpus import Recording
from hive.tables import read_table, write_table

#: Begins with `_`, so that readers of the folder as one table pass it over.
SETTINGS = "_settings.json"
STAGES = ("chunk", "single_label", "single_event", "coarse_tag", "leaf_label", "standardise")
#: Recordings of a part: at least, on average beyond that, and at most.
_LEAST, _MEAN, _MOST = 64, 192, 1024
#: A part with more than this is closed: hours of sound in one part would be memory, and work lost.
_MOST_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Part:
    """Some recordings that go through the stages together.

    Attributes:
        name: Its name.
        recordings: The recordings.
        stamps: Size and time of each one's file as the run began; empty where there was none.
    """

    name: str
    recordings: tuple[Recording, ...]
    stamps: tuple[tuple[int, ...], ...]


def divide(recordings: Sequence[Recording], root: Path) -> list[Part]:
    """Divide the recordings of a corpus into parts."""
    parts: list[Part] = []
    some: list[Recording] = []
    stamps: list[tuple[int, ...]] = []
    size = 0
    for recording in recordings:
        some.append(recording)
        stamps.append(stamp(root / recording.path))
        size += stamps[-1][0] if stamps[-1] else 0
        ends = len(some) >= _LEAST and _digest(recording) % _MEAN == 0
        if ends or len(some) == _MOST or size > _MOST_BYTES:
            parts.append(_part(some, stamps))
            some, stamps, size = [], [], 0
    return [*parts, _part(some, stamps)] if some else parts


def _part(some: Sequence[Recording], stamps: Sequence[tuple[int, ...]]) -> Part:
    identity = [[vars(recording), own] for recording, own in zip(some, stamps, strict=True)]
    name = f"{_digest(some[0]):08x}-{sha256_json(identity)[:8]}"
    return Part(name, tuple(some), tuple(stamps))


def _digest(recording: Recording) -> int:
    address = f"{recording.path}\x1f{recording.start}\x1f{recording.end}"
    digest = hashlib.blake2b(address.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def stamp(path: Path) -> tuple[int, ...]:
    """Return size and time of a file; empty where there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns


class Work:
    """The folder of a corpus's curation.

    Args:
        pool: The pool.
        corpus: Name of the corpus.
        alone: Whether no other job works in it.
    """

    def __init__(self, pool: Path, corpus: str, *, alone: bool = True) -> None:
        self.folder = pool / ".hive" / "curate" / corpus
        self._alone = alone

    def stage(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self.folder / f"{STAGES.index(name) + 1}-{name}"

    def table(self, stage: str, part: Part) -> Path:
        """Return where a stage's table of a part is."""
        return self.stage(stage) / f"{part.name}.parquet"

    def clips(self, part: Part) -> Path:
        """Return where the clip table of a part is."""
        return self.folder / "clips" / f"{part.name}.parquet"

    def open(self, stage: str, settings: dict[str, Any]) -> None:
        """Bind a stage to its settings.

        Raises:
            HiveError: If it was run with other ones.
        """
        path = self.stage(stage) / SETTINGS
        if self._alone and not any(self.stage(stage).glob("*.parquet")):
            path.unlink(missing_ok=True)  # nothing was done yet, so nothing binds
        if changed := claim(path, settings):
            raise HiveError(
                f"{self.stage(stage)}: {stage} was run with other settings:\n{describe(changed)}",
                f"use the same settings, choose another --out, or do the stage and all after it "
                f"again with --redo {stage}; answers of the language model are kept",
            )

    def settings(self, stage: str) -> dict[str, Any]:
        """Return the settings that a stage was bound to."""
        path = self.stage(stage) / SETTINGS
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return settings

    def bind(self, root: Path, replace: bool) -> None:
        """Bind the corpus's folder to a root.

        Raises:
            HiveError: If it was another one and `replace` is not set: two corpora of one name would
                take each other's place.
        """
        path = self.folder / "root.json"
        own = {"root": str(root.resolve())}
        if replace:
            write_json(path, own)
        elif changed := claim(path, own):
            raise HiveError(
                f"{self.folder.name} in this pool is another corpus, or was elsewhere:\n"
                f"{describe(changed)}",
                "give another --name (with --corpus folder) or --out; or, if the corpus has moved, "
                "add --replace",
            )

    def redo(self, stage: str) -> None:
        """Forget a stage and all after it.

        The last one goes first, so that no table outlives what it was made from.

        Raises:
            HiveError: If a table cannot be removed.
        """
        for name in reversed(STAGES[STAGES.index(stage) :]):
            try:
                shutil.rmtree(self.stage(name))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise HiveError(
                    f"{self.stage(name)}: cannot be removed ({error.strerror})",
                    "make it writable, then run the same command again",
                ) from error

    def remove_temporaries(self, parts: Iterable[Part]) -> None:
        """Delete what an interrupted run left of these parts' tables."""
        remove_temporaries_of(
            path
            for part in parts
            for path in (*(self.table(stage, part) for stage in STAGES), self.clips(part))
        )

    def waiting(self, stage: str, parts: Sequence[Part]) -> list[Part]:
        """Return the parts that a stage has still to do."""
        return [part for part in parts if not self.table(stage, part).is_file()]

    def read(self, stage: str, part: Part) -> list[Row]:
        """Return all rows of a part, the rejected ones too."""
        rows: list[Row] = read_table(self.table(stage, part), SEGMENT_SCHEMA)[0].to_pylist()
        return rows

    def rejected(self, stage: str, part: Part, reasons: Iterable[str]) -> list[Row]:
        """Return path, reason and detail of the rows that a stage rejected for these reasons."""
        columns = ["path", "reason", "detail"]
        chosen = pc.field("reason").isin(list(reasons))
        table = pq.read_table(self.table(stage, part), columns=columns, filters=chosen)
        rows: list[Row] = table.to_pylist()
        return rows

    def kept(self, stage: str, part: Part) -> list[Row]:
        """Return the rows of a part that a stage kept."""
        return [row for row in self.read(stage, part) if not row["reason"]]

    def count(self, stage: str, part: Part) -> int:
        """Return how many rows of a part a stage kept."""
        reasons = pq.read_table(self.table(stage, part), columns=["reason"])["reason"]
        return int(pc.sum(pc.equal(reasons, "")).as_py() or 0)

    def write(self, stage: str, part: Part, rows: list[Row]) -> None:
        """Write a stage's table of a part; that it is there says that it is done."""
        write_table(self.table(stage, part), rows, SEGMENT_SCHEMA)

    def remove_stale(self, parts: Iterable[Part]) -> None:
        """Remove the tables of parts that are no more."""
        names = {f"{part.name}.parquet" for part in parts}
        for path in self.folder.glob("*/*.parquet"):
            if path.name not in names:
                path.unlink()
