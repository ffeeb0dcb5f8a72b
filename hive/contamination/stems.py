"""Fingerprints of the clips of a split from the stems of its shards, as they are in the mixtures.

Many stems are crops of the same clip: of each clip as few are taken as hold all that the mixtures
use of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hive.contamination.identity import canonical
from hive.contamination.members import read_members
from hive.contamination.mixtures import batches, cover
from hive.contamination.pieces import Item, item_rows, problem_row
from hive.contamination.store import part_path, parts, write_part
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, run_tasks, tick
from hive.files import remove_temporaries, sha256_json
from hive.fingerprint import VERSION
from hive.shards.layout import find_shards
from hive.storage import stamp
from hive.tables import read_table, write_table

_WANTED = pa.schema(
    [
        ("stem", pa.string()),  # mix_id.source_id
        ("name", pa.string()),
        ("recording_id", pa.string()),
        ("start_second", pa.float64()),  # where the crop starts in the file of the clip
        ("pcm_sha256", pa.string()),
    ]
)


@dataclass(frozen=True)
class _ShardTask:
    shard: Path
    wanted: Path
    out: Path


def fill_from_stems(store: Path, dataset: Path, split: str, engine: Engine, title: str) -> None:
    """Bring a store up to date with the stems of a split.

    Args:
        store: Folder of the store.
        dataset: Folder of the dataset.
        split: The split.
        engine: Who computes the fingerprints.
        title: What the progress bar says.

    Raises:
        HiveError: If there are no such shards, or one is damaged.
    """
    remove_temporaries(store)
    shards = find_shards(dataset, split)
    stems = _chosen(dataset, split)
    wanted = store / "stems.parquet"
    write_table(wanted, stems, _WANTED)
    chosen = sha256_json([VERSION, stems["stem"].to_pylist(), stems["pcm_sha256"].to_pylist()])
    tasks = [
        _ShardTask(
            shard, wanted, part_path(store, sha256_json([chosen, str(shard), stamp(shard)])[:24])
        )
        for shard in shards
    ]
    kept = {task.out.stem for task in tasks}
    for path in parts(store):
        if path.name.partition(".")[0] not in kept:
            path.unlink()
    waiting = [task for task in tasks if not task.out.is_file()]
    run_tasks(_fingerprint, waiting, engine=engine, title=title, total=len(waiting)).check("shards")


def _chosen(dataset: Path, split: str) -> pa.Table:
    """Return the stems to be read."""
    numbers: dict[str, int] = {}
    columns: list[tuple[Any, ...]] = []
    for batch in batches(dataset, split):
        names = batch.sources["clip_id"].to_pylist()
        starts, ends = (
            pc.fill_null(batch.sources[name], 0.0).to_numpy(zero_copy_only=False)
            for name in ("crop_start_second", "crop_end_second")
        )
        columns.append(
            (np.array([numbers.setdefault(name, len(numbers)) for name in names]), starts, ends)
        )
    picked = cover(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    tables: list[pa.Table] = []
    first = 0
    for batch in batches(dataset, split):
        count = len(batch.parents)
        here = pa.array(picked[(picked >= first) & (picked < first + count)] - first)
        first += count
        fields = {name: column.take(here) for name, column in batch.sources.items()}
        mixtures = batch.mix_ids.take(pa.array(batch.parents).take(here))
        begins = (pc.fill_null(fields[f"{part}_start_second"], 0.0) for part in ("chunk", "crop"))
        ids = [canonical(name or "") for name in fields["recording_id"].to_pylist()]
        tables.append(
            pa.table(
                [
                    pc.binary_join_element_wise(mixtures, fields["source_id"], "."),
                    fields["clip_id"],
                    pa.array(ids, pa.string()),
                    pc.add(*begins),
                    fields["pcm_sha256"],
                ],
                schema=_WANTED,
            )
        )
    return pa.concat_tables(tables)


def _fingerprint(task: _ShardTask) -> None:
    wanted = {row["stem"]: row for row in read_table(task.wanted, _WANTED)[0].to_pylist()}
    rows: list[dict[str, Any]] = []
    try:
        for name, data in read_members(task.shard, lambda name: _stem(name) in wanted):
            row = wanted[_stem(name)]
            item = Item(
                key=f"{row['stem']} {row['pcm_sha256']}",
                name=row["name"],
                place=f"{task.shard}: {name}",
                recording_id=row["recording_id"],
                start=row["start_second"],
            )
            rows += item_rows(item, data)
    except UnreachableError:  # no fault of the shard: the task is tried again
        raise
    except HiveError as error:  # the shard is damaged; what was read of it counts
        broken = Item(str(task.shard), "", str(task.shard))
        rows.append(problem_row(broken, error))
    write_part(task.out, rows)
    tick()


def _stem(member: str) -> str:
    """Return mix_id.source_id of a member's name."""
    return member.rpartition(".")[0]
