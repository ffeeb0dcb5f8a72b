"""Filters without recursion, and convolution.

Recursive filters are slow in plain numpy. A filter here is the frequency response of an analogue
prototype, H(j 2 pi f), sampled on the bins of a zero-padded FFT: it is causal (no echo before a
stroke) and costs two transforms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hive.sources.synth.dsp import Signal, add_at

Spectrum = NDArray[np.complex128]
Response = Callable[[Signal], Spectrum]
"""Complex gain at each frequency in Hz, of the same shape."""


def fast_length(count: int) -> int:
    """Return the smallest 2^a 3^b 5^c that is at least `count`: a quick FFT size."""
    best = 1 << max(count - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            quotient = -(-count // three)
            best = min(best, three << max(quotient - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best


def lowpass(cutoff: float, order: int = 2) -> Response:
    """Return `order` equal first-order low-passes in a row, 1 / (1 + jf/fc)^order."""
    return lambda f: _power(1.0 / (1.0 + 1j * f / cutoff), order)


def highpass(cutoff: float, order: int = 2) -> Response:
    """Return `order` equal first-order high-passes in a row."""
    return lambda f: _power(1j * f / (cutoff + 1j * f), order)


def _power(x: Spectrum, order: int) -> Spectrum:
    # By multiplication: a complex power takes a logarithm and an exponential for each bin.
    product = x
    for _ in range(order - 1):
        product = product * x
    return product


def band(low: float, high: float, order: int = 2) -> Response:
    """Return a high-pass at `low` followed by a low-pass at `high`."""
    below, above = highpass(low, order), lowpass(high, order)
    return lambda f: below(f) * above(f)


def resonance(centre: float, q: float) -> Response:
    """Return a second-order band-pass with gain 1 at `centre` and quality factor `q`."""

    def response(f: Signal) -> Spectrum:
        safe = np.maximum(f, 1e-3)
        return 1.0 / (1.0 + 1j * q * (safe / centre - centre / safe))

    return response


def formants(*peaks: tuple[float, float, float]) -> Response:
    """Return resonances (centre, q, gain) side by side."""
    parts = [(resonance(centre, q), gain) for centre, q, gain in peaks]
    return lambda f: sum((gain * part(f) for part, gain in parts), np.zeros(f.shape, complex))


def tilt(exponent: float) -> Response:
    """Return the gain (f / 1 kHz)^exponent, flat below 20 Hz: -0.5 turns white noise pink."""
    return lambda f: ((np.maximum(f, 20.0) / 1000.0) ** exponent).astype(complex)


def filtered(x: Signal, sample_rate: int, *responses: Response) -> Signal:
    """Return `x` through all responses in a row, cut to its own length.

    Args:
        x: Signal of shape (T,).
        sample_rate: In Hz.
        responses: Frequency responses; their ringing must die away within a quarter of a second.

    Returns:
        Signal of shape (T,).
    """
    length = fast_length(len(x) + sample_rate // 4)
    frequencies = np.fft.rfftfreq(length, 1.0 / sample_rate)
    spectrum = np.fft.rfft(x, length)
    for response in responses:
        spectrum *= response(frequencies)
    return np.fft.irfft(spectrum, length)[: len(x)]


def moving_filter(
    x: Signal, sample_rate: int, gain: Callable[[Signal, Signal], Signal], frame: int = 2048
) -> Signal:
    """Return `x` under a gain that moves in time: an STFT mask with overlap-add.

    Args:
        x: Signal of shape (T,).
        sample_rate: In Hz.
        gain: Function of times of shape (frames, 1) and frequencies of shape (1, bins), giving
            real gains of shape (frames, bins).
        frame: Even frame length in samples; root-Hann windows overlap by half.

    Returns:
        Signal of shape (T,).
    """
    hop = frame // 2
    count = -(-len(x) // hop) + 1
    padded = np.zeros((count + 1) * hop)
    padded[hop : hop + len(x)] = x
    window = np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * window
    times = (np.arange(count) * hop / sample_rate)[:, None]
    frequencies = np.fft.rfftfreq(frame, 1.0 / sample_rate)[None, :]
    spectra = np.fft.rfft(frames, axis=1) * gain(times, frequencies)
    frames = np.fft.irfft(spectra, frame, axis=1) * window
    out = np.zeros((count + 1, hop))
    out[:-1] += frames[:, :hop]
    out[1:] += frames[:, hop:]
    return out.ravel()[hop : hop + len(x)]


def convolve(x: Signal, kernel: Signal) -> Signal:
    """Return the causal convolution of `x` (T,) with `kernel` (K,), cut to T samples."""
    length = fast_length(len(x) + len(kernel))
    product = np.fft.rfft(x, length) * np.fft.rfft(kernel, length)
    return np.fft.irfft(product, length)[: len(x)]


def strew(
    num_samples: int, sample_rate: int, times: Signal, gains: Signal, grain: Signal
) -> Signal:
    """Return `grain` at every time with its gain.

    Few or short grains are added one by one, many long ones by one convolution.

    Args:
        num_samples: Length T.
        sample_rate: In Hz.
        times: Seconds, shape (N,); grains that begin outside the signal are left out.
        gains: Shape (N,).
        grain: Shape (K,).

    Returns:
        Signal of shape (T,).
    """
    index = np.rint(times * sample_rate).astype(np.int64)
    inside = (index >= 0) & (index < num_samples)
    index, gains = index[inside], gains[inside]
    out = np.zeros(num_samples)
    if len(index) * (len(grain) + 3000) < 90 * num_samples:
        for start, gain in zip(index.tolist(), gains.tolist(), strict=True):
            add_at(out, start, grain, gain)
        return out
    np.add.at(out, index, gains)
    return convolve(out, grain)
