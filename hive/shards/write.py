"""Render the mixtures of a plan into shards: one independent task a shard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hive import audio
from hive._version import __version__
from hive.claims import claim, describe
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, Share, run_tasks, tick
from hive.execution.array import hold_share
from hive.files import remove_temporaries_of, sha256_json, write_json
from hive.mixing.plan_table import PlanTable
from hive.mixing.render import Rendered, render
from hive.mixing.roots import Find, PoolRoot
from hive.shards.layout import WORK, Shard
from hive.shards.sidecars import divided
from hive.shards.tar import TarWriter
from hive.storage import is_remote
from hive.tables import MIXTURE_SCHEMA, SIZES, write_table

SHARD_SIZE = 1000


@dataclass(frozen=True)
class RenderSettings:
    """How mixtures are stored.

    Attributes:
        audio_format: "flac" or "wav"; both lossless.
        bits: Bits a sample, 16 or 24.
        shard_size: Mixtures in a shard; the last shards of a size are evened out.
    """

    audio_format: audio.AudioFormat = "flac"
    bits: int = 16
    shard_size: int = SHARD_SIZE


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to write one shard, and nothing else."""

    dataset: Path
    find: Find
    shard: Shard
    plan: Path
    positions: NDArray[np.int64]  # rows of the plan
    settings: RenderSettings
    settings_hash: str

    def __str__(self) -> str:
        return self.shard.name

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """What it writes, the sidecar last."""
        shard = self.shard
        return shard.tar(self.dataset), shard.rows(self.dataset), shard.sidecar(self.dataset)


def render_plan(
    plan: Path,
    find: Find,
    dataset: Path,
    settings: RenderSettings,
    *,
    engine: Engine | None = None,
    share: Share | None = None,
    num: int | None = None,
) -> None:
    """Render a plan into the shards of a dataset; what is done already is left alone.

    Args:
        plan: Mixture table of one split.
        find: Gives the file of a path in the plan (`hive.mixing.roots`).
        dataset: Folder of the dataset.
        settings: How mixtures are stored.
        engine: Who renders; this process by default.
        share: Which part of the shards is this job's; all by default.
        num: Render only the first mixtures of the plan.

    Raises:
        HiveError: If the folder holds this split under other settings, another run is at work on
            the same shards, or a shard failed.
    """
    table = PlanTable(plan, num)
    counts = _shard_counts(table, settings)
    asked = {
        "plan": table.described,
        "mixtures": len(table),
        "ids_sha256": table.ids_sha256(),
        "audio_format": settings.audio_format,
        "bits": settings.bits,
        "shard_size": settings.shard_size,
        "shards": {str(size): count for size, count in counts.items()},
        "version": __version__,
    }
    if changed := claim(_claim(dataset, table.split), asked):
        raise HiveError(
            f"{dataset}: split {table.split!r} is there with other settings\n{describe(changed)}",
            "write into another folder, or remove this one",
        )
    share = share or Share()
    settings_hash = sha256_json(asked)
    tasks = [
        ShardTask(dataset, find, shard, plan, positions, settings, settings_hash)
        for shard, positions in _divide(table, counts)
    ]
    mine = [task for number, task in enumerate(tasks) if share.takes(number)]
    with hold_share(dataset / WORK / "jobs" / table.split, share, {}, f"split {table.split!r}"):
        _remove_leftovers(mine)
        done, stale = divided(dataset, [task.shard for task in mine], settings_hash)
        for shard in stale:  # a sidecar says "done", so it goes before its shard changes
            shard.sidecar(dataset).unlink(missing_ok=True)
        waiting = [task for task in mine if task.shard not in done]
        outcome = run_tasks(
            write_shard,
            waiting,
            engine=engine or Engine(),
            title=f"Rendering {table.split}",
            total=sum(len(task.positions) for task in waiting),
        )
        _remove_leftovers(waiting)  # of workers that died
    outcome.check("shards")


def write_shard(task: ShardTask) -> None:
    """Render and write one shard: tar, then its rows, then the sidecar.

    A mixture that cannot be rendered (a clip is missing or broken) is left out and listed in the
    sidecar with the reason; the others are written. A shard that has a sidecar is left alone: a
    task that was believed lost with its machine may still be at work when its second try is done.

    Raises:
        HiveError: If what is worked with is not here, or cannot be reached.
    """
    _see_that_all_is_here(task)
    if _is_done(task):
        tick(len(task.positions))
        return
    with contextlib.suppress(_DoneElsewhereError):
        _write_shard(task)


