"""The way of one corpus through the six stages, into a pool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Any

import pyarrow as pa

from hive._version import __version__
from hive.curation.job import SUPER_RESOLUTION, Job
from hive.curation.parts import STAGES, Part, divide
from hive.curation.report import Report, make_report, report_path, write_report
from hive.curation.steps import RUN, not_configured
from hive.errors import HiveError
from hive.execution.array import hold_share
from hive.files import locked, remove_temporaries, sha256_json
from hive.pool.store import (
    Reject,
    count_clips,
    merge_corpus,
    merge_rejects,
    pool_settings,
    sweep,
)
from hive.sources.corpus import Problem, Recording
from hive.tables import CLIP_SCHEMA, read_table

KIND = "curated"
#: Reasons that mean a broken file, which the user can mend; the others are decisions.
_BROKEN = {
    "missing": "fetch the file, or take its row out of the corpus's metadata",
    "unreadable": "fetch the file again, or remove it",
    "interval": "correct the interval in the corpus's metadata",
    "failed": "see that the file can be read, then --redo the stage",
}


@dataclass(frozen=True)
class Unfinished:
    """A job of an array has done its parts; others are still to be done by other jobs.

    Attributes:
        parts: Parts of the corpus.
        missing: Those that are not done.
    """

    parts: int
    missing: int


def curate(
    job: Job,
    items: Iterable[Recording | Problem],
    *,
    redo: str | None = None,
    limit: int | None = None,
    replace: bool = False,
) -> Report | Unfinished:
    """Take a corpus through all stages; stopped or killed, the same call goes on.

    Several jobs may do it together, each with its share of the parts; whoever finds all parts done
    puts them into the pool.

    Args:
        job: What to do.
        items: What the corpus's loader yields.
        redo: A stage to do again, with all after it.
        limit: Take only the first recordings, for a trial.
        replace: Whether the pool may lose more than half of the corpus's clips that it holds.

    Returns:
        The report, which is written beside the stages' tables too; or what is still to be done, if
        that is other jobs' work.

    Raises:
        HiveError: If there is nothing to curate, a stage's model is not configured (what was done
            is kept), a stage was run with other settings, another run is at work on the same share
            of the corpus or with another list of recordings, no clip is left, or too few of those
            that the pool holds.
    """
    if redo is not None and not job.share.whole:
        raise HiveError(
            f"--redo {redo}: other jobs may be at work on what it removes",
            "run it once without --shard-count, which may be stopped when the stage has begun",
        )
    before = count_clips(job.pool, job.corpus)
    if limit is not None and before and not replace:
        raise HiveError(
            f"{job.pool}: holds {before} clips of {job.corpus}, which a trial with --limit would "
            "replace",
            "choose another --out for the trial, or add --replace",
        )
    _refuse_other_kind(job, replace)
    recordings, problems = _listed(job, items, limit)
    parts = divide(recordings, job.root)
    listed = {
        "root": str(job.root.resolve()),
        "limit": limit,
        "recordings": len(recordings),
        "parts_sha256": sha256_json([part.name for part in parts]),
    }
    with hold_share(job.work.folder / "jobs", job.share, listed, job.corpus):
        job.work.bind(job.root, replace)
        if redo is not None:
            _refuse_redo(job, redo)
            job.work.redo(redo)
        mine = [part for number, part in enumerate(parts) if job.share.takes(number)]
        job.work.remove_temporaries(mine)
        for stage in STAGES:
            RUN[stage](job, mine)
        missing = len(job.work.waiting(STAGES[-1], parts))
        if missing:
            return Unfinished(len(parts), missing)
        with locked(job.work.folder / "merge.lock"):
            return _merge(job, parts, problems, before, replace)


def _merge(
    job: Job,
    parts: Sequence[Part],
    problems: Sequence[Problem],
    before: int,
    replace: bool,
) -> Report:
    report = make_report(job, parts, problems)
    write_report(job, report)
    rejects = _rejects(job, parts, problems)
    _refuse_loss(job, report, rejects, before, replace)
    tables = [read_table(job.work.clips(part), CLIP_SCHEMA)[0] for part in parts]
    merge_corpus(job.pool, job.corpus, pa.concat_tables(tables), rejects, _settings(job))
    sweep(job.pool, job.corpus)
    job.work.remove_stale(parts)
    remove_temporaries(job.work.folder)  # all is done, so nobody writes
    return report


def _refuse_other_kind(job: Job, replace: bool) -> None:
    """Stop where the pool has the corpus from another command, whose clips would be deleted."""
    kind = pool_settings(job.pool).get(job.corpus, {}).get("kind", KIND)
    if kind != KIND and not replace:
        raise HiveError(
            f"{job.pool}: {job.corpus} is there from `hive-bench pool` ({kind})",
            "give another --name (with --corpus folder) or --out, or add --replace",
        )


def _refuse_redo(job: Job, redo: str) -> None:
    """Stop before tables are removed that could not be made again."""
    later = STAGES[STAGES.index(redo) :]
    for stage, why in not_configured(job):
        if stage in later or (stage == SUPER_RESOLUTION and STAGES[-1] in later):
            raise HiveError(
                f"--redo {redo}: {stage} could not be done again: {why}",
                f"set it up first, or add --skip {stage}",
            )


def _refuse_loss(
    job: Job, report: Report, rejects: Sequence[Reject], before: int, replace: bool
) -> None:
    """Stop before clips are deleted that nobody meant to lose: a disk may not be there."""
    broken = sum(reject.stage == "chunk" for reject in rejects)
    hint = f"; {broken} files are missing or broken: see that --root is all there" if broken else ""
    if not report.clips:
        merge_rejects(job.pool, job.corpus, rejects)
        raise HiveError(
            f"{job.corpus}: no clip is left{hint}",
            f"see {report_path(job)}.html for every reason",
        )
    if report.clips < before / 2 and not replace:
        raise HiveError(
            f"{job.pool}: holds {before} clips of {job.corpus}, of which {report.clips} would be "
            f"left{hint}",
            "if that is meant, add --replace; the clips are untouched so far",
        )


def _listed(
    job: Job, items: Iterable[Recording | Problem], limit: int | None
) -> tuple[list[Recording], list[Problem]]:
    recordings: list[Recording] = []
    problems: list[Problem] = []
    for item in items:
        if isinstance(item, Problem):
            problems.append(item)
        elif limit is None or len(recordings) < limit:
            recordings.append(item)
    if not recordings:
        told = f" ({problems[0].path}: {problems[0].reason})" if problems else ""
        raise HiveError(f"{job.root}: lists no recordings of {job.corpus}{told}", "check --root")
    recordings, twice = joined(recordings)
    problems += [
        Problem(path, "is listed twice with the same interval", "remove one of the rows")
        for path in twice
    ]
    return recordings, problems


def joined(recordings: Iterable[Recording]) -> tuple[list[Recording], list[str]]:
    """Join rows of one interval of one file: manifests often give each label a row.

    Returns:
        Each interval once, with the labels of all its rows, and the paths of rows that say nothing
        new.
    """
    found: dict[tuple[str, float | None, float | None], Recording] = {}
    twice: list[str] = []
    for item in recordings:
        key = (item.path, item.start, item.end)
        first = found.setdefault(key, item)
        if first is item:
            continue
        both = replace_fields(
            first,
            labels=_union(first.labels, item.labels),
            nodes=_union(first.nodes, item.nodes),
            unmapped=_union(first.unmapped, item.unmapped),
        )
        if both == first:
            twice.append(item.path)
        found[key] = both
    return list(found.values()), twice


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))


def _rejects(job: Job, parts: Sequence[Part], problems: Sequence[Problem]) -> list[Reject]:
    """Return what is broken and can be mended; decisions of the stages are in their tables."""
    rejects = [
        Reject(job.corpus, problem.path, "load", problem.reason, problem.remedy)
        for problem in problems
    ]
    for stage in ("chunk", "single_event", "coarse_tag", "leaf_label", "standardise"):
        for part in parts:
            rejects += [
                Reject(job.corpus, row["path"], stage, row["detail"], _BROKEN[row["reason"]])
                for row in job.work.rejected(stage, part, _BROKEN)
            ]
    return rejects


def _settings(job: Job) -> dict[str, Any]:
    """What the pool's table says of the corpus."""
    return {
        "kind": KIND,
        "version": __version__,
        "stages": {stage: job.work.settings(stage) for stage in STAGES},
    }
