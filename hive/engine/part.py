"""One task of the engine: separate the windows of a part, and keep those that pass.

Of a part there are, below `.hive/engine/parts`, one tar file and one table for each number of
tracks, which `hive.engine.gather` puts together into shards, and the table of all windows, which is
written last: it says that the part is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hive.engine.events import Refusal
from hive.engine.rules import Rules, Scores, judge, score
from hive.engine.separation import ModelChoice, open_model, tracks_of, understood
from hive.engine.store import Stored, add_window, clip_rows, quantise, row_of
from hive.engine.table import WINDOW_SCHEMA, window_row
from hive.engine.windows import Window, Windows
from hive.execution import tick
from hive.shards.layout import WORK
from hive.shards.tar import TarWriter
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, SIZES, TRACK_SCHEMA, write_table

PARTS = f"{WORK}/engine/parts"


@dataclass(frozen=True)
class PartTask:
    """What a worker needs to do one part, and nothing else.

    Attributes:
        dataset: Folder of the tracks.
        windows: What is separated.
        model: By what.
        rules: What is kept.
        audio_format: "flac" or "wav".
        bits: Bits of a stored sample.
        made: What the rows of all parts have in common, see `hive.engine.store.row_of`.
    """

    dataset: Path
    windows: Windows
    model: ModelChoice
    rules: Rules
    audio_format: str
    bits: int
    made: dict[str, Any] = field(hash=False)

    def __str__(self) -> str:
        return self.windows.name

    @property
    def table(self) -> Path:
        """The table of its windows."""
        return self.dataset / PARTS / f"{self.windows.name}.parquet"

    def tar(self, size: int) -> Path:
        """What is kept of `size` tracks."""
        return self.dataset / PARTS / f"{self.windows.name}-{size}.tar"

    def rows(self, size: int) -> Path:
        """The rows of that in the mixture table."""
        return self.tar(size).with_suffix(".rows.parquet")

    def clips(self, size: int) -> Path:
        """The rows of its tracks in the clip table."""
        return self.tar(size).with_suffix(".clips.parquet")

    def kept(self, size: int) -> tuple[Path, Path, Path]:
        """All that is written of `size` tracks."""
        return self.tar(size), self.rows(size), self.clips(size)

    @property
    def files(self) -> list[Path]:
        """All that it writes."""
        return [self.table, *(one for size in SIZES for one in self.kept(size))]


def do_part(task: PartTask) -> None:
    """Separate, judge and write the windows of a part.

    Raises:
        HiveError: If the model cannot be loaded or fails, or a shard cannot be read.
    """
    told: list[dict[str, Any]] = []
    kept: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    clips: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    with ExitStack() as files:
        tars: dict[int, TarWriter] = {}
        for window, tracks in tracks_of(task.model, _to_separate(task, told)):
            stored = quantise(window.samples, tracks, task.bits)
            row = _judged(task, window, stored, told)
            if row is None:
                continue
            size = len(tracks)
            if size not in tars:
                tars[size] = files.enter_context(TarWriter(task.tar(size)))
            add_window(tars[size], row, stored, task.audio_format)
            kept[size].append(row)
            clips[size] += clip_rows(window, stored, row)
    for size in tars:
        write_table(task.rows(size), kept[size], TRACK_SCHEMA)
        write_table(task.clips(size), clips[size], CLIP_SCHEMA)
    write_table(task.table, told, WINDOW_SCHEMA)


def _to_separate(task: PartTask, told: list[dict[str, Any]]) -> Iterator[Window]:
    """Yield the windows that a model can be asked about; the others are written down."""
    model = open_model(task.model)
    for windows in task.windows:
        for window in windows:
            refusal = window.refusal or understood(model, window.events)
            if refusal is None:
                yield window
            else:
                told.append(_refused(window, refusal))
        tick()


def _judged(
    task: PartTask, window: Window, stored: Stored, told: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Score tracks as they are stored, write down what becomes of them, and return their row."""
    scale = float(1 << (task.bits - 1))
    scores = score(stored.mixture / scale, np.stack(stored.tracks) / scale, SAMPLE_RATE)
    verdict = judge(scores, task.rules)
    if isinstance(verdict, Refusal):
        told.append(_refused(window, verdict, scores))
        return None
    told.append(window_row(window, subset=verdict, scores=scores))
    return row_of(window, stored, scores, verdict, task.made)


def _refused(window: Window, refusal: Refusal, scores: Scores | None = None) -> dict[str, Any]:
    return window_row(window, reason=refusal.reason, detail=refusal.detail, scores=scores)
