"""Where a dataset comes from, as its card tells: its making, its licences, its gaps."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hive.labels import all_labels
from hive.shards import citation
from hive.shards.facts import DatasetFacts
from hive.shards.layout import ATTRIBUTION, LICENCES, MIXTURES
from hive.shards.licences import DatasetLicences
from hive.shards.markdown import plain, table
from hive.sources import catalogue
from hive.sources.corpus import Corpus

RARE = 10  # clips below which a class is called rare
_NAMED = 20  # classes that are named where they are counted; more are folded away
_EXPRESSIONS = 20  # combinations of licences, and conflicts, that the card lists
_SYNTH = "synth"


def making(facts: DatasetFacts) -> list[str]:
    """Return how the mixtures were made, and of what."""
    lines: list[str] = []
    drawn = [split for split in facts.splits if not _published(facts, split)]
    if drawn:
        lines += [
            "Classes that occur together in real scenes were drawn for each mixture, then a clip",
            "of each and a crop that is not silent. No recording is in two splits. The method is",
            f"that of the [Hive paper]({citation.PAPER_ADDRESS}); the matrix of classes that may",
            "be mixed is hive-bench's own.",
            "",
            *table(
                ["split", "seed", "length", "shares of sizes", "levels", "licence rules", "drawn"],
                [_drawn(split, facts.runs.get(split, {}).get("plan", {})) for split in drawn],
            ),
            "",
        ]
    if published := [split for split in facts.splits if _published(facts, split)]:
        lines += [
            "The mixtures are those of published metadata, rendered from the corpora at hand.",
            "",
            *table(
                ["split", "metadata", "revision", "SHA-256"],
                [[split, *_metadata(facts.runs[split]["plan"])] for split in published],
            ),
            "",
        ]
    versions = sorted({str(run.get("version", "-")) for run in facts.runs.values()})
    matrices = {run["plan"].get("matrix_sha256") for run in facts.runs.values()} - {None}
    clips = {
        f"{split}: {plan['clips_sha256'][:16]}"
        for split, run in facts.runs.items()
        if "clips_sha256" in (plan := run["plan"])
    }
    identity = [
        ("hive-bench", versions),
        ("matrix of classes (SHA-256)", sorted(one[:16] for one in matrices)),
        ("clips of each split (SHA-256)", sorted(clips)),
    ]
    return [
        *lines,
        "Each source was brought to RMS 0.1 and then to its level relative to the first source;",
        "one factor keeps all peaks at 0.95 or below. The same clips and settings give the same",
        "samples again, bit for bit.",
        "",
        *table(["made with", ""], [(name, ", ".join(found)) for name, found in identity if found]),
        "",
        *table(
            ["where the clips come from", "clips"],
            [[_corpus_title(name), count] for name, count in facts.corpora],
        ),
        "",
    ]


def _published(facts: DatasetFacts, split: str) -> bool:
    return "metadata" in facts.runs.get(split, {}).get("plan", {})


def _drawn(split: str, plan: dict[str, Any]) -> list[str]:
    shares = plan.get("size_shares", {})
    levels = plan.get("snr_range_db", [])
    subset = plan.get("subset", {}).get("name")
    return [
        split,
        str(plan.get("seed", "-")),
        f"{plan['seconds']:g} s" if "seconds" in plan else "-",
        ", ".join(f"{size}: {share / sum(shares.values()):.0%}" for size, share in shares.items())
        or "-",
        f"{levels[0]:g} to {levels[1]:g} dB" if len(levels) == 2 else "-",
        ", ".join(map(str, plan.get("licences", []))) or "none",
        f"{plan.get('count', '-')}" + (f", as subset {subset}" if subset else ""),
    ]


def _metadata(plan: dict[str, Any]) -> list[str]:
    return [str(plan["metadata"]), str(plan.get("revision") or "-"), plan.get("sha256", "-")[:16]]


def licences(facts: DatasetFacts) -> list[str]:
    """Return the licences of clips, and what mixtures inherit."""
    inherited = Counter[tuple[str, ...]]()
    for sets in facts.inherited.values():
        for parts, count in sets:
            inherited[tuple(parts)] += count
    found = DatasetLicences([], inherited)
    expressions = found.expressions()
    rest = expressions[_EXPRESSIONS:]
    lines = [
        "A mixture inherits the licences of all its parts. What follows is information, no legal",
        f"advice; the licence of each clip is in `{LICENCES}`, the authors in `{ATTRIBUTION}`.",
        "",
        *table(["licence of a clip", "clips"], facts.licences),
        "",
        *table(["licences that a mixture inherits", "mixtures"], expressions[:_EXPRESSIONS]),
    ]
    if rest:
        others = sum(count for _, count in rest)
        lines.append(f"| {len(rest)} other combinations, see `{MIXTURES}` | {others:,} |")
    lines += ["", *table(["what they ask for together", "mixtures"], found.terms()), ""]
    conflicts = found.conflicts()
    if not conflicts:
        return [*lines, "No licence of a part contradicts that of another.", ""]
    return [
        *lines,
        f"**{found.in_conflict():,} mixtures cannot be passed on under all licences of their",
        "parts.** `hive-bench build --allow-licence` makes a dataset without such parts.",
        "",
        *table(["why", "mixtures"], conflicts[:_EXPRESSIONS]),
        "",
    ]


def gaps(facts: DatasetFacts) -> list[str]:
    """Return what the dataset lacks, as far as its facts tell."""
    present = {label.name for label in facts.labels}
    missing = [label.name for label in all_labels() if label.name not in present]
    rare = [label.name for label in facts.labels if label.clips < RARE]
    lines = []
    for text, found in (("No mixture holds", missing), (f"Fewer than {RARE} clips have", rare)):
        if found:
            noun = "class" if len(found) == 1 else "classes"
            names = "; ".join(plain(name) for name in found)
            names = f" {names}." if len(found) <= _NAMED else _folded(names)
            lines.append(f"- {text} {len(found)} {noun}:{names}")
    synthesised = dict(facts.corpora).get(_SYNTH, 0)
    if synthesised:
        lines.append(
            f"- {synthesised:,} of the {facts.clips:,} clips are synthesised: what models score "
            "on them says little about real sounds."
        )
    restored = sum(run["plan"].get("restored", 0) for run in facts.runs.values())
    if restored:
        lines.append(
            f"- The upper band of {restored:,} of the clips that mixtures were drawn from was made "
            "up by super-resolution."
        )
    silent = sum(run["plan"].get("without_audio", 0) for run in facts.runs.values())
    if silent:
        lines.append(f"- {silent:,} mixtures of the metadata have sources that were not at hand.")
    rejects = sum(group.rejects for group in facts.groups)
    if rejects:
        lines.append(f"- {rejects:,} mixtures of the plan could not be rendered and are missing.")
    if facts.tracks:
        lines += [
            "- Labels are what corpora state of whole recordings: a window may lack an event, and "
            "may hold one that nobody named, which is then in a track or in the rest.",
            "- The limits tell nothing of which track holds which event.",
        ]
        return [*lines, ""]
    lines += [
        "- Labels are what corpora state or models found; the reports of the pool's curation "
        "say how.",
        "- Mixtures are sums of mono clips: no room, no movement, no microphone is common to "
        "their sources.",
    ]
    return [*lines, ""]


def _folded(text: str) -> str:
    return f"\n  <details><summary>which</summary>\n\n  {text}\n\n  </details>"


def corpus_of(name: str) -> Corpus | None:
    """Return the corpus that the first part of a path names; None for one's own recordings."""
    known = (one for one in catalogue.corpora() if name in (one.name, *one.published_names))
    return next(known, None)


def _corpus_title(name: str) -> str:
    corpus = corpus_of(name)
    return f"{corpus.title} ({name})" if corpus else name
