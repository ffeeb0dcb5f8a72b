"""The task `hive`: every source of every mixture is asked for once, by its label.

This is the protocol of the Hive paper (section 5): scores at the rate of the data, a mean over the
items with each number of sources, and the unweighted mean of these means. `re_*` score a mixture
as a whole, from the sum of its estimates (ClearSep, eq. 13 and 15); they stand on the row of its
first source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks.perception import score_perceptual
from benchmarks.tasks import Material, Scored, Target, Values
from benchmarks.tasks.values import below, signal_pass, silent_flags, value_or_share
from hive.metrics import MetricInfo, get
from hive.metrics.registry import Metric, resolve

#: Metrics that are also computed for the unprocessed mixture: cheap, or a by-product of another.
_ANCHORS = {"si_sdr": "si_sdr", "sdr_plain": "sdr_plain", "sdr_bss": "sdr_bss_i"}
_ANCHOR_PREFIX = "mixture:"
_PERCEPTUAL = ("fad", "fad_pair", "lpaps", "clap_a", "clap_t")
_JUDGE = ("judge_oq", "judge_rec", "judge_pre", "judge_fai")


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
        "stoi_speech",
        "re_sdr",
        "re_si_sdr",
        "re_corr",
        "re_share",
        *_PERCEPTUAL,
        *_JUDGE,
    )
    band_metrics = ("sdr_bss_bl", "sdr_bss_i_bl", "si_sdr_bl", "si_sdr_i_bl")
    presets: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "signal": ("sdr_bss", "sdr_bss_i", "si_sdr", "si_sdr_i", "sdr_plain", "stoi"),
        # Tables 3 and A3 to A5; what they print as FAD behaves like fad_pair.
        "hive-paper": ("sdr_bss", "si_sdr", "stoi", *_PERCEPTUAL, *_JUDGE),
        # Tables 1, 2, 5, 6 (improvements) and 4 (remix), as computed there: at 32 kHz.
        "clearsep-paper": (
            "sdr_bss_32k",
            "sdr_bss_i_32k",
            "si_sdr_32k",
            "si_sdr_i_32k",
            "re_sdr_bss_tm_32k",
            "re_si_sdr_tm_32k",
            "prop_over_sdr_tm_32k",
            "prop_over_si_sdr_tm_32k",
        ),
    }
    sanity_rows = ("mixture", "silence", "ideal_mask", "reference")

    def accepts(self, metric: MetricInfo) -> bool:
        """Return whether the metric compares estimates with true sources, remixes or judges."""
        return (
            bool({"reference", "text"} & {*metric.requires})
            or {"estimates", "mixture"} <= {*metric.requires}
            or metric.name in ("prop_over_sdr", "prop_over_si_sdr")
        )

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

    def score(self, material: Material, metrics: Sequence[str]) -> Scored:
        """Score each estimate, and the mixture from all of them together."""
        found = [resolve(name) for name in metrics]
        single = [one.name for one in found if _is_single(one)]
        whole = [one for one in found if one.info.scope in ("mixture", "share")]
        perceptual = [one for one in found if one.info.features]
        scored = Scored()
        for group in (list(material.estimates), *([name] for name in material.estimates)):
            # All sources at once share the work on the mixture; one by one only if that fails.
            if group and not scored.values.keys() & set(group):
                _score_group(scored, group, material, single)
        for name, values in scored.values.items():
            label = material.labels.get(name, "")
            for one in found:
                if one.info.below and label not in below(one.info.below):
                    values.pop(one.name, None)
        if scored.values and len(material.sources) > 1:
            first = next(name for name in material.sources if name in scored.values)
            scored.values[first] |= _score_whole(material, scored, whole)
        if perceptual:
            score_perceptual(scored, material, perceptual)
        return scored


def _is_single(metric: Metric) -> bool:
    return metric.info.scope == "item" and not metric.info.features and not metric.info.judged


def _score_group(
    scored: Scored, names: Sequence[str], material: Material, metrics: Sequence[str]
) -> None:
    anchors = [name for name, along in _ANCHORS.items() if {name, along} <= set(metrics)]
    try:
        found = signal_pass(material.device)(
            estimate=np.stack([material.estimates[name] for name in names]),
            reference=np.stack([material.sources[name] for name in names]),
            mixture=material.mixture,
            sample_rate=material.sample_rate,
            names=metrics,
            anchors=anchors,
        )
    except ValueError as error:
        scored.errors |= dict.fromkeys(names, str(error))
        if len(names) == 1 and len(metrics) > 1:
            _score_singly(scored, names[0], material, metrics)
        return
    for index, name in enumerate(names):
        scored.errors.pop(name, None)
        scored.values[name] = {metric: float(found[metric][index]) for metric in metrics}
        scored.anchors[name] = {
            anchor: float(found[f"{_ANCHOR_PREFIX}{anchor}"][index]) for anchor in anchors
        }
        scored.flags[name] = silent_flags(
            estimate=material.estimates[name], reference=material.sources[name]
        )


def _score_singly(scored: Scored, name: str, material: Material, metrics: Sequence[str]) -> None:
    """Score one estimate metric by metric, so that one that fails costs no other."""
    parts = Scored()
    gaps: dict[str, str] = {}
    for metric in metrics:
        alone = Scored()
        _score_group(alone, [name], material, [metric])
        if name in alone.errors:
            gaps[metric] = alone.errors[name]
        parts.values.setdefault(name, {}).update(alone.values.get(name, {}))
        parts.flags |= alone.flags
    if len(gaps) < len(metrics):
        del scored.errors[name]
        nan = float("nan")
        scored.values[name] = {metric: parts.values[name].get(metric, nan) for metric in metrics}
        scored.flags[name] = parts.flags[name]
        scored.gaps[name] = gaps


def _score_whole(material: Material, scored: Scored, metrics: Sequence[Metric]) -> Values:
    """Score the sum of the tracks; undefined if one of them is missing."""
    if scored.values.keys() < material.sources.keys():
        return {metric.name: float("nan") for metric in metrics}
    tracks = np.stack([material.estimates[name] for name in material.sources])
    return {
        metric.name: value_or_share(
            metric,
            lambda name: get(name)(
                estimate=tracks, mixture=material.mixture, sample_rate=material.sample_rate
            ),
        )
        for metric in metrics
    }


def _others(label: str, sources: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    labels = dict.fromkeys(source["label"] for source in sources)
    return tuple(other for other in labels if other != label)
