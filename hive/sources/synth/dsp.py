"""Signal building blocks in numpy: modal banks, oscillators, envelopes, grains.

A bank of decaying modes is built from powers of one complex number by an outer product; oscillators
read band-limited tables; curves are interpolated between knots. Nothing recurses over samples, and
only element-wise arithmetic in float64 is used, no BLAS.

Signals are arrays of shape (T,); frequencies are in Hz, times in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

AUDIBLE_SHARE = 0.46  # partials at or above this share of the sampling rate are left out
_TABLE = 16384  # points of an oscillator table: interpolation error below -90 dB at harmonic 40
_BLOCK = 256  # samples computed from one power of a mode

# Amplitudes of harmonics 1, 2, ...
SQUARE = tuple(1.0 / n if n % 2 else 0.0 for n in range(1, 100))
SAW = tuple(1.0 / n for n in range(1, 120))
REED = tuple(n**-0.35 for n in range(1, 160))  # a beating reed or contact: nearly a pulse train


def ring(
    num_samples: int,
    sample_rate: int,
    frequencies: Sequence[float] | Signal,
    decays: Sequence[float] | Signal | float,
    amplitudes: Sequence[float] | Signal | float = 1.0,
) -> Signal:
    """Return a bank of exponentially decaying sines, all starting at phase 0.

    Args:
        num_samples: Length T.
        sample_rate: In Hz.
        frequencies: One a mode; modes above 0.46 of the sampling rate are left out.
        decays: Times to fall by 60 dB, one a mode or one for all.
        amplitudes: One a mode or one for all.

    Returns:
        Signal of shape (T,).
    """
    out = np.zeros(num_samples)
    modes = np.asarray(frequencies, dtype=np.float64)
    t60s = np.broadcast_to(np.asarray(decays, dtype=np.float64), modes.shape)
    gains = np.broadcast_to(np.asarray(amplitudes, dtype=np.float64), modes.shape)
    for frequency, t60, gain in zip(modes, t60s, gains, strict=True):
        count = min(num_samples, int(1.3 * t60 * sample_rate) + 1)
        if frequency >= AUDIBLE_SHARE * sample_rate or count < 1:
            continue
        log_z = (-np.log(1000.0) / t60 + 2j * np.pi * frequency) / sample_rate
        fine = gain * np.exp(log_z * np.arange(_BLOCK))
        coarse = np.exp(log_z * _BLOCK * np.arange(-(-count // _BLOCK)))
        # The imaginary part of an outer product, written out to stay in real arrays.
        blocks = np.multiply.outer(coarse.real, fine.imag)
        blocks += np.multiply.outer(coarse.imag, fine.real)
        out[:count] += blocks.ravel()[:count]
    return out


def oscillator(
    frequency: Signal, sample_rate: int, harmonics: Sequence[float] | Signal, start: float = 0.0
) -> Signal:
    """Return a periodic wave of moving frequency.

    Args:
        frequency: Momentary frequency in Hz, shape (T,).
        sample_rate: In Hz.
        harmonics: Amplitudes of the harmonics 1, 2, ...; those that would pass 0.46 of the
            sampling rate at the highest frequency are left out.
        start: Starting phase in cycles.

    Returns:
        Signal of shape (T,).
    """
    limit = int(AUDIBLE_SHARE * sample_rate / max(float(frequency.max(initial=0.0)), 1e-3))
    amplitudes = np.asarray(harmonics, dtype=np.float64)[:limit]
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(amplitudes) + 1] = -0.5j * _TABLE * amplitudes
    table = np.fft.irfft(spectrum, _TABLE)
    phase = np.cumsum(frequency) * (1.0 / sample_rate) + start
    phase = (phase - np.floor(phase)) * _TABLE
    index = np.minimum(phase.astype(np.int64), _TABLE - 1)
    step = np.append(table[1:], table[0]) - table
    wave: Signal = table[index] + (phase - index) * step[index]
    return wave


def pulse_times(frequency: Signal, sample_rate: int) -> Signal:
    """Return the times in seconds at which the phase of `frequency` (T,) completes a cycle."""
    turns = np.floor(np.cumsum(frequency) / sample_rate)
    return np.flatnonzero(np.diff(turns) > 0) / sample_rate


def decay(num_samples: int, sample_rate: int, t60: float, attack: float = 0.001) -> Signal:
    """Return an exponential decay (60 dB in `t60` s) after a linear attack of `attack` s."""
    time = np.arange(num_samples) / sample_rate
    envelope: Signal = np.exp(-np.log(1000.0) / t60 * time) * np.minimum(1.0, time / attack)
    return envelope


def hump(num_samples: int, attack_share: float = 0.5) -> Signal:
    """Return a raised-cosine hump from 0 to 1 and back, its top at `attack_share` of the way."""
    place = (np.arange(num_samples) + 0.5) / max(num_samples, 1)
    knee = np.interp(place, [0.0, attack_share, 1.0], [0.0, 0.5, 1.0])
    curve: Signal = 0.5 - 0.5 * np.cos(2 * np.pi * knee)
    return curve


def value_noise(knots: Signal, num_samples: int) -> Signal:
    """Return a smooth curve through evenly spaced `knots`, by cosine interpolation.

    Args:
        knots: At least two values; the first is the curve's start, the last its end.
        num_samples: Length of the curve.
    """
    place = np.arange(num_samples) * ((len(knots) - 1) / max(num_samples, 1))
    index = np.minimum(place.astype(np.int64), len(knots) - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (place - index))
    curve: Signal = knots[index] + blend * (knots[index + 1] - knots[index])
    return curve


def add_at(out: Signal, start: int, grain: Signal, gain: float = 1.0) -> None:
    """Add `gain` times `grain` into `out` from sample `start` on, in place, cut at both ends."""
    first, last = max(start, 0), min(start + len(grain), len(out))
    if last > first:
        out[first:last] += gain * grain[first - start : last - start]
