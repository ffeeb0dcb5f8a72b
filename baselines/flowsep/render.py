"""From an estimated log-mel spectrogram and the mixture to sound."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.flowsep.bigvgan import BigVGAN
from baselines.flowsep.config import FlowSepConfig, MixturePhaseConfig
from baselines.flowsep.mel import FLOOR, LogMel
from baselines.spectra import istft, stft


class MixturePhase(nn.Module):
    """Weakens the mixture's spectrum as its mel bands have been weakened; nothing is learned."""

    spread: Tensor

    def __init__(self, config: FlowSepConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = LogMel(config)
        filters = self.mel.filters
        # Each bin takes the mean of the bands that it is part of; at 0 Hz there may be none.
        spread = (filters / filters.sum(dim=1, keepdim=True).clamp_min(1e-12)).T
        self.register_buffer("spread", spread.contiguous(), persistent=False)

    def forward(self, mel: Tensor, mixture: Tensor) -> Tensor:
        """Make sound.

        Args:
            mel: Estimated log-mel spectrograms, shape (B, frames, mels).
            mixture: One window of what they were estimated from, shape (B, T).

        Returns:
            Shape (B, T).
        """
        hop, samples = self.config.hop, mixture.shape[-1]
        spectrum = stft(mixture, self.config.n_fft, hop)
        whole = self.mel(mixture).exp()
        left = (mel.exp() - FLOOR).clamp_min(0.0)  # at the floor, nothing
        gain = (left / whole).clamp_max(1.0) @ self.spread
        # The last frame, centred on the end of the window, is not seen by the network.
        gain = torch.cat([gain, gain[:, -1:]], dim=1)
        return istft(spectrum * gain, hop, samples)


def make_renderer(config: FlowSepConfig) -> BigVGAN | MixturePhase:
    """Return what a configuration describes."""
    if isinstance(config.vocoder, MixturePhaseConfig):
        return MixturePhase(config)
    return BigVGAN(config.vocoder, config.mels)
