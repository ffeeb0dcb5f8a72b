"""A run with its model loaded: it separates and scores any chunks of the plan, and keeps them.

What comes of a chunk depends on the chunk alone: not on the other chunks, on what was done before,
on the number of scoring processes, or on the process that does it. So any number of processes, each
with a `Run` of its own, may work on the chunks of one folder.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.catalogue import Scale, requested, select_metrics
from benchmarks.dataset import Chunk, read_chunks
from benchmarks.examples import choose
from benchmarks.finish import Facts
from benchmarks.judging import Judging, judge_spec, open_judge
from benchmarks.machine import this_machine
from benchmarks.parts import Part, RunFolder
from benchmarks.perception import Texts
from benchmarks.plan import Plan
from benchmarks.results import ModelRecord
from benchmarks.rows import Recorder
from benchmarks.sanity import SanityRows
from benchmarks.scoring import Job, Outcome, Scorer, collect
from benchmarks.separation import Attempt, Separation
from benchmarks.settings import Settings
from benchmarks.tasks import Material, Scored
from hive._version import __version__
from hive.audio import RESAMPLER
from hive.errors import HiveError
from hive.inference import LENGTH_POLICY, reproducible, resolve_device
from hive.metrics.registry import default_embedding
from hive.models import AnySeparator, load

if TYPE_CHECKING:
    from hive.judge.base import Judge
    from hive.shards.read import Sample

T = TypeVar("T")
_LISTED = 10  # shards that are named in a message

#: A mixture whose targets have all been tried, and its scores to come.
_Tried = tuple[Attempt, Future[Outcome]]


class Run:
    """What `Settings` ask for, with everything loaded; closed with `close` or as a context manager.

    Args:
        settings: What to run.
        alone: Whether no other process writes into the folder.
        place: Chooses the device of this process, given the kind that was asked for, which is what
            goes on record.

    Raises:
        HiveError: If the model, the data set, the task or a metric is not there, or if the folder
            holds another run.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        alone: bool = True,
        place: Callable[[str], str] = str,
    ) -> None:
        self.settings = settings
        self.plan = Plan(settings)
        asked = requested(self.plan.task, settings.metrics)  # before a model is loaded
        kind = resolve_device(settings.device)
        self._device = place(kind)
        with contextlib.ExitStack() as opened:
            self._model = load(settings.model, device=self._device, options=settings.options)
            if hasattr(self._model, "close"):
                opened.callback(self._model.close)
            if settings.negatives and not getattr(self._model, "takes_negatives", False):
                raise HiveError(
                    f"model {settings.model} takes no negative queries",
                    "ask with --queries positive",
                )
            judge = open_judge(asked, settings.judge, self._device)
            if judge is not None:
                opened.callback(judge.close)
            self._open(kind, judge, opened, alone)
            self._closing = opened.pop_all()

    def _open(
        self, kind: str, judge: Judge | None, opened: contextlib.ExitStack, alone: bool
    ) -> None:
        settings, plan = self.settings, self.plan
        rate = plan.dataset.sample_rate
        scale = Scale(
            sample_rate=rate,
            model_rate=self._model.sample_rate,
            embedding=settings.embedding or default_embedding(),
            judge_spec=judge_spec(settings.judge) if judge else settings.judge,
            judge=judge,
            waveforms=settings.waveform_metrics or not self._model.generative,
        )
        selection = select_metrics(plan.task, settings.metrics, scale)
        model = _model_record(settings.model, self._model)
        self._judging = Judging(judge, selection.row_columns, rate)
        opened.callback(self._judging.close)
        self._texts = Texts(selection.metrics, self._device)
        self._sanity = SanityRows(plan.entries, plan.task.sanity_rows)
        identity = _identity(settings, plan, scale, model, kind, selection.columns)
        identity["metric_ids"] = [each.id for each in selection.metrics]
        self.facts = Facts(
            identity=identity,
            selection=selection,
            model=model.model_dump(),
            options=settings.options,
            judge=_judge_record(judge),
        )
        self.folder = RunFolder(settings.out, identity, selection.row_columns, alone=alone)
        self._recorder = Recorder(
            plan.task.name, settings.out, rate, choose(plan.entries, settings.examples)
        )
        self._separation = Separation(
            self._model,
            device=self._device,
            sample_rate=rate,
            seed=settings.seed,
            batch_size=settings.batch_size,
            positive=settings.queries != "negative",
            trusted=self.folder.any_estimate,
        )
        self._scorer: Scorer | None = None
        self._machine = this_machine(self._device)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes of the model, the judge and the scoring."""
        self._closing.close()

    def work(self, some: Sequence[Chunk], advance: Callable[[int], None]) -> None:
        """Do what is missing of some chunks; failed items are tried again.

        Args:
            some: Chunks of the plan, in its order.
            advance: Is told the number of items that are done, also of those that were before.

        Raises:
            HiveError: If the first items all fail, or, after everything else is done, if shards
                could not be read.
        """
        done = self.folder.faultless(chunk.name for chunk in some)
        pending = [chunk for chunk in some if chunk.name not in done]
        advance(sum(self.plan.weights(chunk for chunk in some if chunk.name in done)))
        if not pending:
            return
        if self._scorer is None:
            self._scorer = Scorer(self.settings.workers, self._device)
            self._closing.callback(self._scorer.close)
        unreadable: list[HiveError] = []
        previous: tuple[Chunk, list[_Tried]] | None = None
        try:
            with reproducible():  # for the scoring thread too: all scores are collected inside
                for chunk, samples in _ahead(_read(pending, unreadable)):
                    tried = self._separate(samples, self._scorer, advance)
                    if previous:
                        self._store(*previous)
                    previous = (chunk, tried)
                if previous:
                    self._store(*previous)
        except (KeyboardInterrupt, SystemExit):
            if previous and all(scores.done() for _, scores in previous[1]):
                self._store(*previous)
            raise
        if unreadable:
            raise _together(unreadable)

    def _separate(
        self, samples: list[Sample], scorer: Scorer, advance: Callable[[int], None]
    ) -> list[_Tried]:
        seed, negatives = self.settings.seed, self.settings.negatives
        task = self.plan.task
        attempts = [
            Attempt(sample, task.targets(sample.meta, seed=seed, negatives=negatives))
            for sample in samples
        ]
        scores: dict[str, Future[Outcome]] = {}
        for batch in self._separation.run(attempts):
            advance(len(batch))
            for attempt in batch:
                if attempt.complete and attempt.sample.key not in scores:
                    scores[attempt.sample.key] = self._score(attempt, scorer)
        return [(attempt, scores[attempt.sample.key]) for attempt in attempts]

    def _score(self, attempt: Attempt, scorer: Scorer) -> Future[Outcome]:
        try:
            job = self._job(attempt)
        except Exception as error:  # a query that cannot be embedded costs its mixture only
            told = f"{type(error).__name__}: {error}"
            attempt.errors |= {target.source_id: told for target in attempt.targets}
            attempt.estimates.clear()
            nothing: Future[Outcome] = Future()
            nothing.set_result(Outcome(Scored(), {}, 0.0))
            return nothing
        self._judging.submit(attempt)
        return scorer.submit(job)

    def _job(self, attempt: Attempt) -> Job:
        queries = {target.source_id: target.query for target in attempt.targets}
        rate = self.plan.dataset.sample_rate
        return Job(
            task=self.plan.task.name,
            mix_id=attempt.sample.key,
            material=Material(
                mixture=attempt.sample.mixture,
                sources=attempt.sample.sources,
                estimates={name: each.samples for name, each in attempt.estimates.items()},
                sample_rate=rate,
                labels={target.source_id: target.label for target in attempt.targets},
                texts=self._texts.vectors(queries),
                device=self._device,
            ),
            metrics=self.facts.selection.columns,
            sanity=self._sanity.estimates(attempt, rate),
        )

    def _store(self, chunk: Chunk, tried: list[_Tried]) -> None:
        part = Part(machine=self._machine)
        for attempt, scores in tried:
            self._recorder.add(part, attempt, collect(scores), self._judging.collect(attempt))
        self.folder.write(chunk.name, part)


def _read(
    pending: Sequence[Chunk], unreadable: list[HiveError]
) -> Iterator[tuple[Chunk, list[Sample]]]:
    """Read chunks; what cannot be read of a shard is noted, and the other shards are read."""
    for shard, group in itertools.groupby(pending, key=lambda chunk: chunk.shard):
        try:
            yield from read_chunks(list(group))
        except HiveError as error:
            unreadable.append(error)
        except Exception as error:  # what decoders raise is of many kinds
            told = HiveError(f"{shard}: cannot be read ({error})", "verify the data set")
            told.__cause__ = error
            unreadable.append(told)


def _together(errors: Sequence[HiveError]) -> HiveError:
    if len(errors) == 1:
        return errors[0]
    more = f"\nand {len(errors) - _LISTED} more" * (len(errors) > _LISTED)
    listed = "\n".join(error.problem for error in errors[:_LISTED])
    return HiveError(f"{len(errors)} shards cannot be read:\n{listed}{more}", errors[0].remedy)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield from an iterator whose next item is made by a thread meanwhile."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]


def _identity(
    settings: Settings,
    plan: Plan,
    scale: Scale,
    model: ModelRecord,
    device: str,
    columns: Iterable[str],
) -> dict[str, Any]:
    """Return everything that the scores depend on, but the ids of the metrics."""
    return {
        "hive_version": __version__,
        "task": plan.task.name,
        "dataset": {
            "fingerprint": plan.dataset.fingerprint,
            "split": settings.split,
            "limit": settings.limit,
            "only_sha256": plan.only_sha256,
        },
        "model": {
            "spec": settings.model,
            "options": settings.options,
            "checkpoint_sha256": model.checkpoint_sha256,
        },
        "settings": {
            "seed": settings.seed,
            "batch_size": settings.batch_size,
            "device": device,
            "queries": settings.queries,
            "metrics": list(columns),
            "embedding": scale.embedding,
            "judge": scale.judge_spec if scale.judge else None,
            "resampler": RESAMPLER,
            "length_policy": LENGTH_POLICY,
            "examples": settings.examples,
        },
    }


def _model_record(spec: str, model: AnySeparator) -> ModelRecord:
    """Describe a model, before hours are spent on one whose record could not be written."""
    try:
        record = ModelRecord(
            name=getattr(model, "name", spec),
            spec=spec,
            sample_rate=model.sample_rate,
            generative=model.generative,
            uses_reference=bool(getattr(model, "uses_reference", False)),
            checkpoint_sha256=getattr(model, "checkpoint_sha256", None),
            details=getattr(model, "details", {}),
        )
        json.dumps(record.details, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise HiveError(
            f"model {spec}: name, checkpoint_sha256 or details cannot be recorded ({error})",
            "details must be a dictionary that JSON can hold, without NaN",
        ) from error
    return record


def _judge_record(judge: Judge | None) -> dict[str, Any] | None:
    if judge is None:
        return None
    names = ("name", "checkpoint_sha256", "standin", "details")
    return {name: getattr(judge, name) for name in names}
