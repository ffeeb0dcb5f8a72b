"""Dividing a pool among the splits by hours, class by class.

Hours are hours of clips: windows of one recording overlap by half, and each counts in full, as in
the 2,442 hours of the Hive paper.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from hive.errors import HiveError
from hive.mixing.splits import UNUSED, held_out, in_random_order
from hive.pool.store import clip_hours
from hive.tables import SPLITS

_BINS = (*SPLITS, UNUSED)
_SLACK = 1e-9
_HOUR = 3_600_000  # milliseconds


@dataclass
class _Unit:
    """Recordings that stay together, with their milliseconds in each class.

    Whole numbers, so that no sum depends on the order of the rows.
    """

    name: str
    length: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def total(self) -> int:
        return sum(self.length.values())


def parse_hours(text: str) -> dict[str, float]:
    """Read hours written as train/validation/test, e.g. "2150/146/146".

    Raises:
        HiveError: If the text is not three numbers of which one is positive.
    """
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        values = []
    if (
        len(values) != len(SPLITS)
        or any(not 0 <= value < float("inf") for value in values)
        or not sum(values)
    ):
        raise HiveError(
            f"--hours {text!r} cannot be read", "write train/validation/test, e.g. 2150/146/146"
        )
    return dict(zip(SPLITS, values, strict=True))


def divide_by_hours(
    clips: pa.Table,
    hours: Mapping[str, float],
    seed: int,
    *,
    official: Mapping[str, str],
    groups: Mapping[str, str],
) -> list[str]:
    """Give each clip a split so that each split gets the hours asked for.

    Recordings stay whole, and near-duplicates together. The classes are taken from the one with
    the fewest recordings to the one with the most; inside a class, recordings come in a random
    order, and each goes where most is missing, by the class's share and by what the classes
    before left over or took too much. A class with as many recordings as there are splits is
    in every one. What is not asked for is bound to `UNUSED`.

    Args:
        clips: Clip table; its `split` is not looked at.
        hours: Hours of each split.
        seed: Seed of the order.
        official: Split of each recording that has one already; it is kept, and near-duplicates
            follow it. Where those of a group differ, all go into the most held-out one.
        groups: Group of each recording that has near-duplicates.

    Returns:
        The split of each row.

    Raises:
        HiveError: If more is asked for than there is, or less than the official splits bind.
    """
    units, by_row = _units(clips, groups)
    bound = held_out(official, groups)
    there = sum(unit.total for unit in units.values()) / _HOUR
    _check(hours, there, units, bound)
    unused = max(0.0, there - sum(hours.values()))
    shares = {
        split: value / there
        for split, value in zip(_BINS, (*(hours[s] for s in SPLITS), unused), strict=True)
        if value > _SLACK * there
    }
    division = _Division(shares, there, seed)
    for name, split in bound.items():
        if name in units:
            division.give(units[name], split)
    by_label: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units.values():
        for label in unit.length:
            by_label[label].append(unit)
    for label in sorted(by_label, key=lambda label: (len(by_label[label]), label)):
        division.divide_class(label, by_label[label])
    return [division.chosen[name] for name in by_row]


class _Division:
    """What has been given out so far."""

    def __init__(self, shares: Mapping[str, float], whole: float, seed: int) -> None:
        self.shares = shares
        self.targets = {split: share * whole * _HOUR for split, share in shares.items()}
        self.seed = seed
        self.chosen: dict[str, str] = {}
        self.got: dict[str, int] = dict.fromkeys(shares, 0)

    def give(self, unit: _Unit, split: str) -> None:
        self.chosen[unit.name] = split
        self.got[split] = self.got.get(split, 0) + unit.total

    def divide_class(self, label: str, members: list[_Unit]) -> None:
        """Divide the free units of a class."""
        waiting = {unit.name: unit for unit in members if unit.name not in self.chosen}
        free = [waiting[name] for name in in_random_order(waiting, self.seed)]
        self._first_of_each(label, members, free)
        have = dict.fromkeys(self.shares, 0)
        for unit in members:
            split = self.chosen.get(unit.name)
            if split in have:
                have[split] += unit.length[label]
        passed, seen = sum(have.values()), sum(self.got.values())
        for unit in free:
            passed += unit.length[label]
            seen += unit.total
            missing = {
                split: share * (passed + seen) - have[split] - self.got[split]
                for split, share in self.shares.items()
            }
            split = max(missing, key=missing.__getitem__)
            self.give(unit, split)
            have[split] += unit.length[label]

    def _first_of_each(self, label: str, members: list[_Unit], free: list[_Unit]) -> None:
        """Give each split a unit that might else miss the class, and take these from `free`.

        It is the one whose length is nearest to what the split is to get of the class. A class
        with fewer units than there are splits goes to training first, then to the test, as long
        as they have room.
        """
        order = ("test", "validation", "train")
        splits = [split for split in order if split in self.shares]
        rare = len(members) < len(splits)
        if rare:
            splits = [split for split in ("train", "test") if split in self.shares]
        whole = sum(unit.length[label] for unit in members)
        there = {self.chosen.get(unit.name) for unit in members}
        for split in splits:
            if split in there or not free:
                continue
            target = self.shares[split] * whole
            unit = min(free, key=lambda unit: abs(unit.length[label] - target))
            if not rare or self.got[split] + unit.total <= self.targets[split]:
                self.give(unit, split)
                free.remove(unit)


def _units(clips: pa.Table, groups: Mapping[str, str]) -> tuple[dict[str, _Unit], list[str]]:
    units: dict[str, _Unit] = {}
    by_row = []
    for recording, label, length in zip(
        clips["recording_id"].to_pylist(),
        clips["label"].to_pylist(),
        clip_hours(clips),
        strict=True,
    ):
        name = groups.get(recording, recording)
        units.setdefault(name, _Unit(name)).length[label] += round(length * _HOUR)
        by_row.append(name)
    return units, by_row


def _check(
    hours: Mapping[str, float],
    there: float,
    units: Mapping[str, _Unit],
    bound: Mapping[str, str],
) -> None:
    asked = sum(hours.values())
    if asked > there * (1 + 1e-6):
        raise HiveError(
            f"{asked:g} h are asked for, and the pool holds {there:.2f} h of clips",
            "ask for less, or give shares instead: --shares 80/10/10",
        )
    for split in SPLITS:
        mine = [name for name in bound if bound[name] == split and name in units]
        official = sum(units[name].total for name in mine) / _HOUR
        if official > hours[split] * (1 + 1e-6):
            raise HiveError(
                f"{split}: {hours[split]:g} h are asked for, and {official:.2f} h belong to it by "
                "the official splits of the corpora",
                "ask for more, or divide everything anew: --no-official",
            )
