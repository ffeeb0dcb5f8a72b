"""An inverted index over codes: which fingerprints share a code, and at which offset.

The key of a code is its inner 24 bits: a bit more often wrong than the others (the outermost bands
lose most to encoders and band limits) does not hide a code, and two keys that agree at one offset
make a candidate. Keys that occur often (hum, test tones) say little, so the rarest keys of a query
are looked up first, as many as a fixed number of places allows. Candidates that agree nowhere, as
nearly all of a large index do, are left out by a quick look; the others are compared bit by bit.

A code takes 12 bytes. The 0.9 million 10-s clips of the Hive paper have 388 million codes, 4.7 GB,
and about as much again while the index is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hive.fingerprint.codes import SECONDS_PER_CODE, SILENT, Codes
from hive.fingerprint.compare import MIN_EVIDENCE, Alignment, compare, ones

_KEY_SHIFT = np.uint32(4)
_KEY_BITS = 24
_KEY_MASK = np.uint32((1 << _KEY_BITS) - 1)
_BUCKET_BITS = 4  # the index is sorted in so many powers of two parts, to save memory
_MOST_PLACES = 300_000  # looked at for one query
_FEWEST_HITS = 2
_MOST_ENTRIES = 256  # candidates of one query: the best
_SCREENED = 1 << 20  # codes looked at together
_STRETCH = 16
_MOST_WRONG = round(0.3 * 32 * _STRETCH)  # a match has fewer, but offsets may be one off
#: What keys that are looked up may differ in from those of the query: nothing, or one bit.
_EQUAL = np.zeros(1, dtype=np.uint32)
_NEAR = np.array([0, *(1 << bit for bit in range(_KEY_BITS))], dtype=np.uint32)
_ARRAYS = ("codes", "starts", "owners", "places", "keys")
_OFFSETS = 3  # offsets compared for one candidate


@dataclass(frozen=True)
class Match:
    """An indexed fingerprint that holds the sound of the query.

    Attributes:
        entry: Its number in the index.
        offset_seconds: Where the query's start lies in it, seconds; negative when before its start.
        seconds: Length of the best stretch, silence left out.
        bit_error_rate: Share of bits that differ in that stretch.
        evidence: How sure it is (`hive.fingerprint.compare`).
    """

    entry: int
    offset_seconds: float
    seconds: float
    bit_error_rate: float
    evidence: float


class Index:
    """Fingerprints that can be searched.

    Args:
        fingerprints: Codes of each entry, shape (T,).
        owners: Number of the recording that each entry is of; by default each is one by itself.

    Raises:
        ValueError: If there are more than 2^32 codes in all.
    """

    def __init__(self, fingerprints: Sequence[Codes], owners: Sequence[int] | None = None) -> None:
        self._codes: Codes = np.concatenate([*fingerprints, np.empty(0, np.uint32)])
        if len(self._codes) > 1 << 32:
            raise ValueError(f"{len(self._codes)} codes are too many for one index")
        lengths = [len(codes) for codes in fingerprints]
        self._starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        numbers = range(len(fingerprints)) if owners is None else owners
        self._owners = np.array(numbers, dtype=np.int64)
        keys = _keys(self._codes)
        places = [
            self._sorted_places(keys, bucket) for bucket in np.arange(1 << _BUCKET_BITS, dtype="u4")
        ]
        self._places = np.concatenate(places)
        self._keys = keys[self._places]

    def save(self, folder: Path) -> None:
        """Write the index as files that `load` maps into memory, so that processes share them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, f"_{name}"))

    @classmethod
    def load(cls, folder: Path) -> Index:
        """Open what `save` wrote; nothing is read before it is needed."""
        index = cls.__new__(cls)
        for name in _ARRAYS:
            setattr(index, f"_{name}", np.load(folder / f"{name}.npy", mmap_mode="r"))
        return index

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._starts) - 1

    def owner(self, entry: int) -> int:
        """Return the number of the recording that an entry is of."""
        return int(self._owners[entry])

    def codes(self, entry: int) -> Codes:
        """Return the fingerprint of an entry."""
        return self._codes[self._starts[entry] : self._starts[entry + 1]]

    def find(
        self,
        codes: Codes,
        *,
        first: int = 0,
        owner: int | None = None,
        min_evidence: float = MIN_EVIDENCE,
        thorough: bool = False,
    ) -> list[Match]:
        """Find the entries that hold a sound of the query.

        Args:
            codes: Fingerprint of the query.
            first: Entries before this one are not looked at, so that every pair of a set is met
                once.
            owner: Entries of this recording are not looked at either.
            min_evidence: What a match must reach.
            thorough: Look up keys that differ from the query's in one bit, too: of short and much
                altered queries a tenth more are found, in up to five times the time
                (`docs/contamination.md`).

        Returns:
            The matches, the surest first.
        """
        found = []
        candidates = self._candidates(codes, first, owner, _NEAR if thorough else _EQUAL)
        for entry, offsets in self._promising(codes, candidates).items():
            best = max(
                (
                    compare(codes, self.codes(entry), offset + shift)
                    for offset in offsets
                    for shift in (-1, 0, 1)
                ),
                key=lambda one: one.evidence,
            )
            if best.evidence >= min_evidence:
                found.append(_match(entry, best))
        return sorted(found, key=lambda match: (-match.evidence, match.entry))

    def _sorted_places(self, keys: Codes, bucket: np.uint32) -> NDArray[np.uint32]:
        """Return where the keys of a bucket are, in the order of the keys; silence is left out."""
        mine = (keys >> np.uint32(_KEY_BITS - _BUCKET_BITS)) == bucket
        places = np.flatnonzero(mine & (self._codes != SILENT))
        return places[np.argsort(keys[places], kind="stable")].astype(np.uint32)

    def _candidates(
        self, codes: Codes, first: int, owner: int | None, differences: Codes
    ) -> dict[int, list[int]]:
        """Return entries with at least two codes of the query at one offset, and the offsets."""
        heard = np.flatnonzero(codes != SILENT)
        keys = (_keys(codes[heard])[:, None] ^ differences).ravel()
        asked = np.repeat(heard, len(differences))
        low = np.searchsorted(self._keys, keys, side="left")
        counts = np.searchsorted(self._keys, keys, side="right") - low
        rarest = np.argsort(counts, kind="stable")
        taken = rarest[np.cumsum(counts[rarest]) <= _MOST_PLACES]
        asked, low, counts = asked[taken], low[taken], counts[taken]
        total = int(counts.sum())
        ends = np.cumsum(counts)
        rows = np.repeat(low - (ends - counts), counts) + np.arange(total)
        places = self._places[rows].astype(np.int64)
        entries = np.searchsorted(self._starts, places, side="right") - 1
        offsets = places - self._starts[entries] - np.repeat(asked, counts)
        kept = entries >= first
        if owner is not None:
            kept &= self._owners[entries] != owner
        entries, offsets = entries[kept], offsets[kept]
        if not len(entries):
            return {}
        span = int(offsets.max() - offsets.min()) + 3  # neighbours of two entries never meet
        lowest = int(offsets.min())
        pairs, hits = np.unique(entries * span + (offsets - lowest), return_counts=True)
        hits = _with_neighbours(pairs, hits)
        enough = np.flatnonzero(hits >= _FEWEST_HITS)
        chosen: dict[int, list[int]] = {}
        for place in enough[np.argsort(-hits[enough], kind="stable")]:
            entry, offset = divmod(int(pairs[place]), span)
            if entry in chosen or len(chosen) < _MOST_ENTRIES:
                offsets_of_entry = chosen.setdefault(entry, [])
                if len(offsets_of_entry) < _OFFSETS:
                    offsets_of_entry.append(offset + lowest)
        return chosen

    def _promising(self, codes: Codes, candidates: dict[int, list[int]]) -> dict[int, list[int]]:
        """Return the candidates that agree with the query over some short stretch.

        In a large index nearly all candidates are there by chance; this tells at a tenth of what it
        costs to compare them.
        """
        pairs = np.array(
            [(entry, offset) for entry, offsets in candidates.items() for offset in offsets],
            dtype=np.int64,
        ).reshape(-1, 2)
        rows = max(1, _SCREENED // max(1, len(codes)))
        agree = [
            self._agree(codes, *pairs[start : start + rows].T)
            for start in range(0, len(pairs), rows)
        ]
        kept = set(pairs[np.concatenate([*agree, np.empty(0, bool)]), 0].tolist())
        return {entry: offsets for entry, offsets in candidates.items() if entry in kept}

    def _agree(
        self, codes: Codes, entries: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return whether an entry agrees with the query somewhere, at each offset, shape (N,)."""
        starts, ends = self._starts[entries], self._starts[entries + 1]
        places = (starts + offsets)[:, None] + np.arange(len(codes))
        inside = (places >= starts[:, None]) & (places < ends[:, None])
        theirs = self._codes[np.where(inside, places, starts[:, None])]
        row, column = np.nonzero(inside & (theirs != SILENT) & (codes != SILENT))
        wrong = np.cumsum(ones(theirs[row, column] ^ codes[column]), dtype=np.int64)
        errors = wrong[_STRETCH - 1 :] - np.concatenate([[0], wrong[:-_STRETCH]])
        whole = row[: len(errors)] == row[_STRETCH - 1 :]
        agree = np.zeros(len(entries), dtype=bool)
        agree[row[: len(errors)][whole & (errors <= _MOST_WRONG)]] = True
        return agree


def _keys(codes: Codes) -> Codes:
    return (codes >> _KEY_SHIFT) & _KEY_MASK


def _with_neighbours(pairs: NDArray[np.int64], hits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add to the hits of each offset those of the offsets one code away."""
    total = hits.copy()
    for shift in (-1, 1):
        places = np.searchsorted(pairs, pairs + shift)
        places[places == len(pairs)] = 0
        near = pairs[places] == pairs + shift
        total[near] += hits[places[near]]
    return total


def _match(entry: int, best: Alignment) -> Match:
    return Match(
        entry=entry,
        offset_seconds=best.offset * SECONDS_PER_CODE,
        seconds=best.codes * SECONDS_PER_CODE,
        bit_error_rate=best.bit_error_rate,
        evidence=best.evidence,
    )
