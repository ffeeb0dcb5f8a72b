"""Resampling by a rational factor as matrix products.

The filter is the one of Octave's `resample`, which pystoi uses: a sinc with its cutoff at
1 / (2 max(p, q)) of the rate after insertion of zeros, under a Kaiser window for 60 dB of rejection
and a roll-off of a tenth of the cutoff, divided by its sum (gain p in total). Its phase is zero.

With p / q in lowest terms, output sample m takes input samples around m q / p, with weights that
repeat every p outputs. Outputs with the same m mod p therefore are one strided matrix of inputs
times one column of weights; a few neighbouring columns at a time give matrices that overlap in
memory, cost little more than the filter itself and run at the speed of matrix multiplication.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from hive.metrics.validate import FloatArray

REJECTION_DB = 60.0
COLUMNS = 16  # outputs computed by one product
ROWS = 128  # rows of one product: small enough to be multiplied without copying


class Resampler:
    """Resampling from one rate to another, with the weights of every phase at hand.

    Args:
        source_rate: Rate of the input in Hz.
        target_rate: Rate of the output in Hz.

    Attributes:
        up: The factor's numerator p in lowest terms.
        down: Its denominator q.
        outputs: Output samples of a period, a multiple of p and of `COLUMNS`.
        inputs: Input samples of a period.
        parts: For each run of `COLUMNS` outputs of a period, the first input sample that it takes,
            relative to the period's own first, and the weights, shape (inputs taken, COLUMNS).
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        divisor = math.gcd(source_rate, target_rate)
        self.up, self.down = target_rate // divisor, source_rate // divisor
        taps = lowpass(self.up, self.down)
        half = len(taps) // 2
        span = 2 * (half // self.up) + COLUMNS * self.down // self.up + 2
        # A period long enough that rows do not overlap, which BLAS would not take uncopied, and
        # a multiple of the columns.
        repeat = math.ceil(span / self.down)
        repeat *= COLUMNS // math.gcd(COLUMNS, repeat * self.up)
        self.outputs, self.inputs = repeat * self.up, repeat * self.down
        self.parts: list[tuple[int, FloatArray]] = []
        for start in range(0, self.outputs, COLUMNS):
            column = np.arange(start, start + COLUMNS)
            first = -((half - start * self.down) // self.up)
            last = ((start + COLUMNS - 1) * self.down + half) // self.up
            tap = column * self.down + half - np.arange(first, last + 1)[:, None] * self.up
            inside = (tap >= 0) & (tap < len(taps))
            self.parts.append((first, np.where(inside, taps[tap * inside], 0.0)))

    def __call__(self, signal: FloatArray) -> FloatArray:
        """Resample a signal of T samples, shape (T,), to ceil(T p / q) samples."""
        num_outputs = -(-len(signal) * self.up // self.down)
        num_rows = -(-num_outputs // self.outputs)
        num_rows = -(-num_rows // ROWS) * ROWS if num_rows > ROWS else num_rows
        rows = min(ROWS, num_rows)
        before = -self.parts[0][0]
        first, weights = self.parts[-1]
        padded = np.zeros(before + (num_rows - 1) * self.inputs + first + len(weights))
        room = min(len(signal), len(padded) - before)
        padded[before : before + room] = signal[:room]
        output = np.empty((num_rows // rows, rows, self.outputs))
        step = self.inputs * padded.itemsize
        for index, (first, weights) in enumerate(self.parts):
            inputs = as_strided(
                padded[before + first :],
                (num_rows // rows, rows, len(weights)),
                (rows * step, step, padded.itemsize),
            )
            columns = slice(index * COLUMNS, (index + 1) * COLUMNS)
            np.matmul(inputs, weights, out=output[..., columns])
        return output.reshape(-1)[:num_outputs]


@lru_cache(maxsize=8)
def resampler(source_rate: int, target_rate: int) -> Resampler:
    """Return the resampler for two rates; the last few are kept."""
    return Resampler(source_rate, target_rate)


def lowpass(up: int, down: int) -> FloatArray:
    """Taps of the filter at the common multiple of both rates, an odd number, of sum `up`."""
    cutoff = 1 / (2 * max(up, down))
    half = math.ceil((REJECTION_DB - 8) / (28.714 * cutoff / 10))
    time = np.arange(-half, half + 1)
    taps: npt.NDArray[np.float64] = np.sinc(2 * cutoff * time)
    taps *= np.kaiser(len(taps), 0.1102 * (REJECTION_DB - 8.7))
    return np.asarray(taps * (up / taps.sum()))
