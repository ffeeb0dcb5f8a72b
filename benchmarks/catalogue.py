"""Which metrics a run computes, and why others are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import tasks
from benchmarks.results import MetricRecord, UnavailableMetric
from benchmarks.tasks import Task
from hive.errors import HiveError
from hive.metrics import available
from hive.metrics.registry import lookup


@dataclass(frozen=True)
class Selection:
    """The metrics of a run.

    Attributes:
        metrics: Those that are computed, in the order asked for.
        unavailable: Those that were asked for and cannot be computed here.
    """

    metrics: tuple[MetricRecord, ...]
    unavailable: tuple[UnavailableMetric, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the metrics that are computed."""
        return tuple(each.name for each in self.metrics)


def select_metrics(task: Task, asked: Sequence[str] | None) -> Selection:
    """Resolve metric names for a task.

    Args:
        task: The task.
        asked: Names, with suffixes for settings; None for the defaults of the task.

    Raises:
        HiveError: If there is no such metric, the task cannot compute it, or none is left.
    """
    metrics, unavailable = [], []
    for name in task.default_metrics if asked is None else asked:
        info, options = lookup(name)
        if not task.accepts(info):
            possible = [each.name for each in available() if task.accepts(each)]
            raise HiveError(
                f"task {task.name} cannot compute metric {name!r}",
                f"choose from {', '.join(possible)}",
            )
        if not info.available:
            unavailable.append(
                UnavailableMetric(metric=name, reason=info.reason, remedy=info.remedy)
            )
            continue
        suffix = name.removeprefix(info.name)
        settings = ", ".join(f"{key}={value}" for key, value in options.items())
        metrics.append(
            MetricRecord(
                name=name,
                title=f"{info.title}{suffix}",
                unit=info.unit,
                higher_is_better=info.higher_is_better,
                definition=info.definition + (f" With {settings}." if settings else ""),
                source=info.source,
            )
        )
    if not metrics:
        first = unavailable[0] if unavailable else None
        raise HiveError(
            f"no metric can be computed ({first.reason})" if first else "no metric is asked for",
            first.remedy if first else f"choose from {', '.join(task.default_metrics)}",
        )
    return Selection(tuple(metrics), tuple(unavailable))


def listing() -> list[dict[str, Any]]:
    """Return all metrics with the tasks that compute them and their availability."""
    every = [tasks.get(name) for name in tasks.names()]
    return [
        {
            "name": info.name,
            "title": info.title,
            "unit": info.unit,
            "higher_is_better": info.higher_is_better,
            "definition": info.definition,
            "source": info.source,
            "requires": list(info.requires),
            "needs": list(info.needs),
            "tasks": [task.name for task in every if task.accepts(info)],
            "available": info.available,
            "reason": info.reason,
            "remedy": info.remedy,
        }
        for info in available()
    ]
