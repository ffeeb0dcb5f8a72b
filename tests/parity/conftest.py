"""Pairs of signals made of real recordings, for comparisons with other libraries."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal as dsp

POOL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "pool"
SECONDS = 2.0


@dataclass(frozen=True)
class Pair:
    """Signals of one channel, and how the estimate came about."""

    name: str
    rate: int
    estimate: np.ndarray
    reference: np.ndarray
    mixture: np.ndarray


@pytest.fixture(autouse=True)
def _one_thread():
    # Batched solves of torch are broken with several threads (pytorch issue 142815).
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recordings():
    """Paths of recordings of at least `SECONDS`, by (rate, channels)."""
    if not (POOL / "manifest.csv").is_file():
        pytest.skip("the pool of recordings (../shared/data/pool) is not here")
    found: dict[tuple[int, int], list[Path]] = {}
    with (POOL / "manifest.csv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if float(row["duration_s"]) > SECONDS + 0.01 and int(row["sample_rate"]) <= 48_000:
                key = int(row["sample_rate"]), int(row["channels"])
                found.setdefault(key, []).append(POOL / row["path"])
    return {key: sorted(paths) for key, paths in found.items() if len(paths) >= 10}


@pytest.fixture(scope="session")
def real_pairs(recordings):
    """Return a function that makes the first `count` pairs, of all rates in turns."""

    def make(count, start=0):
        keys = sorted(recordings)
        for number in range(start, start + count):
            rng = np.random.default_rng([31, number])
            rate, channels = keys[number % len(keys)]
            first, second = rng.choice(len(recordings[rate, channels]), 2, replace=False)
            paths = [recordings[rate, channels][index] for index in (first, second)]
            channel = int(rng.integers(channels))
            reference, other = (crop(path, rate, channel, rng) for path in paths)
            kind = KINDS[number // len(keys) % len(KINDS)]
            estimate, gain = spoil(kind, reference, other, rng)
            label = f"{number}: {paths[0].stem} and {paths[1].stem}, {kind} {gain:.1f} dB"
            yield Pair(label, rate, estimate, reference, reference + other)

    return make


def crop(path, rate, channel, rng):
    """Cut `SECONDS` with sound in them, at an RMS of 0.1."""
    samples, _ = soundfile.read(path, always_2d=True)
    samples = samples[:, channel]
    length = round(SECONDS * rate)
    room = len(samples) - length
    start = int(rng.integers(room + 1))
    if np.abs(samples[start : start + length]).max() < 0.1 * np.abs(samples).max():
        start = min(room, max(0, int(np.abs(samples).argmax()) - length // 2))
    part = samples[start : start + length]
    return 0.1 * part / np.sqrt(np.mean(part**2))


KINDS = ("leak", "noise", "filtered", "delayed", "low-passed", "clipped", "muted", "inverted")


def spoil(kind, reference, other, rng):
    """Return an estimate, and the level of what was added to it below the reference, in dB."""
    level = float(rng.uniform(-15, 35))
    gain = 10 ** (-level / 20)
    noise = 0.1 * rng.standard_normal(len(reference))
    if kind == "leak":
        return reference + gain * other, level
    if kind == "filtered":
        echo = 0.3 * rng.standard_normal(40) * 0.9 ** np.arange(40)
        echo[0] = 1
        return np.convolve(reference, echo)[: len(reference)] + gain * other, level
    if kind == "delayed":
        shift = int(rng.integers(1, 700))
        delayed = np.concatenate([np.zeros(shift), reference[:-shift]])
        return delayed + gain * other, level
    if kind == "low-passed":
        low = dsp.butter(4, 0.3, output="sos")
        return dsp.sosfilt(low, reference + gain * other), level
    if kind == "clipped":
        return (reference + gain * other).clip(-0.15, 0.15), level
    if kind == "muted":
        muted = reference + gain * other
        muted[: len(muted) // 3] = 0
        return muted, level
    if kind == "inverted":
        return -3 * (reference + gain * other), level
    return reference + gain * noise, level
