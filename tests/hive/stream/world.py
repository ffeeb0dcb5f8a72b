"""A small clip pool and a plan, made in a second; run by path from the tests that need one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from hive.labels import find
from hive.mixing.plan import Planner
from hive.mixing.settings import PlanSettings
from hive.pool.store import Origin, merge_corpus, write_clip
from hive.tables import CLIP_SCHEMA, MIXTURE_SCHEMA, write_table

LABELS = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")
SECONDS = 0.5


def make_pool(pool: Path, per_label: int = 3, seconds: float = 1.7) -> Path:
    """Fill a pool with bursts of noise, some loud and short, so that some mixtures are scaled."""
    rows = []
    for number, label in enumerate(LABELS):
        for take in range(per_label):
            rng = np.random.default_rng(100 * number + take)
            count = round(seconds * 44100) + 37 * take
            samples = 0.02 * rng.standard_normal(count)
            if take == 0:
                samples[::3000] = 0.7
            origin = Origin(
                clip_id=f"c{number}-{take}",
                corpus="corpus",
                label=find(label),
                recording_id=f"r{number}-{take}",
                split="",
                licence="CC0-1.0",
                attribution="A",
                bandwidth_hz=22050.0,
                channels=1,
                provenance=(),
            )
            rows.append(write_clip(pool, samples.astype(np.float32), origin))
    merge_corpus(pool, "corpus", pa.Table.from_pylist(rows, schema=CLIP_SCHEMA), [], {"seed": 0})
    return pool


def make_planner(clips: pa.Table, seed: int = 3) -> Planner:
    """A planner of short mixtures from all clips."""
    return Planner(clips, PlanSettings("train", seed, SECONDS))


def make_plan(planner: Planner, count: int, path: Path) -> Path:
    """Write a plan in row groups of seven."""
    import pyarrow.parquet as pq

    write_table(path, planner.rows(range(count)), MIXTURE_SCHEMA, planner.described)
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=7)
    return path
