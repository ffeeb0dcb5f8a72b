"""One specimen of a sound: its random draws and the building blocks bound to its sampling rate.

Every number that makes a specimen what it is comes from a stream of its own, addressed by (seed,
"synth", label and index, purpose), so a new parameter in a recipe leaves the others as they were.
Noise is uniform, not Gaussian: it needs no transcendental functions, so its bits are the same on
every machine, and any filter with some memory makes it Gaussian anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hive.seeding import Stream
from hive.sources.synth import dsp, filters
from hive.sources.synth.dsp import Signal
from hive.sources.synth.filters import Response

T = TypeVar("T")


class Specimen:
    """A specimen: label, index and seed fix it, duration and sampling rate frame it.

    Args:
        label: Hive class.
        seed: The pool's seed.
        index: Number of the specimen in its class.
        duration: Seconds.
        sample_rate: Hz.
    """

    def __init__(
        self, label: str, seed: int, index: int, duration: float, sample_rate: int
    ) -> None:
        self.label = label
        self.seed = seed
        self.index = index
        self.duration = duration
        self.sample_rate = sample_rate
        self.num_samples = round(duration * sample_rate)
        self.t: Signal = np.arange(self.num_samples) / sample_rate

    # --- draws ---

    def stream(self, purpose: str) -> Stream:
        """Return the stream of random numbers for one purpose."""
        return Stream(self.seed, "synth", f"{self.label}/{self.index}", purpose)

    def draw(self, purpose: str, low: float, high: float) -> float:
        """Return a number, uniform between `low` and `high`."""
        return self.stream(purpose).uniform(low, high)

    def draw_log(self, purpose: str, low: float, high: float) -> float:
        """Return a number whose logarithm is uniform: for frequencies, times and levels."""
        return low * math.exp(self.draw(purpose, 0.0, math.log(high / low)))

    def draws(self, purpose: str, count: int, low: float = 0.0, high: float = 1.0) -> Signal:
        """Return `count` uniform numbers."""
        return self.stream(purpose).uniforms(count, low, high)

    def choose(self, purpose: str, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.stream(purpose).integer(len(options))]

    # --- time ---

    def samples(self, seconds: float) -> int:
        """Return the number of samples in `seconds`, at least one."""
        return max(1, round(seconds * self.sample_rate))

    def beats(
        self, purpose: str, period: float, jitter: float = 0.0, first: float | None = None
    ) -> Signal:
        """Return times one `period` apart, each moved by up to `jitter` periods either way.

        The first comes at `first` seconds, by default at random within half a period and 0.3 s.
        """
        stream = self.stream(f"{purpose} beats")
        start = stream.uniform(0.0, min(0.3, 0.5 * period))
        start = start if first is None else first
        count = max(0, math.ceil((self.duration - start) / period))
        moves = stream.uniforms(count, -jitter, jitter) * period
        moves[:1] = 0.0
        return start + period * np.arange(count) + moves

    def poisson(self, purpose: str, rate: float, longest: float = 1.8) -> Signal:
        """Return the times of a Poisson process of `rate` a second, no gap above `longest` s.

        The first comes within a quarter of `longest`.
        """
        count = int(self.duration * rate + 8 * math.sqrt(self.duration * rate) + 20)
        gaps = -np.log1p(-self.draws(f"{purpose} gaps", count)) / rate
        gaps = np.minimum(gaps, longest)
        gaps[0] = min(gaps[0], 0.25 * longest)
        times: Signal = np.cumsum(gaps)
        return times[times < self.duration]

    def since(self, starts: Signal) -> tuple[NDArray[np.int64], Signal]:
        """Return at every sample the number of the last start, and the seconds since then.

        Before the first start the number is 0 and the time is 9 s.
        """
        which = np.searchsorted(starts, self.t, side="right") - 1
        seconds = np.where(which >= 0, self.t - starts[np.maximum(which, 0)], 9.0)
        return np.maximum(which, 0).astype(np.int64), seconds

    def wander(self, purpose: str, rate: float, seconds: float | None = None) -> Signal:
        """Return a smooth random curve in [-1, 1] with `rate` new values a second."""
        seconds = self.duration if seconds is None else seconds
        knots = self.draws(f"{purpose} knots", max(2, math.ceil(seconds * rate) + 1), -1.0, 1.0)
        return dsp.value_noise(knots, self.samples(seconds))

    def line(self, *points: tuple[float, float], seconds: float | None = None) -> Signal:
        """Return straight lines through (second, value) points."""
        count = self.num_samples if seconds is None else self.samples(seconds)
        times, values = zip(*points, strict=True)
        return np.interp(np.arange(count) / self.sample_rate, times, values)

    def gate(
        self,
        starts: Iterable[float],
        lengths: float | Sequence[float] | Signal,
        attack: float = 0.005,
        release: float | None = None,
    ) -> Signal:
        """Return an envelope that is 1 from each start for its length, with soft edges.

        The attack lies inside the length, the release (by default as long as the attack) after it.
        """
        release = attack if release is None else release
        out = self.silence()
        begin = np.asarray(list(starts), dtype=np.float64)
        spans = np.broadcast_to(np.asarray(lengths, dtype=np.float64), begin.shape)
        for start, length in zip(begin, spans, strict=True):
            rise = dsp.hump(2 * self.samples(min(attack, length)))
            fall = dsp.hump(2 * self.samples(release))
            grain = np.ones(self.samples(length) + len(fall) // 2)
            grain[: len(rise) // 2] = rise[: len(rise) // 2]
            grain[-(len(fall) // 2) :] = fall[-(len(fall) // 2) :]
            dsp.add_at(out, round(start * self.sample_rate), grain)
        return np.minimum(out, 1.0)

    # --- sound ---

    def silence(self, seconds: float | None = None) -> Signal:
        """Return zeros for the specimen's duration, or for `seconds`."""
        return np.zeros(self.num_samples if seconds is None else self.samples(seconds))

    def white(self, purpose: str, seconds: float | None = None) -> Signal:
        """Return white noise of RMS 1 for the specimen's duration, or for `seconds`."""
        count = self.num_samples if seconds is None else self.samples(seconds)
        return self.draws(f"{purpose} noise", count, -math.sqrt(3.0), math.sqrt(3.0))

    def noise(self, purpose: str, *responses: Response, seconds: float | None = None) -> Signal:
        """Return noise through `responses`, brought back to RMS 1."""
        x = self.filter(self.white(purpose, seconds), *responses)
        return x / max(rms(x), 1e-12)

    def filter(self, x: Signal, *responses: Response) -> Signal:
        """Return `x` through frequency responses; see `filters.filtered`."""
        return filters.filtered(x, self.sample_rate, *responses)

    def moving(
        self, x: Signal, gain: Callable[[Signal, Signal], Signal], frame: int = 2048
    ) -> Signal:
        """Return `x` under a moving gain(times, frequencies); see `filters.moving_filter`."""
        return filters.moving_filter(x, self.sample_rate, gain, frame)

    def tone(
        self,
        frequency: float | Signal,
        harmonics: Sequence[float] | Signal = (1.0,),
        start: float = 0.0,
    ) -> Signal:
        """Return a wave at a fixed (whole duration) or moving frequency; see `dsp.oscillator`."""
        curve = frequency if isinstance(frequency, np.ndarray) else np.full(len(self.t), frequency)
        return dsp.oscillator(curve, self.sample_rate, harmonics, start)

    def ring(
        self,
        seconds: float,
        frequencies: Sequence[float] | Signal,
        decays: Sequence[float] | Signal | float,
        amplitudes: Sequence[float] | Signal | float = 1.0,
    ) -> Signal:
        """Return `seconds` of decaying modes; see `dsp.ring`."""
        count = self.samples(min(seconds, self.duration))
        return dsp.ring(count, self.sample_rate, frequencies, decays, amplitudes)

    def burst(
        self, purpose: str, t60: float, *responses: Response, attack: float = 0.001
    ) -> Signal:
        """Return a noise burst that decays by 60 dB in `t60` s, filtered, with peak 1."""
        x = self.white(purpose, 1.2 * t60 + attack)
        x *= dsp.decay(len(x), self.sample_rate, t60, attack)
        x = self.filter(x, *responses)
        return x / max(float(np.abs(x).max()), 1e-12)

    def place(self, out: Signal, second: float, grain: Signal, gain: float = 1.0) -> None:
        """Add a grain into `out` at a time, in place."""
        dsp.add_at(out, round(second * self.sample_rate), grain, gain)

    def strew(self, times: Signal, gains: Signal, grain: Signal) -> Signal:
        """Return the grain at every time with its gain; see `filters.strew`."""
        return filters.strew(self.num_samples, self.sample_rate, times, gains, grain)

    def pulses(self, frequency: Signal) -> Signal:
        """Return the times of the cycles of a moving frequency."""
        return dsp.pulse_times(frequency, self.sample_rate)


def rms(x: Signal) -> float:
    """Return the root mean square of a signal."""
    return math.sqrt(float(np.mean(x * x)))
