"""Perceptual metrics: FAD against fadtk's arithmetic, and one pass of the network against several.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.perceptual [--files N] [--items N] [--json]

FAD: vectors of two sets of files, ten windows a file and one, as fadtk stores them (float16) and as
they are here (float32, of the same values). "in memory" is moments of both sets and the distance;
"from files" is fadtk's `score` without its network, which reads and merges one array a file in
worker processes, against the same files read here in one process.

CLAP: items of 10 s through an HTSAT-base with random weights, one pass for four metrics against one
for each, and with the references' side from the cache; then, counted through a tiny network, with
FAD's ten windows. One thread, sides in turns within one process. Values are compared before
anything is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.speed.timing import interleaved, median_ratio
from hive.console import print_json, print_table
from hive.embedding.base import RATE, WINDOW, Embedded, Embedder, Float32
from hive.embedding.cache import FeatureCache
from hive.embedding.extract import Extractor
from hive.embedding.standins import BASE, TINY, RandomHTSAT
from hive.metrics.fad import SET_METRICS, set_vectors
from hive.metrics.fad_fadtk import load_fadtk
from hive.metrics.frechet import distance, moments
from hive.metrics.perceptual import METRICS, perceptual_metrics, wanted

DIMENSIONS = 512
WINDOWS_A_FILE = (10, 1)
FAD_TOLERANCE = 1e-8
GROUPS = (
    (BASE, ("clap_a", "lpaps", "fad_pair", "fad_onewin")),
    (TINY, ("clap_a", "lpaps", "fad_pair", "fad")),
)
Vectors: TypeAlias = npt.NDArray[np.floating[Any]]
Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Items: TypeAlias = list[tuple[Float32, Float32]]


def make_vectors(num_files: int, windows: int, seed: int) -> npt.NDArray[np.float16]:
    """Make unit vectors, shape (files * windows, 512): files differ, windows of one less."""
    rng = np.random.default_rng(seed)
    scales = np.geomspace(1, 0.05, DIMENSIONS)
    files = rng.standard_normal((num_files, 1, DIMENSIONS)) * scales
    files[..., 0] += 1 + 0.2 * seed
    vectors = files + 0.3 * scales * rng.standard_normal((num_files, windows, DIMENSIONS))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    return unit.reshape(-1, DIMENSIONS).astype(np.float16)


def by_hive(first: Vectors, second: Vectors) -> float:
    """Distance by this package."""
    return distance(moments(first), moments(second))


def by_fadtk(first: Vectors, second: Vectors) -> float:
    """Distance by fadtk's arithmetic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of scipy's sqrtm
        fadtk = load_fadtk()
        sets = [fadtk.calc_embd_statistics(vectors) for vectors in (first, second)]
        return float(fadtk.calc_frechet_distance(*sets[0], *sets[1]))


class Stored:
    """Vectors of two sets on disk, one array a file, where fadtk looks for them."""

    def __init__(self, folder: Path, sets: Sequence[Vectors], num_files: int) -> None:
        self._folder = folder
        for side, vectors in enumerate(sets):
            place = folder / str(side) / "embeddings" / "toy"
            place.mkdir(parents=True)
            for index, windows in enumerate(np.split(vectors, num_files)):
                np.save(place / f"{index}.npy", windows)

    def by_fadtk(self) -> float:
        """Distance by fadtk's `score`, progress bars set aside."""
        fadtk = load_fadtk()
        scorer = object.__new__(fadtk.FrechetAudioDistance)
        scorer.ml = SimpleNamespace(name="toy")
        for side in ("0", "1"):  # what it remembers of the last time
            shutil.rmtree(self._folder / side / "stats", ignore_errors=True)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return float(scorer.score(self._folder / "0", self._folder / "1"))

    def by_hive(self) -> float:
        """Distance by this package."""
        return by_hive(*(self._read(side) for side in ("0", "1")))

    def _read(self, side: str) -> Vectors:
        files = sorted((self._folder / side / "embeddings" / "toy").glob("*.npy"))
        return np.concatenate([np.load(path) for path in files])


class Counted:
    """An embedder that counts its windows."""

    def __init__(self, embedder: Embedder) -> None:
        self.info = embedder.info
        self.device = embedder.device
        self.text = embedder.text
        self.windows = 0
        self._embedder = embedder

    def audio(self, windows: Float32, *, layers: bool = False) -> Embedded:
        """Embed windows."""
        self.windows += len(windows)
        return self._embedder.audio(windows, layers=layers)


def make_items(num_items: int) -> Items:
    """Make estimates and references of 10 s at 48 kHz: coloured noise with slow modulation."""
    rng = np.random.default_rng(7)
    time = np.arange(WINDOW) / RATE
    items = []
    for index in range(num_items):
        noise = np.cumsum(rng.standard_normal((2, WINDOW)), axis=1)
        noise = np.diff(noise - 0.98 * np.roll(noise, 1, axis=1), axis=1, prepend=0)
        noise *= (0.6 + 0.4 * np.sin(2 * np.pi * (index + 1) * time)) / noise.std()
        reference = 0.05 * noise[0]
        items.append((reference + 0.02 * noise[1], reference))
    return [(e.astype(np.float32), r.astype(np.float32)) for e, r in items]


