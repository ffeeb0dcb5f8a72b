"""Put what the parts kept into shards of even size, with sidecars as rendering leaves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hive._version import __version__
from hive.engine.part import PartTask
from hive.execution import Engine, run_tasks, tick
from hive.files import remove_temporaries_of, sha256_json, write_json
from hive.shards.facts import TRACKS
from hive.shards.finish import finish, missing_shards
from hive.shards.layout import TRACKS as TRACK_TABLE
from hive.shards.layout import WORK, Shard
from hive.shards.read import read_raw
from hive.shards.sidecars import divided
from hive.shards.tar import TarWriter
from hive.tables import CLIP_SCHEMA, SIZES, TRACK_SCHEMA, read_table, write_table


@dataclass(frozen=True)
class Piece:
    """Some of what one part kept of one number of tracks."""

    tar: Path
    rows: Path
    clips: Path
    first: int
    stop: int


@dataclass(frozen=True)
class GatherTask:
    """One shard, and what goes into it."""

    dataset: Path
    shard: Shard
    pieces: tuple[Piece, ...]
    audio_format: str
    bits: int
    settings_hash: str

    def __str__(self) -> str:
        return self.shard.name

    @property
    def mixtures(self) -> int:
        """Number of recordings."""
        return sum(piece.stop - piece.first for piece in self.pieces)


def is_gathered(dataset: Path, split: str) -> bool:
    """Whether all shards of an earlier call are there."""
    return _claim(dataset, split).is_file() and not missing_shards(dataset)


def needed(task: PartTask) -> list[Path]:
    """Return the files of a part, which is done, that shards are made of."""
    return [path for size in kept(task.table) for path in task.kept(size)]


def kept(table: Path) -> dict[int, int]:
    """Return how many recordings of a part were kept, by number of tracks."""
    columns = pq.read_table(table, columns=["labels", "subset"])
    chosen = columns.filter(pc.not_equal(columns["subset"], ""))
    sizes = pc.list_value_length(chosen["labels"]).to_pylist()
    return {size: sizes.count(size) for size in SIZES if size in sizes}


def gather(
    tasks: Sequence[PartTask],
    plan: dict[str, Any],
    shard_size: int,
    engine: Engine,
) -> int:
    """Write the shards of all parts, and what stands beside them; running it again changes nothing.

    Args:
        tasks: The parts, all done.
        plan: How the tracks were made, for the card and the mixture table.
        shard_size: Recordings in a shard, at most.
        engine: Who copies.

    Returns:
        Number of recordings that were kept; with none nothing is written.
    """
    first = tasks[0]
    counts = [kept(task.table) for task in tasks]
    totals = {size: sum(each.get(size, 0) for each in counts) for size in SIZES}
    if not any(totals.values()):
        return 0
    asked = {
        "plan": {"kind": TRACKS, **plan},
        "mixtures": sum(totals.values()),
        "audio_format": first.audio_format,
        "bits": first.bits,
        "shard_size": shard_size,
        "shards": {str(size): -(-total // shard_size) for size, total in totals.items() if total},
        "version": __version__,
    }
    split, dataset = first.made["split"], first.dataset
    write_json(_claim(dataset, split), asked)
    settings_hash = sha256_json(asked)
    jobs = [
        GatherTask(dataset, shard, pieces, first.audio_format, first.bits, settings_hash)
        for size, total in totals.items()
        for shard, pieces in _divided(tasks, counts, size, total, split, shard_size)
    ]
    done, stale = divided(dataset, [job.shard for job in jobs], settings_hash)
    for shard in stale:  # a sidecar says "done", so it goes before its shard changes
        shard.sidecar(dataset).unlink(missing_ok=True)
    waiting = [job for job in jobs if job.shard not in done]
    outcome = run_tasks(
        _write_shard,
        waiting,
        engine=engine,
        title="Writing shards",
        total=sum(job.mixtures for job in waiting),
    )
    outcome.check("shards")
    _merge_clips(dataset, [job.shard for job in jobs])
    finish(dataset)
    remove_temporaries_of(path for task in tasks for path in task.files)
    for task in tasks:
        for path in needed(task):
            path.unlink(missing_ok=True)
    return sum(totals.values())


def _divided(
    tasks: Sequence[PartTask],
    counts: Sequence[dict[int, int]],
    size: int,
    total: int,
    split: str,
    shard_size: int,
) -> Iterator[tuple[Shard, tuple[Piece, ...]]]:
    """Yield the shards of one number of tracks, each with an even run of the parts' recordings."""
    number = -(-total // shard_size)
    for index in range(number):
        start, stop = (total * i // number for i in (index, index + 1))
        pieces, before = [], 0
        for task, each in zip(tasks, counts, strict=True):
            here = each.get(size, 0)
            first, last = max(start - before, 0), min(stop - before, here)
            if first < last:
                pieces.append(Piece(*task.kept(size), first, last))
            before += here
        yield Shard(split, size, index, number), tuple(pieces)


def _write_shard(task: GatherTask) -> None:
    tables: list[pa.Table] = []
    clips: list[pa.Table] = []
    with TarWriter(task.shard.tar(task.dataset)) as tar:
        for piece in task.pieces:
            for number, sample in enumerate(read_raw(piece.tar)):
                if not piece.first <= number < piece.stop:
                    continue
                for name, data in sample.fields.items():
                    tar.add(f"{sample.key}.{name}", data)
                tick()
            table, _ = read_table(piece.rows, TRACK_SCHEMA)
            tables.append(table.slice(piece.first, piece.stop - piece.first))
            clips.append(_clips(piece, tables[-1], task.shard))
    rows = pa.concat_tables(tables)
    write_table(clip_table(task.dataset, task.shard), pa.concat_tables(clips), CLIP_SCHEMA)
    write_table(task.shard.rows(task.dataset), rows, TRACK_SCHEMA)
    write_json(
        task.shard.sidecar(task.dataset),
        {
            "shard": task.shard.name,
            "split": task.shard.split,
            "num_sources": task.shard.num_sources,
            "mixtures": rows.num_rows,
            "seconds": pc.sum(rows["target_duration"]).as_py(),
            "bytes": tar.size,
            "sha256": tar.sha256,
            "audio_format": task.audio_format,
            "bits": task.bits,
            "settings_hash": task.settings_hash,
            "rejects": [],
        },
    )


def clip_table(dataset: Path, shard: Shard) -> Path:
    """Return where the clip table of a shard is."""
    return shard.rows(dataset).with_suffix(".tracks.parquet")


def _clips(piece: Piece, rows: pa.Table, shard: Shard) -> pa.Table:
    """Return the clip table of some recordings of a part, with paths in their shard."""
    table, _ = read_table(piece.clips, CLIP_SCHEMA)
    keys = pc.split_pattern(table["path"], ".", max_splits=1)
    chosen = pc.is_in(pc.list_element(keys, 0), rows["mix_id"].combine_chunks())
    table = table.filter(chosen)
    paths = pc.binary_join_element_wise(shard.name, table["path"], ":")
    return table.set_column(table.schema.get_field_index("path"), "path", paths)


def _merge_clips(dataset: Path, shards: Sequence[Shard]) -> None:
    tables = [read_table(clip_table(dataset, shard), CLIP_SCHEMA)[0] for shard in shards]
    write_table(dataset / TRACK_TABLE, pa.concat_tables(tables), CLIP_SCHEMA)


def _claim(dataset: Path, split: str) -> Path:
    return dataset / WORK / f"render-{split}.json"
