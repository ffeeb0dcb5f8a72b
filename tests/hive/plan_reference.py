"""Planning written down as plainly as can be: one mixture, one source, one number at a time.

The planner draws thousands of mixtures at once and must give these rows, bit for bit. Also here:
clip tables that make it hard. Load with `runpy.run_path`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hive import audio
from hive.cooccurrence import matrix
from hive.labels import all_labels, index
from hive.mixing.balance import balanced_weights
from hive.mixing.cliques import Compatibility
from hive.seeding import Stream, low_discrepancy
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE

GRID = 1.0 / 1024.0
LABELS = [label.name for label in all_labels()]


class PlainPlanner:
    """Draws the sources of mixtures from the rows of a clip table."""

    def __init__(
        self,
        clips: pa.Table,
        split: str,
        seed: int,
        seconds: float,
        size_shares: dict[int, float],
        snr_range_db: tuple[float, float] = (-5.0, 5.0),
    ) -> None:
        self.clips = clips.sort_by("clip_id").to_pylist()
        self.address = (seed, split)
        self.seconds = seconds
        self.size_shares = size_shares
        self.snr_range_db = snr_range_db
        self.by_label: dict[int, list[int]] = {}
        for number, clip in enumerate(self.clips):
            self.by_label.setdefault(index(clip["label"]), []).append(number)
        self.labels = sorted(self.by_label)
        self.counts = np.array([len(self.by_label[label]) for label in self.labels])
        self.graph = Compatibility(matrix()[np.ix_(self.labels, self.labels)])
        self.weights = balanced_weights(self.counts, self.graph.neighbours)

    def draw(self, mixture: int) -> dict[str, Any]:
        """Return a row of the mixture table, without settings_hash and computed fields."""
        seed, split = self.address
        size = self.size(low_discrepancy(seed, split, mixture, "size"))
        chosen = self.choose(size, Stream(seed, split, mixture, "clips"))
        crops = Stream(seed, split, mixture, "crops")
        levels = Stream(seed, split, mixture, "snr")
        sources = []
        for number, clip in enumerate(chosen):
            start = self.crop(clip, crops)
            sources.append(
                {
                    "source_id": f"s{number + 1}",
                    "path": clip["path"],
                    "label": clip["label"],
                    "chunk_start_second": clip["start_second"],
                    "chunk_end_second": clip["end_second"],
                    "crop_start_second": start,
                    "crop_end_second": start + self.seconds,
                    "snr_db": levels.uniform(*self.snr_range_db) if number else 0.0,
                    "clip_id": clip["clip_id"],
                    "recording_id": clip["recording_id"],
                    "licence": clip["licence"],
                    "attribution": clip["attribution"],
                }
            )
        return {
            "mix_id": f"{split}-{mixture:08d}",
            "split": split,
            "num_sources": size,
            "sample_rate": SAMPLE_RATE,
            "target_duration": self.seconds,
            "sources": sources,
            "licence": " AND ".join(sorted({clip["licence"] for clip in chosen} - {""})),
        }

    def size(self, position: float) -> int:
        total = sum(self.size_shares.values())
        for size, share in self.size_shares.items():
            if share > 0:
                last = size
                position -= share / total
                if position < 0:
                    break
        return last

    def choose(self, size: int, stream: Stream) -> list[dict[str, Any]]:
        for attempt in range(128):
            allowed = self.graph.largest >= size
            picked: list[int] = []
            clips: list[dict[str, Any]] = []
            while len(picked) < size:
                if attempt >= 64:
                    allowed = self.graph.completing(picked, size) & allowed
                if not allowed.any():
                    break
                offered = np.where(allowed, self.weights if picked else self.counts, 0).tolist()
                number = stream.integer(sum(offered))
                label = 0
                while number >= offered[label]:
                    number -= offered[label]
                    label += 1
                numbers = self.by_label[self.labels[label]]
                clips.append(self.clips[numbers[stream.integer(len(numbers))]])
                picked.append(label)
                allowed = allowed & self.graph.neighbours[label]
            if len(picked) == size and len({clip["recording_id"] for clip in clips}) == size:
                return clips
        raise LookupError

    def crop(self, clip: dict[str, Any], stream: Stream) -> float:
        room = clip["end_second"] - clip["start_second"] - self.seconds
        if room < GRID:
            return 0.0
        steps = int(room / GRID) + 1
        tries = [stream.integer(steps) * GRID for _ in range(16)]
        if not clip["activity"]:
            return 0.0
        power = np.array([10.0 ** ((one - 128) / 10) if one else 0.0 for one in clip["activity"]])
        edges = np.arange(len(power) + 1) * audio.FRAME_SECONDS
        energy = np.concatenate([[0.0], np.cumsum(power * audio.FRAME_SECONDS)])
        floor = max(power.mean() * 10.0**-2.0, 4.0 * audio.SILENCE_RMS**2) * self.seconds

        def inside(start: Any) -> Any:
            until = np.interp(start + self.seconds, edges, energy)
            return until - np.interp(start, edges, energy)

        for start in tries:
            if inside(start) >= floor:
                return start
        grid = np.arange(steps) * GRID
        return float(grid[int(np.argmax(inside(grid)))])


def clip_row(number: int, label: str, **more: Any) -> dict[str, Any]:
    """Return a row of a clip table: ten seconds with sound throughout."""
    return {
        "clip_id": f"clip{number:05d}",
        "source": "c",
        "path": f"c/{number}.flac",
        "start_second": 0.0,
        "end_second": 10.0,
        "label": label,
        "split": "",
        "recording_id": f"r{number}",
        "restored": False,
        "activity": [108] * 100,
        "licence": "CC0-1.0" if number % 2 else "CC-BY-4.0",
        "attribution": "A",
        "pcm_sha256": f"{number}",
        **more,
    }


def clip_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a clip table of rows."""
    return pa.Table.from_pylist(rows, schema=CLIP_SCHEMA)


