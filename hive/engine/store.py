"""A separated window as it is stored: samples that add up, and a row of the mixture table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from hive import audio, labels
from hive.engine.rules import Scores
from hive.engine.windows import Window
from hive.mixing.render import PEAK
from hive.shards.features import REST
from hive.shards.tar import TarWriter
from hive.tables import SAMPLE_RATE


@dataclass(frozen=True)
class Stored:
    """Integer samples of a window.

    Attributes:
        mixture: The recording, shape (T,).
        tracks: One for each event, likewise.
        rest: What they leave: the tracks and the rest add up to the recording, exactly.
        factor: What all were multiplied with, so that nothing clips; 1 mostly.
        bits: Bits of a sample.
    """

    mixture: audio.Integers
    tracks: list[audio.Integers]
    rest: audio.Integers
    factor: float
    bits: int


def quantise(samples: audio.Float, tracks: list[audio.Float], bits: int) -> Stored:
    """Round a window and its tracks to integers, and take the rest.

    Args:
        samples: The recording, shape (T,).
        tracks: Its tracks, likewise.
        bits: Bits of a stored sample, 16 or 24.
    """
    remix = np.sum(tracks, axis=0)
    peaks = [audio.peak(one) for one in (samples, *tracks, samples - remix)]
    # Each of the roundings may add half a step to the rest.
    limit = PEAK - (len(tracks) + 1) / (1 << (bits - 1))
    factor = min(1.0, limit / max(*peaks, 1e-9))
    mixture, *stems = (audio.to_integers(one, bits, factor) for one in (samples, *tracks))
    rest = mixture.astype(np.int32) - np.sum(stems, axis=0, dtype=np.int32)
    return Stored(mixture, stems, rest.astype(mixture.dtype), factor, bits)


def row_of(
    window: Window,
    stored: Stored,
    scores: Scores,
    subset: str,
    made: dict[str, Any],
) -> dict[str, Any]:
    """Return the row of a window in the mixture table (`hive.tables.TRACK_SCHEMA`).

    Gains and weights are null: nothing was mixed. `snr_db` is the level of a track relative to the
    first.

    Args:
        window: The window.
        stored: Its samples.
        scores: Scores of the stored samples.
        subset: What it is kept for.
        made: `split`, `settings_hash`, `model`, `model_sha256` and `iteration`.
    """
    levels = [audio.rms(track / (1 << (stored.bits - 1))) for track in stored.tracks]
    sources = [
        {
            "source_id": f"s{number}",
            "path": window.path,
            "label": event,
            "chunk_start_second": window.start,
            "chunk_end_second": window.end,
            "crop_start_second": 0.0,
            "crop_end_second": window.seconds,
            "rms_gain": None,
            "snr_db": float(20.0 * np.log10(level / levels[0])),
            "applied_weight": None,
            "clip_id": f"{window.key}_s{number}",
            "recording_id": window.recording_id,
            "licence": window.licence,
            "attribution": window.attribution,
            "pcm_sha256": audio.pcm_sha256(track, stored.bits),
        }
        for number, (event, level, track) in enumerate(
            zip(window.events, levels, stored.tracks, strict=True), start=1
        )
    ]
    return {
        "mix_id": window.key,
        "split": made["split"],
        "num_sources": len(sources),
        "sample_rate": SAMPLE_RATE,
        "target_duration": len(stored.mixture) / SAMPLE_RATE,
        "sources": sources,
        "global_normalization_factor": stored.factor,
        "final_max_amplitude": audio.peak(stored.mixture) / (1 << (stored.bits - 1)),
        "settings_hash": made["settings_hash"],
        "licence": window.licence,
        "pcm_sha256": audio.pcm_sha256(stored.mixture, stored.bits),
        "separation": {
            "model": made["model"],
            "model_sha256": made["model_sha256"],
            "iteration": made["iteration"],
            "subset": subset,
            **scores.as_row(),
        },
    }


def clip_rows(window: Window, stored: Stored, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the tracks in a clip table, so that they can be mixed as clips are.

    Only classes of Hive may be mixed; tracks of nodes above them have no row. The path is the name
    of the track's member, to which `hive.engine.gather` adds that of its shard.
    """
    told = row["separation"]
    value = told["re_si_sdr"]
    step = ("separate", "1", f"{told['model']}, iteration {told['iteration']}, {told['subset']}")
    rows = []
    for source, track in zip(row["sources"], stored.tracks, strict=True):
        label = labels.resolve(name=source["label"]).label
        if label is None:
            continue
        samples = (track / float(1 << (stored.bits - 1))).astype(np.float32)
        rows.append(
            {
                "clip_id": source["clip_id"],
                "source": window.path.partition("/")[0],
                "path": f"{window.key}.{source['source_id']}",
                "start_second": 0.0,
                "end_second": row["target_duration"],
                "label": label.name,
                "label_mid": label.mid,
                "split": row["split"],
                "recording_id": window.recording_id,
                "sample_rate": SAMPLE_RATE,
                "channels": 1,
                "bandwidth_hz": audio.bandwidth(samples, SAMPLE_RATE),
                "restored": False,
                "rms": audio.rms(samples),
                "activity": audio.frame_levels(samples, SAMPLE_RATE).tolist(),
                "licence": window.licence,
                "attribution": window.attribution,
                "pcm_sha256": source["pcm_sha256"],
                "provenance": [
                    {"stage": step[0], "version": step[1], "decision": step[2], "score": value}
                ],
            }
        )
    return rows


def add_window(tar: TarWriter, row: dict[str, Any], stored: Stored, audio_format: str) -> None:
    """Add a window's members to a tar file: its row as JSON, the recording, tracks and rest."""
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False)
    tar.add(f"{row['mix_id']}.json", text.encode("utf-8"))
    stems = [("mix", stored.mixture), (REST, stored.rest)]
    names = (source["source_id"] for source in row["sources"])
    stems += zip(names, stored.tracks, strict=True)
    for name, samples in stems:
        data = audio.encode(samples, SAMPLE_RATE, audio_format, stored.bits)  # type: ignore[arg-type]
        tar.add(f"{row['mix_id']}.{name}.{audio_format}", data)
