"""The task `silence`: ask for a sound that is not there; the right answer is silence.

Each mixture is asked for one absent class, drawn by its mix_id and the seed from the classes of
Hive that are neither in the mixture nor related to a label in it: not above or below it in the
ontology, and with no parent in common ("Cello" is not asked for where a violin plays). The ClearSep
paper (section 4.3) defines the scores and leaves the choice of labels open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.tasks import Material, Scored, Target
from benchmarks.tasks.values import signal_pass, silent_flags, value_or_share
from hive.errors import HiveError
from hive.metrics import MetricInfo
from hive.metrics.registry import resolve
from hive.seeding import Stream

ABSENT = "absent"


class SilenceTask:
    """Queries for sounds that are absent."""

    name = "silence"
    title = "one query a mixture for a sound that is not in it: how quiet is the answer?"
    default_metrics = ("silence_sdr", "silence_si_sdr", "silent_rate")
    band_metrics: tuple[str, ...] = ()
    presets: ClassVar[Mapping[str, tuple[str, ...]]] = {
        # Table 3, as computed there: at 32 kHz, by torchmetrics in float32.
        "clearsep-paper": ("silence_sdr_bss_tm_32k", "silence_si_sdr_tm_32k", "silent_rate_32k")
    }
    sanity_rows = ("mixture", "silence")

    def accepts(self, metric: MetricInfo) -> bool:
        """Return whether the metric scores the answer to a query for an absent sound."""
        return metric.requires == ("estimate", "mixture") or metric.name == "silent_rate"

    def num_targets(self, num_sources: int) -> int:
        """Return 1."""
        return 1

    def targets(self, meta: Mapping[str, Any], *, seed: int, negatives: bool) -> list[Target]:
        """Return the query for an absent class; the negatives are the labels that are present."""
        present = [source["label"] for source in meta["sources"]]
        candidates = absent_labels(present)
        if not candidates:
            raise HiveError(
                f"mixture {meta['mix_id']}: every class is related to one of its labels", "drop it"
            )
        stream = Stream(seed, str(meta["split"]), str(meta["mix_id"]), "absent")
        label = candidates[stream.integer(len(candidates))]
        return [
            Target(
                source_id=ABSENT,
                label=label,
                query=label,
                negatives=tuple(dict.fromkeys(present)) if negatives else (),
                # There is no recording of the target; mixtures that share their first are alike.
                recording_id=meta["sources"][0]["recording_id"],
                has_reference=False,
            )
        ]

    def score(self, material: Material, metrics: Sequence[str]) -> Scored:
        """Score the answer against the mixture that it should leave whole."""
        found = [resolve(name) for name in metrics]
        needed = dict.fromkeys(
            f"{one.info.share_of}{one.suffix}" if one.info.share_of else one.name for one in found
        )
        scored = Scored()
        for name, estimate in material.estimates.items():
            try:
                values = signal_pass(material.device)(
                    estimate=estimate,
                    mixture=material.mixture,
                    sample_rate=material.sample_rate,
                    names=list(needed),
                )
            except ValueError as error:
                scored.errors[name] = str(error)
                continue
            scored.values[name] = {
                one.name: value_or_share(one, values.__getitem__) for one in found
            }
            scored.flags[name] = silent_flags(estimate=estimate)
        return scored


def absent_labels(present: Sequence[str]) -> list[str]:
    """Return the classes unrelated to every label given, in the fixed order of the classes."""
    from hive import labels

    related: set[str] = set(present)
    for text in dict.fromkeys(present):
        try:
            label = labels.find(text)
        except HiveError:
            # Not a class: an internal node takes its classes with it, a foreign label nothing.
            related |= _below(text)
            continue
        related |= {label.name, *(other.name for other in labels.siblings(label))}
    return [label.name for label in labels.all_labels() if label.name not in related]


def _below(text: str) -> set[str]:
    from hive import labels

    try:
        return {label.name for label in labels.descendants(text)}
    except HiveError:
        return set()
