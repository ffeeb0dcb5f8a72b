"""What the card of a dataset of tracks tells: how recordings were separated, and what was kept."""

from __future__ import annotations

from typing import Any

from hive.shards.facts import TRACKS, DatasetFacts
from hive.shards.markdown import table

CLEARSEP_ADDRESS = "https://arxiv.org/abs/2504.17782"
CLEARSEP = """@article{cheng2025unleashing,
  title = {Unleashing the Power of Natural Audio Featuring Multiple Sound Sources},
  author = {Cheng, Xize and Wang, Slytherin and Wang, Zehan and Huang, Rongjie and Jin, Tao and
            Zhao, Zhou},
  journal = {arXiv preprint arXiv:2504.17782},
  year = {2025}
}"""


def introduction(facts: DatasetFacts, sizes: str) -> list[str]:
    """Return what the dataset is, in a few lines."""
    return [
        f"{facts.mixtures:,} natural recordings, or windows of them, with {sizes} sound events",
        f"each, and a track of each event in {len(facts.labels)} classes, by a separation model.",
        f"{facts.sample_rate:,} Hz, mono, {facts.bits} bit. Every recording is, sample for sample,",
        f"the sum of its tracks and of the rest (`rest.{facts.audio_format}`), which belongs to no",
        "event.",
        "",
        "**Tracks are estimates**, for training: no recordings of the single events exist. They",
        "are no references to measure a model by.",
        "",
    ]


def making(facts: DatasetFacts) -> list[str]:
    """Return how the tracks were made, and what was kept."""
    lines = [
        f"By the data engine of [ClearSep]({CLEARSEP_ADDRESS}): the labels of a recording, without",
        "those above others in the ontology, are asked for one by one, with the others as what to",
        "drop. A recording is kept if its tracks add up to it again (Re-SDR and Re-SI-SDR), if no",
        "track is next to nothing, and if no two are alike; the field `separation` has the values.",
        "",
    ]
    for split, run in facts.runs.items():
        plan: dict[str, Any] = run["plan"]
        if plan.get("kind") != TRACKS:
            continue
        rules = ", ".join(f"{name} {value:g}" for name, value in plan["rules"].items())
        told = plan["report"]
        lines += [
            *table(
                [split, ""],
                [
                    ["model", plan["model"]],
                    ["its weights (SHA-256)", plan["model_sha256"][:16] or "-"],
                    ["iteration", plan["iteration"]],
                    ["told what to drop", "yes" if plan["negatives"] else "no"],
                    ["limits", rules],
                    ["windows seen", told["seen"]],
                    ["windows separated", told["separated"]],
                    ["hive-bench", run.get("version", "-")],
                ],
            ),
            "",
            *table(
                ["subset", "above", "recordings", "hours", "tracks", "hours of tracks"],
                [
                    [
                        one["subset"],
                        f"{one['threshold']:g} dB",
                        one["recordings"],
                        one["hours"],
                        one["tracks"],
                        one["track_hours"],
                    ]
                    for one in told["subsets"]
                ],
            ),
            "",
            "`self_separate` is a part of `independent`: tracks of it are trained on as well.",
            "",
        ]
    return lines
