"""Signal building blocks in numpy: filters, modal banks, oscillators, envelopes, convolution.

Recursive filters are slow in plain numpy, so nothing here recurses over samples. A filter is the
frequency response of an analogue prototype, H(j 2 pi f), sampled on the bins of a zero-padded FFT:
it is causal (no pre-echo on strokes) and costs two transforms. A bank of decaying modes is built
from powers of one complex number by an outer product. Oscillators read band-limited tables.
Only element-wise arithmetic and numpy's own FFT are used, no BLAS, in float64.

Signals are arrays of shape (T,); frequencies are in Hz, times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
Spectrum = NDArray[np.complex128]
Response = Callable[[Signal], Spectrum]
"""Complex gain at each frequency in Hz, of the same shape."""

AUDIBLE_SHARE = 0.46  # partials at or above this share of the sampling rate are left out
_TABLE = 16384  # points of an oscillator table: interpolation error below -90 dB at harmonic 40
_BLOCK = 256  # samples computed from one power of a mode


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


# --- responses -------------------------------------------------------------------------------


def lowpass(cutoff: float, order: int = 2) -> Response:
    """Return `order` equal first-order low-passes in a row, 1 / (1 + jf/fc)^order."""
    return lambda f: (1.0 / (1.0 + 1j * f / cutoff)) ** order


def highpass(cutoff: float, order: int = 2) -> Response:
    """Return `order` equal first-order high-passes in a row."""
    return lambda f: (1j * f / cutoff / (1.0 + 1j * f / cutoff)) ** order


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


# --- filtering -------------------------------------------------------------------------------


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


# --- generators ------------------------------------------------------------------------------


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
    phase = (np.cumsum(frequency) / sample_rate + start) % 1.0 * _TABLE
    index = np.minimum(phase.astype(np.int64), _TABLE - 1)
    after = np.append(table[1:], table[0])
    wave: Signal = table[index] + (phase - index) * (after[index] - table[index])
    return wave


def pulse_times(frequency: Signal, sample_rate: int) -> Signal:
    """Return the times in seconds at which the phase of `frequency` (T,) completes a cycle."""
    turns = np.floor(np.cumsum(frequency) / sample_rate)
    return np.flatnonzero(np.diff(turns) > 0) / sample_rate


# --- envelopes -------------------------------------------------------------------------------


def decay(num_samples: int, sample_rate: int, t60: float, attack: float = 0.001) -> Signal:
    """Return an exponential decay (60 dB in `t60` s) after a linear attack of `attack` s."""
    time = np.arange(num_samples) / sample_rate
    envelope: Signal = np.exp(-np.log(1000.0) / t60 * time) * np.minimum(1.0, time / attack)
    return envelope


def hump(num_samples: int, attack_share: float = 0.5) -> Signal:
    """Return a raised-cosine hump from 0 to 1 and back, its top at `attack_share` of the way."""
    place = (np.arange(num_samples) + 0.5) / max(num_samples, 1)
    knee = np.interp(place, [0.0, attack_share, 1.0], [0.0, 0.5, 1.0])
    return 0.5 - 0.5 * np.cos(2 * np.pi * knee)


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


def impulses(num_samples: int, sample_rate: int, times: Signal, gains: Signal) -> Signal:
    """Return unit samples times `gains` at `times` (seconds); those outside are left out."""
    index = np.rint(times * sample_rate).astype(np.int64)
    inside = (index >= 0) & (index < num_samples)
    out = np.zeros(num_samples)
    np.add.at(out, index[inside], gains[inside])
    return out