class _DoneElsewhereError(Exception):
    """Another try at the shard was done while this one was under way."""


def _is_done(task: ShardTask) -> bool:
    return task.shard.sidecar(task.dataset).is_file()


def _write_shard(task: ShardTask) -> None:
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, str]] = []
    with TarWriter(task.shard.tar(task.dataset)) as tar:
        for row in PlanTable(task.plan).rows(task.positions):
            try:
                rendered = render(row, task.find, task.settings.bits)
            except UnreachableError:
                raise  # says nothing of the clip
            except HiveError as error:
                rejects.append(
                    {"mix_id": row["mix_id"], "reason": error.problem, "remedy": error.remedy}
                )
            else:
                add_mixture(tar, rendered, task.settings)
                rows.append(rendered.row)
            tick()
        if _is_done(task):
            raise _DoneElsewhereError  # so that the tar file is not put in the place of the other's
    write_table(task.shard.rows(task.dataset), rows, MIXTURE_SCHEMA)
    write_json(
        task.shard.sidecar(task.dataset),
        {
            "shard": task.shard.name,
            "split": task.shard.split,
            "num_sources": task.shard.num_sources,
            "mixtures": len(rows),
            "seconds": sum(row["target_duration"] for row in rows),
            "bytes": tar.size,
            "sha256": tar.sha256,
            "audio_format": task.settings.audio_format,
            "bits": task.settings.bits,
            "settings_hash": task.settings_hash,
            "rejects": rejects,
        },
    )


def add_mixture(tar: TarWriter, rendered: Rendered, settings: RenderSettings) -> None:
    """Add a mixture's members to a shard: its row as JSON, the mixture and the sources."""
    row, suffix = rendered.row, settings.audio_format
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False)
    tar.add(f"{row['mix_id']}.json", text.encode("utf-8"))
    stems = [("mix", rendered.mixture)]
    stems += [(s["source_id"], x) for s, x in zip(row["sources"], rendered.sources, strict=True)]
    for name, samples in stems:
        data = audio.encode(samples, row["sample_rate"], settings.audio_format, settings.bits)
        tar.add(f"{row['mix_id']}.{name}.{suffix}", data)


def _claim(dataset: Path, split: str) -> Path:
    return dataset / WORK / f"render-{split}.json"


def _remove_leftovers(tasks: Sequence[ShardTask]) -> None:
    # Only of these shards: other jobs may be writing.
    remove_temporaries_of(path for task in tasks for path in task.files)


def _see_that_all_is_here(task: ShardTask) -> None:
    """Stop on a machine without the folders of the one that sent the task, or of another run."""
    path = _claim(task.dataset, task.shard.split)
    if not path.is_file():
        raise HiveError(
            f"{task.dataset}: not the folder of this run, or it was removed",
            "choose a folder that all machines see",
        )
    if sha256_json(json.loads(path.read_text(encoding="utf-8"))) != task.settings_hash:
        raise HiveError(
            f"{task.dataset}: split {task.shard.split!r} is being rendered with other settings",
            "give all jobs of an array the same settings",
        )
    pool = task.find.pool if isinstance(task.find, PoolRoot) else None
    if pool is not None and not is_remote(pool) and not pool.is_dir():
        raise HiveError(f"{pool}: no such folder", "check --pool")


def _shard_counts(table: PlanTable, settings: RenderSettings) -> dict[int, int]:
    return {size: -(-int((table.sizes == size).sum()) // settings.shard_size) for size in SIZES}


def _divide(
    table: PlanTable, counts: Mapping[int, int]
) -> Iterator[tuple[Shard, NDArray[np.int64]]]:
    """Group a plan's rows by size, and each size into shards of nearly equal length."""
    for size, count in counts.items():
        rows = np.flatnonzero(table.sizes == size)
        for index in range(count):
            start, stop = (len(rows) * i // count for i in (index, index + 1))
            yield Shard(table.split, size, index, count), rows[start:stop]
