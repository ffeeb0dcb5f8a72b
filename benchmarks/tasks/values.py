"""What tasks share when they score: the pass over signals, shares, flags."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from benchmarks.tasks import Float
from hive.audio import rms
from hive.metrics import get
from hive.metrics.registry import Metric
from hive.metrics.signal import signal_metrics
from hive.metrics.validate import SILENCE_RMS


def signal_pass(device: str) -> Callable[..., Any]:
    """Return the joint pass over signal metrics: on a GPU in batches, on the CPU item by item."""
    return functools.partial(signal_metrics, device=None if device == "cpu" else device)


@functools.cache
def below(node: str) -> frozenset[str]:
    """Return the names of the classes below a node of the ontology."""
    from hive import labels

    return frozenset(label.name for label in labels.descendants(node))


def value_or_share(metric: Metric, value: Callable[[str], Any]) -> float:
    """Return the value of a metric; for a share, that of one item: 0 or 1, whose mean is the share.

    Args:
        metric: The metric.
        value: Computes a metric that is no share, by name.
    """
    if metric.info.scope != "share":
        return float(value(metric.name))
    return float(get(metric.name)(value(f"{metric.info.share_of}{metric.suffix}")))


def silent_flags(**signals: Float) -> list[str]:
    """Return "silent_NAME" for each signal that is silent."""
    return [f"silent_{name}" for name, samples in signals.items() if rms(samples) < SILENCE_RMS]
