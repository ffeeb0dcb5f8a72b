"""What the engine separates: windows of natural recordings, with the events that they hold.

They come from the recordings of a corpus, or from the shards of a dataset, of which it takes the
mixtures with the labels of their sources, and not the sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hive import audio, labels
from hive.curation.chunk import cut, row_of
from hive.curation.parts import Part
from hive.curation.table import load
from hive.engine.events import Refusal, exclusive_events
from hive.errors import HiveError
from hive.files import sha256_json
from hive.licences import Filter
from hive.shards.layout import MIXTURES, find_shards, shard_order
from hive.shards.read import read_raw
from hive.sources.corpus import Recording, Short
from hive.storage import stamp
from hive.tables import MIXTURE_SCHEMA, SAMPLE_RATE, open_table

_NOTHING: audio.Float = np.zeros(0, np.float32)
SHORTEST_SECONDS = 4.0  # the shortest mixtures that networks are trained on


@dataclass(frozen=True)
class Window:
    """A window, or what would have been one.

    Attributes:
        key: Its name, `[a-z0-9_-]+`, the same in every run.
        path: Where it is: corpus and file, as in the clip table.
        start: Start in the file, seconds.
        end: End, seconds.
        recording_id: What it was cut from.
        licence: Licence of the recording.
        attribution: Who is to be named.
        events: What it holds, see `exclusive_events`; empty where it is refused.
        samples: Mono at 44.1 kHz, shape (T,); empty where it is refused.
        refusal: Why it goes no further; None where it does.
    """

    key: str
    path: str
    start: float
    end: float
    recording_id: str
    licence: str
    attribution: str
    events: tuple[str, ...]
    samples: audio.Float
    refusal: Refusal | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


class Windows(Protocol):
    """Windows that are separated by one task."""

    @property
    def name(self) -> str:
        """A name that depends on what the windows are read from."""
        ...

    @property
    def size(self) -> int:
        """Number of recordings, for the progress bar."""
        ...

    def __iter__(self) -> Iterator[list[Window]]:
        """Yield the windows of one recording after another."""
        ...


@dataclass(frozen=True)
class CorpusWindows:
    """Windows of 10 s, end to end, of some recordings of a corpus.

    Attributes:
        root: Root of the corpus.
        corpus: Its name.
        part: The recordings.
        licences: Rules of licences that they must meet.
    """

    root: Path
    corpus: str
    part: Part
    licences: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """See `Windows`."""
        return self.part.name

    @property
    def size(self) -> int:
        """See `Windows`."""
        return len(self.part.recordings)

    def __iter__(self) -> Iterator[list[Window]]:
        """See `Windows`."""
        allowed = Filter.parse(self.licences) if self.licences else None
        for recording in self.part.recordings:
            yield list(self._windows(recording, allowed))

    def _windows(self, recording: Recording, allowed: Filter | None) -> Iterator[Window]:
        told = exclusive_events(recording.nodes, recording.unmapped)
        if recording.split == "test":  # what others test on must not be trained on
            told = Refusal("test_split", "")
        if isinstance(told, Refusal):
            yield self._window(row_of(self.corpus, recording), (), told)
            return
        # Windows of the curation begin every 5 s; every second one joins its neighbour.
        rows = cut(self.root, self.corpus, recording, Short.WHOLE, allowed)
        for row in rows:
            if row["reason"] in ("", "silent") and _number(row["segment_id"]) % 2:
                continue
            if row["reason"]:
                yield self._window(row, (), Refusal(row["reason"], row["detail"]))
            elif row["end_second"] - row["start_second"] < SHORTEST_SECONDS:
                yield self._window(row, (), Refusal("short", ""))
            else:
                yield self._read(row, tuple(told))

    def _read(self, row: dict[str, Any], events: tuple[str, ...]) -> Window:
        try:
            native, rate = load(self.root, row)
        except HiveError as error:
            return self._window(row, (), Refusal("unreadable", error.problem))
        return self._window(row, events, None, audio.resample(native, rate, SAMPLE_RATE))

    def _window(
        self,
        row: dict[str, Any],
        events: tuple[str, ...],
        refusal: Refusal | None,
        samples: audio.Float | None = None,
    ) -> Window:
        return Window(
            key=row["segment_id"],
            path=f"{self.corpus}/{row['path']}",
            start=row["start_second"],
            end=row["end_second"],
            recording_id=row["recording_id"],
            licence=row["licence"],
            attribution="; ".join(part for part in (row["author"], row["url"]) if part),
            events=events,
            samples=_NOTHING if samples is None else samples,
            refusal=refusal,
        )


@dataclass(frozen=True)
class ShardWindows:
    """The mixtures of a shard.

    Attributes:
        dataset: Folder of the dataset.
        shard: Path of the shard below it.
        mixtures: Number of mixtures.
    """

    dataset: Path
    shard: str
    mixtures: int

    @property
    def name(self) -> str:
        """See `Windows`."""
        stem = self.shard.removeprefix("data/").removesuffix(".tar").replace("/", "-")
        read = [*stamp(self.dataset / self.shard), self.mixtures]
        return f"{stem}-{sha256_json(read)[:8]}"

    @property
    def size(self) -> int:
        """See `Windows`."""
        return self.mixtures

    def __iter__(self) -> Iterator[list[Window]]:
        """See `Windows`."""
        for raw in islice(read_raw(self.dataset / self.shard), self.mixtures):
            yield [self._window(raw.meta(), raw.audio_field("mix"))]

    def _window(self, row: dict[str, Any], data: bytes) -> Window:
        samples, rate = audio.decode(data)
        nodes = [labels.node_named(source["label"]) for source in row["sources"]]
        told = exclusive_events([node for node in nodes if node])
        refused = isinstance(told, Refusal)
        sources = row["sources"]
        return Window(
            key=row["mix_id"],
            path=f"{self.shard}/{row['mix_id']}",
            start=0.0,
            end=len(samples) / rate,
            recording_id=row["mix_id"],
            licence=row["licence"],
            attribution="; ".join(dict.fromkeys(each["attribution"] for each in sources)),
            events=() if isinstance(told, Refusal) else tuple(told),
            samples=_NOTHING if refused else audio.resample(samples, rate, SAMPLE_RATE),
            refusal=told if isinstance(told, Refusal) else None,
        )


def shard_windows(dataset: Path, split: str, limit: int | None = None) -> list[ShardWindows]:
    """Return the mixtures of a split of a dataset, shard by shard.

    Args:
        dataset: Folder of the dataset.
        split: The split.
        limit: Only the first mixtures.

    Raises:
        HiveError: If it has no shards of the split, or no mixture table.
    """
    find_shards(dataset, split)  # complains where there are none
    with open_table(dataset / MIXTURES, MIXTURE_SCHEMA) as table:
        groups = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
    names = sorted(
        (path.relative_to(dataset).as_posix() for path in dataset.glob("data/*/*.tar")),
        key=shard_order,
    )
    found = []
    left = sum(groups) if limit is None else limit
    for name, count in zip(names, groups, strict=True):  # a row group is a shard
        if Path(name).name.partition("-")[0] == split and left:
            found.append(ShardWindows(dataset, name, min(count, left)))
            left -= found[-1].mixtures
    return found


def _number(segment_id: str) -> int:
    """Return the number of a window among those of its recording."""
    number = segment_id.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
