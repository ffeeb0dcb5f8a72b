"""The clip pool: a folder of standard clips and the table that describes them.

    POOL/clips.parquet            one row a clip (hive.tables.CLIP_SCHEMA)
    POOL/<corpus>/<label>/*.flac  44.1 kHz, mono, 16 bit
    POOL/quarantine.csv           what was not taken, and why

A clip's level is set by a power of two so that its peak lies in [0.5, 1): mixing sets levels anew,
so this loses nothing (16-bit sources keep every bit) and quiet recordings keep their precision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hive import audio
from hive.errors import HiveError
from hive.files import TEMPORARY_SUFFIX, locked, read_csv, write_bytes, write_records
from hive.inside import inside
from hive.labels import Label
from hive.storage import remove
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, open_table, read_table, write_table

TABLE = "clips.parquet"
#: Held while the pool's tables are read, changed and written back.
LOCK = Path(".hive") / "pool.lock"
QUARANTINE = "quarantine.csv"


@dataclass(frozen=True)
class Reject:
    """Something that was not taken."""

    corpus: str
    path: str
    stage: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Origin:
    """What is known of a clip apart from its samples."""

    clip_id: str
    corpus: str
    label: Label
    recording_id: str
    split: str
    licence: str
    attribution: str
    bandwidth_hz: float
    channels: int
    provenance: tuple[tuple[str, str, str, float | None], ...]
    restored: bool = False


def level_exponent(samples: audio.Float) -> int:
    """Return the largest k for which samples times 2^k still fit into 16 bits."""
    top, bottom = float(samples.max(initial=0.0)), float(-samples.min(initial=0.0))
    peak = max(top * 32768.0 / 32767.0, bottom)
    if peak <= 0.0:
        return 0
    mantissa, exponent = np.frexp(peak)
    return int(-exponent + (1 if mantissa == 0.5 else 0))


def write_clip(
    pool: Path, samples: audio.Float, origin: Origin, *, by_content: bool = False
) -> dict[str, Any]:
    """Write one clip at 44.1 kHz into the pool.

    Args:
        pool: The pool's folder.
        samples: Mono samples at 44.1 kHz, shape (T,).
        origin: Where it comes from.
        by_content: Put a hash of the samples into the file's name, so that a clip that is made anew
            otherwise does not overwrite the one that the pool's table still names.

    Returns:
        Its row of the clip table.
    """
    exponent = level_exponent(samples)
    integers = audio.to_integers(samples, gain=2.0**exponent)
    stored = (integers / 32768.0).astype(np.float32)
    digest = audio.pcm_sha256(integers)
    name = f"{origin.clip_id}.{digest[:8]}" if by_content else origin.clip_id
    path = f"{origin.corpus}/{origin.label.slug}/{name}.flac"
    write_bytes(pool / path, audio.encode(integers, SAMPLE_RATE))
    steps = (*origin.provenance, ("level", "1", f"gain 2^{exponent}", None))
    return {
        "clip_id": origin.clip_id,
        "source": origin.corpus,
        "path": path,
        "start_second": 0.0,
        "end_second": len(samples) / SAMPLE_RATE,
        "label": origin.label.name,
        "label_mid": origin.label.mid,
        "split": origin.split,
        "recording_id": origin.recording_id,
        "sample_rate": SAMPLE_RATE,
        "channels": origin.channels,
        "bandwidth_hz": origin.bandwidth_hz,
        "restored": origin.restored,
        "rms": audio.rms(stored),
        "activity": audio.frame_levels(stored, SAMPLE_RATE).tolist(),
        "licence": origin.licence,
        "attribution": origin.attribution,
        "pcm_sha256": digest,
        "provenance": [
            {"stage": stage, "version": version, "decision": decision, "score": score}
            for stage, version, decision, score in steps
        ],
    }


def read_pool(pool: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Read the clip table of a pool and its settings.

    Raises:
        HiveError: If there is no pool, or it is empty.
    """
    if not (pool / TABLE).is_file():
        raise HiveError(
            f"{pool}: not a clip pool ({TABLE} is missing)",
            "make one with `hive-bench pool import` or `hive-bench pool synth`",
        )
    table, settings = read_table(pool / TABLE, CLIP_SCHEMA)
    if table.num_rows == 0:
        raise HiveError(f"{pool / TABLE}: holds no clips", "import recordings into the pool")
    return table, settings


