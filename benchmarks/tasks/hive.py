"""The task `hive`: every source of every mixture is asked for once, by its label.

This is the protocol of the Hive paper (section 5): scores at the rate of the data, a mean over the
items with each number of sources, and the unweighted mean of these means. `re_*` score a mixture
as a whole, from the sum of its estimates (ClearSep, eq. 13 and 15); they stand on the row of its
first source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.tasks import Float, Scored, Target, Values
from hive.audio import rms
from hive.metrics import MetricInfo, get
from hive.metrics.registry import lookup
from hive.metrics.signal import signal_metrics
from hive.metrics.validate import SILENCE_RMS

#: Metrics that are also computed for the unprocessed mixture: cheap, or a by-product of another.
_ANCHORS = {"si_sdr": "si_sdr", "sdr_plain": "sdr_plain", "sdr_bss": "sdr_bss_i"}
_ANCHOR_PREFIX = "mixture:"


class HiveTask:
    """Queries for each source."""

    name = "hive"
    title = "one query for each source of each mixture, by its label"
    default_metrics = (
        "sdr_bss",
        "sdr_bss_i",
        "si_sdr",
        "si_sdr_i",
        "sdr_plain",
        "stoi",
        "re_sdr",
        "re_si_sdr",
    )

    def accepts(self, metric: MetricInfo) -> bool:
        """Return whether the metric compares estimates with true sources, or remixes them."""
        return "reference" in metric.requires or "estimates" in metric.requires

    def num_targets(self, num_sources: int) -> int:
        """Return the number of sources."""
        return num_sources

    def targets(self, meta: Mapping[str, Any], *, seed: int, negatives: bool) -> list[Target]:
        """Return one query a source; the negatives are the labels of the others."""
        sources = meta["sources"]
        return [
            Target(
                source_id=source["source_id"],
                label=source["label"],
                query=source["label"],
                negatives=_others(source["label"], sources) if negatives else (),
                recording_id=source["recording_id"],
            )
            for source in sources
        ]

    def score(
        self,
        mixture: Float,
        sources: Mapping[str, Float],
        estimates: Mapping[str, Float],
        metrics: Sequence[str],
        sample_rate: int,
    ) -> Scored:
        """Score each estimate, and the mixture from all of them together."""
        whole = [name for name in metrics if "estimates" in lookup(name)[0].requires]
        single = [name for name in metrics if name not in whole]
        scored = Scored()
        for group in (list(estimates), *([name] for name in estimates)):
            # All sources at once share the work on the mixture; one by one only if that fails.
            if group and not scored.values.keys() & set(group):
                _score_group(scored, group, mixture, sources, estimates, single, sample_rate)
        if scored.values and len(sources) > 1:
            first = next(name for name in sources if name in scored.values)
            scored.values[first] |= _score_whole(mixture, sources, estimates, scored, whole)
        return scored


def _score_group(
    scored: Scored,
    names: Sequence[str],
    mixture: Float,
    sources: Mapping[str, Float],
    estimates: Mapping[str, Float],
    metrics: Sequence[str],
    sample_rate: int,
) -> None:
    anchors = [name for name, along in _ANCHORS.items() if {name, along} <= set(metrics)]
    try:
        found = signal_metrics(
            estimate=np.stack([estimates[name] for name in names]),
            reference=np.stack([sources[name] for name in names]),
            mixture=mixture,
            sample_rate=sample_rate,
            names=metrics,
            anchors=anchors,
        )
    except ValueError as error:
        scored.errors |= dict.fromkeys(names, str(error))
        return
    for index, name in enumerate(names):
        scored.errors.pop(name, None)
        scored.values[name] = {metric: float(found[metric][index]) for metric in metrics}
        scored.anchors[name] = {
            anchor: float(found[f"{_ANCHOR_PREFIX}{anchor}"][index]) for anchor in anchors
        }
        scored.flags[name] = silent_flags(estimate=estimates[name], reference=sources[name])


def _score_whole(
    mixture: Float,
    sources: Mapping[str, Float],
    estimates: Mapping[str, Float],
    scored: Scored,
    metrics: Sequence[str],
) -> Values:
    """Score the sum of the tracks; undefined if one of them is missing."""
    if scored.values.keys() < sources.keys():
        return dict.fromkeys(metrics, float("nan"))
    tracks = np.stack([estimates[name] for name in sources])
    return {name: float(get(name)(estimate=tracks, mixture=mixture)) for name in metrics}


def silent_flags(**signals: Float) -> list[str]:
    """Return "silent_NAME" for each signal that is silent."""
    return [f"silent_{name}" for name, samples in signals.items() if rms(samples) < SILENCE_RMS]


def _others(label: str, sources: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    labels = dict.fromkeys(source["label"] for source in sources)
    return tuple(other for other in labels if other != label)
