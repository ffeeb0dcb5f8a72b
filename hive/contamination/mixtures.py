"""The clips that the mixtures of a split are made of, read from a mixture table in slices.

A table has tens of millions of sources, a pool less than a million clips: columns are read as
arrays, and Python sees each clip once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hive.contamination.identity import canonical
from hive.contamination.members import read_members
from hive.errors import HiveError
from hive.shards.layout import MIXTURES, find_shards
from hive.tables import MIXTURE_SCHEMA, open_table

_BATCH = 20_000
_FIELDS = (
    *("source_id", "clip_id", "recording_id", "label", "path", "pcm_sha256"),
    *("chunk_start_second", "chunk_end_second", "crop_start_second", "crop_end_second"),
)
_COLUMNS = ("mix_id", "split", "num_sources", "pcm_sha256")


@dataclass(frozen=True)
class Clip:
    """A clip that mixtures are made of.

    Attributes:
        clip_id: Its id; for tables without ids its path and start.
        label: Its class.
        recording_id: Its recording; empty where unknown.
        path: Its file, as the table has it.
        start: Start of the clip in its file, seconds.
        end: End of the clip, seconds.
    """

    clip_id: str
    label: str
    recording_id: str
    path: str
    start: float
    end: float


@dataclass(frozen=True)
class Batch:
    """Some mixtures, as arrays.

    Attributes:
        mix_ids: Their ids, shape (M,).
        hashes: PCM hashes of the mixtures, "" where unknown, shape (M,).
        parents: Which of the mixtures each source is in, shape (S,).
        sources: Fields of the sources, by name, shape (S,) each; `clip_id` is never null.
    """

    mix_ids: pa.Array
    hashes: pa.Array
    parents: NDArray[np.int64]
    sources: dict[str, pa.Array]


def batches(origin: Path, split: str) -> Iterator[Batch]:
    """Read the mixtures of a split.

    Args:
        origin: A dataset folder, or a mixture table.
        split: The split; of a table that holds one split alone, that one is read in any case.

    Raises:
        HiveError: If there is no such split, or the table cannot be read.
    """
    some = False
    for batch in _tables(origin, split):
        if batch.num_rows:
            some = True
            yield _arrays(batch)
    if not some:
        raise HiveError(
            f"{origin}: no mixtures of split {split!r}", "choose another split, or another table"
        )


def clips(origin: Path, split: str) -> Iterator[Clip]:
    """Yield each clip of the mixtures of a split once."""
    seen: set[str] = set()
    for batch in batches(origin, split):
        names = batch.sources["clip_id"].to_numpy(zero_copy_only=False)
        _, first = np.unique(names, return_index=True)
        new = np.array(sorted(place for place in first if names[place] not in seen), dtype=np.int64)
        seen.update(names[new])
        fields = {
            name: column.take(pa.array(new)).to_pylist() for name, column in batch.sources.items()
        }
        for number in range(len(new)):
            yield Clip(
                fields["clip_id"][number],
                fields["label"][number] or "",
                canonical(fields["recording_id"][number] or ""),
                fields["path"][number] or "",
                fields["chunk_start_second"][number] or 0.0,
                fields["chunk_end_second"][number] or 0.0,
            )


def cover(
    clip_numbers: NDArray[np.int64], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Choose as few crops of each clip as hold all that its crops hold.

    Args:
        clip_numbers: Clip of each crop, shape (S,).
        starts: Start of each crop in its clip, seconds, shape (S,).
        ends: Its end, shape (S,).

    Returns:
        Numbers of the crops chosen, in rising order.
    """
    chosen: list[int] = []
    clip, reached = -1, -np.inf  # what is covered of the clip
    best, best_end = -1, -np.inf  # reaches furthest of those that begin in what is covered
    for number in np.lexsort((-ends, starts, clip_numbers)).tolist():
        begins_anew = clip_numbers[number] != clip
        if best >= 0 and (begins_anew or starts[number] > reached):
            chosen.append(best)
            reached, best = best_end, -1
        if begins_anew or starts[number] > reached:
            chosen.append(number)
            clip, reached = int(clip_numbers[number]), float(ends[number])
        elif ends[number] > reached and (best < 0 or ends[number] > best_end):
            best, best_end = number, float(ends[number])
    if best >= 0:
        chosen.append(best)
    return np.array(sorted(chosen), dtype=np.int64)


def _tables(origin: Path, split: str) -> Iterator[pa.Table]:
    table = origin / MIXTURES if origin.is_dir() else origin
    if not table.is_file():  # the embedded dataset, or shards alone
        for shard in find_shards(origin, split):
            members = read_members(shard, lambda name: name.endswith(".json"))
            try:
                rows = [{**_EMPTY, **json.loads(data)} for _, data in members]
                yield pa.Table.from_pylist(rows, schema=MIXTURE_SCHEMA)
            except (ValueError, TypeError) as error:  # Arrow's are such, too
                raise HiveError(
                    f"{shard}: holds JSON that is no row of a mixture table ({error})",
                    "render or download it again",
                ) from error
        return
    with open_table(table, MIXTURE_SCHEMA) as file:
        columns = _paths(file)
        for group in range(file.num_row_groups):
            splits = file.read_row_group(group, columns=["split"])["split"]
            if not pc.any(pc.equal(splits, split)).as_py():
                continue
            for batch in file.iter_batches(_BATCH, row_groups=[group], columns=columns):
                part = pa.Table.from_batches([batch])
                yield part.filter(pc.equal(part["split"], split))


_EMPTY = dict.fromkeys(MIXTURE_SCHEMA.names)


def _paths(file: pq.ParquetFile) -> list[str]:
    names = (file.schema.column(number).path for number in range(len(file.schema.names)))
    return [
        name
        for name in names
        if name in _COLUMNS or (name.startswith("sources.") and name.rpartition(".")[2] in _FIELDS)
    ]


def _arrays(table: pa.Table) -> Batch:
    table = table.combine_chunks()
    lists = table["sources"].chunk(0)
    values = pc.list_flatten(lists)
    sources = {name: pc.struct_field(values, name) for name in _FIELDS}
    start = pc.cast(sources["chunk_start_second"], pa.string())
    named = pc.binary_join_element_wise(sources["path"], start, "#")
    sources["clip_id"] = pc.coalesce(sources["clip_id"], named)
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    hashes = pc.fill_null(table["pcm_sha256"], "").combine_chunks()
    return Batch(table["mix_id"].combine_chunks(), hashes, parents.astype(np.int64), sources)
