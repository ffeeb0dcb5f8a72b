"""The fingerprints of a pool's clips, kept beside it: `POOL/.hive/fingerprints.parquet`.

A fingerprint belongs to samples, so rows are found by PCM hash and a clip that was made anew is
taken anew. Batches are written as they are done; stopped or killed, the same call goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from hive import audio
from hive.execution import Engine, run_tasks, tick
from hive.files import sha256_json
from hive.fingerprint import VERSION, fingerprint
from hive.fingerprint.codes import Codes
from hive.inside import inside
from hive.pool.store import read_pool
from hive.storage import remove_folder
from hive.tables import read_table, write_table

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("pcm_sha256", pa.string()),
        ("codes", pa.list_(pa.uint32())),  # hive.fingerprint.codes
    ]
)
_TABLE = Path(".hive") / "fingerprints.parquet"
_PARTS = Path(".hive") / "fingerprints.parts"
_BATCH = 256


@dataclass(frozen=True)
class _Batch:
    pool: Path
    part: Path
    clips: tuple[tuple[str, str, str], ...]  # clip_id, pcm_sha256, path


def pool_fingerprints(pool: Path, workers: int = 1) -> dict[str, Codes]:
    """Return the fingerprint of every clip of a pool, computing those that are missing.

    Args:
        pool: The pool's folder.
        workers: Local worker processes.

    Returns:
        Codes by clip id, in the order of the clip table.

    Raises:
        HiveError: If there is no pool, or clips cannot be read.
    """
    clips = read_pool(pool)[0].select(["clip_id", "pcm_sha256", "path"])
    rows = list(zip(*(clips[name].to_pylist() for name in clips.column_names), strict=True))
    known = _read(pool / _TABLE)
    for part in sorted((pool / _PARTS).glob("*.parquet")):
        known |= _read(part)
    missing = [row for row in rows if row[1] not in known]
    if missing:
        batches = [
            _Batch(pool, pool / _PARTS / f"{sha256_json(batch)[:16]}.parquet", batch)
            for batch in _batches(missing)
        ]
        run_tasks(
            _compute,
            batches,
            engine=Engine(workers=workers),
            title="Fingerprints",
            total=len(missing),
        ).check("batches")
        for done in batches:
            known |= _read(done.part)
    wanted = {digest for _, digest, _ in rows}
    if missing or wanted != known.keys():
        _write(pool / _TABLE, rows, known)
    remove_folder(pool / _PARTS)
    return {clip_id: known[digest] for clip_id, digest, _ in rows}


def _compute(batch: _Batch) -> None:
    rows = []
    for clip_id, digest, path in batch.clips:
        samples, rate = audio.read(batch.pool / inside(path))
        codes = fingerprint(audio.to_mono(samples), rate)
        rows.append({"clip_id": clip_id, "pcm_sha256": digest, "codes": codes})
        tick()
    write_table(batch.part, rows, SCHEMA, {"version": VERSION})


def _batches(rows: list[tuple[str, str, str]]) -> Iterator[tuple[tuple[str, str, str], ...]]:
    for start in range(0, len(rows), _BATCH):
        yield tuple(rows[start : start + _BATCH])


def _read(path: Path) -> dict[str, Codes]:
    """Return codes by PCM hash; nothing where there is no table of this version."""
    if not path.is_file():
        return {}
    table, settings = read_table(path, SCHEMA)
    if settings.get("version") != VERSION:
        return {}
    found: dict[str, Codes] = {}
    for batch in table.to_batches():
        codes = batch["codes"]
        values = codes.values.to_numpy()
        offsets = codes.offsets.to_numpy()
        for number, digest in enumerate(batch["pcm_sha256"].to_pylist()):
            found[digest] = values[offsets[number] : offsets[number + 1]]
    return found


def _write(path: Path, rows: list[tuple[str, str, str]], known: dict[str, Codes]) -> None:
    lengths = np.array([len(known[digest]) for _, digest, _ in rows], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.concatenate([known[digest] for _, digest, _ in rows])
    write_table(
        path,
        pa.table(
            {
                "clip_id": [clip_id for clip_id, _, _ in rows],
                "pcm_sha256": [digest for _, digest, _ in rows],
                "codes": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values),
            },
            schema=SCHEMA,
        ),
        SCHEMA,
        {"version": VERSION},
    )
