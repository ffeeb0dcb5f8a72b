"""Which rows of published metadata can be rendered: nothing in them is trusted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hive.mixing.published.block import SOURCE_NUMBERS, SOURCE_TEXTS, Block
from hive.sources.metadata import LONGEST, is_safe, shorten
from hive.tables import SIZES, SPLITS

#: Splits by the names that occur.
SPLIT_NAMES = {**{split: split for split in SPLITS}, "val": "validation"}
#: Longest mixture and crop in seconds: what is longer would fill the memory of a worker.
LONGEST_MIXTURE = 120.0
RATES = (8_000, 192_000)
LARGEST_GAIN = 1e6
LARGEST_FACTOR = 1e3
LARGEST_SNR_DB = 200.0
_LONGEST_NAME = 60
_LONGEST_LABEL = 200
_SIDES = ("start", "end")
#: Paths that need no closer look, as nearly all: no part is empty or begins with a dot or tilde.
_PART = r"[A-Za-z0-9_-][A-Za-z0-9 _.,()&+'-]*"
_PLAIN = re.compile(rf"{_PART}(?:/{_PART})+")
_PLAIN_LENGTH = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Flags = NDArray[np.bool_]


@dataclass
class _Verdict:
    """Collects the first thing that is wrong with each row."""

    block: Block
    reasons: dict[int, str] = field(default_factory=dict)

    def rows(self, wrong: Flags, tell: Callable[[int], str]) -> None:
        for row in np.flatnonzero(wrong):
            self.reasons.setdefault(int(row), tell(int(row)))

    def sources(self, wrong: Flags, tell: Callable[[int], str]) -> None:
        if not wrong.any():
            return
        parents = self.block.parents
        starts = np.cumsum(self.block.counts) - self.block.counts
        for source in np.flatnonzero(wrong):
            row = int(parents[source])
            number = int(source - starts[row]) + 1
            self.reasons.setdefault(row, f"s{number}: {tell(int(source))}")


def check(block: Block) -> dict[int, str]:
    """Return what is wrong with rows of a block, by their place in it; no entry where all is well.

    A row is used if every field that rendering needs is there, finite and in its range: 2 to 5
    sources, 8 to 192 kHz, at most 120 s, positive gains and factor, intervals of positive length,
    paths that stay below their corpus. `num_sources` may be missing but not contradict.
    """
    verdict = _Verdict(block)
    verdict.reasons.update(block.broken)
    _check_rows(verdict)
    _check_sources(verdict)
    return verdict.reasons


def split_of(text: str | None) -> str | None:
    """Return the split that a name means (`val` is `validation`), or None."""
    return SPLIT_NAMES.get(text.strip().lower()) if text is not None else None


def _check_rows(verdict: _Verdict) -> None:
    block = verdict.block
    names, splits = block.texts["mix_id"], block.texts["split"]
    verdict.rows(
        np.array([split_of(split) is None for split in splits], bool),
        lambda row: f"split: {_quoted(splits[row])} is none of train, val, validation, test",
    )
    verdict.rows(
        # In lower case, as members of shards bear it, a name may be longer.
        np.array([not name or len(name.lower()) > _LONGEST_NAME for name in names], bool),
        lambda row: f"mix_id: {_quoted(names[row])} is missing or too long",
    )
    rate, seconds = block.numbers["sample_rate"], block.numbers["target_duration"]
    whole = np.isfinite(rate) & (np.floor(rate) == rate)
    verdict.rows(
        ~(whole & (rate >= RATES[0]) & (rate <= RATES[1])),
        lambda row: f"sample_rate: {rate[row]:g} is no rate from {RATES[0]} to {RATES[1]} Hz",
    )
    verdict.rows(
        ~((seconds > 0) & (seconds <= LONGEST_MIXTURE) & (seconds * rate >= 1)),
        lambda row: (
            f"target_duration: {seconds[row]:g} is not above 0 and at most {LONGEST_MIXTURE:g} s"
        ),
    )
    factor = block.numbers["global_normalization_factor"]
    verdict.rows(
        ~((factor > 0) & (factor <= LARGEST_FACTOR)),
        lambda row: f"global_normalization_factor: {_shown(factor[row])}",
    )
    told, counts = block.numbers["num_sources"], block.counts
    verdict.rows(
        (counts < SIZES[0]) | (counts > SIZES[-1]),
        lambda row: f"sources: {counts[row]} of them, not {SIZES[0]} to {SIZES[-1]}",
    )
    verdict.rows(
        ~np.isnan(told) & (told != counts),
        lambda row: f"num_sources: {told[row]:g}, but there are {counts[row]}",
    )


def _check_sources(verdict: _Verdict) -> None:
    block = verdict.block
    paths, labels = (block.source_texts[name] for name in SOURCE_TEXTS)
    verdict.sources(
        np.array([not _is_path(path) for path in paths], bool),
        lambda at: f"path: {_quoted(paths[at])} is no plain path CORPUS/FILE",
    )
    verdict.sources(
        np.array([not _is_label(label) for label in labels], bool),
        lambda at: f"label: {_quoted(labels[at])} is no label",
    )
    for name in SOURCE_NUMBERS:
        _check_range(verdict, name, -np.inf, np.inf)
    _check_interval(verdict, "chunk", LONGEST)
    _check_interval(verdict, "crop", LONGEST_MIXTURE)
    for name in ("rms_gain", "applied_weight"):
        _check_range(verdict, name, np.nextafter(0.0, 1.0), LARGEST_GAIN)
    _check_range(verdict, "snr_db", -LARGEST_SNR_DB, LARGEST_SNR_DB)


def _check_range(verdict: _Verdict, name: str, least: float, most: float) -> None:
    values = verdict.block.source_numbers[name]
    wrong = ~(np.isfinite(values) & (values >= least) & (values <= most))
    verdict.sources(wrong, lambda at: f"{name}: {_shown(values[at])}")


def _check_interval(verdict: _Verdict, part: str, longest: float) -> None:
    start, end = (verdict.block.source_numbers[f"{part}_{side}_second"] for side in _SIDES)
    fits = (start >= 0) & (end > start) & (end <= LONGEST) & (end - start <= longest)
    verdict.sources(
        ~fits, lambda at: f"{part}: {start[at]:g} to {end[at]:g} s is no interval to be read"
    )


def _is_path(text: str | None) -> bool:
    if text is None or "/" not in text:
        return False
    plain = len(text) <= _PLAIN_LENGTH and _PLAIN.fullmatch(text) is not None
    return plain or is_safe(text)


def _is_label(text: str | None) -> bool:
    return (
        text is not None
        and bool(text.strip())
        and len(text) <= _LONGEST_LABEL
        and not _CONTROL.search(text)
    )


def _shown(value: float) -> str:
    return "missing or no finite number" if not np.isfinite(value) else f"{value:g} is out of range"


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else repr(shorten(text))
