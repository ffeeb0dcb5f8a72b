"""What the encoder hears: the log-mel spectrogram of the mixture, on CLAP's terms.

64 triangles of unit area on Slaney's mel scale from 50 to 14,000 Hz, powers in decibels relative to
1 with -100 dB as the floor. Up to the length of the image, frames of no power are appended, so the
rows of silence that follow the sound are -100 dB; CLAPSep does this before taking logarithms, where
CLAP itself stretches the spectrogram.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.clearsep.config import HIGH_HZ, LOW_HZ, ClearSepConfig
from baselines.spectra import stft

FLOOR = 1e-10
"""Smallest power."""
_ZERO_CROSSINGS, _ROLL_OFF = 6, 0.99  # torchaudio's defaults, which CLAPSep was trained with


class LogMel(nn.Module):
    """Log-mel spectrogram of a mixture, resampled to the encoder's rate where that is another."""

    filters: Tensor
    kernel: Tensor | None

    def __init__(self, config: ClearSepConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("filters", mel_filters(config), persistent=False)
        divisor = math.gcd(config.sample_rate, config.encoder_rate)
        self.down, self.up = config.sample_rate // divisor, config.encoder_rate // divisor
        kernel = None if self.down == self.up else resampling_kernel(self.down, self.up)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, mixture: Tensor, spectrum: Tensor) -> Tensor:
        """Compute it.

        Args:
            mixture: Shape (B, T), float32.
            spectrum: Its short-time Fourier transform, complex64, shape (B, frames, bins). It
                serves the encoder too where that works at the same rate.

        Returns:
            Decibels, float32, shape (B, image_frames, mels).
        """
        if self.kernel is not None:
            heard = resample(mixture, self.kernel, self.down)
            spectrum = stft(heard, self.config.n_fft, self.config.encoder_hop)
        power = spectrum.real.square() + spectrum.imag.square()
        bands = power @ self.filters
        bands = functional.pad(bands, (0, 0, 0, self.config.image_frames - bands.shape[1]))
        return 10.0 * torch.log10(bands.clamp_min(FLOOR))


def resample(waveform: Tensor, kernel: Tensor, down: int) -> Tensor:
    """Resample by a rational factor.

    Args:
        waveform: Shape (B, T).
        kernel: From `resampling_kernel`, shape (up, 1, taps).
        down: The other half of the factor.

    Returns:
        Shape (B, ceil(T * up / down)).
    """
    up, _, taps = kernel.shape
    width = (taps - down) // 2
    padded = functional.pad(waveform.unsqueeze(1), (width, width + down))
    phases = functional.conv1d(padded, kernel, stride=down)
    return phases.transpose(1, 2).flatten(1)[:, : -(-waveform.shape[-1] * up // down)]


def resampling_kernel(down: int, up: int) -> Tensor:
    """Return the filters of band-limited interpolation (Smith, "Digital audio resampling").

    One filter for each of `up` positions between input samples: a sinc with its first zero at 0.99
    of the lower rate's half, under a Hann window of six zero crossings to each side.

    Args:
        down: Rate of the input, divided by what both rates have in common.
        up: Rate of the output, likewise.

    Returns:
        Shape (up, 1, taps), float32, on the CPU.
    """
    cutoff = min(down, up) * _ROLL_OFF  # in units of the common divisor, like the rates
    width = math.ceil(_ZERO_CROSSINGS * down / cutoff)
    # Constants are made on the CPU also where the network itself is built on "meta".
    taps = torch.arange(-width, width + down, dtype=torch.float64, device="cpu") / down
    phases = torch.arange(up, dtype=torch.float64, device="cpu") / up
    crossings = ((taps - phases.unsqueeze(1)) * cutoff).clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    hann = torch.cos(crossings * (math.pi / (2 * _ZERO_CROSSINGS))).square()
    filters = torch.sinc(crossings) * hann * (cutoff / down)
    return filters.unsqueeze(1).float()


def mel_filters(config: ClearSepConfig) -> Tensor:
    """Weights of the mel bands, shape (bins, mels)."""
    from torchaudio.functional import melscale_fbanks  # type: ignore[import-untyped]

    with torch.device("cpu"):
        filters: Tensor = melscale_fbanks(
            n_freqs=config.bins,
            f_min=LOW_HZ,
            f_max=HIGH_HZ,
            n_mels=config.mels,
            sample_rate=config.encoder_rate,
            norm="slaney",
            mel_scale="slaney",
        )
    return filters
