"""A stretch of published metadata in one form, whatever form the file has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Rows that are read at a time.
BLOCK = 10_000
ROW_TEXTS = ("mix_id", "split")
ROW_NUMBERS = (
    *("sample_rate", "target_duration", "num_sources"),
    *("global_normalization_factor", "final_max_amplitude"),
)
#: Fields of a row that a file may lack: the number of sources is their count, and the largest
#: amplitude follows from the others.
OPTIONAL = ("num_sources", "final_max_amplitude")
SOURCE_TEXTS = ("path", "label")
SOURCE_NUMBERS = (
    *("chunk_start_second", "chunk_end_second", "crop_start_second", "crop_end_second"),
    *("rms_gain", "snr_db", "applied_weight"),
)
UNEVEN = "sources: its lists have different lengths"


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file, N of them with S sources in all, as they stand there.

    A number that is missing, is no number or is not finite is NaN or infinite; a text that is
    missing or no text is None.

    Attributes:
        origin: Name of the file, for messages.
        first: Number of the first row in the file, from 0.
        texts: `mix_id` and `split`, N each.
        numbers: The `ROW_NUMBERS`, shape (N,) each.
        counts: Number of sources of each row, shape (N,).
        source_texts: `path` and `label`, S each.
        source_numbers: The `SOURCE_NUMBERS`, shape (S,) each.
        broken: What is wrong with the form of a row, by its place in the block; it has no sources.
    """

    origin: str
    first: int
    texts: dict[str, Sequence[str | None]]
    numbers: dict[str, Floats]
    counts: NDArray[np.int64]
    source_texts: dict[str, Sequence[str | None]]
    source_numbers: dict[str, Floats]
    broken: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.counts)

    @property
    def parents(self) -> NDArray[np.int64]:
        """Row of each source, shape (S,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def where(self, row: int) -> str:
        """Name a row for messages: file, number and the name that it gives itself."""
        named = self.texts["mix_id"][row]
        return f"{self.origin}, row {self.first + row}" + (f" ({named[:80]})" if named else "")


def broken_block(origin: str, reason: str) -> Block:
    """Return a block of one row that cannot be used: a file that cannot be read."""
    return Block(
        origin,
        0,
        dict.fromkeys(ROW_TEXTS, (None,)),
        {name: np.full(1, np.nan) for name in ROW_NUMBERS},
        np.zeros(1, np.int64),
        dict.fromkeys(SOURCE_TEXTS, ()),
        {name: np.zeros(0) for name in SOURCE_NUMBERS},
        {0: reason},
    )
