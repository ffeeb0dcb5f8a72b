"""Packing a clip pool: one independent task a part, so it runs in workers and can be resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive import audio
from hive._version import __version__
from hive.claims import claim, describe
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, run_tasks, tick
from hive.files import (
    atomic_open,
    locked,
    remove_temporaries,
    sha256_file,
    sha256_json,
    write_json,
)
from hive.inside import inside
from hive.pool.duplicates import LIST
from hive.pool.packed import (
    BLOCK,
    FORMAT,
    INDEX,
    INDEX_SCHEMA,
    PACK,
    SAMPLE_BYTES,
    block_levels,
    part_name,
)
from hive.pool.store import TABLE, Reject, read_pool, write_quarantine
from hive.storage import is_remote
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, write_table

#: Full Hive (775 GB) has 361 parts of this size, which a process may all hold open.
PART_BYTES = 2 << 30
_WORK = Path(".hive")


@dataclass(frozen=True)
class Packed:
    """What packing did.

    Attributes:
        clips: Number of clips in the pack.
        seconds: Their length.
        size: Bytes of the parts.
        parts: Number of parts.
        rejects: Clips that could not be packed.
    """

    clips: int
    seconds: float
    size: int
    parts: int
    rejects: list[Reject]


@dataclass(frozen=True)
class PartTask:
    """What a worker needs to write one part.

    Attributes:
        pool: The pool's folder.
        pack: The pack's folder.
        number: Number of the part.
        clips: Corpus, path and PCM hash of each clip.
    """

    pool: Path
    pack: Path
    number: int
    clips: tuple[tuple[str, str, str], ...]

    @property
    def sidecar(self) -> Path:
        """File that says that the part is done, and what is in it."""
        return self.pack / _WORK / f"{self.number:05d}.json"


def pack_pool(
    pool: Path, pack: Path, *, engine: Engine | None = None, part_bytes: int = PART_BYTES
) -> Packed:
    """Pack a pool; what is done already is left alone.

    A clip that is missing, broken or not the one of the table is left out, and is listed in
    PACK/quarantine.csv; run again once it is mended, the part that lacks it is written anew.

    Args:
        pool: Clip pool.
        pack: Folder of the pack, on a disk of this machine.
        engine: Who packs; this process by default.
        part_bytes: Size of a part, about.

    Raises:
        HiveError: If the folder holds the pack of another pool, no clip can be packed, or a part
            cannot be written.
    """
    if is_remote(pack):
        raise HiveError(f"{pack}: a pack is for a disk of this machine", "write to a local folder")
    clips, settings = read_pool(pool)
    clips = clips.sort_by("path")
    asked = {
        "format": FORMAT,
        "clips_sha256": sha256_json(_identity(clips)),
        "part_bytes": part_bytes,
    }
    if changed := claim(pack / _WORK / "pack.json", asked):
        raise HiveError(
            f"{pack}: holds a pack with other settings\n{describe(changed)}",
            "pack into another folder, or remove this one",
        )
    with locked(pack / _WORK / "lock", f"{pack}: another process is packing into it"):
        remove_temporaries(pack)
        tasks = list(_divide(pool, pack, clips, part_bytes))
        waiting = [task for task in tasks if not _is_done(task)]
        if waiting:
            (pack / PACK).unlink(missing_ok=True)
        run_tasks(
            write_part,
            waiting,
            engine=engine or Engine(),
            title="Packing",
            total=sum(len(task.clips) for task in waiting),
        ).check("parts")
        return _finish(pool, pack, clips, settings, tasks, asked)


def write_part(task: PartTask) -> None:
    """Write one part: samples of its clips, their levels, then its sidecar."""
    files: list[list[Any]] = []
    rejects: list[dict[str, str]] = []
    levels: list[NDArray[np.void]] = []
    digest = hashlib.sha256()
    samples = blocks = 0
    with atomic_open(task.pack / part_name(task.number)) as handle:

        def write(values: NDArray[Any]) -> None:
            data = np.ascontiguousarray(values).data
            handle.write(data)
            digest.update(data)

        for corpus, path, sha256 in task.clips:
            try:
                integers = _read(task.pool, path, sha256)
            except UnreachableError:  # says nothing about the clip
                raise
            except HiveError as error:
                reject = Reject(corpus, path, "pack", error.problem, error.remedy)
                rejects.append(vars(reject))
            else:
                write(integers)
                levels.append(block_levels(integers))
                files.append([path, samples, len(integers), blocks])
                samples, blocks = samples + len(integers), blocks + len(levels[-1])
            tick()
        for one in levels:
            write(one)
    write_json(
        task.sidecar,
        {
            "samples": samples,
            "blocks": blocks,
            "sha256": digest.hexdigest(),
            "files": files,
            "rejects": rejects,
        },
    )


def _read(pool: Path, path: str, sha256: str) -> NDArray[np.int16]:
    samples, rate = audio.read(pool / inside(path))
    if rate != SAMPLE_RATE or samples.shape[1] != 1:
        raise HiveError(
            f"{path}: has {samples.shape[1]} channels at {rate} Hz",
            f"a pool's clips have one at {SAMPLE_RATE} Hz: import the recording again",
        )
    try:
        integers = audio.to_integers(samples[:, 0])
    except ValueError:  # not 16-bit samples, so not those that the table tells of
        integers = np.zeros(0, np.int16)
    if not len(integers) or audio.pcm_sha256(integers) != sha256:
        raise HiveError(
            f"{path}: not the clip of the table (its samples have another hash)",
            "import the recording again",
        )
    return integers.astype("<i2", copy=False)


def _identity(clips: pa.Table) -> list[list[str]]:
    columns = (clips[name].to_pylist() for name in ("clip_id", "path", "pcm_sha256", "label"))
    return [list(row) for row in zip(*columns, strict=True)]


def _divide(pool: Path, pack: Path, clips: pa.Table, part_bytes: int) -> Iterator[PartTask]:
    seconds = pc.subtract(clips["end_second"], clips["start_second"]).to_numpy()
    ends = np.cumsum(seconds) * SAMPLE_RATE * SAMPLE_BYTES
    names = ("source", "path", "pcm_sha256")
    rows = list(zip(*(clips[name].to_pylist() for name in names), strict=True))
    part_of = (ends / part_bytes).astype(np.int64)
    starts = np.flatnonzero(np.diff(part_of, prepend=-1))
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        yield PartTask(pool, pack, number, tuple(rows[start:stop]))


def _is_done(task: PartTask) -> bool:
    if not (task.sidecar.is_file() and (task.pack / part_name(task.number)).is_file()):
        return False
    # A part with rejects is tried again: the clip may have been mended.
    return not _sidecar(task)["rejects"]


def _sidecar(task: PartTask) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(task.sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HiveError(
            f"{task.sidecar}: cannot be read ({error})", "delete it and run the same command again"
        ) from error
    return value


def _finish(
    pool: Path,
    pack: Path,
    clips: pa.Table,
    settings: dict[str, Any],
    tasks: list[PartTask],
    asked: dict[str, Any],
) -> Packed:
    done = [_sidecar(task) for task in tasks]
    rejects = [Reject(**reject) for part in done for reject in part["rejects"]]
    files = [
        {"path": path, "part": number, "first": first, "frames": frames, "block": block}
        for number, part in enumerate(done)
        for path, first, frames, block in part["files"]
    ]
    if not files:
        raise HiveError(f"{pool}: no clip can be packed; {rejects[0].reason}", rejects[0].remedy)
    held = clips.filter(pc.is_in(clips["path"], pa.array([file["path"] for file in files])))
    write_table(pack / TABLE, held.sort_by("clip_id"), CLIP_SCHEMA, settings)
    table = pa.Table.from_pylist(files, schema=INDEX_SCHEMA).combine_chunks()
    with atomic_open(pack / INDEX) as handle, pa.ipc.new_file(handle, INDEX_SCHEMA) as writer:
        writer.write_table(table)
    if (pool / LIST).is_file():
        with (pool / LIST).open("rb") as source, atomic_open(pack / LIST) as handle:
            shutil.copyfileobj(source, handle)
    write_quarantine(pack, rejects)
    parts = [{name: part[name] for name in ("samples", "blocks", "sha256")} for part in done]
    samples = sum(part["samples"] for part in parts)
    write_json(
        pack / PACK,
        {
            **asked,
            "sample_rate": SAMPLE_RATE,
            "block": BLOCK,
            "parts": parts,
            "sha256": {name: sha256_file(pack / name) for name in (TABLE, INDEX)},
            "version": __version__,
        },
    )
    size = sum((pack / part_name(task.number)).stat().st_size for task in tasks)
    return Packed(held.num_rows, samples / SAMPLE_RATE, size, len(tasks), rejects)
