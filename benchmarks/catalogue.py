"""Which metrics a run computes, and why others are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.results import IdentityRecord, MetricRecord, UnavailableMetric
from benchmarks.tasks import Task
from hive.errors import HiveError
from hive.metrics import available
from hive.metrics.availability import availability
from hive.metrics.identity import identify, versions
from hive.metrics.registry import (
    OF_MODEL,
    Metric,
    is_signal,
    resolve,
    with_band,
    with_embedding,
    with_judge,
)

if TYPE_CHECKING:
    from hive.judge.base import Judge


#: As tables 3 and A3 of the Hive paper have it.
_GENERATIVE = (
    "the model is generative and keeps no waveform that could be compared",
    "--waveform-metrics computes them all the same",
)


@dataclass(frozen=True)
class Scale:
    """What columns depend on beside the task.

    Attributes:
        sample_rate: Rate of the data in Hz.
        model_rate: Rate in Hz that the model works at, 0 for any.
        embedding: Embedding of metrics whose names say none.
        judge_spec: Specification of the judge, or None for what HIVE_JUDGE says.
        judge: The loaded judge, if a metric asks for one that can be used.
        waveforms: Whether estimates are said to keep the waveform, or are compared as if they did.
    """

    sample_rate: int
    model_rate: int
    embedding: str
    judge_spec: str | None = None
    judge: Judge | None = None
    waveforms: bool = True


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

    @property
    def row_columns(self) -> tuple[str, ...]:
        """Names of those with a value for each row: all but the metrics of whole sets."""
        return tuple(each.name for each in self.metrics if each.scope != "set")


def requested(task: Task, asked: Sequence[str] | None) -> list[Metric]:
    """Return the metrics that are asked for.

    Args:
        task: The task.
        asked: Names, with suffixes for settings, and presets of the task; None for its defaults.

    Raises:
        HiveError: If there is no such metric, or the task cannot compute it.
    """
    names: list[str] = []
    for name in task.default_metrics if asked is None else asked:
        names += task.presets.get(name, (name,))
    metrics = [resolve(name) for name in dict.fromkeys(names)]
    for metric in metrics:
        if not task.accepts(metric.info):
            possible = [each.name for each in available() if task.accepts(each)]
            raise HiveError(
                f"task {task.name} cannot compute metric {metric.name!r}",
                f"choose from {', '.join(possible)}, or a preset: {', '.join(task.presets)}",
            )
    return metrics


def select_metrics(task: Task, asked: Sequence[str] | None, scale: Scale) -> Selection:
    """Resolve metric names for a run.

    Args:
        task: The task.
        asked: See `requested`. For a model that works below the rate of the data, the defaults
            also have the task's `band_metrics`. For one that keeps no waveform, those that compare
            waveforms are left out, unless they are asked for by their own names.
        scale: What columns depend on.

    Raises:
        HiveError: As `requested`, or no metric is left.
    """
    wanted = requested(task, asked)
    if asked is None and 0 < scale.model_rate < scale.sample_rate:
        wanted += [resolve(name) for name in task.band_metrics]
    metrics: list[MetricRecord] = []
    unavailable: list[UnavailableMetric] = []
    for first in wanted:
        metric = with_embedding(first, scale.embedding)
        if metric.band == OF_MODEL:
            if not 0 < scale.model_rate < scale.sample_rate:
                unavailable.append(
                    UnavailableMetric(
                        metric=metric.name,
                        reason="the model does not work below the rate of the data",
                        remedy=f"use {metric.info.name}, or name a rate as in _bl16k",
                    )
                )
                continue
            metric = with_band(metric, scale.model_rate)
        if scale.judge is not None and scale.judge.standin:
            metric = with_judge(metric, scale.judge.name)
        if metric.name in (each.name for each in metrics):
            continue  # asked for by two names
        if metric.info.waveform and not scale.waveforms and first.name not in (asked or ()):
            reason, remedy = _GENERATIVE
        else:
            reason, remedy = availability(metric, scale.judge_spec)
        if reason:
            unavailable.append(UnavailableMetric(metric=metric.name, reason=reason, remedy=remedy))
        else:
            metrics.append(_record(metric, scale))
    if not metrics:
        first_missing = unavailable[0] if unavailable else None
        raise HiveError(
            f"no metric can be computed ({first_missing.reason})"
            if first_missing
            else "no metric is asked for",
            first_missing.remedy
            if first_missing
            else f"choose from {', '.join(task.default_metrics)}",
        )
    return Selection(tuple(metrics), tuple(unavailable))


def _record(metric: Metric, scale: Scale) -> MetricRecord:
    info = metric.info
    embedding, judge = None, scale.judge if info.judged else None
    if metric.embedding is not None:
        from hive.embedding.registry import describe

        embedding = describe(metric.embedding)
    identity = identify(
        metric,
        scale.sample_rate,
        embedding=embedding,
        judge=judge.name if judge else None,
        judge_sha256=judge.checkpoint_sha256 if judge else None,
    )
    return MetricRecord(
        name=metric.name,
        title=metric.title,
        unit=info.unit,
        higher_is_better=info.higher_is_better,
        definition=info.definition + (f" With {metric.variant}." if metric.variant else ""),
        formula=info.formula,
        source=info.source,
        scope=info.scope,
        standin=any(one.standin for one in (embedding, judge) if one is not None),
        published=embedding is None or embedding.published,
        id=identity.id,
        identity=IdentityRecord(**asdict(identity)),
        versions=versions(metric),
    )


def listing(embedding: str, judge: str | None) -> list[dict[str, Any]]:
    """Return all metrics with the tasks that compute them and their availability."""
    every = [tasks.get(name) for name in tasks.names()]
    rows = []
    for info in available():
        metric = with_embedding(resolve(info.name), embedding)
        reason, remedy = availability(metric, judge)
        rows.append(
            {
                "name": info.name,
                "title": info.title,
                "unit": info.unit,
                "higher_is_better": info.higher_is_better,
                "definition": info.definition,
                "formula": info.formula,
                "source": info.source,
                "scope": info.scope,
                "requires": list(info.requires),
                "embedding": metric.embedding,
                "judged": info.judged,
                "suffixes": _suffixes(metric),
                "tasks": [task.name for task in every if task.accepts(info)],
                "available": not reason,
                "reason": reason,
                "remedy": remedy,
            }
        )
    return rows


def _suffixes(metric: Metric) -> list[str]:
    """Return the suffixes that a metric may have, with an example of each."""
    info = metric.info
    of_options = {
        "filter_length": "_L64",
        "load_diag": "_d1e-06",
        "zero_mean": "_zm",
        "compat": "_tm",
    }
    found = [suffix for option, suffix in of_options.items() if option in info.options]
    if is_signal(info):
        found += ["_bl16k", "_32k"]
    return found + (["@EMBEDDING"] if info.features else [])
