"""Searching the pieces of one store in the index of another, volume by volume.

An index of everything would not fit into the memory of a small machine, neither built nor used.
So a store is indexed in volumes of a bounded size, each a folder that processes map into memory;
a task seeks one table of test pieces in one volume.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hive._version import __version__
from hive.contamination.store import number_of_codes, parts, piece_codes
from hive.execution import Engine, run_tasks, tick
from hive.files import sha256_json
from hive.fingerprint import VERSION, Index
from hive.fingerprint.codes import SILENT, Codes
from hive.tables import read_table, write_table

#: Codes in a volume: 0.4 GB, and 1 GB of memory while it is built.
VOLUME_CODES = 1 << 25
#: Test pieces that are also sought backwards, to see what is found where nothing is.
CONTROLS = 500
MATCHES = pa.schema(
    [
        ("clip_id", pa.string()),  # of the test
        ("test_second", pa.float64()),  # where the piece starts in the clip
        ("name", pa.string()),  # of the training item
        ("recording_id", pa.string()),
        ("train_second", pa.float64()),  # where the start of the piece lies in the training item
        ("seconds", pa.float64()),
        ("bit_error_rate", pa.float64()),
        ("evidence", pa.float64()),
        ("backwards", pa.bool_()),  # a control
    ]
)
_ENTRIES = pa.schema(
    [("name", pa.string()), ("recording_id", pa.string()), ("start_second", pa.float64())]
)
_ENTRY_TABLE = "entries.parquet"
_KEPT = 16  # matches of a piece in a volume, the surest


@dataclass(frozen=True)
class _Volume:
    folder: Path
    parts: tuple[Path, ...]


@dataclass(frozen=True)
class _Search:
    volume: Path
    part: Path
    controls: int
    out: Path


def build_volumes(store: Path, engine: Engine) -> list[Path]:
    """Index a store; volumes that are there already stay.

    Args:
        store: Folder of the store.
        engine: Who builds the volumes.

    Returns:
        The folders of the volumes.
    """
    volumes: list[_Volume] = []
    for group in _groups(parts(store)):
        name = sha256_json([VERSION, *(path.name for path in group)])[:24]
        volumes.append(_Volume(store / "volumes" / name, group))
    names = {volume.folder.name for volume in volumes}
    for folder in (store / "volumes").glob("*"):
        if folder.name not in names:
            shutil.rmtree(folder)
    waiting = [one for one in volumes if not (one.folder / _ENTRY_TABLE).is_file()]
    run_tasks(_build, waiting, engine=engine, title="Indexing", total=len(waiting)).check("volumes")
    return [volume.folder for volume in volumes]


def search(
    probes: Sequence[Path], volumes: Sequence[Path], out: Path, engine: Engine
) -> Iterator[dict[str, Any]]:
    """Seek test pieces in volumes, and yield what was found.

    Args:
        probes: Tables of test pieces.
        volumes: Folders of volumes.
        out: Folder for what tasks find; what is there is not sought again.
        engine: Who runs the tasks.

    Yields:
        Rows of `MATCHES`.
    """
    number = _controls_a_part(probes)
    # Volume after volume, so that one of them is in memory at a time.
    tasks = [
        _Search(volume, part, number, out / f"{_search_name(volume, part, number)}.parquet")
        for volume in volumes
        for part in probes
    ]
    waiting = [task for task in tasks if not task.out.is_file()]
    run_tasks(_search, waiting, engine=engine, title="Comparing", total=len(waiting)).check("parts")
    for task in tasks:
        yield from read_table(task.out, MATCHES)[0].to_pylist()


def controls(probes: Sequence[Path]) -> int:
    """Return how many pieces `search` seeks backwards too."""
    number = _controls_a_part(probes)
    return sum(min(number, piece_codes(part)[0].num_rows) for part in probes)


def _search_name(volume: Path, part: Path, controls: int) -> str:
    """Return a name for what a task finds, which another version may find otherwise."""
    return sha256_json([__version__, VERSION, volume.name, part.stem, controls])[:24]


def _controls_a_part(probes: Sequence[Path]) -> int:
    return math.ceil(CONTROLS / max(1, len(probes)))


def backwards(codes: Codes) -> Codes:
    """Return the fingerprint that the same sound played backwards has.

    A bit says whether a difference of energies grew; backwards it shrinks.
    """
    turned: Codes = np.where(codes == SILENT, SILENT, ~codes)[::-1]
    return turned


def _groups(tables: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    group: list[Path] = []
    size = 0
    for path in tables:
        codes = number_of_codes(path)
        if group and size + codes > VOLUME_CODES:
            yield tuple(group)
            group, size = [], 0
        group.append(path)
        size += codes
    if group:
        yield tuple(group)


def _build(volume: _Volume) -> None:
    shutil.rmtree(volume.folder, ignore_errors=True)
    codes: list[Codes] = []
    entries: list[pa.Table] = []
    for part in volume.parts:
        table, found = piece_codes(part)
        codes += found
        entries.append(table.select(_ENTRIES.names))
    Index(codes).save(volume.folder)
    # Written last: it says that the volume is whole.
    write_table(volume.folder / _ENTRY_TABLE, pa.concat_tables(entries), _ENTRIES)
    tick()


def _search(task: _Search) -> None:
    index = Index.load(task.volume)
    entries = read_table(task.volume / _ENTRY_TABLE, _ENTRIES)[0]
    table, codes = piece_codes(task.part)
    rows: list[dict[str, Any]] = []
    for number, (clip_id, start) in enumerate(
        zip(table["name"].to_pylist(), table["start_second"].to_pylist(), strict=True)
    ):
        queries = [(codes[number], False)]
        if number < task.controls:
            queries.append((backwards(codes[number]), True))
        for query, turned in queries:
            for match in index.find(query, thorough=True)[:_KEPT]:
                entry = entries.slice(match.entry, 1).to_pylist()[0]
                rows.append(
                    {
                        "clip_id": clip_id,
                        "test_second": start,
                        "name": entry["name"],
                        "recording_id": entry["recording_id"],
                        "train_second": entry["start_second"] + match.offset_seconds,
                        "seconds": match.seconds,
                        "bit_error_rate": match.bit_error_rate,
                        "evidence": match.evidence,
                        "backwards": turned,
                    }
                )
    write_table(task.out, rows, MATCHES)
    tick()
