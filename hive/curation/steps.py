"""Running each stage over the parts of a corpus.

The stages that compute are run by the engine, a task a part; those that ask the language model run
in this process, which mostly waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import pyarrow.parquet as pq

from hive.curation import chunk, coarse_tag, leaf_label, single_event, single_label
from hive.curation.asking import Ask, Decide, ask_all
from hive.curation.job import SUPER_RESOLUTION, Job
from hive.curation.parts import STAGES, Part, stamp
from hive.curation.standardise import VERSION as STANDARDISE_VERSION
from hive.curation.standardise import standardise
from hive.curation.table import Row, load, reject
from hive.errors import HiveError
from hive.execution import run_tasks, tick
from hive.execution.engine import LOCAL
from hive.files import sha256_json
from hive.licences import Filter
from hive.llm import prompts
from hive.llm.cache import AnswerCache, default_path
from hive.llm.registry import describe as describe_model
from hive.llm.registry import load as load_model
from hive.llm.vote import TEMPERATURE, Voter
from hive.protocol import RefusedError
from hive.restoration.base import Restorer
from hive.restoration.registry import describe as describe_restorer
from hive.restoration.registry import load as load_restorer
from hive.tables import CLIP_SCHEMA, write_table
from hive.tagging.base import Tagger
from hive.tagging.registry import describe as describe_tagger
from hive.tagging.registry import load as load_tagger


@dataclass(frozen=True)
class _Task:
    """A part that a worker does."""

    job: Job
    part: Part

    def __str__(self) -> str:
        return f"part {self.part.name}"


def not_configured(job: Job) -> list[tuple[str, str]]:
    """Return the stages at which the run will stop, and why, without loading a model."""
    reasons = {
        "single_event": describe_model(job.llm).reason,
        "coarse_tag": describe_tagger(job.tagger).reason,
        "leaf_label": describe_model(job.llm).reason,
        SUPER_RESOLUTION: describe_restorer(job.restorer).reason,
    }
    return [(stage, why) for stage, why in reasons.items() if why and stage not in job.skip]


def run_chunk(job: Job, parts: Sequence[Part]) -> None:
    """Stage 1."""
    given = {"short": job.short.value, "licences": sorted(job.licences)}
    job.work.open("chunk", _settings(job, "chunk", given))
    _run(job, "chunk", parts, _chunk, lambda part: len(part.recordings))


def run_single_label(job: Job, parts: Sequence[Part]) -> None:
    """Stage 2."""
    job.work.open("single_label", _settings(job, "single_label", {}))
    decide = single_label.skipped if "single_label" in job.skip else single_label.decide
    _each_row(job, "single_label", parts, decide)


def run_single_event(job: Job, parts: Sequence[Part]) -> None:
    """Stage 3."""
    if "single_event" in job.skip:
        job.work.open("single_event", _settings(job, "single_event", {}))
        _each_row(job, "single_event", parts, single_event.skipped)
    else:
        _ask(job, "single_event", parts, single_event.ask, single_event.decide, {})


def run_coarse_tag(job: Job, parts: Sequence[Part]) -> None:
    """Stage 4."""
    if "coarse_tag" in job.skip:
        job.work.open("coarse_tag", _settings(job, "coarse_tag", {}))
        _each_row(job, "coarse_tag", parts, coarse_tag.from_metadata)
        return
    with _naming("coarse_tag"):
        identity = _tagger(job.tagger, job.device).identity
    given = {"model": identity, "threshold": job.threshold}
    job.work.open("coarse_tag", _settings(job, "coarse_tag", given))
    _run(
        job,
        "coarse_tag",
        parts,
        _coarse_tag,
        lambda part: job.work.count("single_event", part),
        accelerated=job.device != "cpu",
    )


def run_leaf_label(job: Job, parts: Sequence[Part]) -> None:
    """Stage 5."""
    given = {"disagreement": job.disagreement.value}
    if "leaf_label" in job.skip:
        job.work.open("leaf_label", _settings(job, "leaf_label", {}))
        _each_row(job, "leaf_label", parts, leaf_label.from_metadata)
    else:
        decide = partial(leaf_label.decide, policy=job.disagreement)
        _ask(job, "leaf_label", parts, leaf_label.ask, decide, given)


def run_standardise(job: Job, parts: Sequence[Part]) -> None:
    """Stage 6; parts of which a clip is missing are done again."""
    for part in parts:
        if job.work.table("standardise", part).is_file() and not _has_clips(job, part):
            job.work.table("standardise", part).unlink()
    given: dict[str, Any] = {"fill": job.fill.value, "seed": job.seed, "model": None}
    if SUPER_RESOLUTION not in job.skip:
        with _naming(SUPER_RESOLUTION):
            info = describe_restorer(job.restorer)  # the workers load it, if there is work
            if not info.available:
                raise HiveError(f"super-resolution: {info.reason}", info.remedy)
            given["model"] = info.identity
    job.work.open("standardise", _settings(job, "standardise", given))
    _run(
        job,
        "standardise",
        parts,
        _standardise,
        lambda part: job.work.count("leaf_label", part),
        accelerated=job.device != "cpu" and given["model"] is not None,
    )


RUN: dict[str, Callable[[Job, Sequence[Part]], None]] = {
    "chunk": run_chunk,
    "single_label": run_single_label,
    "single_event": run_single_event,
    "coarse_tag": run_coarse_tag,
    "leaf_label": run_leaf_label,
    "standardise": run_standardise,
}


def _settings(job: Job, stage: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a stage's tables depend on, by way of the stages before too."""
    number = STAGES.index(stage)
    previous = job.work.settings(STAGES[number - 1]) if number else {}
    return {
        "stage": stage,
        "version": _VERSIONS[stage],
        "skipped": stage in job.skip,
        **given,
        "after": sha256_json(previous)[:16],
    }


