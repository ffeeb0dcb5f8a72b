r"""Cutting sound of any length into windows of the length that a network knows, and joining again.

Window k begins k hops after the first. At each end that touches a neighbour, `context` seconds are
discarded, because a network knows little of what lies beyond its window; before those, two
neighbours are cross-faded over `fade` seconds by raised cosines that add up to one. So

    hop = seconds - 2 context - fade.

The first window keeps its beginning; the last one ends where the sound ends, with more context
than the others instead of padding. Sound that fits into one window is one window. No sample comes
from a network that did not see `context` seconds around it, or the end of the sound.

    AudioSep:  |context|       centre       |context|           5 s, 1 s discarded at each end
                                   |context|       centre       |context|
    ClearSep:  |          window          \fade|                10 s, neighbours cross-faded
                                          /fade          window           |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """What lengths a network is called with, in seconds.

    Attributes:
        seconds: Length of a window, the longest sound in one call; None for any length.
        context: What is discarded at each end that has a neighbour.
        fade: Cross-fade between neighbours.
        shortest: Shortest sound in one call; shorter sound gets zeros at its end, which are cut off
            the result.

    Raises:
        ValueError: If a value is negative, or neighbours of neighbours would overlap.
    """

    seconds: float | None
    context: float = 0.0
    fade: float = 0.0
    shortest: float = 0.0

    def __post_init__(self) -> None:
        if min(self.context, self.fade, self.shortest) < 0:
            raise ValueError(f"context, fade and shortest must not be negative: {self}")
        if self.seconds is not None and self.fade >= self.seconds - 2 * self.context - self.fade:
            raise ValueError(f"windows leave no hop longer than their fade: {self}")
        if self.seconds is not None and self.shortest > self.seconds:
            raise ValueError(f"the shortest call is longer than a window: {self}")

    @property
    def hop(self) -> float | None:
        """Seconds from one window to the next."""
        return None if self.seconds is None else self.seconds - 2 * self.context - self.fade


@dataclass(frozen=True)
class Cut:
    """One window of some signals.

    Attributes:
        index: Number of the window, from 0.
        start: Position of its first sample.
        final: Whether the sound ends with it.
        samples: Shape (R, L).
    """

    index: int
    start: int
    final: bool
    samples: Tensor


class Overlap:
    """Cuts signals that arrive in blocks, and joins what is made of the windows, in their order.

    Only about one window is held, so the length of the signals does not matter.

    Args:
        windows: The geometry.
        sample_rate: Rate of the signals, Hz.
    """

    def __init__(self, windows: Windows, sample_rate: int) -> None:
        def count(seconds: float) -> int:
            return round(seconds * sample_rate)

        self._length = None if windows.seconds is None else count(windows.seconds)
        self._context, self._fade = count(windows.context), count(windows.fade)
        self._hop = (self._length or 0) - 2 * self._context - self._fade
        self._index = 0
        self._held = 0  # position of the first sample that is held
        self._blocks: list[Tensor] = []
        self._joined = 0  # position up to which the result is complete
        self._fading: Tensor | None = None  # the faded end of the window before, after that

    def cut(self, block: Tensor) -> list[Cut]:
        """Take the next samples, shape (R, n).

        Returns:
            The windows that are complete and are not the last one.
        """
        import torch

        self._blocks.append(block)
        if self._length is None:
            return []
        held = torch.cat(self._blocks, dim=-1) if len(self._blocks) > 1 else block
        cuts = []
        # A window that ends with what is held may be the last one, which lies elsewhere.
        while (start := self._index * self._hop) + self._length < self._held + held.shape[-1]:
            first = start - self._held
            samples = held[:, first : first + self._length]
            cuts.append(Cut(self._index, start, final=False, samples=samples))
            self._index += 1
        keep = max(self._held, (self._index - 1) * self._hop)
        self._blocks = [held[:, keep - self._held :]]
        self._held = keep
        return cuts

    def end(self) -> Iterator[Cut]:
        """Yield the last window; none if there were no samples."""
        import torch

        held = torch.cat(self._blocks, dim=-1) if self._blocks else torch.zeros(0, 0)
        self._blocks = []
        if held.shape[-1]:
            first = 0 if self._length is None else max(0, held.shape[-1] - self._length)
            yield Cut(self._index, self._held + first, final=True, samples=held[:, first:])

    def join(self, cut: Cut, estimate: Tensor) -> Tensor:
        """Take what was made of a window, shape (R, L).

        Returns:
            The next samples of the result, shape (R, m).
        """
        part = estimate[:, self._joined - cut.start :]
        if self._fading is not None:
            rise = self._rise(part)
            part = part.clone()
            part[:, : self._fade] = part[:, : self._fade] * rise + self._fading
        if cut.final:
            return part
        kept = part.shape[-1] - self._context - self._fade
        fall = 1.0 - self._rise(part)
        self._fading = part[:, kept : kept + self._fade] * fall
        self._joined += kept
        return part[:, :kept]

    def _rise(self, like: Tensor) -> Tensor:
        import torch

        steps = torch.arange(self._fade, device=like.device, dtype=torch.float64) + 0.5
        return (0.5 - 0.5 * torch.cos(torch.pi * steps / max(1, self._fade))).to(like.dtype)
