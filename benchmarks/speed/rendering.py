"""Rendering against the plain way: `python -m benchmarks.speed.rendering`.

The plain way is what a careful script does for each source: read the 10-s chunk in float64,
average its channels, resample all of it with librosa (soxr_hq), crop, normalise, weight; then add,
scale, encode mixture and sources as FLAC and put them into a tar file. Ours does the same and
more (exact sums in integers, hashes of every stem and of the shard). Both render the same plan in
the same process, one thread, in turns; the samples agree to 16-bit rounding, which is checked.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile

from benchmarks.speed.timing import interleaved, median_ratio
from hive import audio, console
from hive.mixing.render import render
from hive.seeding import Stream
from hive.shards.tar import TarWriter, iterate_members
from hive.shards.write import RenderSettings, add_mixture

_CHUNK_SECONDS = 10.0
_SIZES = (2, 3, 4, 4, 5, 5) * 2  # about the shares of the paper; shards hold many mixtures


def make_pool(folder: Path, rate: int, suffix: str, count: int = 12) -> list[str]:
    """Write `count` recordings of 10 s, stereo where the rate is not 44.1 kHz."""
    names = []
    for number in range(count):
        rng = np.random.default_rng(number)
        time = np.arange(round(_CHUNK_SECONDS * rate)) / rate
        tone = np.sin(2 * np.pi * rng.uniform(100, 2000) * time) * np.exp(-((time % 1.7) * 3))
        samples = 0.2 * tone + 0.01 * rng.standard_normal(len(time))
        if rate != audio_rate():
            samples = np.stack([samples, 0.8 * samples], axis=1)
        soundfile.write(folder / f"{number}.{suffix}", samples, rate, subtype="PCM_16")
        names.append(f"{number}.{suffix}")
    return names


def audio_rate() -> int:
    """The rate of the mixtures, Hz."""
    return 44100


def make_rows(names: list[str], seconds: float) -> list[dict[str, Any]]:
    """Draw mixtures of these recordings."""
    rows = []
    for index, size in enumerate(_SIZES):
        stream = Stream(0, "speed", index, "plan")
        order = sorted(names, key=lambda _: stream.uniform())
        sources = []
        for number, path in enumerate(order[:size]):
            start = stream.integer(int((_CHUNK_SECONDS - seconds) * 1024) + 1) / 1024
            sources.append(
                {
                    "source_id": f"s{number + 1}",
                    "path": path,
                    "label": "x",
                    "chunk_start_second": 0.0,
                    "chunk_end_second": _CHUNK_SECONDS,
                    "crop_start_second": start,
                    "crop_end_second": start + seconds,
                    "snr_db": stream.uniform(-5, 5) if number else 0.0,
                }
            )
        rows.append(
            {
                "mix_id": f"speed-{index:08d}",
                "sample_rate": audio_rate(),
                "target_duration": seconds,
                "sources": sources,
            }
        )
    return rows


def render_plainly(rows: list[dict[str, Any]], pool: Path, out: Path) -> None:
    """The plain way, one item after another."""
    with tarfile.open(out, "w") as tar:
        for row in rows:
            weighted = []
            for source in row["sources"]:
                samples, rate = soundfile.read(pool / source["path"], dtype="float64")
                if samples.ndim > 1:
                    samples = samples.mean(axis=1)
                if rate != row["sample_rate"]:
                    samples = librosa.resample(
                        samples, orig_sr=rate, target_sr=row["sample_rate"], res_type="soxr_hq"
                    )
                start = int(source["crop_start_second"] * row["sample_rate"])
                stop = int(source["crop_end_second"] * row["sample_rate"])
                crop = samples[start:stop]
                crop = crop * (0.1 / np.sqrt(np.mean(crop**2)))
                weighted.append(crop * 10 ** (source["snr_db"] / 20))
            mixture = np.sum(weighted, axis=0)
            peak = max(np.abs(x).max() for x in (mixture, *weighted))
            factor = min(1.0, (0.95 - len(weighted) / 32768) / peak)
            signals = {"mix": mixture}
            signals |= {f"s{n + 1}": stem for n, stem in enumerate(weighted)}
            _add(tar, f"{row['mix_id']}.json", json.dumps(row).encode())
            for name, signal in signals.items():
                buffer = io.BytesIO()
                soundfile.write(
                    buffer, signal * factor, row["sample_rate"], format="FLAC", subtype="PCM_16"
                )
                _add(tar, f"{row['mix_id']}.{name}.flac", buffer.getvalue())


def render_ours(rows: list[dict[str, Any]], pool: Path, out: Path) -> None:
    """Our way, as a worker of `mix render` does it."""
    settings = RenderSettings()
    with TarWriter(out) as tar:
        for row in rows:
            add_mixture(tar, render(row, pool.joinpath), settings)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def largest_difference(first: Path, second: Path) -> int:
    """Return the largest difference of two shards' samples, in steps of 16 bits."""
    members = [
        {
            name: audio.decode_integers(data)[0]
            for name, data in iterate_members(path)
            if name.endswith(".flac")
        }
        for path in (first, second)
    ]
    return max(int(np.abs(members[0][name] - members[1][name]).max()) for name in members[0])


def measure(rate: int, suffix: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Time both ways on one kind of pool."""
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder)
        rows = make_rows(make_pool(pool, rate, suffix), seconds)
        ours, plain = pool / "ours.tar", pool / "plain.tar"
        times = interleaved(
            {
                "ours": lambda: render_ours(rows, pool, ours),
                "plain": lambda: render_plainly(rows, pool, plain),
            },
            rounds,
        )
        return {
            "sources": f"{suffix.upper()} {rate / 1000:g} kHz",
            "mixture_seconds": seconds,
            "ours_per_second": len(rows) / statistics.median(times["ours"]),
            "plain_per_second": len(rows) / statistics.median(times["plain"]),
            "ratio": median_ratio(times["plain"], times["ours"]),
            "largest_difference": largest_difference(ours, plain),
        }


def main(arguments: list[str] | None = None) -> int:
    """Measure every kind and print the table; exit code 1 when the samples disagree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results = [
        measure(rate, suffix, seconds, options.rounds)
        for seconds in (4.0, 10.0)
        for rate in (48000, audio_rate())
        for suffix in ("wav", "flac")
    ]
    if options.json:
        console.print_json(results)
    else:
        console.print_table(
            ["sources", "mixture", "ours, 1/s", "plain, 1/s", "ratio", "difference, steps"],
            [
                (
                    row["sources"],
                    f"{row['mixture_seconds']:g} s",
                    f"{row['ours_per_second']:.1f}",
                    f"{row['plain_per_second']:.1f}",
                    f"{row['ratio']:.2f}",
                    row["largest_difference"],
                )
                for row in results
            ],
            title="Mixtures rendered per second, one core",
        )
    # The plain mixture is rounded by itself, ours is the sum of its rounded sources.
    return int(any(row["largest_difference"] > max(_SIZES) / 2 + 1 for row in results))


if __name__ == "__main__":
    sys.exit(main())
