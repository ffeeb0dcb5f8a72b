"""Running a task: read, separate, score, write; resumable at any point.

The model works in this process, on batches of queries; scoring runs in worker processes at the same
time, and the next mixtures are read by a thread meanwhile. Scores are kept chunk by chunk
(`benchmarks.parts`), so a run that was stopped or killed goes on where it was. An item that fails
is recorded and does not stop the others; failed items are tried again when the same run is
started again. What is computed does not depend on the number of workers or on where a run was
interrupted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import summary, tasks
from benchmarks.catalogue import Selection, select_metrics
from benchmarks.dataset import Chunk, Dataset, Entry, chunks, open_dataset, read_chunks, select
from benchmarks.examples import choose, write_example
from benchmarks.parts import ANCHOR_PREFIX, Part, RunFolder
from benchmarks.results import Results, write_results
from benchmarks.scoring import Job, Outcome, Scorer, collect
from hive._version import __version__
from hive.console import progress
from hive.errors import HiveError
from hive.files import sha256_json
from hive.inference import (
    LENGTH_POLICY,
    RESAMPLER,
    Estimate,
    Item,
    Request,
    batch_limit,
    item_seed,
    reproducible,
    resolve_device,
    separate,
)
from hive.models import AnySeparator, load
from hive.separator import Query

if TYPE_CHECKING:
    from benchmarks.tasks import Float, Target, Task
    from hive.shards.read import Sample

T = TypeVar("T")

PATIENCE = 32  # items that may fail before the first one succeeds


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        model: Specification of the model (`hive.models`).
        out: Folder of the run.
        benchmark: Dataset folder, or "mini".
        task: Name of the task.
        split: Split of the data set.
        metrics: Metrics; None for the task's own.
        limit: Number of mixtures, in equal shares from each number of sources; None for all.
        device: Torch device, or "auto".
        batch_size: Most queries given to the model at once.
        seed: Seed of everything that a model or the task draws.
        negatives: Whether to give the other labels as negative queries.
        examples: Number of items whose sound is kept.
        options: Options of the model.
        workers: Scoring processes; 0 scores in this process. The scores do not depend on it.
    """

    model: str
    out: Path
    benchmark: str = "mini"
    task: str = "hive"
    split: str = "test"
    metrics: tuple[str, ...] | None = None
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
    selection = select_metrics(task, settings.metrics)
    device = resolve_device(settings.device)
    model = load(settings.model, device=device, options=settings.options)
    try:
        if settings.negatives and not getattr(model, "takes_negatives", False):
            raise HiveError(
                f"model {settings.model} takes no negative queries", "leave out --negatives"
            )
        run = _Run(settings, dataset, task, selection, device, model)
        return run.execute()
    finally:
        if hasattr(model, "close"):
            model.close()


