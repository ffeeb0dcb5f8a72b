"""Which mixtures a large data set holds, kept on disk, so that shards are looked through once.

The index of a split is read from the headers of all its shards, which takes minutes where there are
hundreds. It depends on the shards alone, so it is kept for all runs and all processes of a user,
under a key of their names, sizes and times: shards that were written anew have another key.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dataset import Dataset, Entry, open_dataset
from hive.embedding.cache import default_folder
from hive.errors import HiveError
from hive.files import atomic_open, sha256_json
from hive.shards.layout import find_shards, locate
from hive.storage import is_remote, stamp

REVISION = 1
"""Number of what an index means; it grows when the fingerprint of a data set changes."""
FEW = 16
"""Shards whose index is not worth keeping."""
_SCHEMA = pa.schema(
    [("shard", pa.int32()), ("mix_id", pa.string()), ("num_sources", pa.int32())],
)
_FACTS = tuple(each.name for each in fields(Dataset) if each.name not in ("path", "entries"))


def open_indexed(name: str, split: str) -> Dataset:
    """Return what `benchmarks.dataset.open_dataset` returns, from its index where that is kept.

    Args:
        name: A folder, an address, or the name of an embedded data set ("mini").
        split: The split.

    Raises:
        HiveError: As `open_dataset`.
    """
    path = locate(name)
    shards = find_shards(path, split)
    if len(shards) <= FEW:
        return open_dataset(name, split)
    where = str(path if is_remote(path) else path.resolve())
    stamps = [[f"{shard.parent.name}/{shard.name}", *stamp(shard)] for shard in shards]
    key = sha256_json([REVISION, where, split, stamps])
    file = default_folder().parent / "indexes" / f"{key}.parquet"
    found = _read(file, path, shards)
    if found is None:
        found = open_dataset(name, split)
        _keep(file, found, shards)
    return found


def _read(file: Path, path: Path, shards: list[Path]) -> Dataset | None:
    """Return a data set from its index, or None if that is not here or not whole."""
    try:
        table = pq.read_table(file, schema=_SCHEMA)
        facts: dict[str, Any] = json.loads(pq.read_schema(file).metadata[b"dataset"])
        columns = (table[column].to_pylist() for column in _SCHEMA.names)
        entries = tuple(
            Entry(shards[shard], mix_id, size) for shard, mix_id, size in zip(*columns, strict=True)
        )
        return Dataset(path=path, entries=entries, **facts)
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, IndexError, TypeError):
        return None


def _keep(file: Path, dataset: Dataset, shards: list[Path]) -> None:
    """Write an index; where that is not possible, shards are looked through next time too."""
    number = {shard: index for index, shard in enumerate(shards)}
    table = pa.table(
        {
            "shard": [number[entry.shard] for entry in dataset.entries],
            "mix_id": [entry.mix_id for entry in dataset.entries],
            "num_sources": [entry.num_sources for entry in dataset.entries],
        },
        schema=_SCHEMA,
    )
    facts = {name: getattr(dataset, name) for name in _FACTS}
    try:
        with atomic_open(file) as handle:
            described = table.replace_schema_metadata({"dataset": json.dumps(facts)})
            pq.write_table(described, handle, compression="zstd")
    except (OSError, HiveError):
        return
