"""Planning at scale: `python -m benchmarks.speed.planning --clips 900000 --num 100000`.

Makes a clip table of the size that the Hive paper names (0.9 M clips of 10 s in 283 classes, with a
long tail), without audio, and plans mixtures from it as `hive-bench mix plan` does: the table is
read, the recordings are divided among the splits, and the mixtures of the training split are
drawn and written; then the plan is read as `mix render` reads it. Table and plan are made in
processes of their own, so the peaks of memory are those of planning alone. Rates count the seconds
of the clock: let nothing else run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive import console
from hive.build import split_clips
from hive.files import sha256_json
from hive.labels import all_labels
from hive.mixing.counts import parse_count
from hive.mixing.plan import Planner, PlanSettings, write_plan
from hive.mixing.plan_table import PlanTable
from hive.mixing.splits import DEFAULT_SHARES
from hive.pool.store import TABLE
from hive.tables import CLIP_SCHEMA, PROVENANCE, write_table

_FRAMES = 100  # of 0.1 s in a clip of 10 s
_STAGES = ("chunk", "single_label", "single_event", "coarse_tag", "leaf_label", "standardise")
_LICENCES = ("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-4.0", "LicenseRef-YouTube")
_CORPORA = ("AudioSet", "BBC_Sound_Effects", "FreeSound", "FSD50K", "VGGSound")


def make_clips(count: int, seed: int = 0) -> pa.Table:
    """Return a clip table like that of a large pool.

    Classes have frequencies in proportion to 1 / rank, recordings give one to six clips, a third of
    the clips has pauses.

    Args:
        count: Number of clips.
        seed: Seed.
    """
    rng = np.random.default_rng(seed)
    labels = all_labels()
    shares = 1.0 / np.arange(1, len(labels) + 1)
    rng.shuffle(shares)
    label = rng.choice(len(labels), count, p=shares / shares.sum())
    label[: len(labels)] = np.arange(len(labels))[:count]
    recording = np.repeat(np.arange(count), rng.integers(1, 7, count))[:count]
    label = label[recording]  # clips of a recording are of one class here
    corpus = recording % len(_CORPORA)
    licence = rng.choice(len(_LICENCES), count)[recording]
    slugs = [one.slug for one in labels]
    digits = rng.integers(0, 1 << 62, count)
    names = [
        f"{_CORPORA[c].lower()}-{r:011x}-{n % 64:03d}"
        for n, (c, r) in enumerate(zip(corpus.tolist(), (recording * 7919).tolist(), strict=True))
    ]
    columns: dict[str, Any] = {
        "clip_id": names,
        "source": _pick(_CORPORA, corpus),
        "path": [
            f"{_CORPORA[c]}/{slugs[k]}/{name}.{d & 0xFFFFFFFF:08x}.flac"
            for c, k, name, d in zip(
                corpus.tolist(), label.tolist(), names, digits.tolist(), strict=True
            )
        ],
        "start_second": np.zeros(count),
        "end_second": np.full(count, _FRAMES / 10.0),
        "label": _pick([one.name for one in labels], label),
        "label_mid": _pick([one.mid for one in labels], label),
        "split": _pick([""], np.zeros(count, np.int64)),
        "recording_id": [name[:-4] for name in names],
        "sample_rate": np.full(count, 44100, np.int32),
        "channels": np.ones(count, np.int32),
        "bandwidth_hz": rng.uniform(8000, 22050, count),
        "restored": np.zeros(count, bool),
        "rms": rng.uniform(0.01, 0.2, count),
        "activity": _activity(rng, count),
        "licence": _pick(_LICENCES, licence),
        "attribution": [
            f'"{name}" by author {r % 9973} ({_CORPORA[c]})'
            for name, r, c in zip(names, recording.tolist(), corpus.tolist(), strict=True)
        ],
        "pcm_sha256": [sha256_json(n) for n in range(count)],
        "provenance": _provenance(rng, count),
    }
    columns["restored"] = pa.array(columns["restored"])
    return pa.table(columns).select(CLIP_SCHEMA.names).cast(CLIP_SCHEMA)


def _pick(names: Any, numbers: NDArray[np.int64]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), pa.array(names)).cast(
        pa.string()
    )


def _activity(rng: np.random.Generator, count: int) -> pa.ListArray:
    """Levels that wander; of a third of the clips, stretches of a second are silent."""
    levels = np.empty((count, _FRAMES), np.uint8)
    for start in range(0, count, 50_000):
        block = levels[start : start + 50_000]
        steps = rng.normal(0.0, 2.0, block.shape).cumsum(axis=1)
        block[:] = np.clip(steps + rng.normal(105.0, 5.0, (len(block), 1)), 60, 126)
        gates = np.repeat(rng.random((len(block), _FRAMES // 10)) < 0.6, 10, axis=1)
        block[gates & (rng.random((len(block), 1)) < 1 / 3)] = 0
    offsets = np.arange(count + 1, dtype=np.int32) * _FRAMES
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(levels.ravel()))


def _provenance(rng: np.random.Generator, count: int) -> pa.ListArray:
    """What each stage of curation says of each clip."""
    rows = count * len(_STAGES)
    fields = [
        _pick(_STAGES, np.arange(rows) % len(_STAGES)),
        _pick(["1"], np.zeros(rows, np.int64)),
        _pick([f"kept, reason {n}" for n in range(50)], rng.integers(0, 50, rows)),
        pa.array(rng.random(rows).round(4)),
    ]
    offsets = np.arange(count + 1, dtype=np.int32) * len(_STAGES)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.StructArray.from_arrays(fields, fields=list(PROVENANCE))
    )


def make_pool(pool: Path, clips: int) -> None:
    """Write the clip table of a pool that has no audio."""
    write_table(pool / TABLE, make_clips(clips), CLIP_SCHEMA)


def measure(pool: Path, plan: Path, num: int, workers: int) -> list[dict[str, Any]]:
    """Plan and read the plan; return each step with its seconds and the peak memory so far."""
    steps: list[dict[str, Any]] = []

    def step(name: str, run: Callable[[], Any], mixtures: int = 0) -> Any:
        start, before = time.perf_counter(), _core_seconds()
        result = run()
        seconds, core = time.perf_counter() - start, _core_seconds() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        steps.append(
            {"step": name, "seconds": seconds, "core_seconds": core, "peak_mb": peak}
            | {"mixtures": mixtures}
        )
        return result

    chosen = step("read and divide", lambda: split_clips(pool, "train", DEFAULT_SHARES, 0))
    planner = step("prepare", partial(Planner, chosen.clips, PlanSettings("train", 0, 4.0)))
    del chosen
    step("draw and write", lambda: write_plan(planner, num, plan, workers=workers), num)
    table = PlanTable(plan)
    step("read the sizes", lambda: table.sizes, num)
    step("hash the names", table.ids_sha256, num)
    shard = np.flatnonzero(table.sizes == 2)[:1000]
    step("rows of a shard", lambda: table.rows(shard))
    return steps


def _core_seconds() -> float:
    """Seconds of all cores that this process and its finished workers took so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def apart(run: Callable[..., Any], *arguments: Any) -> Any:
    """Run something in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(run, *arguments).result()


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table and what the whole would take."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=parse_count, default=900_000)
    parser.add_argument("--num", type=parse_count, default=100_000, help="mixtures to plan")
    parser.add_argument("--whole", type=parse_count, default=17_500_000, help="mixtures in all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hive-planning-") as folder:
        pool, plan = Path(folder) / "pool", Path(folder) / "plan.parquet"
        apart(make_pool, pool, options.clips)
        steps = apart(measure, pool, plan, options.num, options.workers)
        size = plan.stat().st_size
    once = sum(one["seconds"] for one in steps if not one["mixtures"])
    each = sum(one["seconds"] for one in steps if one["mixtures"]) / options.num
    whole = {
        "mixtures": options.whole,
        "minutes": (once + options.whole * each) / 60,
        "gigabytes": size / options.num * options.whole / 1e9,
    }
    if options.json:
        console.print_json({"steps": steps, "whole": whole})
        return 0
    console.print_table(
        ["step", "seconds", "of a core", "mixtures/s", "peak, MB"],
        [
            (
                one["step"],
                f"{one['seconds']:.2f}",
                f"{one['core_seconds']:.2f}",
                f"{one['mixtures'] / one['seconds']:.0f}" if one["mixtures"] else "",
                f"{one['peak_mb']:.0f}",
            )
            for one in steps
        ],
        title=f"{options.num} mixtures from {options.clips} clips, workers: {options.workers}",
    )
    console.out.print(
        f"{whole['mixtures']} mixtures at this rate: {whole['minutes']:.1f} min, "
        f"{whole['gigabytes']:.2f} GB",
        highlight=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
