"""Mixtures made on the fly against the plain way: `python -m benchmarks.speed.streaming`.

Every way fills the same batches: 64 mixtures of 4 s with 2 to 5 sources, float32. The plain way is
what a training script does at first: read each 10-s chunk in double precision with soundfile,
resample it with librosa if its rate is another, crop, scale to RMS 0.1, weight, add, keep the peak.
Against it: our stream from the pool's FLAC files and from a packed pool (all sources, or one target
a mixture), and shards that were rendered before, as FLAC and as WAV, which can only be read in
their order. The floor is a plain copy of the batch's bytes. One process and one thread, in turns;
then the packed pool through a loader with worker processes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pyarrow as pa
import soundfile
import torch

from benchmarks.speed.timing import interleaved, median_ratio
from hive import console
from hive.audio import AudioFormat
from hive.labels import find
from hive.mixing.plan import Planner
from hive.mixing.roots import PoolRoot
from hive.mixing.settings import PlanSettings
from hive.mixing.stream import Drawn, MixtureStream, Planned, StreamLoader, open_reader
from hive.pool.pack import pack_pool
from hive.pool.store import Origin, merge_corpus, read_pool, write_clip
from hive.shards.read import find_shards, read_shard
from hive.shards.write import RenderSettings, render_plan
from hive.tables import CLIP_SCHEMA, MIXTURE_SCHEMA, SAMPLE_RATE, write_table

_SECONDS = 4.0
_LENGTH = int(_SECONDS * SAMPLE_RATE)
_BATCH = 64
_SOURCES = 5
_LABELS = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")
Batch = dict[str, Any]


def make_pool(pool: Path, per_label: int) -> None:
    """Fill a pool with clips of 10 s: decaying tones in noise."""
    rows = []
    time_line = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    for number, label in enumerate(_LABELS):
        for take in range(per_label):
            rng = np.random.default_rng(1000 * number + take)
            tone = np.sin(2 * np.pi * rng.uniform(100, 2000) * time_line)
            tone *= np.exp(-((time_line % rng.uniform(0.5, 3)) * 3))
            samples = 0.2 * tone + 0.01 * rng.standard_normal(len(time_line))
            name = f"c{number}-{take}"
            origin = Origin(
                *(name, "corpus", find(label), name, "", "CC0-1.0", "A", 22050.0, 1, ())
            )
            rows.append(write_clip(pool, samples.astype(np.float32), origin))
    merge_corpus(pool, "corpus", pa.Table.from_pylist(rows, schema=CLIP_SCHEMA), [], {})


def mix_plainly(rows: list[dict[str, Any]], pool: Path) -> Batch:
    """The plain way."""
    mixtures = np.zeros((len(rows), _LENGTH), np.float32)
    stems = np.zeros((len(rows), _SOURCES, _LENGTH), np.float32)
    for place, row in enumerate(rows):
        weighted = []
        for source in row["sources"]:
            samples, rate = soundfile.read(pool / source["path"], dtype="float64")
            if samples.ndim > 1:
                samples = samples.mean(axis=1)
            if rate != SAMPLE_RATE:
                samples = librosa.resample(samples, orig_sr=rate, target_sr=SAMPLE_RATE)
            start = int(source["crop_start_second"] * SAMPLE_RATE)
            crop = samples[start : start + _LENGTH]
            crop = crop * (0.1 / np.sqrt(np.mean(crop**2)))
            weighted.append(crop * 10 ** (source["snr_db"] / 20))
        mixture = np.sum(weighted, axis=0)
        peak = max(np.abs(signal).max() for signal in (mixture, *weighted))
        factor = min(1.0, (0.95 - len(weighted) / 32768) / peak)
        mixtures[place] = mixture * factor
        for number, stem in enumerate(weighted):
            stems[place, number] = stem * factor
    return {"mixture": torch.from_numpy(mixtures), "sources": torch.from_numpy(stems)}


def read_shards(dataset: Path, split: str) -> Batch:
    """The same batch from shards."""
    mixtures = np.zeros((_BATCH, _LENGTH), np.float32)
    stems = np.zeros((_BATCH, _SOURCES, _LENGTH), np.float32)
    samples = (one for shard in find_shards(dataset, split) for one in read_shard(shard))
    for place, sample in enumerate(islice(samples, _BATCH)):
        mixtures[place] = sample.mixture
        for number, stem in enumerate(sample.sources.values()):
            stems[place, number] = stem
    return {"mixture": torch.from_numpy(mixtures), "sources": torch.from_numpy(stems)}


def copied(batch: Batch) -> Batch:
    """A copy of the bytes."""
    return {name: torch.from_numpy(batch[name].numpy().copy()) for name in ("mixture", "sources")}


def largest_difference(first: Batch, second: Batch) -> float:
    """Return the largest difference of two batches, in steps of 16 bits."""
    return max(
        float((first[name] - second[name]).abs().max()) * 32768 for name in ("mixture", "sources")
    )


def measure(folder: Path, per_label: int, rounds: int) -> tuple[list[dict[str, Any]], float]:
    """Time every way of making a batch.

    Returns:
        A row for each way, and the largest difference between ours and the plain way in steps.
    """
    pool, pack, plan = folder / "pool", folder / "pack", folder / "train.parquet"
    make_pool(pool, per_label)
    pack_pool(pool, pack)
    planner = Planner(read_pool(pool)[0], PlanSettings("train", 0, _SECONDS))
    rows = planner.rows(range(_BATCH))
    write_table(plan, rows, MIXTURE_SCHEMA)
    formats: tuple[AudioFormat, ...] = ("flac", "wav")
    for audio_format in formats:
        render_plan(plan, PoolRoot(pool), folder / audio_format, RenderSettings(audio_format))

    def stream(where: Path, mixtures: Any = None, **options: Any) -> Callable[[], Batch]:
        made = MixtureStream(
            mixtures or Planned(plan), open_reader(where), batch_size=_BATCH, shuffle=False,
            **options,
        )  # fmt: skip
        return lambda: next(iter(made))

    whole = stream(pack)()
    ways: dict[str, Callable[[], Batch]] = {
        "plain": lambda: mix_plainly(rows, pool),
        "FLAC pool": stream(pool),
        "packed pool": stream(pack),
        "packed pool, drawn without a plan": stream(pack, Drawn(planner, _BATCH)),
        "packed pool, one target": stream(pack, targets="one"),
        "FLAC shards": lambda: read_shards(folder / "flac", "train"),
        "WAV shards": lambda: read_shards(folder / "wav", "train"),
        "copy of the bytes": lambda: copied(whole),
    }
    seconds = interleaved(ways, rounds)
    results = [
        {
            "way": way,
            "per_second": _BATCH / statistics.median(taken),
            "times_plain": median_ratio(seconds["plain"], taken),
            "times_copy": median_ratio(taken, seconds["copy of the bytes"]),
        }
        for way, taken in seconds.items()
    ]
    return results, largest_difference(whole, ways["plain"]())


def measure_loader(folder: Path, workers: int, targets: Any, batches: int) -> float:
    """Return the mixtures a second that arrive from worker processes, after the first batches."""
    planner = Planner(read_pool(folder / "pool")[0], PlanSettings("train", 0, _SECONDS))
    begin = 2 * max(workers, 1)
    mixtures = Drawn(planner, _BATCH * (batches + begin))
    stream = MixtureStream(
        mixtures, open_reader(folder / "pack"), batch_size=_BATCH, targets=targets
    )
    arriving = iter(StreamLoader(stream, workers))
    for _ in range(begin):
        next(arriving)
    start = time.perf_counter()
    count = sum(len(batch["index"]) for batch in arriving)
    return count / (time.perf_counter() - start)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the tables; exit code 1 when the samples disagree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--per-label", type=int, default=40, help="Clips of each of five classes.")
    parser.add_argument("--batches", type=int, default=20, help="Batches of a loader's run.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        results, difference = measure(Path(name), options.per_label, options.rounds)
        loaders = [
            {
                "workers": workers,
                "targets": targets,
                "per_second": measure_loader(Path(name), workers, targets, options.batches),
            }
            for targets in ("all", "one")
            for workers in (0, 1, 2)
        ]
    if options.json:
        console.print_json({"ways": results, "loaders": loaders, "difference": difference})
    else:
        _print(results, loaders, difference)
    # The plain mixture is not rounded, ours is the sum of its rounded sources.
    return int(difference > _SOURCES / 2 + 0.5)


def _print(results: list[dict[str, Any]], loaders: list[dict[str, Any]], difference: float) -> None:
    console.print_table(
        ["way", "mixtures a second", "times the plain way", "time, in copies of the bytes"],
        [
            (
                *(row["way"], f"{row['per_second']:.0f}", f"{row['times_plain']:.1f}"),
                f"{row['times_copy']:.1f}",
            )
            for row in results
        ],
        title="Batches of 64 mixtures of 4 s, one core",
    )
    console.print_table(
        ["workers", "targets", "mixtures a second"],
        [(row["workers"], row["targets"], f"{row['per_second']:.0f}") for row in loaders],
        title="The packed pool through a loader",
    )
    console.say(f"largest difference from the plain way: {difference:.2f} steps of 16 bits")


if __name__ == "__main__":
    sys.exit(main())
