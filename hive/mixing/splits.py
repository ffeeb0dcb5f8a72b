"""Dividing the recordings of a pool among the splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from hive.errors import HiveError
from hive.mixing.philox import Streams
from hive.seeding import Stream
from hive.tables import SPLITS

#: Split of recordings that `pool split` left over: bound, so that no other command takes them.
UNUSED = "unused"
_RANK = {UNUSED: -1, **{split: rank for rank, split in enumerate(SPLITS)}}
DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


def parse_shares(text: str) -> dict[str, float]:
    """Read shares written as train/validation/test, e.g. "80/10/10"; they need not add up to 1.

    Raises:
        HiveError: If the text is not three numbers of which one is positive.
    """
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        values = []
    if (
        len(values) != 3
        or any(not 0 <= value < float("inf") for value in values)
        or not sum(values)
    ):
        raise HiveError(
            f"shares {text!r} cannot be read", "write train/validation/test, e.g. --shares 80/10/10"
        )
    return {split: value / sum(values) for split, value in zip(SPLITS, values, strict=True)}


def assign_splits(
    clips: pa.Table,
    shares: Mapping[str, float],
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> list[str]:
    """Give each clip a split; a recording is never in two.

    A split that the clip table sets already wins, unless a near-duplicate is bound to one that is
    held out more: then both go there. The others are divided class by class: the
    recordings of a class are put in a random order that depends on the seed and their names, and
    spread evenly over the shares from a random start, so that every class keeps the shares as
    closely as its number of recordings allows, and which recordings there are elsewhere in the
    pool changes nothing.

    Args:
        clips: Clip table.
        shares: Share of each split; a split without a positive share gets nothing.
        seed: Seed of the order.
        groups: Group of each recording that has near-duplicates (`hive.pool.duplicates`): a
            group is divided as if it were one recording. Where the table sets the split of some
            of a group, all of it goes there; of several splits, into the most held-out one.

    Returns:
        The split of each row.

    Raises:
        HiveError: If a recording has clips that are bound to different splits.
    """
    groups = groups or {}
    bound: dict[str, str] = {}
    by_label: dict[str, list[str]] = {}
    recordings = clips["recording_id"].to_pylist()
    for recording, split, label in zip(
        recordings, clips["split"].to_pylist(), clips["label"].to_pylist(), strict=True
    ):
        if split and bound.setdefault(recording, split) != split:
            raise HiveError(
                f"recording {recording!r} is bound to {bound[recording]} and to {split}",
                "give all clips of a recording the same split in the manifest",
            )
        by_label.setdefault(label, []).append(groups.get(recording, recording))
    wanted = [(split, shares.get(split, 0.0)) for split in SPLITS if shares.get(split, 0.0) > 0]
    total = sum(share for _, share in wanted)
    chosen = held_out(bound, groups)
    for label in sorted(by_label):
        free = in_random_order(set(by_label[label]) - chosen.keys(), seed)
        start = Stream(seed, "splits", label, "start").uniform()
        for number, recording in enumerate(free):
            position = (number + start) / len(free) * total
            for split, share in wanted:
                chosen[recording] = split
                position -= share
                if position < 0:
                    break
    return [chosen[groups.get(recording, recording)] for recording in recordings]


def in_random_order(names: Iterable[str], seed: int) -> list[str]:
    """Put recordings into an order that depends on the seed and their names alone."""
    ordered = sorted(names)
    places = Streams(seed, "splits", ordered, "order").uniforms()
    return [ordered[number] for number in np.argsort(places, kind="stable").tolist()]


def held_out(bound: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, str]:
    """Return the split of each group (or single recording) of which a part is bound to one.

    Of several the last in the order train, validation, test: what is tested on must not be
    trained on.
    """
    chosen: dict[str, str] = {}
    for recording, split in bound.items():
        unit = groups.get(recording, recording)
        chosen[unit] = max(chosen.get(unit, split), split, key=lambda one: _RANK.get(one, -1))
    return chosen
