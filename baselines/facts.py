"""What a wrapped model declares about itself, for its adapter and for the record of results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from baselines.levels import Level
from baselines.windows import Windows

Negatives = Literal["native", "emulated", "refused"]


@dataclass(frozen=True)
class Weights:
    """Where weights come from; None for what is not known.

    Attributes:
        repo: Repository or folder.
        revision: Commit of the repository.
        file: File in it.
        sha256: Hash of the file that is loaded.
        licence: Licence as its authors state it.
    """

    repo: str
    file: str
    revision: str | None = None
    sha256: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Facts:
    """Facts about a model.

    Attributes:
        name: Name in results.
        native_rate: Rate that the network works at, Hz.
        windows: Lengths that it is called with.
        negatives: Whether negative queries are used by the network ("native"), emulated by taking
            what the network finds for them out of the mixture first ("emulated"), or an error.
        deterministic: Whether equal inputs give equal outputs without any random draw.
        is_waveform_aligned: False for synthesised output, of which signal-fidelity metrics say
            little.
        level: Level that the network expects.
        removes_dc: Whether the mean of a window is taken away before the network, and
            given back after it.
        band_limit: Highest frequency of the output, Hz; None for half the native rate.
        native_channels: Channels that the network takes; recordings with more are separated channel
            by channel, or mixed down (`baselines.channels`).
        weights: Where its weights come from.

    Raises:
        ValueError: If negatives are to be emulated for output that cannot be subtracted.
    """

    name: str
    native_rate: int
    windows: Windows
    negatives: Negatives
    deterministic: bool = True
    is_waveform_aligned: bool = True
    level: Level = field(default_factory=Level)
    removes_dc: bool = False
    band_limit: float | None = None
    native_channels: Literal[1] = 1
    weights: Weights | None = None

    def __post_init__(self) -> None:
        if self.negatives == "emulated" and not self.is_waveform_aligned:
            raise ValueError(f"{self.name}: what is synthesised cannot be subtracted")

    @property
    def max_seconds(self) -> float | None:
        """Longest sound in one call of the network; None for any."""
        return self.windows.seconds

    def record(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        limit = self.native_rate / 2 if self.band_limit is None else self.band_limit
        windows = {**asdict(self.windows), "hop": self.windows.hop}
        return {**asdict(self), "band_limit": limit, "windows": windows}
