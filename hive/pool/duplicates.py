"""Recordings of a pool that hold the same sound: found, written to POOL/duplicates.csv, read back.

Corpora share material: ESC-50, Clotho and FSD50K were made of Freesound's sounds, VGGSound, AVE and
AudioSet of the same platform's videos, sound libraries sell each other's effects. A split by
recording names does not see that; the groups found here are kept on one side of every split.

The list is the user's: a row that is judged wrong can be deleted, and groups follow from the rows
that are there.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from hive.errors import HiveError
from hive.execution import Engine, run_tasks, tick
from hive.files import read_csv, write_records
from hive.fingerprint import Index
from hive.fingerprint.codes import Codes
from hive.pool.fingerprints import pool_fingerprints
from hive.pool.store import read_pool
from hive.storage import is_remote

LIST = "duplicates.csv"
_INDEX = Path(".hive") / "fingerprints.index"
_BLOCK = 512  # clips compared in one task
#: Two clips by their numbers, offset and length in seconds, bit error rate, evidence.
_Pair = tuple[int, int, float, float, float, float]


@dataclass(frozen=True)
class Duplicate:
    """Two recordings that hold the same sound, with the clips that show it best.

    Attributes:
        group: Name of the group: its first recording in alphabetical order.
        recording_id: One recording.
        other_recording_id: The other.
        clip_id: A clip of the first.
        other_clip_id: A clip of the other.
        offset_second: Where the first clip's start lies in the other clip.
        seconds: Length of the stretch compared, silence left out; the whole clip for equal ones.
        bit_error_rate: Share of fingerprint bits that differ there; 0 for equal samples.
        evidence: Standard deviations from chance; infinite for equal samples.
    """

    group: str
    recording_id: str
    other_recording_id: str
    clip_id: str
    other_clip_id: str
    offset_second: float
    seconds: float
    bit_error_rate: float
    evidence: float


def find_duplicates(pool: Path, workers: int = 1) -> list[Duplicate]:
    """Find the recordings of a pool that hold the same sound, and write POOL/duplicates.csv.

    Args:
        pool: The pool's folder.
        workers: Local worker processes.

    Returns:
        One row a pair of recordings, by group.

    Raises:
        HiveError: If there is no pool, or clips cannot be read.
    """
    prints = pool_fingerprints(pool, workers)
    clips = read_pool(pool)[0]
    recordings, names = clips["recording_id"].to_pylist(), clips["clip_id"].to_pylist()
    seconds = pc.subtract(clips["end_second"], clips["start_second"]).to_pylist()
    best: dict[tuple[str, str], Duplicate] = {}
    pairs = [
        *_equal(clips["pcm_sha256"].to_pylist(), seconds),
        *_similar(pool, [prints[name] for name in names], _numbers(recordings), workers),
    ]
    for first, second, offset, length, rate, evidence in pairs:
        if recordings[first] == recordings[second]:
            continue
        if recordings[first] > recordings[second]:
            first, second, offset = second, first, -offset
        key = recordings[first], recordings[second]
        if key not in best or evidence > best[key].evidence:
            best[key] = Duplicate(
                "", *key, names[first], names[second], offset, length, rate, evidence
            )
    groups = connected(best)
    found = [
        Duplicate(**{**asdict(one), "group": groups[one.recording_id]}) for one in best.values()
    ]
    found.sort(key=lambda one: (one.group, one.recording_id, one.other_recording_id))
    write_duplicates(pool, found)
    return found


def _equal(hashes: Sequence[str], seconds: Sequence[float]) -> Iterator[_Pair]:
    """Yield clips whose samples are equal, however short or plain they are."""
    seen: dict[str, int] = {}
    for number, digest in enumerate(hashes):
        first = seen.setdefault(digest, number)
        if first != number:
            yield first, number, 0.0, seconds[number], 0.0, float("inf")


def _numbers(recordings: Sequence[str]) -> list[int]:
    """Return the number of each clip's recording."""
    known: dict[str, int] = {}
    return [known.setdefault(name, len(known)) for name in recordings]


def _similar(
    pool: Path, prints: Sequence[Codes], owners: Sequence[int], workers: int
) -> Iterator[_Pair]:
    """Yield clips of two recordings that hold the same sound.

    Processes share one index, mapped from the disk.
    """
    # Beside a remote pool nothing can be mapped.
    folder = Path(tempfile.mkdtemp(prefix="hive-index-")) if is_remote(pool) else pool / _INDEX
    Index(prints, owners).save(folder)
    edges = range(0, len(prints), _BLOCK)
    tasks = [_Block(folder, start, min(start + _BLOCK, len(prints))) for start in edges]
    try:
        outcome = run_tasks(
            _compare, tasks, engine=Engine(workers=workers), title="Comparing", total=len(prints)
        )
        for part in outcome.check("blocks"):
            yield from part
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class _Block:
    index: Path
    start: int
    stop: int


def _compare(block: _Block) -> list[_Pair]:
    index = Index.load(block.index)
    found: list[_Pair] = []
    for number in range(block.start, block.stop):
        codes, owner = index.codes(number), index.owner(number)
        for match in index.find(codes, first=number + 1, owner=owner):
            found.append(
                (
                    *(number, match.entry, round(match.offset_seconds, 3)),
                    *(round(match.seconds, 2), round(match.bit_error_rate, 4)),
                    round(match.evidence, 1),
                )
            )
        tick()
    return found


def describe(found: Duplicate) -> dict[str, Any]:
    """Return a row as JSON values; infinite evidence is null."""
    values = asdict(found)
    values["evidence"] = found.evidence if math.isfinite(found.evidence) else None
    return values


def connected(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the group of each name that a pair links: its first name in alphabetical order."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in pairs:
        first, second = sorted((top(one), top(other)))
        parent[second] = first
    return {name: top(name) for name in parent}


def write_duplicates(pool: Path, found: Iterable[Duplicate]) -> None:
    """Write POOL/duplicates.csv."""
    write_records(pool / LIST, Duplicate, found)


def read_groups(pool: Path) -> dict[str, str]:
    """Return the group of each recording that has near-duplicates; empty where none were sought.

    Raises:
        HiveError: If duplicates.csv lacks a column.
    """
    path = pool / LIST
    if not path.is_file():
        return {}
    rows = read_csv(path)
    try:
        return connected((row["recording_id"], row["other_recording_id"]) for row in rows)
    except KeyError as error:
        raise HiveError(
            f"{path}: column {error} is missing",
            "make the list again: `hive-bench pool duplicates`",
        ) from error
