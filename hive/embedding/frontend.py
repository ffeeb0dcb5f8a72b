"""The log-mel spectrogram that CLAP's audio tower takes, computed on any device.

It is that of LAION-CLAP's models without fusion (`LAION-AI/CLAP`, model configurations HTSAT-base
and HTSAT-tiny): 48 kHz, STFT of 1024 points every 480 samples under a periodic Hann window, centred
with reflected edges, power, 64 bands from 50 to 14,000 Hz on Slaney's mel scale with triangles of
unit area, decibels relative to 1 with powers below 1e-10 raised to it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hive.embedding.base import RATE

if TYPE_CHECKING:
    import torch

N_FFT = 1024
"""Points of the STFT, and of its window."""
HOP = 480
"""Samples between frames: 100 frames a second."""
MELS = 64
"""Number of mel bands."""
LOW_HZ = 50.0
"""Lower edge of the first band. (The default of transformers' extractor, 0, is not CLAP's.)"""
HIGH_HZ = 14_000.0
"""Upper edge of the last band."""
FLOOR = 1e-10
"""Smallest power; the spectrogram of silence is -100 dB."""

# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, then 27 mel for a factor of 6.4.
_LINEAR_HZ = 200.0 / 3.0
_KNEE_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27.0


def mel_filters() -> npt.NDArray[np.float64]:
    """Return the weights of the mel bands, shape (MELS, N_FFT // 2 + 1)."""
    edges = _mel_to_hz(np.linspace(_hz_to_mel(LOW_HZ), _hz_to_mel(HIGH_HZ), MELS + 2))
    bins = np.arange(N_FFT // 2 + 1) * (RATE / N_FFT)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    filters: npt.NDArray[np.float64] = np.maximum(triangles, 0.0) * (2.0 / (high - low))
    return filters


def log_mel(waveforms: torch.Tensor) -> torch.Tensor:
    """Return the log-mel spectrograms of a batch of windows.

    Args:
        waveforms: Samples at 48 kHz, shape (B, T), float32, T of at least 513.

    Returns:
        Decibels, shape (B, 1, 1 + T // HOP, MELS), float32, on the same device: 1001 frames for
        windows of 10 s.
    """
    import torch

    window, filters = _constants(waveforms.device)
    spectra = torch.stft(
        waveforms.to(window.dtype),
        N_FFT,
        hop_length=HOP,
        window=window,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = (spectra.real.square() + spectra.imag.square()).to(torch.float32)
    bands = power.transpose(1, 2) @ filters
    return (10.0 * torch.log10(bands.clamp(min=FLOOR))).unsqueeze(1)


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The window and the filters (bins, bands) on a device."""
    import torch

    # Beside a pure tone, the rounding of a float32 FFT is seen: 0.05 dB in the quiet bands.
    exact = torch.float32 if device.type == "mps" else torch.float64
    # A tensor made in inference mode could not be used by a caller who wants gradients.
    with torch.inference_mode(mode=False):
        window = torch.hann_window(N_FFT, periodic=True, dtype=exact, device=device)
        filters = torch.from_numpy(mel_filters().T.astype(np.float32)).to(device)
    return window, filters


def _hz_to_mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _LINEAR_HZ
    return _KNEE_HZ / _LINEAR_HZ + math.log(hz / _KNEE_HZ) / _LOG_STEP


def _mel_to_hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    knee = _KNEE_HZ / _LINEAR_HZ
    hz: npt.NDArray[np.float64] = np.where(
        mels < knee, mels * _LINEAR_HZ, _KNEE_HZ * np.exp(_LOG_STEP * (mels - knee))
    )
    return hz