@dataclass
class _Mixture:
    """A mixture under way: its targets, and the estimates and errors so far."""

    sample: Sample
    targets: list[Target]
    estimates: dict[str, Estimate] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every target has been tried."""
        return len(self.estimates) + len(self.errors) == len(self.targets)


#: A mixture whose targets have all been tried, and its scores to come.
_Tried = tuple[_Mixture, Future[Outcome]]


class _Run:
    """One run: what `evaluate` does once everything is resolved."""

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        task: Task,
        selection: Selection,
        device: str,
        model: AnySeparator,
    ) -> None:
        self.settings, self.dataset, self.task = settings, dataset, task
        self.selection, self.device, self.model = selection, device, model
        self.entries = select(dataset.entries, settings.limit)
        self.kept = choose(self.entries, settings.examples)
        self.identity = self._identity()
        self.folder = RunFolder(settings.out, self.identity, selection.columns)
        self.succeeded = self.failed = 0
        self.last_error = ""

    def execute(self) -> Results:
        """Do what is missing, then put everything together."""
        plan = chunks(self.entries)
        sizes = {entry.mix_id: self._num_items(entry) for entry in self.entries}
        done = {chunk.name: self.folder.read(chunk.name) for chunk in plan}
        pending = []
        for chunk in plan:
            finished = done[chunk.name]
            self.succeeded += finished[0].num_rows if finished else 0
            if finished is None or finished[1].failures:
                pending.append(chunk)
        del done
        with progress() as display:
            total = sum(sizes.values())
            left = sum(sizes[mix_id] for chunk in pending for mix_id in chunk.mix_ids)
            bar = display.add_task(f"{self.settings.model} on {self.dataset.name}", total=total)
            display.advance(bar, total - left)
            self._work(pending, lambda count: display.advance(bar, count))
        return self._finish(plan)

    def _work(self, pending: list[Chunk], advance: Callable[[int], None]) -> None:
        scorer = Scorer(self.settings.workers if pending else 0)
        try:
            previous: tuple[Chunk, list[_Tried]] | None = None
            with reproducible():
                for chunk, samples in _ahead(read_chunks(pending)):
                    tried = self._separate_chunk(samples, scorer, advance)
                    if previous:
                        self._store(*previous)
                    previous = (chunk, tried)
            if previous:
                self._store(*previous)
        finally:
            scorer.close()

    def _separate_chunk(
        self, samples: list[Sample], scorer: Scorer, advance: Callable[[int], None]
    ) -> list[_Tried]:
        mixtures = [
            _Mixture(
                sample,
                self.task.targets(
                    sample.meta, seed=self.settings.seed, negatives=self.settings.negatives
                ),
            )
            for sample in samples
        ]
        scores: dict[str, Future[Outcome]] = {}
        pairs = [(mixture, target) for mixture in mixtures for target in mixture.targets]
        limit = batch_limit(self.model, self.settings.batch_size)
        for _, run in itertools.groupby(pairs, key=lambda pair: len(pair[0].sample.mixture)):
            equal = list(run)
            for start in range(0, len(equal), limit):
                batch = equal[start : start + limit]
                self._separate_batch(batch)
                advance(len(batch))
                for mixture, _ in batch:
                    if mixture.complete and mixture.sample.key not in scores:
                        scores[mixture.sample.key] = scorer.submit(self._job(mixture))
        return [(mixture, scores[mixture.sample.key]) for mixture in mixtures]

    def _separate_batch(self, batch: list[tuple[_Mixture, Target]]) -> None:
        """Separate a batch; if it fails, each item by itself, so that only the culprits fail."""
        try:
            estimates = self._call(batch)
        except Exception as error:
            if len(batch) > 1:
                for pair in batch:
                    self._separate_batch([pair])
                return
            mixture, target = batch[0]
            self.last_error = _tell(error)
            mixture.errors[target.source_id] = self.last_error
            self.failed += 1
            if not self.succeeded and self.failed >= PATIENCE:
                raise HiveError(
                    f"the first {self.failed} items all failed, the last one with: "
                    f"{self.last_error}",
                    "mend the model and run the same command again",
                ) from error
            return
        self.succeeded += len(batch)
        for (mixture, target), estimate in zip(batch, estimates, strict=True):
            mixture.estimates[target.source_id] = estimate

    def _call(self, batch: list[tuple[_Mixture, Target]]) -> list[Estimate]:
        rate = self.dataset.sample_rate
        requests = [
            Request(
                mixture=mixture.sample.mixture,
                query=Query(target.query, target.negatives),
                item=Item(
                    mixture.sample.key,
                    target.source_id,
                    item_seed(self.settings.seed, mixture.sample.key, target.query),
                    rate,
                ),
                reference=_reference(mixture.sample, target),
            )
            for mixture, target in batch
        ]
        return separate(self.model, requests, rate, self.device)

    def _job(self, mixture: _Mixture) -> Job:
        return Job(
            task=self.task.name,
            mix_id=mixture.sample.key,
            mixture=mixture.sample.mixture,
            sources=mixture.sample.sources,
            estimates={name: each.samples for name, each in mixture.estimates.items()},
            metrics=self.selection.columns,
            sample_rate=self.dataset.sample_rate,
        )

    def _store(self, chunk: Chunk, tried: list[_Tried]) -> None:
        part = Part()
        for mixture, scores in tried:
            outcome = collect(scores)
            part.residual = max(part.residual, outcome.residual)
            errors = {**mixture.errors, **outcome.scored.errors}
            for number, target in enumerate(mixture.targets):
                if target.source_id in errors:
                    part.failures.append(
                        {
                            "mix_id": mixture.sample.key,
                            "source_id": target.source_id,
                            "error": errors[target.source_id],
                        }
                    )
                    continue
                row = self._row(mixture, target, outcome)
                part.rows.append(row)
                if self._is_kept(mixture, number):
                    part.examples.append(self._example(mixture, target, row))
        self.folder.write(chunk.name, part)

    def _row(self, mixture: _Mixture, target: Target, outcome: Outcome) -> dict[str, Any]:
        estimate = mixture.estimates[target.source_id]
        anchors = outcome.scored.anchors.get(target.source_id, {})
        return {
            "task": self.task.name,
            "mix_id": mixture.sample.key,
            "source_id": target.source_id,
            "num_sources": len(mixture.sample.sources),
            "label": target.label,
            "query": target.query,
            "negatives": list(target.negatives),
            "recording_id": target.recording_id,
            "seconds": estimate.seconds,
            "flags": [*estimate.flags, *outcome.scored.flags.get(target.source_id, ())],
            **outcome.scored.values[target.source_id],
            **{f"{ANCHOR_PREFIX}{name}": value for name, value in anchors.items()},
        }

    def _is_kept(self, mixture: _Mixture, number: int) -> bool:
        chosen = self.kept.get(mixture.sample.key)
        return chosen is not None and chosen % len(mixture.targets) == number

    def _example(self, mixture: _Mixture, target: Target, row: dict[str, Any]) -> dict[str, Any]:
        sample, folder, rate = mixture.sample, self.folder.path, self.dataset.sample_rate
        name = f"{sample.key}.{target.source_id}"
        estimate = mixture.estimates[target.source_id].samples
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
            "model": {
                "spec": settings.model,
                "options": settings.options,
                "checkpoint_sha256": getattr(self.model, "checkpoint_sha256", None),
            },
            "settings": {
                "seed": settings.seed,
                "batch_size": settings.batch_size,
                "device": self.device,
                "negatives": settings.negatives,
                "metrics": list(self.selection.columns),
                "resampler": RESAMPLER,
                "length_policy": LENGTH_POLICY,
                "examples": settings.examples,
            },
        }

    def _finish(self, plan: list[Chunk]) -> Results:
        finished = [self.folder.read(chunk.name) for chunk in plan]
        parts = [each for each in finished if each is not None]
        num_items = sum(self._num_items(entry) for entry in self.entries)
        results, scores = summary.summarise_run(
            parts=parts,
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
            model={
                "name": getattr(self.model, "name", self.settings.model),
                "spec": self.settings.model,
                "sample_rate": self.model.sample_rate,
                "generative": self.model.generative,
                "uses_reference": bool(getattr(self.model, "uses_reference", False)),
                "checkpoint_sha256": getattr(self.model, "checkpoint_sha256", None),
                "details": getattr(self.model, "details", {}),
            },
            settings={**self.identity["settings"], "options": self.settings.options},
            settings_hash=sha256_json(self.identity),
        )
        write_results(self.folder.path, results, scores)
        return results


def _reference(sample: Sample, target: Target) -> Float:
    import numpy as np

    # The true source of a label that is absent is silence.
    if target.has_reference:
        return sample.sources[target.source_id]
    return np.zeros_like(sample.mixture)


def _tell(error: Exception) -> str:
    text = str(error).strip() or "no message"
    return text if isinstance(error, HiveError) else f"{type(error).__name__}: {text}"


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield from an iterator whose next item is made by a thread meanwhile."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