#: Failures in a row that are nobody's but the model's or the machine's.
_MOST_FAILURES = 20
_PROMPTS = {"single_event": prompts.SINGLE_EVENT, "leaf_label": prompts.LEAF_LABEL}
_VERSIONS = {
    "chunk": chunk.VERSION,
    "single_label": single_label.VERSION,
    "single_event": single_event.VERSION,
    "coarse_tag": coarse_tag.VERSION,
    "leaf_label": leaf_label.VERSION,
    "standardise": STANDARDISE_VERSION,
}


def _run(
    job: Job,
    stage: str,
    parts: Sequence[Part],
    function: Callable[[_Task], None],
    size: Callable[[Part], int],
    accelerated: bool = False,
) -> None:
    engine = job.engine
    if accelerated:
        # Every local worker would load the model onto the one accelerator; Ray deals them out.
        alone = engine.kind == LOCAL
        engine = replace(engine, workers=1) if alone else replace(engine, gpus=1.0)
    waiting = job.work.waiting(stage, parts)
    run_tasks(
        function,
        [_Task(job, part) for part in waiting],
        engine=engine,
        title=f"{job.corpus}: {stage}",
        total=sum(size(part) for part in waiting),
    ).check("parts")


def _has_clips(job: Job, part: Part) -> bool:
    table = job.work.clips(part)
    if not table.is_file():
        return False
    paths = pq.read_table(table, columns=["path"])["path"].to_pylist()
    return all((job.pool / path).is_file() for path in paths)


def _each_row(job: Job, stage: str, parts: Sequence[Part], decide: Callable[[Row], Row]) -> None:
    before = STAGES[STAGES.index(stage) - 1]
    for part in job.work.waiting(stage, parts):
        job.work.write(stage, part, [decide(row) for row in job.work.kept(before, part)])


def _ask(
    job: Job, stage: str, parts: Sequence[Part], ask: Ask, decide: Decide, given: dict[str, Any]
) -> None:
    with _naming(stage):
        model = load_model(job.llm)
    try:
        asked = {
            "model": model.identity,
            "prompt": _PROMPTS[stage],
            "samples": job.samples,
            "temperature": TEMPERATURE,
        }
        job.work.open(stage, _settings(job, stage, {**given, **asked}))
        with closing(AnswerCache(default_path())) as answers:
            ask_all(
                Voter(model, answers, samples=job.samples),
                job.root,
                job.work,
                STAGES[STAGES.index(stage) - 1],
                stage,
                job.work.waiting(stage, parts),
                ask=ask,
                decide=decide,
                give_up=job.give_up,
            )
    finally:
        model.close()


