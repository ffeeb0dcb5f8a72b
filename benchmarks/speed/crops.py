"""Ways to store a pool for random crops: `python -m benchmarks.speed.crops POOL`.

Takes clips of a pool, stores their samples in several ways, and reads 4-s crops at random places:
from the pool's FLAC files; from the same files one after another in one large file with an index;
from FLAC and from zstd-compressed PCM cut into pieces of a second; and from 16-bit PCM in a packed
pool, with `pread` and through a memory map. Each way runs on one thread, in turns with the others,
with the files in the page cache and with them dropped from it.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from numpy.typing import NDArray

from benchmarks.speed.timing import interleaved
from hive import audio, console
from hive.pool.pack import pack_pool
from hive.pool.packed import Pack, part_name
from hive.pool.store import TABLE, read_pool
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, write_table

_CROP = 4 * SAMPLE_RATE
_PIECE = SAMPLE_RATE
Samples = NDArray[np.int16]


class Pieces:
    """Clips cut into pieces of a length, each encoded by itself, one after another in one file."""

    def __init__(
        self,
        path: Path,
        clips: list[Samples],
        length: int | None,
        encode: Callable[[Samples], bytes],
        decode: Callable[[bytes, int], Samples],
    ) -> None:
        self.path = path
        self._length = length
        self._decode = decode
        self._offsets: list[list[int]] = []
        position = 0
        with path.open("wb") as handle:
            for clip in clips:
                step = length or len(clip)
                offsets = [position]
                for start in range(0, len(clip), step):
                    position += handle.write(encode(clip[start : start + step]))
                    offsets.append(position)
                self._offsets.append(offsets)
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, clip: int, start: int) -> Samples:
        """Return a crop."""
        offsets, step = self._offsets[clip], self._length
        if step is None:
            data = os.pread(self._descriptor, offsets[1] - offsets[0], offsets[0])
            return self._decode(data, start)
        first, last = start // step, -(-(start + _CROP) // step)
        data = os.pread(self._descriptor, offsets[last] - offsets[first], offsets[first])
        cuts = [offset - offsets[first] for offset in offsets[first : last + 1]]
        parts = [self._decode(data[a:b], 0) for a, b in pairwise(cuts)]
        start -= first * step
        return np.concatenate(parts)[start : start + _CROP]


def crop_of(file: Path | io.BytesIO, start: int) -> Samples:
    """Read a crop of an audio file."""
    with soundfile.SoundFile(file) as opened:
        opened.seek(start)
        samples: Samples = opened.read(_CROP, dtype="int16")
    return samples


def make_stores(pool: Path, paths: list[str], clips: list[Samples], folder: Path) -> dict[str, Any]:
    """Store the clips in every way.

    Returns:
        By name: what reads a crop of a clip, and the files that hold the samples.
    """
    part = folder / "pool"
    table, settings = read_pool(pool)
    rows = [row for row in table.to_pylist() if row["path"] in set(paths)]
    write_table(part / TABLE, rows, CLIP_SCHEMA, settings)
    for path in paths:
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_bytes((pool / path).read_bytes())
    pack_pool(part, folder / "pack")
    pack = Pack(folder / "pack")
    numbers = [pack.find(path) for path in paths]
    pcm = folder / "pack" / part_name(0)
    starts = np.cumsum([0, *(pack.frames(number) for number in range(len(pack)))])

    def from_file(clip: int, start: int) -> Samples:
        return crop_of(part / paths[clip], start)

    def from_pack(clip: int, start: int) -> Samples:
        out = np.empty(_CROP, np.int16)
        pack.read(numbers[clip], start, out)
        return out

    def from_map(clip: int, start: int) -> Samples:
        # Mapped anew: pages that are mapped cannot be dropped from the cache.
        first = int(starts[numbers[clip]]) + start
        return np.array(np.memmap(pcm, np.int16, "r", 2 * first, (_CROP,)))

    def flac(samples: Samples) -> bytes:
        return audio.encode(samples, SAMPLE_RATE)

    zstd = pa.Codec("zstd", compression_level=3)
    whole = Pieces(
        folder / "whole.bin",
        clips,
        None,
        flac,
        lambda data, start: crop_of(io.BytesIO(data), start),
    )
    cut = Pieces(
        *(folder / "cut.bin", clips, _PIECE, flac),
        lambda data, _: audio.decode_integers(data)[0].astype(np.int16, copy=False),
    )

    def zstd_piece(data: bytes, _: int) -> Samples:
        size = int.from_bytes(data[:4], "little")
        return np.frombuffer(zstd.decompress(data[4:], size), np.int16)

    packed = Pieces(
        *(folder / "zstd.bin", clips, _PIECE),
        lambda samples: (
            samples.nbytes.to_bytes(4, "little") + zstd.compress(samples.tobytes(), asbytes=True)
        ),
        zstd_piece,
    )
    return {
        "FLAC files": (from_file, [part / path for path in paths]),
        "FLAC in one file": (whole.read, [whole.path]),
        "FLAC pieces of 1 s": (cut.read, [cut.path]),
        "zstd pieces of 1 s": (packed.read, [packed.path]),
        "PCM, memory map": (from_map, [pcm]),
        "PCM, pread (the pack)": (from_pack, [pcm]),
    }


def drop(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(pool: Path, count: int, crops: int, rounds: int) -> list[dict[str, Any]]:
    """Time every way, with and without the page cache."""
    draw = random.Random(0)  # noqa: S311
    table, _ = read_pool(pool)
    paths = sorted(table["path"].to_pylist())
    paths = sorted(draw.sample(paths, min(count, len(paths))))
    clips = [audio.to_integers(audio.read(pool / path)[0][:, 0]) for path in paths]
    places = []
    for _ in range(crops):
        clip = draw.randrange(len(clips))
        places.append((clip, draw.randrange(len(clips[clip]) - _CROP + 1)))
    hours = sum(map(len, clips)) / SAMPLE_RATE / 3600
    with tempfile.TemporaryDirectory() as folder:
        stores = make_stores(pool, paths, clips, Path(folder))
        for store, (read, _) in stores.items():
            for clip, start in places[:20]:
                if not np.array_equal(read(clip, start), clips[clip][start : start + _CROP]):
                    raise AssertionError(f"{store}: other samples than were stored")

        def run(store: str, *, cold: bool) -> None:
            read, files = stores[store]
            if cold:
                drop(files)
            for clip, start in places:
                read(clip, start)

        warm = interleaved({name: partial(run, name, cold=False) for name in stores}, rounds)
        cold = interleaved({name: partial(run, name, cold=True) for name in stores}, rounds)
        return [
            {
                "store": store,
                "warm_ms": statistics.median(warm[store]) / crops * 1e3,
                "cold_ms": statistics.median(cold[store]) / crops * 1e3,
                "gb_per_1000_h": sum(file.stat().st_size for file in files) / hours / 1e6,
            }
            for store, (_, files) in stores.items()
        ]


def main(arguments: list[str] | None = None) -> int:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--crops", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results = measure(options.pool, options.clips, options.crops, options.rounds)
    if options.json:
        console.print_json(results)
        return 0
    console.print_table(
        ["store", "in cache, ms", "from disk, ms", "GB per 1,000 h"],
        [
            (
                *(row["store"], f"{row['warm_ms']:.2f}", f"{row['cold_ms']:.2f}"),
                f"{row['gb_per_1000_h']:.0f}",
            )
            for row in results
        ],
        title="A random crop of 4 s, one thread",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
