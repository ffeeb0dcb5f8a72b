"""Signal metrics, our pass against the usual libraries called item by item.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.metrics [--items N] [--json]

Both sides compute SDR, SDRi, SI-SDR, SI-SDRi (torchmetrics) and STOI (pystoi) of every source of
made mixtures of 10 s at 44.1 kHz, in one thread, in turns within one process. Values are compared
before anything is timed. "One source a call" is our pass without anything shared between the
sources of a mixture. Then it says where our time goes, and how far that is from the Fourier
transforms alone (`benchmarks.speed.stages`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.speed.stages import FLOOR_SDR, floor, stages
from benchmarks.speed.timing import interleaved, median_ratio
from hive.console import print_json, print_table
from hive.metrics.signal import signal_metrics

SAMPLE_RATE = 44_100
SECONDS = 10
PARTS = {
    "SDR, SDRi": ("sdr_bss", "sdr_bss_i"),
    "SI-SDR, SI-SDRi": ("si_sdr", "si_sdr_i"),
    "STOI": ("stoi",),
    "all": ("sdr_bss", "sdr_bss_i", "si_sdr", "si_sdr_i", "stoi"),
}
NAMES = PARTS["all"]
SINGLE = "one source a call"
TOLERANCE = {"stoi": 1e-4}  # all others 1e-3 dB
Array = npt.NDArray[np.float64]
Item = tuple[Array, Array, Array]  # estimates (C, T), references (C, T), mixture (T,)


def make_items(num_items: int) -> list[Item]:
    """Make mixtures of 2 to 5 sources (2, 3, 4, 5, 2 ...) with estimates of 0 to 25 dB."""
    return [_make_item(np.random.default_rng([7, i]), 2 + i % 4) for i in range(num_items)]


def _make_item(rng: np.random.Generator, num_sources: int) -> Item:
    references = np.stack([_source(rng, kind) for kind in range(num_sources)])
    references *= 0.05 * 10 ** (rng.uniform(-5, 5, (num_sources, 1)) / 20)
    mixture = references.sum(axis=0)
    leak = 10 ** (-rng.uniform(0, 25, (num_sources, 1)) / 20)
    return references + leak * (mixture - references), references, mixture


def _source(rng: np.random.Generator, kind: int) -> Array:
    """Return one of: noise with a slope, a vibrato tone, syllable-like bursts, low-passed noise."""
    num_samples = SAMPLE_RATE * SECONDS
    time = np.arange(num_samples) / SAMPLE_RATE
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE) + 20
    kind %= 4
    if kind == 1:
        phase = 2 * np.pi * rng.uniform(150, 600) * time + 3 * np.sin(2 * np.pi * 5 * time)
        signal = sum(np.sin(k * phase) / k for k in range(1, 13))
        signal = np.asarray(signal) * (1 + 0.3 * np.sin(2 * np.pi * 2 * time))
        signal += 1e-3 * rng.standard_normal(num_samples)
    else:
        cutoff = 4000 if kind == 3 else 20_000
        signal = np.fft.irfft(spectrum / np.sqrt(hertz) / (1 + (hertz / cutoff) ** 8), num_samples)
        if kind == 2:
            signal *= np.clip(np.sin(2 * np.pi * rng.uniform(2, 5) * time), 0.003, None) ** 2
    return np.asarray(signal / np.sqrt(np.mean(signal**2)))


def ours(items: list[Item], names: Sequence[str] = NAMES) -> dict[str, Array]:
    """Score all items, one mixture with all its sources at a time."""
    scores = [
        signal_metrics(
            estimate=estimates,
            reference=references,
            mixture=mixture,
            sample_rate=SAMPLE_RATE,
            names=names,
        )
        for estimates, references, mixture in items
    ]
    return {name: np.concatenate([score[name] for score in scores]) for name in names}


def one_at_a_time(items: list[Item]) -> list[Item]:
    """Return each source as an item of its own."""
    return [
        (estimates[i : i + 1], references[i : i + 1], mixture)
        for estimates, references, mixture in items
        for i in range(len(estimates))
    ]


def libraries() -> Callable[..., dict[str, Array]]:
    """Return the same with torchmetrics and pystoi, one source at a time."""
    import torch
    from pystoi import stoi
    from torchmetrics.functional.audio import (
        scale_invariant_signal_distortion_ratio,
        signal_distortion_ratio,
    )

    torch.set_num_threads(1)
    ratios: dict[str, Any] = {
        "sdr_bss": signal_distortion_ratio,
        "si_sdr": scale_invariant_signal_distortion_ratio,
    }

    def score(items: list[Item], names: Sequence[str] = NAMES) -> dict[str, Array]:
        values: dict[str, list[float]] = {name: [] for name in names}
        for estimates, references, mixture in items:
            mix = torch.from_numpy(mixture)
            for estimate, reference in zip(estimates, references, strict=True):
                e, r = torch.from_numpy(estimate), torch.from_numpy(reference)
                for name, ratio in ratios.items():
                    if name in names:
                        value = float(ratio(e, r))
                        values[name].append(value)
                        values[f"{name}_i"].append(value - float(ratio(mix, r)))
                if "stoi" in names:
                    values["stoi"].append(float(stoi(reference, estimate, SAMPLE_RATE)))
        return {name: np.array(column) for name, column in values.items()}

    return score


def main(arguments: list[str] | None = None) -> int:
    """Compare values, then time, then print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=4, help="mixtures of 2 to 5 sources")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each side")
    parser.add_argument("--json", action="store_true", help="print JSON")
    settings = parser.parse_args(arguments)
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: one thread a process is what workers use")

    items, theirs = make_items(settings.items), libraries()
    mine, other = ours(items), theirs(items)
    largest = {name: float(np.abs(mine[name] - other[name]).max()) for name in NAMES}
    agree = all(largest[name] <= TOLERANCE.get(name, 1e-3) for name in NAMES)
    parts = time_parts(items, theirs, settings.rounds)
    steps, transforms = time_stages(items, settings.rounds)
    if settings.json:
        print_json(
            {
                "sources": sum(len(item[0]) for item in items),
                "rounds": settings.rounds,
                "milliseconds_per_source": parts,
                "largest_difference": largest,
                "agree": agree,
                "milliseconds_of_stages": steps,
                "milliseconds_of_transforms": transforms,
            }
        )
        return 0 if agree else 1
    print_table(
        ["metrics", "torchmetrics, pystoi: ms", "hive.metrics: ms", "times as fast"],
        [
            [part, *(f"{row[key]:.1f}" for key in ("libraries", "ours", "ratio"))]
            for part, row in parts.items()
        ],
        title=f"Each source of {SECONDS} s, {settings.rounds} rounds, one thread",
    )
    print_table(
        ["metric", "largest difference"],
        [[name, f"{value:.1e}"] for name, value in largest.items()],
    )
    total, bottom = sum(steps.values()), sum(transforms.values())
    print_table(
        ["stage, one source a call", "ms", "share"],
        [[name, f"{value:.1f}", f"{100 * value / total:.0f} %"] for name, value in steps.items()],
        title=f"Where the {total:.1f} ms go",
    )
    print_table(
        ["floor", "ms", "the pass takes"],
        [
            ["transforms for SDR: each signal once", f"{transforms[FLOOR_SDR]:.1f}", ""],
            ["with the spectra of STOI", f"{bottom:.1f}", f"{total / bottom:.1f} times that"],
        ],
    )
    return 0 if agree else 1


