"""Changes of sources before they are mixed, most of them in one pass through the spectrum.

A source comes at the rate of its pool and goes out at that of the network. A window of N samples is
transformed; multiplied by the response of an equaliser, a low-pass and a reverberation; and
transformed back to M samples. That alone resamples it by M / N: a window chosen longer or shorter
makes it faster and higher, or slower and lower, at no further cost (the upper band is tapered
towards the new Nyquist frequency, so nothing folds back). Speeds are whole semitones, so that the
windows have few lengths and those of equal length are transformed together, three times as fast as
one by one.

The transform is circular: what rings over the end appears at the beginning. Where a source is
shifted in time, in a circle too, both ends are faded before.

Each source keeps the RMS that its mixture's recipe gave it, so levels relative to each other are
those of the recipe. What is drawn depends on seed, epoch, mixture and source alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.data.config import AugmentConfig
from baselines.data.filters import Filters
from hive.seeding import Stream

if TYPE_CHECKING:
    import torch

Float = NDArray[np.float32]

#: The new upper band is tapered from this share of the Nyquist frequency on.
PASSBAND = 0.91
_TOGETHER = 32  # sources in memory at a time
_FADE_SECONDS = 0.01
_TRIES = 4  # windows that are drawn where a source is not heard everywhere
_ENOUGH = 0.3  # of the power that a window has on average: it is taken
_BLOCK = 1024
_MOST_GAIN = 10.0  # what was filtered down to next to nothing is not brought up as a whole
_LEFT_BY_GAPS = 0.1  # of the energy, or they are left out


@dataclass(frozen=True)
class Source:
    """A source to be changed.

    Attributes:
        samples: Shape (W,), at the pool's rate.
        stream: Random numbers of this source in this epoch.
    """

    samples: Float
    stream: Stream


class _Window(NamedTuple):
    """Samples of a source that become the whole of an example."""

    number: int  # of the source
    samples: Float  # at most N
    level: float  # RMS of the whole source
    draws: Stream


def semitone_lengths(seconds: float, sample_rate: int, semitones: int) -> dict[int, int]:
    """Return the length of the window for each change of pitch, by semitones.

    Lengths are products of 2, 3, 5 and 7, which transforms are fast for; a semitone is met to
    within 0.5 %, a twelfth of it.
    """
    exact = seconds * sample_rate
    return {
        number: _smooth(exact * 2.0 ** (number / 12)) for number in range(-semitones, semitones + 1)
    }


class Augmenter:
    """Changes sources.

    Args:
        config: What is changed.
        seconds: Length of an example.
        source_rate: Rate at which sources come, Hz.
        sample_rate: Rate at which they go out, Hz.

    Attributes:
        config: See above.
    """

    def __init__(
        self, config: AugmentConfig, seconds: float, source_rate: int, sample_rate: int
    ) -> None:
        self.config = config
        self._length = round(seconds * sample_rate)
        self._rate = sample_rate
        self._windows = semitone_lengths(seconds, source_rate, config.semitones)
        bins = self._length // 2 + 1
        frequency = np.arange(bins) * (sample_rate / self._length)
        share = (frequency / (sample_rate / 2) - PASSBAND) / (1.0 - PASSBAND)
        self._taper = (0.5 + 0.5 * np.cos(np.pi * share.clip(0.0, 1.0))).astype(np.float32)
        self._filters = Filters(config, self._length, sample_rate)

    def __call__(self, sources: Sequence[Source]) -> Iterator[Float]:
        """Change sources.

        Yields:
            Each in its turn, shape (round(seconds * sample_rate),), at the RMS that it had, or
            lower where filters took more than 20 dB of it. Valid until some more were yielded.
        """
        for first in range(0, len(sources), _TOGETHER):
            yield from self._change(sources[first : first + _TOGETHER])

    def _change(self, sources: Sequence[Source]) -> list[Float]:
        import torch

        groups: dict[int, list[_Window]] = {}
        for number, source in enumerate(sources):
            length, window = self._window(number, source)
            groups.setdefault(length, []).append(window)
        done: list[Float] = [np.zeros(0, np.float32)] * len(sources)
        for length, windows in groups.items():
            # Two transforms together take less time than one.
            block = torch.empty((max(2, len(windows)), length))
            rows = block.numpy()
            rows[len(windows) :] = 0.0
            for row, window in zip(rows, windows, strict=False):
                row[: len(window.samples)] = window.samples
                row[len(window.samples) :] = 0.0
            changed = self._through_spectrum(block, windows)
            for row, window in zip(changed, windows, strict=False):
                done[window.number] = self._finish(row, window)
        return done

    def _window(self, number: int, source: Source) -> tuple[int, _Window]:
        """Choose speed and place of the window of a source, where something is heard."""
        draws, samples = source.stream, source.samples
        steps = self.config.semitones
        length = self._windows[draws.integer(2 * steps + 1) - steps]
        energy = _block_energies(samples)
        sums = np.concatenate([[0.0], energy.cumsum(dtype=np.float64)])
        level = sqrt(sums[-1] / len(samples))
        room = max(0, len(samples) - length)
        starts = (draws.uniforms(_TRIES) * (room + 1)).astype(np.int64)
        blocks = np.minimum((starts + length) // _BLOCK, len(energy))
        heard = sums[blocks] - sums[starts // _BLOCK]
        enough = np.flatnonzero(heard >= _ENOUGH * sums[-1] * length / len(samples))
        start = int(starts[enough[0] if enough.size else heard.argmax()])
        return length, _Window(number, samples[start : start + length], level, draws)

    def _through_spectrum(self, block: torch.Tensor, windows: Sequence[_Window]) -> Float:
        """Filter and resample windows of one length, shape (G, N) to (G, M)."""
        import torch

        length = block.shape[1]
        spectra = torch.fft.rfft(block).numpy()[:, : len(self._taper)]
        taken = spectra.shape[1]
        for row, window in zip(spectra, windows, strict=False):
            row *= self._taper[:taken]
            response = self._filters(window.draws)
            if response is not None:
                row *= response[:taken]
        # A spectrum that is shorter than asked for is filled up with zeros.
        changed: Float = torch.fft.irfft(torch.from_numpy(spectra), n=self._length).numpy()
        changed *= np.float32(self._length / length)
        return changed

    def _finish(self, samples: Float, window: _Window) -> Float:
        """Apply what is done in time, and bring back the level."""
        config, draws = self.config, window.draws
        chosen = draws.uniforms(3) < (config.shift, config.polarity, config.gaps)
        if chosen[0]:
            samples = self._shifted(samples, draws.integer(self._length))
        if chosen[2]:
            samples = self._with_gaps(samples, draws)
        level = sqrt(float(np.dot(samples, samples)) / self._length)
        gain = min(window.level / level, _MOST_GAIN) if level > 0.0 else 0.0
        samples *= np.float32(-gain if chosen[1] else gain)
        return samples

    def _shifted(self, samples: Float, by: int) -> Float:
        fade = _fade(round(_FADE_SECONDS * self._rate))[: self._length // 2]
        samples[: len(fade)] *= fade
        samples[len(samples) - len(fade) :] *= fade[::-1]
        return np.concatenate([samples[by:], samples[:by]])

    def _with_gaps(self, samples: Float, draws: Stream) -> Float:
        """Silence one or two intervals, unless that leaves next to nothing."""
        envelope = np.ones(self._length, np.float32)
        fade = _fade(round(_FADE_SECONDS * self._rate))
        for _ in range(1 + draws.integer(2)):
            size = int(draws.uniform() * self.config.longest_gap * self._length)
            first = int(draws.uniform() * (self._length - size))
            edge = fade[: size // 2]
            gap = np.concatenate([edge[::-1], np.zeros(size - 2 * len(edge), np.float32), edge])
            envelope[first : first + size] *= gap
        cut = samples * envelope
        left = float(np.dot(cut, cut)), float(np.dot(samples, samples))
        return cut if left[0] > _LEFT_BY_GAPS * left[1] else samples


def _block_energies(samples: Float) -> Float:
    """Return the energy of each `_BLOCK` samples, the last block perhaps a shorter one."""
    whole = len(samples) // _BLOCK * _BLOCK
    blocks, rest = samples[:whole].reshape(-1, _BLOCK), samples[whole:]
    energies: Float = np.append(
        np.einsum("ij,ij->i", blocks, blocks), np.dot(rest, rest).astype(np.float32)
    )
    return energies


def _fade(count: int) -> Float:
    """Return a raised cosine from 0 to 1, without its ends."""
    steps = np.arange(1, count + 1) / (count + 1)
    rising: Float = (0.5 - 0.5 * np.cos(np.pi * steps)).astype(np.float32)
    return rising


def _smooth(length: float) -> int:
    """Return the even number without prime factors above 7 that is nearest to a length."""
    near = 2 * round(length / 2)
    for distance in range(0, near, 2):
        for number in (near - distance, near + distance):
            rest = number
            for factor in (2, 3, 5, 7):
                while rest and rest % factor == 0:
                    rest //= factor
            if rest == 1:
                return number
    return near
