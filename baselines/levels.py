"""Bringing windows to the level that a network was trained with, and back.

The level is that of a window, not of the whole recording: a window is what the network was trained
on, and a recording of any length can be separated as it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

#: Peaks below one step of 24-bit audio are silence: no network is asked what it is made of.
SILENCE = 2.0**-23


@dataclass(frozen=True)
class Level:
    """The level that a network expects.

    Attributes:
        kind: "preserved" (any), or the measure that is brought to `value`.
        value: Peak or root mean square, full scale 1.0; without meaning for "preserved".
    """

    kind: Literal["preserved", "peak", "rms"] = "preserved"
    value: float = 1.0


class Levelled(NamedTuple):
    """Windows at a network's level.

    Attributes:
        samples: Shape (N, L); without their mean if it was to be removed.
        gain: What they were multiplied with, shape (N, 1).
        offset: What was subtracted before, shape (N, 1); 0 where the mean was to stay.
        silent: Which of them are silence, shape (N,); their gain is 1.
    """

    samples: Tensor
    gain: Tensor
    offset: Tensor
    silent: Tensor

    def undo(self, estimates: Tensor) -> Tensor:
        """Bring estimates, shape (N, L), back to the level and mean of the windows.

        Of silence nothing is estimated: zeros, without an offset.
        """
        back = estimates / self.gain + self.offset
        return back.masked_fill(self.silent.unsqueeze(1), 0.0)


def to_level(windows: Tensor, level: Level, *, removes_dc: bool) -> Levelled:
    """Bring windows to a level.

    Args:
        windows: Shape (N, L), full scale 1.0.
        level: The level.
        removes_dc: Whether their mean is subtracted first.

    Returns:
        The windows and what undoes it.
    """
    import torch

    offset = windows.new_zeros(len(windows), 1)
    if removes_dc:
        offset = windows.mean(dim=-1, keepdim=True, dtype=torch.float64).to(windows)
        windows = windows - offset
    peak = windows.abs().amax(dim=-1, keepdim=True)
    silent = peak < SILENCE
    if level.kind == "preserved":
        gain = torch.ones_like(peak)
    else:
        power = windows.double().square().mean(dim=-1, keepdim=True)
        measured = peak if level.kind == "peak" else power.sqrt().to(windows)
        gain = torch.where(silent, 1.0, level.value / measured.clamp_min(SILENCE / 2**12))
    return Levelled(windows * gain, gain, offset, silent[:, 0])
