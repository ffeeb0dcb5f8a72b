"""AudioSep: a text query, a ResUNet30, and a mask with a phase.

Liu et al. (2023), "Separate anything you describe". The network sees the magnitude of the mixture
and gives, for each time and frequency, a gain between 0 and 1 and a turn of the phase.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.resunet import ResUNet
from baselines.bands import band_weights
from baselines.model import SeparationModel
from baselines.queries.encoder import QueryEncoder
from baselines.spectra import LOG_FLOOR, istft, stft

#: Power below which a bin has no magnitude and a phasor no direction, as in the published code.
_POWER_FLOOR = 1e-10


class AudioSep(SeparationModel):
    """AudioSep at any size.

    Args:
        config: Sizes.
        encoder: Query encoder; None to make the one that the configuration names.

    Attributes:
        config: The sizes that it was built with.
        context_seconds: Sound on both sides of what is kept of a window of a long file; published
            inference keeps 3 s of 5 s, as windows of `window_seconds` do here.
    """

    name: ClassVar[str] = "audiosep"
    takes_negatives: ClassVar[bool] = False
    context_seconds: ClassVar[float | None] = 1.0
    band_weights: Tensor | None

    def __init__(self, config: AudioSepConfig, encoder: QueryEncoder | None = None) -> None:
        super().__init__(config, encoder)
        # Maps: a gain, and the real and imaginary part of a phasor.
        starts = (0.0, config.phase_bias, 0.0)
        self.network = ResUNet(config.heights, config.channels, self.encoder.dim, starts)
        weights = None
        if config.bands is not None:
            weights = band_weights(config.bins, config.bands, config.sample_rate)
        # It follows from the configuration, so checkpoints do without it.
        self.register_buffer("band_weights", weights, persistent=False)

    def condition(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the positive embeddings: this network is not told what to drop."""
        return positive

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate.

        The network runs in the precision of the surrounding autocast; the transforms and the mask
        are always computed in float32.

        Args:
            mixture: Shape (B, T) at `sample_rate`, full scale 1.0.
            condition: Shape (B, D).

        Returns:
            Estimates, float32, shape (B, T): no louder than the mixture at any time and frequency,
            without the bin at the Nyquist rate, and exactly 0 for a mixture of zeros.
        """
        device = mixture.device.type
        with torch.autocast(device, enabled=False):
            spectrum = stft(mixture, self.config.n_fft, self.config.hop)[..., :-1]
            pictures = self._look(spectrum)
        maps = self.network(pictures, condition)
        with torch.autocast(device, enabled=False):
            maps = maps.to(torch.float32, memory_format=torch.contiguous_format)
            if self.band_weights is not None:
                maps = maps @ self.band_weights
            estimate = functional.pad(_mask(spectrum, maps), (0, 1))
            return istft(estimate, self.config.hop, mixture.shape[-1])

    def _look(self, spectrum: Tensor) -> Tensor:
        """Return what the network sees, shape (B, F, K), of a spectrum (B, F, n_fft / 2)."""
        power = spectrum.real.square() + spectrum.imag.square()
        magnitude = power.clamp_min(_POWER_FLOOR).sqrt()
        if self.band_weights is not None:
            magnitude = functional.linear(magnitude, functional.normalize(self.band_weights, p=1.0))
        return (magnitude + LOG_FLOOR).log() if self.config.compression == "log" else magnitude


def _mask(spectrum: Tensor, maps: Tensor) -> Tensor:
    """Weaken and turn a spectrum, shape (B, F, K), by maps of shape (B, 3, F, K).

    The published code multiplies magnitudes and adds angles; one complex product does the same. A
    phasor without direction, both of its parts near 0, mutes, as it does there, and keeps its
    gradient finite.
    """
    gain, cosine, sine = maps.unbind(1)
    cosine, sine = cosine.tanh(), sine.tanh()
    power = cosine.square() + sine.square()
    scale = gain.sigmoid() * power.clamp_min(_POWER_FLOOR).rsqrt()
    cosine, sine = cosine * scale, sine * scale
    real, imag = spectrum.real, spectrum.imag
    return torch.complex(real * cosine - imag * sine, imag * cosine + real * sine)
