"""Turn a row of the mixture table into samples: a pure function of the row and the clips.

y = x_1 + sum_{c >= 2} 10^(SNR_c / 20) x_c with every x_c at RMS 0.1 (Hive paper, section 4.1). The
weighted sources are scaled together so that no peak exceeds 0.95, rounded to integers, and then
added: the stored mixture is the sum of the stored sources, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hive import audio
from hive.errors import HiveError
from hive.mixing.roots import Find

TARGET_RMS = 0.1
PEAK = 0.95
_LEAVE_NULL = "leave global_normalization_factor null to have it computed"


@dataclass(frozen=True)
class Rendered:
    """A rendered mixture.

    Attributes:
        row: The row of the mixture table with every computed field filled in.
        mixture: Integer samples, shape (T,).
        sources: Integer samples of each source, in order; they add up to `mixture`.
    """

    row: dict[str, Any]
    mixture: audio.Integers
    sources: list[audio.Integers]


def render(row: dict[str, Any], find: Find, bits: int = 16) -> Rendered:
    """Render one mixture.

    Gains and the normalisation factor that a row already has are used as they are; those that
    are null are computed and filled in. Every crop is cut, or padded with zeros at its end, to the
    mixture's length, int(target_duration * sample_rate) samples.

    Args:
        row: A row of the mixture table.
        find: Gives the file of a source's path.
        bits: Bits of the stored samples, 16 or 24.

    Raises:
        HiveError: If a file cannot be read, or a crop is silent.
    """
    rate = row["sample_rate"]
    length = int(row["target_duration"] * rate)
    crops: list[audio.Float] = []
    sources: list[dict[str, Any]] = []
    for source in row["sources"]:
        crop = audio.read_crop(
            find(source["path"]),
            (source["chunk_start_second"], source["chunk_end_second"]),
            (source["crop_start_second"], source["crop_end_second"]),
            rate,
        )
        # Seconds of two crops may be truncated to lengths that differ by a sample.
        crop = audio.fit(crop, length)
        gain, weight = source.get("rms_gain"), source.get("applied_weight")
        if gain is None:
            interval = (source["crop_start_second"], source["crop_end_second"])
            gain = rms_gain(audio.rms(crop), source["path"], interval)
        if weight is None:
            weight = weight_at(gain, source["snr_db"])
        crops.append(crop)
        sources.append({**source, "rms_gain": gain, "applied_weight": weight})
    weights = [source["applied_weight"] for source in sources]
    factor = row.get("global_normalization_factor")
    if factor is None:
        factor = _normalisation(crops, weights, bits)
    stems = [
        _quantise(crop, weight * factor, bits, source["path"])
        for crop, weight, source in zip(crops, weights, sources, strict=True)
    ]
    # No sum can overflow while the factor keeps the mixture's peak below full scale; a factor
    # that was given may not, so the sum is taken with room and checked.
    total = stems[0].astype(np.int32)
    for stem in stems[1:]:
        total += stem
    mixture = _stored(total, bits, row["mix_id"])
    for source, stem in zip(sources, stems, strict=True):
        source["pcm_sha256"] = audio.pcm_sha256(stem, bits)
    filled = {
        **row,
        "sources": sources,
        "global_normalization_factor": factor,
        "final_max_amplitude": audio.peak(mixture) / (1 << (bits - 1)),
        "pcm_sha256": audio.pcm_sha256(mixture, bits),
    }
    return Rendered(filled, mixture, stems)


def rms_gain(level: float, path: str, crop: tuple[float, float]) -> float:
    """Return the gain that brings a crop of some RMS to `TARGET_RMS`.

    Raises:
        HiveError: If the crop is silent; `path` and `crop` (seconds) name it.
    """
    if level < audio.SILENCE_RMS:
        raise HiveError(
            f"{path}: silent between {crop[0]:.2f} and {crop[1]:.2f} s of its chunk "
            f"(RMS {level:.1e})",
            "restore the clip, or plan again from the pool as it is",
        )
    return TARGET_RMS / level


def weight_at(gain: float, snr_db: float) -> float:
    """Return the weight of a source: its gain, and its level relative to the first source."""
    weight: float = gain * 10.0 ** (snr_db / 20.0)
    return weight


def normalisation(peak: float, source_peaks: Sequence[float], bits: int) -> float:
    """Return the factor that keeps every peak, of the mixture and of each source, within 0.95.

    Args:
        peak: Peak of the sum of the weighted crops.
        source_peaks: Peak of each weighted crop.
        bits: Bits of the stored samples.
    """
    # Rounding can add half a step for each source; the limit holds for the stored samples.
    limit = PEAK - len(source_peaks) / (1 << (bits - 1))
    return min(1.0, limit / max(peak, *source_peaks))


def _normalisation(crops: list[audio.Float], weights: list[float], bits: int) -> float:
    total = crops[0] * np.float32(weights[0])
    for crop, weight in zip(crops[1:], weights[1:], strict=True):
        total += crop * np.float32(weight)
    peaks = [audio.peak(crop) * abs(weight) for crop, weight in zip(crops, weights, strict=True)]
    return normalisation(audio.peak(total), peaks, bits)


def _quantise(crop: audio.Float, weight: float, bits: int, path: str) -> audio.Integers:
    try:
        return audio.to_integers(crop, bits, weight)
    except ValueError as error:
        raise HiveError(
            f"{path}: clips at the weight and normalisation factor given in its row ({error})",
            _LEAVE_NULL,
        ) from error


def _stored(total: NDArray[np.int32], bits: int, mix_id: str) -> audio.Integers:
    peak = audio.peak(total) / (1 << (bits - 1))
    if peak >= 1.0:
        raise HiveError(f"{mix_id}: clips at the given normalisation factor", _LEAVE_NULL)
    return total.astype(np.int16) if bits == 16 else total
