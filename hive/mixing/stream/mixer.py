"""Mixing in few passes; to the bit what `hive.mixing.render` gives at 16 bits.

All sums are of float32 that hold integers, or integers times 2^-15, exactly. A step of 16 bits is
2^-15, which is the distance of neighbouring float32 between 256 and 512: adding 384 and taking it
away again rounds a sample of full scale 1.0 to whole steps, halves to even, as `numpy.rint` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hive import audio
from hive.errors import HiveError
from hive.mixing.render import normalisation, rms_gain, weight_at
from hive.mixing.stream.readers import Crop, Reader
from hive.mixing.stream.recipe import Recipe

_BITS = 16
_STEP = 2.0**-15
_HIGHEST = 1.0 - _STEP
#: Below this no rounding can take a sample out of 16 bits.
_SAFE = 0.999
_REMEDY = "leave global_normalization_factor null to have it computed"
_ROUNDER = np.float32(384.0)
_BLOCK = 1 << 16  # samples that are worked on at a time: what is at hand stays in the cache


class Mixer:
    """Makes mixtures of one length; its buffers are used again and again.

    Args:
        reader: Where the samples come from.
        length: Samples of a mixture.
    """

    def __init__(self, reader: Reader, length: int) -> None:
        self._reader = reader
        self._length = length
        self._total = np.zeros(length, np.float32)
        self._term = np.zeros(length, np.float32)
        self._blocks = [slice(first, first + _BLOCK) for first in range(0, length, _BLOCK)]

    def mix(self, recipe: Recipe, sources: Sequence[audio.Float], mixture: audio.Float) -> None:
        """Make a mixture.

        Args:
            recipe: What it is made of.
            sources: Where each source is written, float32, shape (T,), full scale 1.0: multiples
                of 2^-15, so that they add up to the mixture exactly.
            mixture: Where the mixture is written, shape (T,).

        Raises:
            HiveError: If a crop cannot be read or is silent, or a given weight or factor makes a
                sample leave 16 bits.
        """
        weights: list[float] = []
        units: list[float] = []
        peaks: list[float] = []
        for ingredient, samples in zip(recipe.ingredients, sources, strict=True):
            crop = self._reader.read(ingredient, recipe.sample_rate, self._length)
            weight = ingredient.weight
            if weight is None:
                gain = rms_gain(crop.rms, ingredient.path, ingredient.crop)
                weight = weight_at(gain, ingredient.snr_db)
            self._take(crop, weight, samples, first=not weights)
            weights.append(weight)
            units.append(crop.unit)
            peaks.append(crop.peak * abs(weight))
        factor = recipe.factor
        if factor is None:
            if not any(peaks):  # which weights that were given allow
                raise HiveError(f"{recipe.mix_id}: silent", "plan again without it")
            factor = normalisation(audio.peak(self._total), peaks, _BITS)
        # As in rendering: one multiplication by the weight in steps, rounded to float32.
        scales = [
            np.float32(weight * factor / _STEP) * np.float32(unit * _STEP)
            for weight, unit in zip(weights, units, strict=True)
        ]
        self._weigh(sources, scales, mixture)
        for ingredient, samples, peak in zip(recipe.ingredients, sources, peaks, strict=True):
            if peak * abs(factor) > _SAFE and not _fits(samples):
                raise HiveError(
                    f"{ingredient.path}: clips at the weight and normalisation factor given for "
                    f"{recipe.mix_id}",
                    _REMEDY,
                )
        if recipe.factor is not None and audio.peak(mixture) >= 1.0:
            raise HiveError(f"{recipe.mix_id}: clips at the given normalisation factor", _REMEDY)

    def _take(self, crop: Crop, weight: float, samples: audio.Float, first: bool) -> None:
        """Copy a crop as it is, and add it with its weight to the sum that gives the peak."""
        scale = np.float32(weight) * np.float32(crop.unit)
        for block in self._blocks:
            part, total, term = samples[block], self._total[block], self._term[block]
            np.copyto(part, crop.samples[block])
            if first:
                np.multiply(part, scale, out=total)
            else:
                np.multiply(part, scale, out=term)
                np.add(total, term, out=total)

    def _weigh(
        self, sources: Sequence[audio.Float], scales: Sequence[np.float32], mixture: audio.Float
    ) -> None:
        """Multiply the sources, round them to whole steps, and add them up."""
        for block in self._blocks:
            total = mixture[block]
            for number, (samples, scale) in enumerate(zip(sources, scales, strict=True)):
                part = samples[block]
                np.multiply(part, scale, out=part)
                np.add(part, _ROUNDER, out=part)
                np.subtract(part, _ROUNDER, out=part)
                if number:
                    np.add(total, part, out=total)
                else:
                    np.copyto(total, part)


def _fits(samples: audio.Float) -> bool:
    return bool(samples.max() <= _HIGHEST and samples.min() >= -1.0)
