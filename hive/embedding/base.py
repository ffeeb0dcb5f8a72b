"""What an embedding gives to the metrics.

An embedder turns windows of 10 s at 48 kHz into unit vectors and, if it has them, into the outputs
of the stages of its network; and texts into unit vectors of the same space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Rate in Hz of what embedders are given."""
WINDOW = 10 * RATE
"""Samples of a window."""

Float32: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EmbeddingInfo:
    """An embedding, whether or not it can be used here.

    Attributes:
        name: What `--embedding` takes, such as "clap-music-audioset" or "standin:logmel512".
        title: The embedding in a few words.
        standin: Whether it is no trained model, so that values compare with nothing.
        has_layers: Whether it gives the outputs of its stages (for LPAPS).
        has_text: Whether it embeds texts here (for CLAP-T).
        checkpoint: Name of its checkpoint in `hive.checkpoints`; None for stand-ins.
        checkpoint_sha256: Hash of the converted weights; None if they are not here, or none needed.
        reason: Why it cannot be used here; empty if it can.
        remedy: What to do about that.
        text_reason: Why texts cannot be embedded here although the embedding can be used.
        text_remedy: What to do about that.
        published: Whether its weights are the published ones, as far as it has any.
    """

    name: str
    title: str
    standin: bool
    has_layers: bool
    has_text: bool
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    reason: str = ""
    remedy: str = ""
    text_reason: str = ""
    text_remedy: str = ""
    published: bool = True

    @property
    def available(self) -> bool:
        """Whether it can be used here."""
        return not self.reason


@dataclass(frozen=True)
class Embedded:
    """What an embedder says of B windows.

    Attributes:
        vectors: Unit vectors, shape (B, 512), float32.
        layers: Outputs of the four stages, each of shape (B, tokens, channels), float32; None if
            they were not asked for.
    """

    vectors: Float32
    layers: tuple[Float32, ...] | None = None


class Embedder(Protocol):
    """A loaded embedding.

    Attributes:
        info: What it is.
        device: Torch device that it computes on.
    """

    info: EmbeddingInfo
    device: str

    def audio(self, windows: Float32, *, layers: bool = False) -> Embedded:
        """Embed windows, shape (B, WINDOW), samples in -1..1 at `RATE`."""
        ...

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts as unit vectors, shape (N, 512).

        Raises:
            HiveError: If it embeds no texts.
        """
        ...
