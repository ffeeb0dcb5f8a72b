"""Which events a recording holds, as mutually exclusive queries.

ClearSep, appendix A.2: a label is dropped where one below it in the ontology is there too, so that
each label left is a sound of its own, and all of them are negative queries for one another. The
labels are read as the curation reads them (`hive.curation.single_label`): places and devices are
no events, and what Hive merged is one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive import labels
from hive.curation.single_label import events_of
from hive.tables import SIZES

ONE_LABEL = "one_label"


@dataclass(frozen=True)
class Refusal:
    """Why something goes no further.

    Attributes:
        reason: Code, for counting.
        detail: A few words for people.
    """

    reason: str
    detail: str


def exclusive_events(nodes: Sequence[str], unmapped: Sequence[str] = ()) -> list[str] | Refusal:
    """Return the events of a recording.

    Args:
        nodes: AudioSet identifiers of its labels.
        unmapped: Labels that are no node of AudioSet.

    Returns:
        Names of classes or internal nodes of Hive, none below another, in alphabetical order, 2 to
        5 of them; or why the recording cannot be used: `no_labels`, `unknown_label`,
        `excluded_label` (something sounds that no query of Hive's can name, so the tracks would not
        add up), `one_label` (nothing to separate) or `many_labels`.
    """
    if unmapped:
        return Refusal("unknown_label", "; ".join(sorted(unmapped)))
    if not nodes:
        return Refusal("no_labels", "")
    events, excluded = events_of(nodes)
    names = sorted(labels.name_of(mid) for mid in events)
    if excluded:
        return Refusal("excluded_label", "; ".join(sorted(map(labels.name_of, excluded))))
    if len(names) < min(SIZES):
        return Refusal(ONE_LABEL, "; ".join(names))
    if len(names) > max(SIZES):
        return Refusal("many_labels", "; ".join(names))
    return names
