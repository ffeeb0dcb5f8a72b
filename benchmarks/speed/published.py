"""Published metadata at scale: `python -m benchmarks.speed.published --num 500000`.

Makes a flat table as on the hub card of the Hive authors (5 M rows of 2 to 5 sources, 3.5 on
average here), with a share of the 0.9 M files of the paper that goes with its rows, as empty files.
Then does what `hive-bench mix render` does before it renders: finds which files are here, counts
what can be made, and writes the plan. Seconds are those of the processor, on one core; memory is
the peak of the process, which is another one than that which made the table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hive import console
from hive.mixing.published.coverage import cover
from hive.mixing.published.locate import locate
from hive.mixing.published.plan import Prepared
from hive.mixing.published.survey import survey
from hive.mixing.roots import CorpusRoots

_ROWS, _FILES = 5_000_000, 900_000
_GROUP = 50_000
_FOLDER = "audio/unbal_train"
_LABELS = ("Dog", "Rain", "Typing", "Vehicle horn, car horn, honking")


def make_world(folder: Path, num: int) -> None:
    """Write `metadata.parquet` with `num` rows, and the files that it names, empty."""
    rng = np.random.default_rng(0)
    names = np.array([f"{_FOLDER}/{at:011d}.flac" for at in range(max(5, num * _FILES // _ROWS))])
    (folder / "AudioSet" / _FOLDER).mkdir(parents=True)
    for name in names:
        (folder / "AudioSet" / name).touch()
    writer = None
    for first in range(0, num, _GROUP):
        table = _rows(rng, names, first, min(_GROUP, num - first))
        writer = writer or pq.ParquetWriter(folder / "metadata.parquet", table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _rows(rng: np.random.Generator, names: Any, first: int, count: int) -> pa.Table:
    sizes = rng.integers(2, 6, count)
    total = int(sizes.sum())
    files = rng.integers(0, len(names), total)
    starts = rng.uniform(0, 6, total).round(3)
    columns: dict[str, Any] = {
        "source_id": ["s1"] * total,
        "path": np.char.add("AudioSet/", names[files]),
        "label": np.array(_LABELS)[files % len(_LABELS)],
        "chunk_start_second": np.zeros(total),
        "chunk_end_second": np.full(total, 10.0),
        "crop_start_second": starts,
        "crop_end_second": starts + 4.0,
        "snr_db": rng.uniform(-5, 5, total),
        **{name: rng.uniform(1, 9, total) for name in ("rms_gain", "applied_weight")},
    }
    sources = pa.StructArray.from_arrays(
        [pa.array(values) for values in columns.values()], names=list(columns)
    )
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    return pa.table(
        {
            "mix_id": [f"sample_{first + row:08d}" for row in range(count)],
            "split": ["train"] * count,
            "sample_rate": pa.array([44100] * count, pa.int32()),
            "target_duration": [4.0] * count,
            "num_sources": pa.array(sizes, pa.int32()),
            "sources": pa.ListArray.from_arrays(offsets, sources),
            "global_normalization_factor": [0.8] * count,
            "final_max_amplitude": [0.95] * count,
        }
    )


def measure(folder: Path) -> list[tuple[str, float, float]]:
    """Return each step with its processor seconds and the peak of memory so far, in MB."""
    roots = CorpusRoots({"audioset": folder / "AudioSet"})
    metadata = locate(str(folder / "metadata.parquet"))
    found: list[tuple[str, float, float]] = [("start", time.process_time(), _peak())]
    known = survey(metadata, ["train"], roots)
    found.append(("survey: files and names", time.process_time(), _peak()))
    coverage = cover(metadata, ["train"], roots, known)
    found.append(("coverage", time.process_time(), _peak()))
    Prepared(metadata, roots, known, coverage).write(folder / "plan")
    found.append(("plan", time.process_time(), _peak()))
    return [(name, after - before, peak) for (_, before, _), (name, after, peak) in pairwise(found)]


def _peak() -> float:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--num", type=int, default=500_000, help="rows")
    num = parser.parse_args().num
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(make_world, folder, num).result()
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            steps = pool.submit(measure, folder).result()
    console.print_table(
        ["step", "seconds", "microseconds a row", f"hours for {_ROWS:,} rows", "peak MB"],
        [
            (step, f"{took:.1f}", f"{took / num * 1e6:.0f}", f"{took / num * _ROWS / 3600:.3f}",
             f"{peak:.0f}")
            for step, took, peak in steps
        ],
        title=f"{num:,} rows",
    )  # fmt: skip


if __name__ == "__main__":
    main()
