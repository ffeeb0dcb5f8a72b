"""Names of mixtures and clips that depend on what the metadata say, and on nothing else."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from hive.mixing.published.block import Block
from hive.mixing.published.check import split_of

_OTHER = re.compile(r"[^a-z0-9_-]")
_DASHES = re.compile(r"-+")


def mix_id(split: str, num_sources: int, given: str) -> str:
    """Return the name of a mixture in our form, `[a-z0-9_-]+`.

    Names such as `sample_00000003` are given anew in every split and size, so both go before it.
    It holds no two dashes in a row: these mark names that were given twice (`Namer`).
    """
    plain = _OTHER.sub("_", given.strip().lower())
    return _DASHES.sub("-", f"{split}-{num_sources}mix-{plain}")


class Namer:
    """Gives each row a name that no other row has.

    Args:
        repeated: Hashes of the names that occur more than once.
    """

    def __init__(self, repeated: frozenset[int]) -> None:
        self._repeated = repeated
        self._given: Counter[str] = Counter()

    def name(self, name: str) -> str:
        """Return the name, with `--2` behind it for the second row that bears it, and so on."""
        if hash64(name) not in self._repeated:
            return name
        self._given[name] += 1
        times = self._given[name]
        return name if times == 1 else f"{name}--{times}"


def row_name(block: Block, row: int) -> str:
    """Return the name that a usable row bears, unique or not."""
    return mix_id(
        split_of(block.texts["split"][row]) or "",
        int(block.counts[row]),
        block.texts["mix_id"][row] or "",
    )


def name_hashes(block: Block, used: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return hashes of the names of usable rows, by which repeated ones are found."""
    return np.array([hash64(row_name(block, row)) for row in np.flatnonzero(used)], np.uint64)


def clip_keys(block: Block) -> list[int]:
    """Return a number for each source that stands for its path and chunk, S of them."""
    starts = block.source_numbers["chunk_start_second"].tolist()
    ends = block.source_numbers["chunk_end_second"].tolist()
    return [
        hash64(f"{path}\0{start!r}\0{end!r}")
        for path, start, end in zip(block.source_texts["path"], starts, ends, strict=True)
    ]


def hash64(text: str) -> int:
    """Return 64 bits that stand for a text."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
