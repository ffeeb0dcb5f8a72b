"""A run of the data engine: from natural recordings to shards of tracks, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hive._version import __version__
from hive.claims import claim, describe
from hive.engine.gather import gather, is_gathered, needed
from hive.engine.page import write_report
from hive.engine.part import PARTS, PartTask, do_part
from hive.engine.report import Report, make_report
from hive.engine.rules import Rules
from hive.engine.separation import ModelChoice, open_model
from hive.engine.windows import Windows
from hive.errors import HiveError
from hive.execution import Engine, Share, run_tasks
from hive.execution.array import hold_share
from hive.files import is_file, locked, remove_temporaries_of, sha256_json
from hive.shards.layout import WORK
from hive.shards.write import SHARD_SIZE

FOLDER = f"{WORK}/engine"


@dataclass(frozen=True)
class Job:
    """What a run is asked to do.

    Attributes:
        dataset: Folder of the tracks.
        source: What the recordings are, for the record.
        model: Separates them.
        rules: What is kept.
        iteration: Of the data engine, from 1: whose model this is.
        split: Split of the shards.
        audio_format: "flac" or "wav".
        bits: Bits of a stored sample, 16 or 24.
        shard_size: Recordings in a shard, at most.
        engine: Who separates.
        share: Which parts are this job's, of several that do it together.
    """

    dataset: Path
    source: str
    model: ModelChoice
    rules: Rules = field(default_factory=Rules)
    iteration: int = 1
    split: str = "train"
    audio_format: str = "flac"
    bits: int = 16
    shard_size: int = SHARD_SIZE
    engine: Engine = field(default_factory=Engine)
    share: Share = field(default_factory=Share)


@dataclass(frozen=True)
class Unfinished:
    """A job of an array has done its parts; others are still to be done by other jobs.

    Attributes:
        parts: Number of parts.
        missing: Those that are not done.
    """

    parts: int
    missing: int


def decompose(job: Job, parts: Sequence[Windows]) -> Report | Unfinished:
    """Separate recordings into tracks; stopped or killed, the same call goes on.

    Args:
        job: What to do.
        parts: What to separate.

    Returns:
        What came of it, which is written beside the shards too; or what is still to be done by
        other jobs.

    Raises:
        HiveError: If there is nothing to separate, the folder holds tracks by another model or
            under other settings, the model fails, or nothing is kept.
    """
    if not parts:
        raise HiveError(f"{job.source}: lists no recordings", "check the path")
    made = _made(job, parts)
    if changed := claim(job.dataset / FOLDER / "settings.json", made):
        raise HiveError(
            f"{job.dataset}: holds tracks that were made otherwise\n{describe(changed)}",
            "write into another folder, or remove this one",
        )
    common = {
        "split": job.split,
        "settings_hash": sha256_json(made),
        **{name: made[name] for name in ("model", "model_sha256", "iteration")},
    }
    tasks = [
        PartTask(job.dataset, part, job.model, job.rules, job.audio_format, job.bits, common)
        for part in parts
    ]
    with hold_share(job.dataset / FOLDER / "jobs", job.share, {}, str(job.dataset)):
        gathered = is_gathered(job.dataset, job.split)
        mine = [task for number, task in enumerate(tasks) if job.share.takes(number)]
        remove_temporaries_of(path for task in mine for path in task.files)
        waiting = [task for task in mine if not _is_done(task, gathered)]
        for task in waiting:  # its table says "done", so it goes before what it speaks of
            task.table.unlink(missing_ok=True)
        outcome = run_tasks(
            do_part,
            waiting,
            engine=job.engine,
            title="Separating",
            total=sum(task.windows.size for task in waiting),
        )
        outcome.check("parts")
        missing = sum(not is_file(task.table) for task in tasks)
        if missing:
            return Unfinished(len(tasks), missing)
        with locked(job.dataset / FOLDER / "gather.lock"):
            return _finished(job, tasks, made)


def _made(job: Job, parts: Sequence[Windows]) -> dict[str, Any]:
    """Return what the tracks depend on, and who made them."""
    model = open_model(job.model)
    return {
        "source": job.source,
        "parts_sha256": sha256_json([part.name for part in parts]),
        "model": str(getattr(model, "name", job.model.spec)),
        "model_sha256": getattr(model, "checkpoint_sha256", None) or "",
        "options": dict(job.model.options),
        "seed": job.model.seed,
        "negatives": job.model.negatives,
        "rules": asdict(job.rules),
        "iteration": job.iteration,
        "split": job.split,
        "audio_format": job.audio_format,
        "bits": job.bits,
        "shard_size": job.shard_size,
        "version": __version__,
    }


def _is_done(task: PartTask, gathered: bool) -> bool:
    """Whether a part is done, and what it kept is in shards or where shards are made from."""
    return is_file(task.table) and (gathered or all(map(is_file, needed(task))))


def _finished(job: Job, tasks: Sequence[PartTask], made: dict[str, Any]) -> Report:
    report = make_report([task.table for task in tasks], job.rules, made)
    write_report(job.dataset, report)
    if not is_gathered(job.dataset, job.split):
        plan = {**made, "report": report.plan()}
        kept = gather(tasks, plan, job.shard_size, job.engine)
        if not kept:
            raise HiveError(
                f"{job.source}: no recording is kept: {report.refusals()}",
                f"see {job.dataset / PARTS}; try a better model, or lower thresholds",
            )
    return report