def score(extractor: Extractor, items: Items, names: Sequence[str]) -> dict[str, Floats]:
    """Score items for some metrics from one pass; those of sets give the estimates' vectors."""
    features = wanted(info for info in METRICS if info.name in names)
    pairs = [
        (extractor.features(e, RATE, features), extractor.features(r, RATE, features, keep=True))
        for e, r in items
    ]
    values: dict[str, Floats] = perceptual_metrics(
        estimates=[e for e, _ in pairs],
        references=[r for _, r in pairs],
        names=[name for name in names if name not in SET_METRICS],
    )
    for name in set(names) & set(SET_METRICS):
        values[name] = np.stack([set_vectors(name, e) for e, _ in pairs])
    return values


def separately(extractor: Extractor, items: Items, names: Sequence[str]) -> dict[str, Floats]:
    """Score items for one metric after the other, as functions called one by one do."""
    values: dict[str, Floats] = {}
    for name in names:
        values |= score(extractor, items, [name])
    return values


def time_fad(num_files: int, rounds: int) -> list[dict[str, Any]]:
    """Time the distance of two sets."""
    rows = []
    for windows in WINDOWS_A_FILE:
        halves = [make_vectors(num_files, windows, seed) for seed in (0, 1)]
        ours = [vectors.astype(np.float32) for vectors in halves]
        exact = by_fadtk(*(vectors.astype(np.float64) for vectors in halves))
        sides: dict[str, Callable[[], float]] = {
            "fadtk": partial(by_fadtk, *halves),
            "ours": partial(by_hive, *ours),
        }
        rows.append(_row(f"{windows} a file, in memory", sides, exact, rounds))
        if windows > 1:  # fadtk takes the covariance of each file
            with tempfile.TemporaryDirectory() as folder:
                stored = Stored(Path(folder), halves, num_files)
                sides = {"fadtk": stored.by_fadtk, "ours": stored.by_hive}
                rows.append(
                    _row(f"{windows} a file, from files", sides, exact, max(1, rounds // 5))
                )
    return rows


def _row(
    what: str, sides: dict[str, Callable[[], float]], exact: float, rounds: int
) -> dict[str, Any]:
    differences = {side: abs(run() - exact) for side, run in sides.items()}
    seconds = interleaved(sides, rounds)
    return {
        "what": what,
        "milliseconds": {side: 1000 * statistics.median(runs) for side, runs in seconds.items()},
        "ratio": median_ratio(seconds["fadtk"], seconds["ours"]),
        "difference": differences,
    }


def time_passes(num_items: int, rounds: int) -> list[dict[str, Any]]:
    """Time metrics of items, with and without FAD's windows."""
    items, rows = make_items(num_items), []
    for size, names in GROUPS:
        embedder = Counted(RandomHTSAT(size=size))
        with tempfile.TemporaryDirectory() as folder:
            plain, cached = Extractor(embedder), Extractor(embedder, FeatureCache(Path(folder)))
            ways = {
                "separate passes": partial(separately, plain, items, names),
                "one pass": partial(score, plain, items, names),
                "one pass, references cached": partial(score, cached, items, names),
            }
            values, windows = {}, {}
            cached_first = score(cached, items, names)
            for way, run in ways.items():
                embedder.windows = 0
                values[way] = run()
                windows[way] = embedder.windows / num_items
            first = values["separate passes"]
            seconds = interleaved(ways, rounds)
            rows.append(
                {
                    "network": "HTSAT-base" if size is BASE else "tiny",
                    "metrics": list(names),
                    "seconds_an_item": {
                        way: statistics.median(times) / num_items for way, times in seconds.items()
                    },
                    "windows_an_item": windows,
                    "ratio": median_ratio(seconds["separate passes"], seconds["one pass"]),
                    "agree": all(
                        np.array_equal(first[name], other[name])
                        for name in names
                        for other in (*values.values(), cached_first)
                    ),
                }
            )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Compare values, then time, then print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000, help="files of each set for FAD")
    parser.add_argument("--items", type=int, default=2, help="items for the network")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each FAD")
    parser.add_argument("--passes", type=int, default=1, help="timed runs of each pass")
    parser.add_argument("--json", action="store_true", help="print JSON")
    settings = parser.parse_args(arguments)
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: one thread a process is what workers use")

    sets = time_fad(settings.files, settings.rounds)
    passes = time_passes(settings.items, settings.passes)
    agree = all(row["difference"]["ours"] <= FAD_TOLERANCE for row in sets)
    agree &= all(row["agree"] for row in passes)
    if settings.json:
        print_json({"fad": sets, "passes": passes, "agree": agree})
        return 0 if agree else 1
    print_table(
        ["windows", "fadtk: ms", "hive: ms", "times as fast", "fadtk off", "hive off"],
        [
            [
                row["what"],
                *(f"{row['milliseconds'][side]:.0f}" for side in ("fadtk", "ours")),
                f"{row['ratio']:.1f}",
                *(f"{row['difference'][side]:.0e}" for side in ("fadtk", "ours")),
            ]
            for row in sets
        ],
        title=f"FAD of two sets of {settings.files} files, {settings.rounds} rounds",
    )
    for row in passes:
        print_table(
            ["", "windows an item", "seconds an item"],
            [
                [way, f"{row['windows_an_item'][way]:g}", f"{row['seconds_an_item'][way]:.2f}"]
                for way in row["seconds_an_item"]
            ],
            title=f"{', '.join(row['metrics'])}, {row['network']}: {row['ratio']:.1f} times "
            + ("as fast" if row["agree"] else "as fast, VALUES DIFFER"),
        )
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
