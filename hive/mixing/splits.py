"""Dividing the recordings of a pool among the splits."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from hive.errors import HiveError
from hive.seeding import Stream
from hive.tables import SPLITS

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


def assign_splits(clips: pa.Table, shares: Mapping[str, float], seed: int) -> list[str]:
    """Give each clip a split; a recording is never in two.

    A split that the clip table sets already wins. The others are divided class by class: the
    recordings of a class are put in a random order that depends on the seed and their names, and
    spread evenly over the shares from a random start, so that every class keeps the shares as
    closely as its number of recordings allows, and which recordings there are elsewhere in the
    pool changes nothing.

    Args:
        clips: Clip table.
        shares: Share of each split; a split without a positive share gets nothing.
        seed: Seed of the order.

    Returns:
        The split of each row.

    Raises:
        HiveError: If a recording has clips that are bound to different splits.
    """
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
        by_label.setdefault(label, []).append(recording)
    wanted = [(split, shares.get(split, 0.0)) for split in SPLITS if shares.get(split, 0.0) > 0]
    total = sum(share for _, share in wanted)
    chosen: dict[str, str] = dict(bound)
    for label in sorted(by_label):
        free = sorted(set(by_label[label]) - chosen.keys())
        free.sort(key=lambda name: Stream(seed, "splits", name, "order").uniform())
        start = Stream(seed, "splits", label, "start").uniform()
        for number, recording in enumerate(free):
            position = (number + start) / len(free) * total
            for split, share in wanted:
                chosen[recording] = split
                position -= share
                if position < 0:
                    break
    return [chosen[recording] for recording in recordings]