def even_pool(per_label: int = 2) -> pa.Table:
    """Every class with the same number of clips."""
    names = [name for name in LABELS for _ in range(per_label)]
    return clip_table([clip_row(number, name) for number, name in enumerate(names)])


def awkward_pool(seed: int, labels: int = 283, clips: int = 1500) -> pa.Table:
    """A long tail of classes; recordings of several clips and classes, in no order; clips of any
    length, a few of them shorter than a mixture; levels that are silent for long or throughout,
    that end before the clip does or after it, or are not there; licences that are not stated."""
    random = np.random.RandomState(seed)  # its numbers are the same for ever
    some = [LABELS[number] for number in random.permutation(len(LABELS))[:labels]]
    rows = []
    for number in range(clips):
        label = some[min(int(random.pareto(0.6)), labels - 1)]
        seconds = float([10.0, 10.0, 4.0, 3.0, 60.0, random.uniform(0.5, 12.0)][random.randint(6)])
        frames = max(0, round(seconds * 10) + int([0, 0, 0, 1, -3, 5][random.randint(6)]))
        levels = random.randint(20, 128, frames)
        kind = random.randint(6)
        if kind == 0:
            levels[:] = 0
        elif kind == 1:
            levels[: frames - frames // 12] = 0
        elif kind == 2:
            levels[random.rand(frames) < 0.9] = 0
        elif kind == 3:
            levels[random.rand(frames) < 0.95] = 60
        elif kind == 4 and random.rand() < 0.1:
            levels = levels[:0]
        start = float([0.0, random.uniform(0, 100)][random.randint(2)])
        rows.append(
            clip_row(
                int(random.randint(10**5)) * clips + number,
                label,
                path=f"c/ä {number}.flac",
                start_second=start,
                end_second=start + seconds,
                recording_id=f"r{random.randint(clips)}",
                activity=levels.tolist(),
                licence=["CC0-1.0", "CC-BY-4.0", "", "CC-BY-NC-4.0"][random.randint(4)],
            )
        )
    return clip_table(rows)


def scarce_pool() -> pa.Table:
    """Mixtures of five that take many tries, some over 64: there are six recordings in all.

    Besides five classes that go together there are some that go with four of them or fewer.
    """
    five = ["Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Telephone"]
    graph = matrix()
    near = [n for n in range(len(LABELS)) if sum(graph[n, index(name)] for name in five) == 4]
    names = five + [LABELS[n] for n in near if LABELS[n] not in five][::6]
    return clip_table(
        [
            clip_row(
                len(names) * take + number, name, recording_id=f"r{take % (6 - (number % 3 > 0))}"
            )
            for number, name in enumerate(names)
            for take in range(6)
        ]
    )
