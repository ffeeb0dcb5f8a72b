"""A small clip pool: each class hums at a frequency of its own, in three recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hive.labels import find
from hive.pool.store import Origin, merge_corpus, write_clip
from hive.tables import CLIP_SCHEMA

LABELS = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")


def write_pool(pool: Path, splits: tuple[str, ...], labels: tuple[str, ...] = LABELS) -> Path:
    """Fill a pool with one recording of 1.7 s for each class and entry of `splits`."""
    rows = []
    for number, label in enumerate(labels):
        for take, split in enumerate(splits):
            rng = np.random.default_rng(100 * number + take)
            time = np.arange(round(1.7 * 44100) + 37 * take) / 44100
            samples = 0.1 * np.sin(2 * np.pi * 300 * (number + 1) * time)
            samples += 0.01 * rng.standard_normal(len(time))
            origin = Origin(
                clip_id=f"c{number}-{take}",
                corpus="corpus",
                label=find(label),
                recording_id=f"r{number}-{take}",
                split=split,
                licence="CC0-1.0" if take else "CC-BY-NC-4.0",
                attribution="A",
                bandwidth_hz=22050.0,
                channels=1,
                provenance=(),
            )
            rows.append(write_clip(pool, samples.astype(np.float32), origin))
    merge_corpus(pool, "corpus", pa.Table.from_pylist(rows, schema=CLIP_SCHEMA), [], {"seed": 0})
    return pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with two recordings of each class to train on and one to validate with."""
    return write_pool(tmp_path_factory.mktemp("pool"), ("train", "train", "validation"))
