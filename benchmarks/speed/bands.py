"""Mixtures that need no recordings: two bands of noise, of which queries name one.

There is something to learn, the band that belongs to a text, and nothing to read from disk. Item n
is the same in every process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from baselines.data.examples import Examples
from hive.seeding import Stream

CLASSES = 8
_LOW, _HIGH = 100.0, 12_800.0  # Hz; an octave to most classes
_LEVEL = 0.1
_GAIN_DB = 5.0
_SPARE = 1.0  # seconds that a recording is longer than a mixture


def text(number: int) -> str:
    """Return the query of a class."""
    return f"sound of class {number}"


class BandMixtures:
    """Mixtures by number.

    Args:
        seconds: Their length.
        sample_rate: Hz.
        negatives: Whether queries also name what is to be dropped.
    """

    def __init__(self, seconds: float, sample_rate: int, *, negatives: bool) -> None:
        self._samples = round(seconds * sample_rate)
        self._negatives = negatives
        longer = self._samples + round(_SPARE * sample_rate)
        edges = np.geomspace(_LOW, _HIGH, CLASSES + 1)
        self._recordings = [
            _band(number, low, high, longer, sample_rate)
            for number, (low, high) in enumerate(pairwise(edges))
        ]

    def batch(self, items: Sequence[int]) -> Examples:
        """Return mixtures by their numbers."""
        drawn = [self._item(item) for item in items]
        targets, others, wanted, unwanted = zip(*drawn, strict=True)
        target = torch.stack(targets)
        return Examples(
            mixture=target + torch.stack(others),
            target=target,
            positive=[(text(number),) for number in wanted],
            negative=[(text(number),) if self._negatives else () for number in unwanted],
            num_sources=torch.full((len(items),), 2),
            mix_id=[f"bands-{item}" for item in items],
        )

    def batches(self, steps: int, size: int, seed: int) -> Iterator[Examples]:
        """Yield the same `steps * size` mixtures in an order that depends on the seed."""
        order = Stream(seed, "bands", "all", "order").generator().permutation(steps * size)
        for first in range(0, steps * size, size):
            yield self.batch(order[first : first + size].tolist())

    def _item(self, item: int) -> tuple[Tensor, Tensor, int, int]:
        drawn = Stream(0, "bands", item, "mixture")
        wanted = drawn.integer(CLASSES)
        unwanted = (wanted + 1 + drawn.integer(CLASSES - 1)) % CLASSES
        parts = []
        for number in (wanted, unwanted):
            recording = self._recordings[number]
            start = drawn.integer(len(recording) - self._samples + 1)
            gain = 10.0 ** (drawn.uniform(-_GAIN_DB, _GAIN_DB) / 20.0)
            parts.append(gain * recording[start : start + self._samples])
        return parts[0], parts[1], wanted, unwanted


def _band(number: int, low: float, high: float, samples: int, sample_rate: int) -> Tensor:
    noise = Stream(0, "bands", number, "recording").generator().standard_normal(samples)
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(samples, 1.0 / sample_rate)
    spectrum[(frequencies < low) | (frequencies >= high)] = 0.0
    # Each class swells and fades at a rate of its own.
    swell = 1.0 + 0.8 * np.sin(2.0 * np.pi * (number + 1) * np.arange(samples) / sample_rate)
    band = np.fft.irfft(spectrum, n=samples) * swell
    return torch.from_numpy((_LEVEL * band / np.sqrt(np.mean(band**2))).astype(np.float32))
