"""A small pool, a dataset made of it, and sounds that a fingerprint can tell apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hive import audio
from hive.labels import find
from hive.pool.store import Origin, write_clip
from hive.shards.tar import TarWriter
from hive.tables import CLIP_SCHEMA, MIXTURE_SCHEMA, write_table

RATE = 44100
LABELS = ("Typing", "Cough", "Printer")
CLIPS = 6
CROP = 4.0


def make_sound(seed: int, seconds: float = 10.0) -> np.ndarray:
    """Something with a spectrum that changes: noise bursts through random resonances."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round(seconds * RATE), dtype=np.float32)
    for _ in range(round(8 * seconds)):
        length = rng.integers(RATE // 20, RATE // 3)
        start = rng.integers(0, len(out) - 1)
        time = np.arange(length) / RATE
        tone = np.sin(2 * np.pi * rng.uniform(200, 5000) * time + rng.normal() * np.sin(40 * time))
        part = (tone + 0.3 * rng.standard_normal(length)) * np.exp(-6 * time) * rng.uniform(0.1, 1)
        out[start : start + length] += part[: len(out) - start].astype(np.float32)
    return 0.5 * out / max(float(np.abs(out).max()), 1e-9)


@pytest.fixture
def sound() -> Callable[..., np.ndarray]:
    """Make sound number n of some length."""
    return make_sound


@dataclass(frozen=True)
class World:
    """Clip n is sound n; mixture m holds clips m and m + 1 (of 6, around)."""

    pool: Path
    dataset: Path
    rows: list[dict]


def clip_id(number: int) -> str:
    return f"own_{number}"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    pool, dataset = root / "pool", root / "dataset"
    rows = [
        write_clip(
            pool,
            make_sound(number),
            Origin(
                clip_id(number),
                "own",
                find(LABELS[number % len(LABELS)]),
                f"own/{number}" if number else "youtube/--abcdEFG_1",
                "test",
                "CC0-1.0",
                "",
                20000.0,
                1,
                (),
            ),
        )
        for number in range(CLIPS)
    ]
    write_table(pool / "clips.parquet", rows, CLIP_SCHEMA)
    mixtures = [_mixture(pool, rows, number) for number in range(CLIPS)]
    shard = dataset / "data" / "2mix" / "test-00000-of-00001.tar"
    with TarWriter(shard) as tar:
        for row, members in mixtures:
            tar.add(f"{row['mix_id']}.json", json.dumps(row).encode())
            for name, integers in members.items():
                tar.add(f"{row['mix_id']}.{name}.flac", audio.encode(integers, RATE))
    write_table(dataset / "mixtures.parquet", [row for row, _ in mixtures], MIXTURE_SCHEMA)
    return World(pool, dataset, rows)


def _mixture(pool: Path, rows: list[dict], number: int) -> tuple[dict, dict]:
    stems, sources = {}, []
    for place, clip in enumerate((number, (number + 1) % CLIPS)):
        row = rows[clip]
        begin = 1.0 + number % 3  # crops of a clip begin 1, 2 or 3 s into it
        crop = audio.read_crop(pool / row["path"], (0.0, 10.0), (begin, begin + CROP), RATE)
        name = f"s{place + 1}"
        stems[name] = audio.to_integers(crop, gain=0.3 + 0.1 * place)
        sources.append(
            {
                "source_id": name,
                "path": row["path"],
                "label": row["label"],
                "chunk_start_second": 0.0,
                "chunk_end_second": 10.0,
                "crop_start_second": begin,
                "crop_end_second": begin + CROP,
                "clip_id": row["clip_id"],
                "recording_id": row["recording_id"],
                "licence": "CC0-1.0",
                "pcm_sha256": audio.pcm_sha256(stems[name]),
            }
        )
    mixture = sum(stems.values())
    meta = {
        "mix_id": f"test-{number:08d}",
        "split": "test",
        "num_sources": 2,
        "sample_rate": RATE,
        "target_duration": CROP,
        "sources": sources,
        "pcm_sha256": audio.pcm_sha256(mixture),
    }
    return meta, {"mix": mixture, **stems}
