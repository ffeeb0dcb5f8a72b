"""The log-mel spectrogram that FlowSep works on, as Tacotron's front end has it.

Magnitudes, not powers, of a centred short-time Fourier transform; triangles of unit area on
Slaney's mel scale; natural logarithm, never below log(1e-5), which is what silence is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.flowsep.config import FlowSepConfig
from baselines.spectra import stft

FLOOR = 1e-5
"""Smallest magnitude of a mel band."""
SILENCE = math.log(FLOOR)
"""Log-mel value of silence, -11.51."""


class LogMel(nn.Module):
    """Log-mel spectrograms of sounds.

    Attributes:
        filters: Weights of the mel bands, shape (bins, mels).
    """

    filters: Tensor

    def __init__(self, config: FlowSepConfig) -> None:
        super().__init__()
        self.config = config
        # It follows from the configuration, so checkpoints do without it.
        self.register_buffer("filters", mel_filters(config), persistent=False)

    def forward(self, waveform: Tensor, *, pads_last: bool = False) -> Tensor:
        """Compute it, in float32 whatever autocast says.

        Args:
            waveform: Shape (B, T), at most one window; it is padded with zeros at its end.
            pads_last: Pad the log-mel spectrogram with zeros, in place of the sound; in the
                logarithm that is a loud constant. The published code does.

        Returns:
            Natural logarithms, float32, shape (B, frames, mels).
        """
        config = self.config
        with torch.autocast(waveform.device.type, enabled=False):
            missing = config.window_samples - waveform.shape[-1]
            if not pads_last:
                waveform = functional.pad(waveform.float(), (0, missing))
            # One frame more than fits is made, centred on the end; it is cut off.
            magnitude = stft(waveform, config.n_fft, config.hop)[:, : config.frames].abs()
            mel = (magnitude @ self.filters).clamp_min(FLOOR).log()
            return functional.pad(mel, (0, 0, 0, config.frames - mel.shape[1]))


def mel_filters(config: FlowSepConfig) -> Tensor:
    """Weights of the mel bands, shape (bins, mels)."""
    from torchaudio.functional import melscale_fbanks  # type: ignore[import-untyped]

    with torch.device("cpu"):  # also where the network itself is built on "meta"
        filters: Tensor = melscale_fbanks(
            n_freqs=config.n_fft // 2 + 1,
            f_min=config.low_hz,
            f_max=config.high_hz,
            n_mels=config.mels,
            sample_rate=config.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
    return filters