def clip_hours(clips: pa.Table) -> list[float]:
    """Return the length of each clip in hours."""
    hours: list[float] = pc.divide(
        pc.subtract(clips["end_second"], clips["start_second"]), 3600.0
    ).to_pylist()
    return hours


def merge_corpus(
    pool: Path,
    corpus: str,
    clips: pa.Table,
    rejects: Sequence[Reject],
    settings: dict[str, Any],
) -> None:
    """Put a corpus into the pool's table and list what was rejected; other corpora stay.

    Clips of this corpus that the table held before and holds no more are deleted. Several processes
    may put corpora into one pool at once.
    """
    with locked(pool / LOCK):
        _merge_corpus(pool, corpus, clips, rejects, settings)


def _merge_corpus(
    pool: Path,
    corpus: str,
    clips: pa.Table,
    rejects: Sequence[Reject],
    settings: dict[str, Any],
) -> None:
    known: dict[str, Any] = {}
    tables = [clips]
    gone: set[str] = set()
    if (pool / TABLE).is_file():
        before, known = read_table(pool / TABLE, CLIP_SCHEMA)
        others = pc.not_equal(before["source"], corpus)
        tables.append(before.filter(others))
        gone = set(before.filter(pc.invert(others))["path"].to_pylist())
        gone -= set(clips["path"].to_pylist())
    merged = pa.concat_tables(tables).sort_by("clip_id")
    _merge_rejects(pool, corpus, rejects)
    write_table(pool / TABLE, merged, CLIP_SCHEMA, {**known, corpus: settings})
    for path in gone:
        remove(pool / inside(path))


def merge_rejects(pool: Path, corpus: str, rejects: Sequence[Reject]) -> None:
    """List what was rejected of a corpus; the other corpora's lists stay."""
    with locked(pool / LOCK):
        _merge_rejects(pool, corpus, rejects)


def _merge_rejects(pool: Path, corpus: str, rejects: Sequence[Reject]) -> None:
    kept = [reject for reject in read_quarantine(pool) if reject.corpus != corpus]
    write_quarantine(pool, [*kept, *rejects])


def pool_settings(pool: Path) -> dict[str, Any]:
    """Return how each corpus of a pool was made; empty where there is no pool."""
    if not (pool / TABLE).is_file():
        return {}
    with open_table(pool / TABLE, CLIP_SCHEMA) as table:
        metadata = table.schema_arrow.metadata or {}
    settings: dict[str, Any] = json.loads(metadata.get(b"hive", b"{}"))
    return settings


def count_clips(pool: Path, corpus: str) -> int:
    """Return how many clips of a corpus a pool holds; 0 where there is no pool."""
    if not (pool / TABLE).is_file():
        return 0
    sources = read_table(pool / TABLE, CLIP_SCHEMA)[0]["source"]
    return int(pc.sum(pc.equal(sources, corpus)).as_py() or 0)


def sweep(pool: Path, corpus: str) -> None:
    """Delete files of a corpus that the table does not name: what interrupted runs left."""
    table, _ = read_table(pool / TABLE, CLIP_SCHEMA)
    named = set(table.filter(pc.equal(table["source"], corpus))["path"].to_pylist())
    for file in (pool / corpus).glob("*/*"):
        leftover = file.name.endswith(TEMPORARY_SUFFIX)
        if leftover or (file.suffix == ".flac" and file.relative_to(pool).as_posix() not in named):
            remove(file)


def write_quarantine(folder: Path, rejects: Iterable[Reject]) -> None:
    """Write the list of what was not taken, as CSV."""
    write_records(folder / QUARANTINE, Reject, rejects)


def read_quarantine(folder: Path) -> list[Reject]:
    """Read the list of what was not taken; empty when there is none."""
    path = folder / QUARANTINE
    if not path.is_file():
        return []
    return [Reject(**row) for row in read_csv(path)]
