"""Running a task: read, separate, score, write; resumable at any point.

The model works in this process, on batches of queries; scoring runs in worker processes at the same
time, and the next mixtures are read by a thread meanwhile. Scores are kept chunk by chunk
(`benchmarks.parts`), so a run that was stopped or killed goes on where it was. An item that fails
is recorded and does not stop the others; failed items are tried again when the same run is
started again. What is computed does not depend on the number of worker processes or on where a run
was interrupted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import summary, tasks
from benchmarks.catalogue import Scale, Selection, requested, select_metrics
from benchmarks.dataset import Chunk, Dataset, Entry, chunks, open_dataset, read_chunks, select
from benchmarks.examples import choose, write_example
from benchmarks.judging import Judging, judge_spec, open_judge
from benchmarks.metric_list import unavailable_lines
from benchmarks.parts import ESTIMATE, Part, RunFolder, VectorKey
from benchmarks.perception import Texts
from benchmarks.results import ModelRecord, Results, write_results
from benchmarks.sanity import SanityRows
from benchmarks.scoring import Job, Outcome, Scorer, collect
from benchmarks.separation import Attempt, Separation
from benchmarks.tasks import Material, Scored
from hive._version import __version__
from hive.audio import RESAMPLER
from hive.console import progress, say
from hive.errors import HiveError
from hive.files import sha256_json
from hive.inference import (
    LENGTH_POLICY,
    reproducible,
    resolve_device,
)
from hive.metrics.registry import default_embedding
from hive.models import AnySeparator, load

if TYPE_CHECKING:
    from benchmarks.tasks import Float, Target, Task
    from hive.judge.base import Judge
    from hive.shards.read import Sample

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        model: Specification of the model (`hive.models`).
        out: Folder of the run.
        benchmark: Dataset folder, or "mini".
        task: Name of the task.
        split: Split of the data set.
        metrics: Metrics and presets of the task; None for the task's own.
        embedding: Embedding of metrics whose names say none; None for the default.
        judge: Specification of the judge; None for what HIVE_JUDGE says.
        limit: Number of mixtures, in equal shares from each number of sources; None for all.
        device: Torch device, or "auto".
        batch_size: Most queries given to the model at once.
        seed: Seed of everything that a model or the task draws.
        negatives: Whether to give the other labels as negative queries.
        examples: Number of items whose sound is kept.
        options: Options of the model.
        workers: Scoring processes, each of one thread, whose number changes no digit; 0 scores in
            this process, where threads of numerical libraries may change the last one.
    """

    model: str
    out: Path
    benchmark: str = "mini"
    task: str = "hive"
    split: str = "test"
    metrics: tuple[str, ...] | None = None
    embedding: str | None = None
    judge: str | None = None
    limit: int | None = None
    device: str = "auto"
    batch_size: int = 8
    seed: int = 0
    negatives: bool = False
    examples: int = 8
    options: dict[str, str] = field(default_factory=dict)
    workers: int = 0


def evaluate(settings: Settings) -> Results:
    """Run a task and write `scores.parquet` and `results.json`.

    Returns:
        The results.

    Raises:
        HiveError: If the model, the data set, the task or a metric is not there, if the folder
            holds another run, or if the first items all fail.
    """
    if settings.batch_size < 1 or (settings.limit is not None and settings.limit < 1):
        raise HiveError("--batch-size and --limit must be positive", "give at least 1")
    dataset = open_dataset(settings.benchmark, settings.split)
    task = tasks.get(settings.task)
    asked = requested(task, settings.metrics)  # a wrong name shows before a model is loaded
    device = resolve_device(settings.device)
    with contextlib.ExitStack() as opened:
        model = load(settings.model, device=device, options=settings.options)
        if hasattr(model, "close"):
            opened.callback(model.close)
        if settings.negatives and not getattr(model, "takes_negatives", False):
            raise HiveError(
                f"model {settings.model} takes no negative queries", "leave out --negatives"
            )
        judge = open_judge(asked, settings.judge, device)
        if judge is not None:
            opened.callback(judge.close)
        scale = Scale(
            sample_rate=dataset.sample_rate,
            model_rate=model.sample_rate,
            embedding=settings.embedding or default_embedding(),
            judge_spec=judge_spec(settings.judge) if judge else settings.judge,
            judge=judge,
        )
        selection = select_metrics(task, settings.metrics, scale)
        for line in unavailable_lines(
            [(each.metric, each.reason, each.remedy) for each in selection.unavailable]
        ):
            say(line)
        return _Run(settings, dataset, task, selection, scale, device, model).execute()


#: A mixture whose targets have all been tried, and its scores to come.
_Tried = tuple[Attempt, Future[Outcome]]


