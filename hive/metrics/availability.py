"""Whether a metric can be computed here, and what to do if not."""

from __future__ import annotations

from typing import NamedTuple

from hive.metrics.registry import Metric


class Availability(NamedTuple):
    """Why a metric cannot be computed here, and what to do; both empty if it can."""

    reason: str = ""
    remedy: str = ""


def availability(metric: Metric, judge: str | None = None) -> Availability:
    """Return whether a metric can be computed here.

    Args:
        metric: The metric.
        judge: Specification of the judge, see `hive.judge.client`; None for that of HIVE_JUDGE.
    """
    if metric.info.judged:
        from hive.judge.client import describe as describe_judge

        found = describe_judge(judge)
        return Availability(found.reason, found.remedy)
    if metric.embedding is None:
        return Availability()
    from hive.embedding.registry import describe

    embedding = describe(metric.embedding)
    if embedding.reason:
        return Availability(embedding.reason, embedding.remedy)
    if "layers" in metric.info.features and not embedding.has_layers:
        return Availability(
            f"{embedding.name} has no layers", f"name one that has, as in {metric.info.name}@NAME"
        )
    if "text" in metric.info.features and not embedding.has_text:
        return Availability(
            embedding.text_reason or f"{embedding.name} embeds no texts", embedding.text_remedy
        )
    return Availability()
