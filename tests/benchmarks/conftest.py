"""A small data set in the form of shards, made without the package's own writer."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

LABELS = ["Dog", "Cat", "Rain", "Siren", "Violin, fiddle"]
RATE = 16000


def write_dataset(
    root: Path, sizes: dict[int, int], *, seconds: float = 0.7, rate: int = RATE, seed: int = 0
) -> Path:
    """Write `sizes[n]` mixtures of n sources; sources are noise through a few random taps."""
    generator = np.random.default_rng(seed)
    for size, count in sizes.items():
        path = root / "data" / f"{size}mix" / "test-00000-of-00001.tar"
        path.parent.mkdir(parents=True)
        with tarfile.open(path, "w") as archive:
            for number in range(count):
                _add_mixture(
                    archive, generator, f"test-{size}mix-{number:06d}", size, seconds, rate
                )
    return root


def _add_mixture(
    archive: tarfile.TarFile,
    generator: np.random.Generator,
    mix_id: str,
    size: int,
    seconds: float,
    rate: int,
) -> None:
    stems = []
    for _ in range(size):
        noise = np.convolve(
            generator.standard_normal(int(seconds * rate)), generator.standard_normal(8), "same"
        )
        stems.append(np.rint(noise / np.abs(noise).max() * 30000 / size).astype(np.int16))
    mixture = np.sum(stems, axis=0, dtype=np.int32).astype(np.int16)
    offset = int(mix_id[-6:])
    meta: dict[str, Any] = {
        "mix_id": mix_id,
        "split": "test",
        "num_sources": size,
        "sample_rate": rate,
        "target_duration": seconds,
        "sources": [
            {
                "source_id": f"s{index + 1}",
                "label": LABELS[(offset + index) % len(LABELS)],
                "recording_id": f"rec-{mix_id}-{index}",
                "pcm_sha256": hashlib.sha256(stem.tobytes()).hexdigest(),
            }
            for index, stem in enumerate(stems)
        ],
        "pcm_sha256": hashlib.sha256(mixture.tobytes()).hexdigest(),
    }
    _add(archive, f"{mix_id}.json", json.dumps(meta).encode())
    for name, samples in [("mix", mixture), *((f"s{i + 1}", s) for i, s in enumerate(stems))]:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format="FLAC")
        _add(archive, f"{mix_id}.{name}.flac", buffer.getvalue())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Path]:
    return write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three mixtures of two and two of three sources, 0.7 s at 16 kHz."""
    return write_dataset(tmp_path_factory.mktemp("dataset"), {2: 3, 3: 2})


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVE_QUIET", "1")
