"""Tasks: what is asked of a model for each mixture, and what its answers are scored by.

A task is a class with the interface of `Task`, listed in `_TASKS` by its import path.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.metrics import MetricInfo

Float = NDArray[np.float32]
#: Values of one row by metric name; a metric that is left out does not apply to the row.
Values = dict[str, float]

_TASKS = {
    "hive": "benchmarks.tasks.hive:HiveTask",
    "silence": "benchmarks.tasks.silence:SilenceTask",
}


@dataclass(frozen=True)
class Target:
    """One query to one mixture.

    Attributes:
        source_id: "s1" and so on, or "absent".
        label: Label of the target.
        query: Text given to the model.
        negatives: Labels to be dropped, given to models that take them.
        recording_id: Recording that the target was cut from; groups rows in the bootstrap.
        has_reference: Whether the mixture holds the target, as its stem `source_id`.
    """

    source_id: str
    label: str
    query: str
    negatives: tuple[str, ...]
    recording_id: str
    has_reference: bool = True


@dataclass(frozen=True)
class Material:
    """One mixture and what is to be scored.

    Attributes:
        mixture: The mixture, shape (T,).
        sources: Its stems by source_id, shape (T,).
        estimates: Estimates by source_id of their target, shape (T,).
        sample_rate: Rate of all of these in Hz.
        labels: Labels of the targets, by source_id.
        texts: Unit vectors of the queries, by embedding and source_id.
        device: Torch device for metrics that can use one; "cpu" for the arrays' own code.
        lasting: Whether the estimates are the same for every model, so that what is found about
            them is worth keeping.
    """

    mixture: Float
    sources: Mapping[str, Float]
    estimates: Mapping[str, Float]
    sample_rate: int
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, Float]] = field(default_factory=dict)
    device: str = "cpu"
    lasting: bool = False


@dataclass
class Scored:
    """What scoring one mixture gives, each by source_id.

    Attributes:
        values: Values of the targets that were scored.
        errors: Why the others that have an estimate could not be scored at all.
        gaps: Why some columns of a target that was scored could not be computed, by column; their
            values are NaN.
        anchors: Values of the unprocessed mixture in place of the estimate.
        flags: "silent_estimate", "silent_reference".
        vectors: What metrics of whole sets need, by (embedding, feature, what, source_id), where
            "what" is "estimate" or "reference".
    """

    values: dict[str, Values] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, dict[str, str]] = field(default_factory=dict)
    anchors: dict[str, Values] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    vectors: dict[tuple[str, str, str, str], Float] = field(default_factory=dict)


class Task(Protocol):
    """What a task offers.

    Attributes:
        name: What `--task` takes.
        title: What it asks, in a line.
        default_metrics: Metrics that are computed when none are asked for.
        band_metrics: Metrics that are added to these for models that work at a lower rate than
            that of the data.
        presets: Lists of metrics by the name that `--metrics` takes, such as a paper's columns.
        sanity_rows: Which of `benchmarks.sanity.ROWS` mean something here.
    """

    name: str
    title: str
    default_metrics: tuple[str, ...]
    band_metrics: tuple[str, ...]
    presets: ClassVar[Mapping[str, tuple[str, ...]]]
    sanity_rows: tuple[str, ...]

    def accepts(self, metric: MetricInfo) -> bool:
        """Return whether the task can compute a metric."""
        ...

    def num_targets(self, num_sources: int) -> int:
        """Return the number of queries for a mixture of `num_sources`."""
        ...

    def targets(self, meta: Mapping[str, Any], *, seed: int, negatives: bool) -> list[Target]:
        """Return the queries for a mixture, given its metadata."""
        ...

    def score(self, material: Material, metrics: Sequence[str]) -> Scored:
        """Score the estimates of one mixture; runs in a worker process."""
        ...


def names() -> list[str]:
    """Return the names of the tasks."""
    return list(_TASKS)


def get(name: str) -> Task:
    """Return a task by name.

    Raises:
        HiveError: If there is no such task.
    """
    if name not in _TASKS:
        close = difflib.get_close_matches(name, _TASKS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise HiveError(f"there is no task {name!r}", f"{hint}choose from {', '.join(_TASKS)}")
    module, _, attribute = _TASKS[name].partition(":")
    return cast(Task, getattr(importlib.import_module(module), attribute)())
