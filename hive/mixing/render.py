"""Turn a row of the mixture table into samples: a pure function of the row and the clips.

y = x_1 + sum_{c >= 2} 10^(SNR_c / 20) x_c with every x_c at RMS 0.1 (Hive paper, section 4.1). The
weighted sources are scaled together so that no peak exceeds 0.95, rounded to integers, and then
added: the stored mixture is the sum of the stored sources, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hive import audio
from hive.errors import HiveError

TARGET_RMS = 0.1
PEAK = 0.95


@dataclass(frozen=True)
class Rendered:
    """A rendered mixture.

    Attributes:
        row: The row of the mixture table with every computed field filled in.
        mixture: Integer samples, shape (T,).
        sources: Integer samples of each source, in order; they add up to `mixture`.
    """

    row: dict[str, Any]
    mixture: NDArray[np.int32]
    sources: list[NDArray[np.int32]]


def render(row: dict[str, Any], find: Callable[[str], Path], bits: int = 16) -> Rendered:
    """Render one mixture.

    Gains and the normalisation factor that a row already has are used as they are; those that
    are null are computed and filled in.

    Args:
        row: A row of the mixture table.
        find: Gives the file of a source's path.
        bits: Bits of the stored samples, 16 or 24.

    Raises:
        HiveError: If a file cannot be read, or a crop is silent.
    """
    rate = row["sample_rate"]
    weighted: list[audio.Float] = []
    sources: list[dict[str, Any]] = []
    for source in row["sources"]:
        crop = audio.read_crop(
            find(source["path"]),
            (source["chunk_start_second"], source["chunk_end_second"]),
            (source["crop_start_second"], source["crop_end_second"]),
            rate,
        )
        gain, weight = source.get("rms_gain"), source.get("applied_weight")
        if gain is None:
            level = audio.rms(crop)
            if level < audio.SILENCE_RMS:
                raise HiveError(
                    f"{source['path']}: silent between {source['crop_start_second']:.2f} and "
                    f"{source['crop_end_second']:.2f} s of its chunk (RMS {level:.1e})",
                    "restore the clip, or plan again from the pool as it is",
                )
            gain = TARGET_RMS / level
        if weight is None:
            weight = gain * 10.0 ** (source["snr_db"] / 20.0)
        weighted.append(crop * np.float32(weight))
        sources.append({**source, "rms_gain": gain, "applied_weight": weight})
    stems, mixture, factor = _quantise(weighted, row.get("global_normalization_factor"), bits, row)
    for source, stem in zip(sources, stems, strict=True):
        source["pcm_sha256"] = audio.pcm_sha256(stem, bits)
    filled = {
        **row,
        "sources": sources,
        "global_normalization_factor": factor,
        "final_max_amplitude": float(np.abs(mixture).max()) / (1 << (bits - 1)),
        "pcm_sha256": audio.pcm_sha256(mixture, bits),
    }
    return Rendered(filled, mixture, stems)


def _quantise(
    weighted: list[audio.Float], factor: float | None, bits: int, row: dict[str, Any]
) -> tuple[list[NDArray[np.int32]], NDArray[np.int32], float]:
    if factor is None:
        total = np.sum(weighted, axis=0)
        peak = max(float(np.abs(samples).max()) for samples in (total, *weighted))
        # Rounding can add half a step for each source; the limit holds for the stored samples.
        limit = PEAK - len(weighted) / (1 << (bits - 1))
        factor = min(1.0, limit / peak)
    try:
        stems = [audio.to_integers(samples * np.float32(factor), bits) for samples in weighted]
    except ValueError as error:
        raise HiveError(
            f"mixture {row['mix_id']}: a source clips at the given normalisation factor {factor} "
            f"({error})",
            "leave global_normalization_factor null to have it computed",
        ) from error
    mixture: NDArray[np.int32] = np.sum(stems, axis=0, dtype=np.int32)
    return stems, mixture, factor
