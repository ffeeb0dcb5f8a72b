"""Stage 2: keep recordings whose metadata names one event (Hive paper, section 3.2).

What counts is how many sources the labels name, for a clip with a second one is no clean source:

1. A label that stands above another one is its wider name and is taken away (a "Dog" is an
   "Animal"): in AudioSet's own tree first, which is the one that corpora mean, since Hive puts
   nodes beside each other that AudioSet has below one another ("Cowbell" and "Cattle").
2. A circumstance is taken away: the place, the device or medium, the kind of processing. It tells
   of the sound that another label names (paper, appendix A: "spatial or acoustic environments,
   technical media"). "Dog" with "Television" holds, by its labels, a dog; whether the set is heard
   too is for the stages that listen.
3. An aspect stands for the node that it is an aspect of: moods, roles and concepts of music for
   "Music", "Rain on surface" for "Rain". So "Background music" is a second source beside "Speech",
   and none beside "Piano". An aspect alone names nothing that Hive has.
4. What is left is mapped onto Hive's ontology, where wider names are taken away once more. Where
   Hive merged a node into one of the nodes above it and the labels name another one, theirs is
   right: the "Bleat" of a "Sheep" is no goat.
5. "Silence" beside another label says that a part of the recording is silent, and is no event.

Everything else that Hive excludes does sound (crowd, chatter, song, noise), so it counts, and alone
it is refused. A recording without labels is passed on: what it holds is for the tagger and the
language model to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from hive import audioset_tree, labels
from hive.curation.table import Row, reject, step

NAME, VERSION = "single_label", "2"

_MUSIC, _RAIN, _CAT = "/m/04rlf", "/m/06mb1", "/m/01yrx"
_SILENCE = "/m/028v0c"
#: Circumstances, with all that is below them in AudioSet's tree.
_CIRCUMSTANCES = (
    "/t/dd00093",  # Acoustic environment: rooms and places, reverberation, echo
    "/m/07bm98",  # Sound reproduction: television, radio, loudspeaker, field recording, MP3 ...
    "/m/02rr_",  # Effects unit
)
#: Circumstances whose neighbours or children in the tree do sound.
_CIRCUMSTANCES_ALONE = (
    "/t/dd00123",  # Channel, environment and background
    "/t/dd00091",  # Sound equipment
    "/m/01vfsf",  # Guitar amplifier
    "/m/0g12c5",  # Distortion
    "/m/0c1dj",  # Sound effect: what a sound is for
    "/m/017gp",  # Bass (frequency range)
    "/m/01fhw5",  # Infrasound
)
#: What is told of music, with all that is below in AudioSet's tree.
_OF_MUSIC = (
    "/t/dd00030",  # Music mood
    "/t/dd00028",  # Music role: background, soundtrack, dance, Christmas ...
    "/t/dd00027",  # Musical concepts: melody, chord, beat ...
)
_SONG = "/m/074ft"  # below Musical concepts, but a voice with instruments
_RAIN_ON_SURFACE, _CAT_COMMUNICATION = "/t/dd00038", "/m/0f25s6"
#: Kinds of something that AudioSet's tree has beside it.
_ALSO_BELOW = {
    "/m/02rtxlg": "/m/09x0r",  # Whispering: unvoiced Speech
    "/m/0195fx": "/m/07jdr",  # Subway, metro, underground: a Train
}


@cache
def circumstances() -> frozenset[str]:
    """Return the AudioSet nodes that tell where or how something was recorded or played."""
    found = {*_CIRCUMSTANCES, *_CIRCUMSTANCES_ALONE}
    return frozenset(found.union(*map(audioset_tree.below, _CIRCUMSTANCES)))


@cache
def aspects() -> Mapping[str, str]:
    """Return the AudioSet nodes that tell how something sounds, and the node of what it is."""
    music = set(_OF_MUSIC).union(*map(audioset_tree.below, _OF_MUSIC)) - {_SONG}
    return {**dict.fromkeys(music, _MUSIC), _RAIN_ON_SURFACE: _RAIN, _CAT_COMMUNICATION: _CAT}


def decide(row: Mapping[str, Any]) -> Row:
    """Map the labels of a segment and reject it unless they name at most one event.

    Returns:
        The row; where the labels come to one node of Hive, `given_mid` is its identifier, and where
        that is a class, `label_mid` too. Reasons: `several_labels`, `unknown_label`,
        `excluded_label`.
    """
    if not row["labels"] and not row["nodes"]:
        return step(row, NAME, VERSION, "no labels")
    if row["unmapped"]:
        return reject(row, "unknown_label", "; ".join(row["unmapped"]))
    events, excluded = events_of(row["nodes"])
    if len(events) + len(excluded) > 1:
        names = [labels.name_of(mid) for mid in (*events, *excluded)]
        return reject(row, "several_labels", "; ".join(sorted(names)))
    if not events & {labels.node_of(mid) for mid in row["nodes"]}:
        # Nothing that Hive has, or an aspect alone.
        narrow = _sounding(row["nodes"])
        names = [labels.name_of(mid) for mid in narrow or row["nodes"] if mid != _SILENCE]
        return reject(row, "excluded_label", "; ".join(names))
    (mid,) = events
    is_class = labels.is_class(mid)
    decision = labels.name_of(mid) if is_class else f"{labels.name_of(mid)} (no class yet)"
    return {
        **step(row, NAME, VERSION, decision),
        "given_mid": mid,
        "label_mid": mid if is_class else "",
    }


def events_of(nodes: Collection[str]) -> tuple[set[str], list[str]]:
    """Return the sound events that labels name together, none a wider name of another.

    Args:
        nodes: AudioSet identifiers of the labels.

    Returns:
        The nodes of Hive's ontology that are meant; and the AudioSet nodes of what sounds as well
        but has no place in it.
    """
    given = frozenset(nodes)
    meant = {mid: _events(mid, given) for mid in _sounding(nodes)}
    excluded = [mid for mid, found in meant.items() if not found]
    events = without_ancestors({node for found in meant.values() for node in found})
    if len(events) + len(excluded) > 1:
        events.discard(_SILENCE)
    return events, excluded


def skipped(row: Mapping[str, Any]) -> Row:
    """Keep the segment whatever its labels say, for a run that leaves this stage out.

    Labels that come to one node are still read; others are for the model to settle.
    """
    read = decide(row)
    row = step(row, NAME, VERSION, "skipped")
    given = {name: read[name] for name in ("given_mid", "label_mid")}
    return row if read["reason"] else {**row, **given}


def without_ancestors(nodes: set[str]) -> set[str]:
    """Return the nodes of Hive's ontology that stand above none of the others."""
    above = {mid for node in nodes for mid in labels.above(node)}
    return nodes - above


