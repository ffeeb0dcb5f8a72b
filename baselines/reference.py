"""Reference models: what doing nothing scores, and what a perfect mask would score.

`MixtureSeparator` and `SilenceSeparator` are the floor. The ideal masks are shown the true source
S and say how far a model can get that only scales the bins of the mixture's short-time Fourier
transform Y = S + N, where the noise N is everything else in the mixture:

- ideal ratio mask: |S| / (|S| + |N|), the magnitude form. Wang, Narayanan and Wang (2014) define it
  by powers, (|S|^2 / (|S|^2 + |N|^2))^0.5; the magnitude form is the one whose masks of all the
  sources add up to one for two sources, and the usual oracle for source separation.
  Y. Wang, A. Narayanan, D. Wang, "On training targets for supervised speech separation",
  IEEE/ACM TASLP 22(12), 2014.
- ideal binary mask: 1 where |S| > |N|, otherwise 0 (local criterion 0 dB).
  D. Wang, "On ideal binary mask as the computational goal of auditory scene analysis", 2005.
- phase-sensitive mask: |S| / |Y| cos(angle S - angle Y) = Re(S / Y), truncated to [0, 1]: among
  real masks in that range the one with the least squared error in every bin.
  H. Erdogan, J. R. Hershey, S. Watanabe, J. Le Roux, "Phase-sensitive and recognition-boosted
  speech separation using deep recurrent neural networks", ICASSP 2015.

Analysis: periodic Hann window of 2048 samples (46 ms at 44.1 kHz), hop 512, zero padding at both
ends, so that synthesis without a mask returns the input at its exact length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 2048
HOP = 512


class MixtureSeparator:
    """The unprocessed mixture: every improvement is zero."""

    sample_rate = 0
    generative = False

    def separate(self, mixtures: Tensor, queries: Sequence[Query]) -> Tensor:
        """Return the mixtures, shape (B, T)."""
        return mixtures.clone()


class SilenceSeparator:
    """Digital silence, whatever is asked."""

    sample_rate = 0
    generative = False

    def separate(self, mixtures: Tensor, queries: Sequence[Query]) -> Tensor:
        """Return zeros, shape (B, T)."""
        import torch

        return torch.zeros_like(mixtures)


class _IdealMask(ABC):
    """Analysis, a mask from the true source, synthesis."""

    sample_rate = 0
    generative = False
    uses_reference = True

    def separate(self, mixtures: Tensor, queries: Sequence[Query], references: Tensor) -> Tensor:
        """Mask the mixtures given the true sources.

        Args:
            mixtures: Shape (B, T).
            queries: Not used.
            references: True sources, shape (B, T).

        Returns:
            Estimates, shape (B, T).
        """
        import torch

        window = torch.hann_window(WINDOW, device=mixtures.device, dtype=mixtures.dtype)
        mixture, source = (
            torch.stft(signal, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
            for signal in (mixtures, references)
        )
        return torch.istft(
            self.mask(source, mixture) * mixture,
            WINDOW,
            HOP,
            window=window,
            length=mixtures.shape[-1],
        )

    @abstractmethod
    def mask(self, source: Tensor, mixture: Tensor) -> Tensor:
        """Return the mask in [0, 1] for complex spectra of shape (B, bins, frames)."""


class IdealRatioMask(_IdealMask):
    """Ideal ratio mask |S| / (|S| + |N|), made from the true source."""

    def mask(self, source: Tensor, mixture: Tensor) -> Tensor:
        """Return |S| / (|S| + |N|), 0 where both are zero."""
        level = source.abs()
        total = level + (mixture - source).abs()
        return (level / total.clamp_min(_tiny(total))).clamp(0.0, 1.0)


class IdealBinaryMask(_IdealMask):
    """Ideal binary mask, 1 where |S| > |N|, made from the true source."""

    def mask(self, source: Tensor, mixture: Tensor) -> Tensor:
        """Return 1 where the source is stronger than the rest, otherwise 0."""
        return (source.abs() > (mixture - source).abs()).to(source.real.dtype)


class PhaseSensitiveMask(_IdealMask):
    """Phase-sensitive mask Re(S / Y) in [0, 1], made from the true source."""

    def mask(self, source: Tensor, mixture: Tensor) -> Tensor:
        """Return Re(S conj(Y)) / |Y|^2 truncated to [0, 1], 0 where the mixture is zero."""
        aligned = (source * mixture.conj()).real
        power = mixture.real.square() + mixture.imag.square()
        return (aligned / power.clamp_min(_tiny(power))).clamp(0.0, 1.0)


def _tiny(tensor: Tensor) -> float:
    import torch

    return float(torch.finfo(tensor.dtype).tiny)
