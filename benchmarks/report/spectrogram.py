"""Spectrograms as small PNG images on one colour scale."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

FFT_LENGTH = 2048
ROWS, COLUMNS = 200, 800
TOP_HZ = 20_000.0
RANGE_DB = 80.0
TICKS_HZ = (100, 500, 1000, 2000, 5000, 10_000, 20_000)

Floats = NDArray[np.float64]


def mel(frequency: Floats | float) -> Floats:
    """Return the mel value of a frequency in Hz (O'Shaughnessy, 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(frequency) / 700.0))


def hertz(mels: Floats) -> Floats:
    """Return the frequency in Hz of a mel value."""
    return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))


def top_frequency(sample_rate: int) -> float:
    """Return the upper edge of the plots: 20 kHz, or half the sample rate."""
    return min(TOP_HZ, sample_rate / 2)


def power(signal: Floats, sample_rate: int) -> Floats:
    """Return a power spectrogram with mel-spaced rows.

    Hann windows of 2048 samples, about 800 columns over the signal, 200 rows from 0 Hz to 20 kHz.
    A row holds the mean power between its two edges, the bins taken as steps.

    Args:
        signal: Mono signal, shape (T,).
        sample_rate: Its rate in Hz.

    Returns:
        Power, shape (200, columns), lowest frequency first.
    """
    if len(signal) < FFT_LENGTH:
        signal = np.pad(signal, (0, FFT_LENGTH - len(signal)))
    hop = max(1, -(-(len(signal) - FFT_LENGTH + 1) // COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(signal, FFT_LENGTH)[::hop]
    bins = np.abs(np.fft.rfft(frames * np.hanning(FFT_LENGTH), axis=1)) ** 2

    edges = hertz(np.linspace(0.0, mel(top_frequency(sample_rate)), ROWS + 1))
    places = edges * FFT_LENGTH / sample_rate + 0.5  # bin k covers [k, k + 1]
    cumulative = np.concatenate([np.zeros((len(bins), 1)), np.cumsum(bins, axis=1)], axis=1)
    below = np.minimum(places.astype(int), bins.shape[1] - 1)
    integral = cumulative[:, below] + (places - below) * bins[:, below]
    return np.asarray((np.diff(integral, axis=1) / np.diff(places)).T)


def png(spectrogram: Floats, loudest: float) -> bytes:
    """Return a spectrogram as a PNG, from 80 dB below `loudest` (black) to it (yellow).

    Args:
        spectrogram: Power, shape (rows, columns).
        loudest: Power that gets the brightest colour.
    """
    from matplotlib import colormaps
    from PIL import Image

    floor = loudest * 10 ** (-RANGE_DB / 10)
    level = 10 * np.log10(np.maximum(spectrogram, floor) / loudest) if loudest > 0 else -RANGE_DB
    index = np.clip((level / RANGE_DB + 1) * 255, 0, 255) * np.ones_like(spectrogram)
    image = Image.fromarray(np.flipud(index).astype(np.uint8), mode="L")
    image.putpalette((colormaps["magma"](np.arange(256), bytes=True)[:, :3]).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def ticks(sample_rate: int) -> list[tuple[str, float]]:
    """Return the frequency ticks as (text, per cent of the height)."""
    top = top_frequency(sample_rate)
    return [
        (f"{hz // 1000}k" if hz >= 1000 else f"{hz}", round(float(100 * mel(hz) / mel(top)), 2))
        for hz in TICKS_HZ
        if hz <= top
    ]
