"""Random filters of augmentation, as responses that a spectrum is multiplied by."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from baselines.data.config import AugmentConfig, Range
from hive.seeding import Stream

Float = NDArray[np.float32]
Response = NDArray[np.complex64] | Float

_BANDS = 3
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 24000.0  # of the curves; they are level beyond
_CURVE_POINTS = 160


class Filters:
    """Draws an equaliser, a low-pass and a reverberation, each with its configured share.

    Args:
        config: Shares and ranges.
        length: Samples of the signals that are filtered.
        sample_rate: Their rate, Hz.
    """

    def __init__(self, config: AugmentConfig, length: int, sample_rate: int) -> None:
        self._config = config
        self._length = length
        self._rate = sample_rate
        frequency = np.arange(length // 2 + 1) * (sample_rate / length)
        octaves = np.linspace(log2(_LOWEST_HZ), log2(_HIGHEST_HZ), _CURVE_POINTS)
        self._curve_hz = 2.0**octaves
        self._octaves = octaves
        place = np.interp(frequency, self._curve_hz, np.arange(_CURVE_POINTS))
        self._lower = place.astype(np.int64).clip(max=_CURVE_POINTS - 2)
        self._between = (place - self._lower).astype(np.float32)

    def __call__(self, draws: Stream) -> Response | None:
        """Draw filters; return their response, shape (length // 2 + 1,), None for no filter."""
        config = self._config
        chosen = draws.uniforms(3) < (config.equaliser, config.low_pass, config.reverb)
        decibel = np.zeros(_CURVE_POINTS)
        if chosen[0]:
            decibel += self._equaliser(draws)
        if chosen[1]:
            decibel += self._low_pass(draws)
        response = None
        if chosen[:2].any():
            curve = (10.0 ** (decibel / 20.0)).astype(np.float32)
            response = curve[self._lower]
            response += self._between * np.diff(curve)[self._lower]
        if chosen[2]:
            reverb = self._reverb(draws)
            response = reverb if response is None else reverb * response
        return response

    def _equaliser(self, draws: Stream) -> NDArray[np.float64]:
        """Draw a smooth curve in dB: a sum of bells of half an octave to two."""
        low, high = self._octaves[0] + 1.0, np.log2(self._rate / 2)
        curve: NDArray[np.float64] = np.zeros(_CURVE_POINTS)
        for centre, width, gain in draws.uniforms(3 * _BANDS).reshape(_BANDS, 3):
            distance = (self._octaves - low - centre * (high - low)) / (0.5 + 1.5 * width)
            curve += self._config.equaliser_db * (2.0 * gain - 1.0) * np.exp(-(distance**2))
        return curve

    def _low_pass(self, draws: Stream) -> NDArray[np.float64]:
        """Draw a Butterworth low-pass of order 4 to 12, in dB."""
        cut, order = _log_uniform(draws, self._config.low_pass_hz), 4 + draws.integer(9)
        decibel: NDArray[np.float64] = -10.0 * np.log10(1.0 + (self._curve_hz / cut) ** (2 * order))
        return decibel.clip(min=-100.0)

    def _reverb(self, draws: Stream) -> Response:
        """Draw a direct path with a tail of decaying noise; return its response."""
        from scipy import fft

        seconds = _log_uniform(draws, self._config.reverb_seconds)
        gain_db = draws.uniform(*self._config.reverb_db)
        count = min(ceil(seconds * self._rate), self._length - 1)
        decay = np.exp(np.arange(count) * (-6.9078 / (seconds * self._rate)))  # 60 dB
        tail = draws.generator().standard_normal(count) * decay
        impulse = np.zeros(self._length, np.float32)
        impulse[1 : count + 1] = tail * (10.0 ** (gain_db / 20.0) / np.linalg.norm(tail))
        impulse[0] = 1.0
        response: Response = fft.rfft(impulse)
        return response


def _log_uniform(draws: Stream, bounds: Range) -> float:
    return float(np.exp(draws.uniform(*np.log(bounds))))