def time_parts(
    items: list[Item], theirs: Callable[..., dict[str, Array]], rounds: int
) -> dict[str, dict[str, float]]:
    """Return milliseconds a source of both sides, and the ratio, for each part."""
    sides = {"libraries": theirs, "ours": ours}
    single = f"all, {SINGLE}"
    seconds = interleaved(
        {
            f"{side} {part}": partial(score, items, names)
            for part, names in PARTS.items()
            for side, score in sides.items()
        }
        | {f"ours {single}": partial(ours, one_at_a_time(items))},
        rounds,
    )
    seconds[f"libraries {single}"] = seconds["libraries all"]
    num_sources = sum(len(item[0]) for item in items)
    parts = {}
    for part in (*PARTS, single):
        times = {side: seconds[f"{side} {part}"] for side in sides}
        parts[part] = {
            side: 1000 * statistics.median(times[side]) / num_sources for side in sides
        } | {"ratio": median_ratio(times["libraries"], times["ours"])}
    return parts


def time_stages(items: list[Item], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return milliseconds a source of the steps of our pass, and of its transforms alone."""
    sources = [(e[0], r[0], x) for e, r, x in one_at_a_time(items)]
    steps, transforms = stages(sources, SAMPLE_RATE), floor(sources, SAMPLE_RATE)
    seconds = interleaved({**steps, **transforms}, rounds)
    each = {name: 1000 * statistics.median(times) / len(sources) for name, times in seconds.items()}
    return {name: each[name] for name in steps}, {name: each[name] for name in transforms}


if __name__ == "__main__":
    sys.exit(main())
