"""What a run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: What a model is told: the sound to keep, what to drop (the mixture's other labels), or both.
Queries = Literal["positive", "negative", "both"]


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
        only: File of the mixtures to take (`benchmarks.only`); None for all.
        limit: Number of these, in equal shares from each number of sources; None for all.
        device: Torch device, or "auto".
        batch_size: Most queries given to the model at once.
        seed: Seed of everything that a model or the task draws.
        queries: What the model is told.
        waveform_metrics: Whether generative models get metrics that compare waveforms, too.
        examples: Number of items whose sound is kept.
        options: Options of the model.
        workers: Scoring processes of each process with a model, each of one thread, whose number
            changes no digit; 0 scores in the model's process, where threads of numerical libraries
            may change the last one.
    """

    model: str
    out: Path
    benchmark: str = "mini"
    task: str = "hive"
    split: str = "test"
    metrics: tuple[str, ...] | None = None
    embedding: str | None = None
    judge: str | None = None
    only: Path | None = None
    limit: int | None = None
    device: str = "auto"
    batch_size: int = 8
    seed: int = 0
    queries: Queries = "positive"
    waveform_metrics: bool = False
    examples: int = 8
    options: dict[str, str] = field(default_factory=dict)
    workers: int = 0

    @property
    def negatives(self) -> bool:
        """Whether the model is told what to drop."""
        return self.queries != "positive"
