"""Short-time Fourier transform and its inverse, as all networks here use them.

Centred frames, periodic Hann window, reflection at the ends: what librosa and torchlibrosa call the
default. Frames come before bins, the order in which the transform makes them, so nothing is
transposed. Everything is computed in float32, whatever autocast says, and is made of operations
that `torch.compile` takes in one graph; sums have a fixed order, so results repeat exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LOG_FLOOR = 1e-3
"""Added to a magnitude before its logarithm. With 1024 samples a window it is 108 dB below a
full-scale sine, just above the rounding noise of 16-bit samples: what is quieter looks silent."""

_WINDOWS: dict[tuple[int, torch.device], Tensor] = {}


def count_frames(samples: int, n_fft: int, hop: int) -> int:
    """Return the number of frames that `stft` makes of a number of samples."""
    return 1 + max(samples, n_fft // 2 + 1) // hop


def stft(waveform: Tensor, n_fft: int, hop: int) -> Tensor:
    """Transform.

    Sound too short to be reflected (under n_fft / 2 + 1 samples) is first padded with zeros.

    Args:
        waveform: Shape (..., T), real.
        n_fft: Length of the window and of the transform, samples; even.
        hop: Distance of frames, samples; at most n_fft / 2.

    Returns:
        Spectrum, complex64, shape (..., frames, n_fft / 2 + 1); frames as `count_frames` says.
    """
    half = n_fft // 2
    flat = waveform.float().reshape(-1, waveform.shape[-1])
    if flat.shape[-1] <= half:
        flat = functional.pad(flat, (0, half + 1 - flat.shape[-1]))
    padded = functional.pad(flat, (half, half), mode="reflect")
    spectrum: Tensor = torch.fft.rfft(
        padded.unfold(-1, n_fft, hop) * _window(n_fft, waveform.device)
    )
    return spectrum.reshape(*waveform.shape[:-1], *spectrum.shape[1:])


def istft(spectrum: Tensor, hop: int, length: int) -> Tensor:
    """Transform back: least-squares overlap-add, as Griffin and Lim (1984) have it.

    Args:
        spectrum: Shape (..., frames, n_fft / 2 + 1), complex.
        hop: Distance of frames, samples; at most n_fft / 2.
        length: Samples to return; at most what the frames cover, (frames - 1) hop + n_fft / 2.

    Returns:
        Waveform, float32, shape (..., length).
    """
    n_fft = 2 * (spectrum.shape[-1] - 1)
    half = n_fft // 2
    window = _window(n_fft, spectrum.device)
    frames = torch.fft.irfft(spectrum.to(torch.complex64), n=n_fft) * window
    envelope = _overlap_add(window.square().expand(frames.shape[-2], n_fft), hop)
    wanted = slice(half, half + length)
    return _overlap_add(frames, hop)[..., wanted] / envelope[wanted].clamp_min(1e-11)


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Add frames, shape (..., frames, size), at distances of hop: shape (..., samples)."""
    count, size = frames.shape[-2:]
    samples = (count - 1) * hop + size
    if not torch.compiler.is_compiling():  # four times as fast as the sum below, run step by step
        flat = frames.reshape(-1, count, size)
        added: Tensor = torch.ops.aten.unfold_backward(flat, [len(flat), samples], 1, size, hop)
        return added.reshape(*frames.shape[:-2], samples)
    # One kernel once compiled; what the operation above turns into there adds in a random order.
    pieces = -(-size // hop)
    total = torch.zeros((), device=frames.device)
    for shift, part in enumerate(torch.split(frames, hop, dim=-1)):
        missing = hop - part.shape[-1]
        total = total + functional.pad(part, (0, missing, shift, pieces - 1 - shift))
    return total.flatten(-2)[..., :samples]


def _window(n_fft: int, device: torch.device) -> Tensor:
    if torch.compiler.is_compiling():  # a compiled graph makes its own constants
        return _hann(n_fft, device)
    key = (n_fft, device)
    if key not in _WINDOWS:
        # Inference mode would leave a tensor that training cannot use afterwards.
        with torch.inference_mode(False):
            _WINDOWS[key] = _hann(n_fft, device)
    return _WINDOWS[key]


def _hann(n_fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, dtype=torch.float64, device=device).float()
