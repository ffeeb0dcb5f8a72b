"""What a separation model must offer.

The protocol is all that the benchmark asks of a model. Channels, resampling, level, windows, seeds
and exact length are handled by the runner or by a shared base class, never by each adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Query:
    """What to keep, and what to drop.

    Attributes:
        text: The sound to keep, as a label or in free words; empty where only `negatives` say what
            is meant: what is left without them.
        negatives: Sounds known to be present that are to be dropped; may be empty.
        audio: Path of an example recording, for models that take audio queries.
    """

    text: str
    negatives: tuple[str, ...] = ()
    audio: str | None = None


@runtime_checkable
class Separator(Protocol):
    """A model that extracts what a query names from a mixture.

    Attributes:
        sample_rate: Rate the model works at, in Hz; 0 means that it takes any.
        generative: True if the output is synthesised: signal-fidelity metrics are then marked.
    """

    sample_rate: int
    generative: bool

    def separate(self, mixtures: Tensor, queries: Sequence[Query]) -> Tensor:
        """Separate a batch.

        Args:
            mixtures: Mono mixtures at `sample_rate`, shape (B, T), float32.
            queries: One query for each row, length B.

        Returns:
            Estimates, shape (B, T), float32, same scale as the mixtures.
        """
        ...


@runtime_checkable
class OracleSeparator(Protocol):
    """A reference model that is shown the true source (an ideal mask), for upper bounds.

    Attributes:
        uses_reference: Always True; the runner passes the references and marks the result.
    """

    sample_rate: int
    generative: bool
    uses_reference: bool

    def separate(self, mixtures: Tensor, queries: Sequence[Query], references: Tensor) -> Tensor:
        """Separate a batch given the true sources, shapes (B, T)."""
        ...