class _Run:
    """One run: what `evaluate` does once everything is resolved."""

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        task: Task,
        selection: Selection,
        scale: Scale,
        device: str,
        model: AnySeparator,
    ) -> None:
        self.settings, self.dataset, self.task = settings, dataset, task
        self.selection, self.device, self.model = selection, device, model
        self.scale = scale
        self.judging = Judging(scale.judge, selection.row_columns, dataset.sample_rate)
        self.texts = Texts(selection.metrics, device)
        self.entries = select(dataset.entries, settings.limit)
        self.kept = choose(self.entries, settings.examples)
        self.record = _model_record(settings.model, model)
        self.identity = self._identity()
        self.folder = RunFolder(settings.out, self.identity, selection.row_columns)
        self.sanity = SanityRows(self.entries, task.sanity_rows)

    def execute(self) -> Results:
        """Do what is missing, then put everything together."""
        plan = chunks(self.entries)
        sizes = {entry.mix_id: self._num_items(entry) for entry in self.entries}
        pending, trusted = [], False
        for chunk in plan:
            finished = self.folder.read(chunk.name)
            trusted = trusted or (
                finished is not None and ESTIMATE in finished[0]["row"].to_pylist()
            )
            if finished is None or finished[1].failures:
                pending.append(chunk)
        with progress() as display:
            total = sum(sizes.values())
            left = sum(sizes[mix_id] for chunk in pending for mix_id in chunk.mix_ids)
            bar = display.add_task(f"{self.settings.model} on {self.dataset.name}", total=total)
            display.advance(bar, total - left)
            self._work(pending, trusted, lambda count: display.advance(bar, count))
        return self._finish(plan)

    def _work(self, pending: list[Chunk], trusted: bool, advance: Callable[[int], None]) -> None:
        separation = Separation(
            self.model,
            device=self.device,
            sample_rate=self.dataset.sample_rate,
            seed=self.settings.seed,
            batch_size=self.settings.batch_size,
            trusted=trusted,
        )
        scorer = Scorer(self.settings.workers if pending else 0, self.device)
        previous: tuple[Chunk, list[_Tried]] | None = None
        try:
            with reproducible():
                for chunk, samples in _ahead(read_chunks(pending)):
                    tried = self._separate(separation, samples, scorer, advance)
                    if previous:
                        self._store(*previous)
                        previous = None
                    previous = (chunk, tried)
                if previous:
                    self._store(*previous)
                    previous = None
                scorer.close()  # inside: its thread computes under the same settings
        except KeyboardInterrupt:
            if previous and all(scores.done() for _, scores in previous[1]):
                self._store(*previous)
            say("Stopped. The same command goes on from here.")
            raise
        finally:
            scorer.close()
            self.judging.close()

    def _separate(
        self,
        separation: Separation,
        samples: list[Sample],
        scorer: Scorer,
        advance: Callable[[int], None],
    ) -> list[_Tried]:
        seed, negatives = self.settings.seed, self.settings.negatives
        attempts = [
            Attempt(sample, self.task.targets(sample.meta, seed=seed, negatives=negatives))
            for sample in samples
        ]
        scores: dict[str, Future[Outcome]] = {}
        for batch in separation.run(attempts):
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
        self.judging.submit(attempt)
        return scorer.submit(job)

    def _job(self, attempt: Attempt) -> Job:
        queries = {target.source_id: target.query for target in attempt.targets}
        return Job(
            task=self.task.name,
            mix_id=attempt.sample.key,
            material=Material(
                mixture=attempt.sample.mixture,
                sources=attempt.sample.sources,
                estimates={name: each.samples for name, each in attempt.estimates.items()},
                sample_rate=self.dataset.sample_rate,
                labels={target.source_id: target.label for target in attempt.targets},
                texts=self.texts.vectors(queries),
                device=self.device,
            ),
            metrics=self.selection.columns,
            sanity=self.sanity.estimates(attempt, self.dataset.sample_rate),
        )

    def _store(self, chunk: Chunk, tried: list[_Tried]) -> None:
        part = Part()
        for attempt, scores in tried:
            outcome = collect(scores)
            judged = self.judging.collect(attempt)
            part.residual = max(part.residual, outcome.residual)
            part.vectors |= _vectors(attempt.sample.key, outcome)
            errors = {**attempt.errors, **outcome.scored.errors}
            for number, target in enumerate(attempt.targets):
                key = {"mix_id": attempt.sample.key, "source_id": target.source_id}
                part.rows += self._sanity_rows(attempt, target, outcome)
                if target.source_id in errors:
                    part.failures.append({**key, "error": errors[target.source_id]})
                    continue
                gaps = {
                    **outcome.scored.gaps.get(target.source_id, {}),
                    **judged.gaps.get(target.source_id, {}),
                }
                part.failures += [
                    {**key, "metric": metric, "error": error} for metric, error in gaps.items()
                ]
                row = self._row(attempt, target, outcome) | judged.values.get(target.source_id, {})
                part.rows.append(row)
                if self._is_kept(attempt, number):
                    part.examples.append(self._example(attempt, target, row))
        self.folder.write(chunk.name, part)

    def _row(self, attempt: Attempt, target: Target, outcome: Outcome) -> dict[str, Any]:
        estimate = attempt.estimates[target.source_id]
        return {
            **self._about(attempt, target),
            "row": ESTIMATE,
            "seconds": estimate.seconds,
            "flags": [*estimate.flags, *outcome.scored.flags.get(target.source_id, ())],
            **outcome.scored.values[target.source_id],
        }

    def _sanity_rows(
        self, attempt: Attempt, target: Target, outcome: Outcome
    ) -> list[dict[str, Any]]:
        values = {
            row: scored.values[target.source_id]
            for row, scored in outcome.sanity.items()
            if target.source_id in scored.values
        }
        # What falls out of the model's own scores is there for every item.
        anchors = outcome.scored.anchors.get(target.source_id, {})
        if anchors:
            values["mixture"] = anchors | values.get("mixture", {})
        about = self._about(attempt, target)
        return [{**about, "row": row, **found} for row, found in values.items()]

    def _about(self, attempt: Attempt, target: Target) -> dict[str, Any]:
        return {
            "task": self.task.name,
            "mix_id": attempt.sample.key,
            "source_id": target.source_id,
            "num_sources": len(attempt.sample.sources),
            "label": target.label,
            "query": target.query,
            "negatives": list(target.negatives),
            "recording_id": target.recording_id,
        }

    def _is_kept(self, attempt: Attempt, number: int) -> bool:
        chosen = self.kept.get(attempt.sample.key)
        return chosen is not None and chosen % len(attempt.targets) == number

    def _example(self, attempt: Attempt, target: Target, row: dict[str, Any]) -> dict[str, Any]:
        sample, folder, rate = attempt.sample, self.folder.path, self.dataset.sample_rate
        name = f"{sample.key}.{target.source_id}"
        estimate = attempt.estimates[target.source_id].samples
        reference = sample.sources.get(target.source_id) if target.has_reference else None
        return {
            "mix_id": sample.key,
            "source_id": target.source_id,
            "num_sources": len(sample.sources),
            "label": target.label,
            "mixture": write_example(folder, f"{name}.mixture", sample.mixture, rate),
            "reference": reference
            if reference is None
            else write_example(folder, f"{name}.reference", reference, rate),
            "estimate": write_example(folder, f"{name}.estimate", estimate, rate),
        }

    def _num_items(self, entry: Entry) -> int:
        return self.task.num_targets(entry.num_sources)

    def _identity(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "hive_version": __version__,
            "task": self.task.name,
            "dataset": {
                "fingerprint": self.dataset.fingerprint,
                "split": settings.split,
                "limit": settings.limit,
            },
            "metric_ids": [each.id for each in self.selection.metrics],
            "model": {
                "spec": settings.model,
                "options": settings.options,
                "checkpoint_sha256": self.record.checkpoint_sha256,
            },
            "settings": {
                "seed": settings.seed,
                "batch_size": settings.batch_size,
                "device": self.device,
                "negatives": settings.negatives,
                "metrics": list(self.selection.columns),
                "embedding": self.scale.embedding,
                "judge": self.scale.judge_spec if self.scale.judge else None,
                "resampler": RESAMPLER,
                "length_policy": LENGTH_POLICY,
                "examples": settings.examples,
            },
        }

    def _finish(self, plan: list[Chunk]) -> Results:
        num_items = sum(self._num_items(entry) for entry in self.entries)
        results, scores = summary.summarise_run(
            folder=self.folder,
            names=[chunk.name for chunk in plan],
            task=self.task.name,
            selection=self.selection,
            dataset={
                "name": self.dataset.name,
                "path": str(self.dataset.path),
                "split": self.dataset.split,
                "fingerprint": self.dataset.fingerprint,
                "num_mixtures": len(self.entries),
                "num_items": num_items,
                "sample_rate": self.dataset.sample_rate,
                "limit": self.settings.limit,
            },
            model=self.record.model_dump(),
            settings={**self.identity["settings"], "options": self.settings.options},
            settings_hash=sha256_json(self.identity),
            judge=_judge_record(self.scale.judge),
        )
        write_results(self.folder.path, results, scores)
        return results


def _vectors(mix_id: str, outcome: Outcome) -> dict[VectorKey, Float]:
    found = {
        (embedding, feature, what, mix_id, source_id): vector
        for (embedding, feature, what, source_id), vector in outcome.scored.vectors.items()
    }
    for row, scored in outcome.sanity.items():
        for (embedding, feature, what, source_id), vector in scored.vectors.items():
            if what == "estimate":
                found[embedding, feature, row, mix_id, source_id] = vector
    return found


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


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield from an iterator whose next item is made by a thread meanwhile."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
