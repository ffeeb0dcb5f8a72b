"""The fingerprints of a set of recordings, kept in a folder and added to as the set grows.

    STORE/parts/<hash>.parquet           pieces (hive.contamination.pieces) of 256 items
    STORE/parts/<hash>.problems.parquet  items that could not be read; tried again the next time
    STORE/todo/<hash>.json               items of one task, while it waits

An item is known by its key; what is known is not read again, what is gone is taken out, and so is
what another version of the fingerprint made. Stopped or killed, the same call goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hive.contamination.pieces import SCHEMA, Item, item_rows
from hive.execution import Engine, run_tasks, tick
from hive.files import remove_temporaries, sha256_json, write_json
from hive.fingerprint import VERSION
from hive.fingerprint.codes import Codes
from hive.tables import read_table, write_table

_PARTS, _TODO = "parts", "todo"
_PROBLEMS = ".problems.parquet"
_BATCH = 256
_FACTS = ("name", "recording_id", "start_second", "seconds", "pcm_sha256", "problem", "remedy")


@dataclass(frozen=True)
class _Todo:
    store: Path
    name: str


def fill(store: Path, items: Iterable[Item], engine: Engine, title: str) -> None:
    """Bring a store up to date with a set of items.

    Args:
        store: Folder of the store.
        items: All items of the set, read one after another.
        engine: Who computes the fingerprints.
        title: What the progress bar says.

    Raises:
        HiveError: If tasks failed for another reason than an item that cannot be read.
    """
    remove_temporaries(store)
    for path in parts(store):
        if path.name.endswith(_PROBLEMS) or _version(path) != VERSION:
            path.unlink()
    shutil.rmtree(store / _TODO, ignore_errors=True)
    known = {_digest(key) for part in parts(store) for key in _keys(part)}
    wanted: set[bytes] = set()
    tasks: list[_Todo] = []
    total = 0
    for batch in _batches(_missing(items, known, wanted)):
        total += len(batch)
        rows = [dataclasses.asdict(item) for item in batch]
        tasks.append(_Todo(store, sha256_json([VERSION, rows])[:24]))
        write_json(store / _TODO / f"{tasks[-1].name}.json", rows)
    for part in parts(store):
        _prune(part, wanted)
    run_tasks(_fingerprint, tasks, engine=engine, title=title, total=total).check("batches")
    shutil.rmtree(store / _TODO, ignore_errors=True)


def parts(store: Path) -> list[Path]:
    """Return the tables of a store, in a fixed order."""
    return sorted((store / _PARTS).glob("*.parquet"))


def part_path(store: Path, name: str) -> Path:
    """Return the place of a table of a store."""
    return store / _PARTS / f"{name}.parquet"


def write_part(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write pieces as a table of a store; those that could not be read go beside it."""
    broken = {row["key"] for row in rows if row["problem"]}
    problems = [row for row in rows if row["key"] in broken]
    if problems:
        beside = path.with_name(path.name.removesuffix(".parquet") + _PROBLEMS)
        write_table(beside, problems, SCHEMA, {"version": VERSION})
    good = [row for row in rows if row["key"] not in broken]
    write_table(path, good, SCHEMA, {"version": VERSION})


def facts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what is known of each piece of a table, without its codes."""
    yield from pq.read_table(path, columns=list(_FACTS)).to_pylist()


def piece_codes(path: Path) -> tuple[pa.Table, list[Codes]]:
    """Return the pieces of a table that have codes, and these."""
    table, _ = read_table(path, SCHEMA)
    table = table.filter(pc.greater(pc.list_value_length(table["codes"]), 0))
    found: list[Codes] = []
    for chunk in table["codes"].chunks:
        values, edges = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        found += [values[edges[n] : edges[n + 1]] for n in range(len(chunk))]
    return table.drop_columns(["codes"]), found


def number_of_codes(path: Path) -> int:
    """Return about how many codes a table holds, from its footer alone."""
    column = SCHEMA.names.index("codes")
    metadata = pq.read_metadata(path)
    groups = range(metadata.num_row_groups)
    return sum(metadata.row_group(number).column(column).num_values for number in groups)


def _missing(items: Iterable[Item], known: set[bytes], wanted: set[bytes]) -> Iterator[Item]:
    for item in items:
        digest = _digest(item.key)
        if digest not in known and digest not in wanted:
            yield item
        wanted.add(digest)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _fingerprint(todo: _Todo) -> None:
    rows = []
    for item in json.loads((todo.store / _TODO / f"{todo.name}.json").read_text("utf-8")):
        rows += item_rows(Item(**item))
        tick()
    # Named by what was found: indexes and searches are kept by the names of tables, and an item
    # that could not be read may be readable the next time.
    found = [[row["key"], row["start_second"], len(row["codes"]), row["problem"]] for row in rows]
    write_part(part_path(todo.store, sha256_json([VERSION, found])[:24]), rows)


def _version(part: Path) -> object:
    """Return the version of the fingerprints in a table."""
    metadata = pq.read_schema(part).metadata or {}
    return json.loads(metadata.get(b"hive", b"{}")).get("version")


def _keys(part: Path) -> list[str]:
    keys: list[str] = pq.read_table(part, columns=["key"])["key"].to_pylist()
    return keys


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _prune(part: Path, wanted: set[bytes]) -> None:
    """Take out what is no longer in the set; a table that changes gets another name."""
    keep = np.array([_digest(key) in wanted for key in _keys(part)], dtype=bool)
    if keep.all():
        if not len(keep):  # all its items were broken
            part.unlink()
        return
    table = read_table(part, SCHEMA)[0].filter(pa.array(keep))
    if table.num_rows:
        name = sha256_json([VERSION, table["key"].to_pylist()])[:24]
        write_table(part_path(part.parent.parent, name), table, SCHEMA, {"version": VERSION})
    part.unlink()