def _sounding(nodes: Collection[str]) -> list[str]:
    """Return the narrowest nodes, without circumstances."""
    return [mid for mid in _narrowest(nodes) if mid not in circumstances()]


def _narrowest(nodes: Collection[str]) -> tuple[str, ...]:
    """Return the AudioSet nodes of which none of the others is a kind."""
    wider = {_ALSO_BELOW[mid] for mid in nodes if mid in _ALSO_BELOW}
    wider |= {higher for mid in wider for higher in audioset_tree.above(mid)}
    return tuple(mid for mid in audioset_tree.lowest(nodes) if mid not in wider)


def _events(mid: str, given: frozenset[str]) -> set[str]:
    """Return the nodes of Hive that an AudioSet node means beside the others; none if excluded."""
    node = aspects().get(mid) or labels.node_of(mid)
    if node is None:
        return set()
    if node == mid or mid in aspects():
        return {node}
    # It was merged, and perhaps into another of the nodes above it than the labels name.
    wider = (other for other in given & audioset_tree.above(mid) if _class_of(other))
    named = {_class_of(other) for other in audioset_tree.lowest(sorted(wider))}
    return {node} if not named or node in named else named


def _class_of(mid: str) -> str:
    """Return the class that an AudioSet node is or was merged into; "" where there is none."""
    node = labels.node_of(mid)
    return node if node is not None and labels.is_class(node) else ""