def _chunk(task: _Task) -> None:
    job = task.job
    allowed = Filter.parse(job.licences)
    rows: list[Row] = []
    for recording, before in zip(task.part.recordings, task.part.stamps, strict=True):
        segments = chunk.cut(job.root, job.corpus, recording, job.short, allowed)
        path = job.root / recording.path
        if segments[0]["reason"] in ("missing", "unreadable") and stamp(path) != before:
            raise HiveError(
                f"{path}: has changed or gone since the run began",
                "see that the disk is there, then run the same command again",
            )
        rows.extend(segments)
        tick()
    job.work.write("chunk", task.part, rows)


def _coarse_tag(task: _Task) -> None:
    job = task.job
    tagger = _tagger(job.tagger, job.device)

    def tagged(row: Row) -> Row:
        samples, rate = load(job.root, row)
        try:
            probabilities = tagger.tag(samples, rate)
        except RefusedError as error:
            return reject(row, "untagged", error.problem)
        return coarse_tag.decide(row, probabilities, job.threshold)

    guard = _Guard(job, "coarse_tag")
    rows = [guard.run(row, tagged) for row in job.work.kept("single_event", task.part)]
    job.work.write("coarse_tag", task.part, rows)


def _standardise(task: _Task) -> None:
    job = task.job
    skipped = SUPER_RESOLUTION in job.skip
    restorer = None if skipped else _restorer(job.restorer, job.device)
    clips: list[Row] = []

    def standardised(row: Row) -> Row:
        done, clip = standardise(
            job.pool, job.root, row, restorer=restorer, fill=job.fill, seed=job.seed
        )
        clips.append(clip)
        return done

    guard = _Guard(job, "standardise")
    rows = [guard.run(row, standardised) for row in job.work.kept("leaf_label", task.part)]
    write_table(job.work.clips(task.part), clips, CLIP_SCHEMA)
    # The stage's table says that the part is done, so it comes last.
    job.work.write("standardise", task.part, rows)


class _Guard:
    """Does a stage's work on segments, and decides what a failure means.

    A segment could be read when it was cut, so what fails now is a disk, a memory or a model more
    often than the segment: its part stays undone, to be tried again. With `--give-up` the segment
    is rejected as `failed`; but never for a disk's error, nor many in a row.
    """

    def __init__(self, job: Job, stage: str) -> None:
        self._job = job
        self._stage = stage
        self._in_a_row = 0

    def run(self, row: Row, work: Callable[[Row], Row]) -> Row:
        """Do a segment's work."""
        try:
            done = work(row)
            self._in_a_row = 0
            return done
        except Exception as error:
            if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
                raise
            told = (
                str(error) if isinstance(error, HiveError) else f"{type(error).__name__}: {error}"
            )
            self._in_a_row += 1
            if not self._job.give_up or self._in_a_row >= _MOST_FAILURES:
                raise HiveError(
                    f"{self._stage}: {self._job.root / row['path']}: {told}",
                    "mend the cause and run the same command again; --give-up rejects single "
                    "segments that fail",
                ) from error
            return reject(row, "failed", told)
        finally:
            tick()


@cache
def _tagger(spec: str | None, device: str) -> Tagger:
    """Once a process: a tagger takes seconds to load."""
    return load_tagger(spec, device)


@cache
def _restorer(spec: str | None, device: str) -> Restorer:
    return load_restorer(spec, device=device)


@contextmanager
def _naming(stage: str) -> Iterator[None]:
    """Say which stage wants a model that cannot be had, and how to go on without it."""
    try:
        yield
    except HiveError as error:
        raise HiveError(
            f"{stage}: {error.problem}",
            f"{error.remedy}; or leave it out with --skip {stage}, which the clip table records",
        ) from error
