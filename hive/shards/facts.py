"""What a dataset is, in numbers: what its card and its Croissant file are written from.

They are counted once, when the dataset is finished, and kept beside the sidecars, so that a card
for the hub is written without reading the tables again. Memory does not grow with the mixtures.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hive.errors import HiveError
from hive.files import read_csv
from hive.licences import normalise
from hive.shards.layout import FACTS, LICENCES, MIXTURES, WORK
from hive.tables import MIXTURE_SCHEMA, SPLITS, open_table

_BATCH = 20_000
_LISTED = ("label", "licence")
#: Kind of the plan of a split whose mixtures are natural recordings (`hive.engine`).
TRACKS = "tracks"


@dataclass(frozen=True)
class Group:
    """The shards of one split and size.

    Attributes:
        split: The split.
        num_sources: Sources in each mixture.
        shards: Number of shards.
        mixtures: Number of mixtures.
        seconds: Their length together.
        bytes: Size of the shards.
        rejects: Mixtures that could not be rendered.
    """

    split: str
    num_sources: int
    shards: int
    mixtures: int
    seconds: float
    bytes: int
    rejects: int


@dataclass(frozen=True)
class LabelFacts:
    """One class.

    Attributes:
        name: The class.
        clips: Clips of it in the dataset.
        mixtures: Mixtures that hold it.
        seconds: Length of its stems together.
    """

    name: str
    clips: int
    mixtures: int
    seconds: float


@dataclass(frozen=True)
class DatasetFacts:
    """What a dataset is, in numbers.

    Attributes:
        audio_format: "flac" or "wav".
        bits: Bits of a stored sample.
        sample_rate: Rate in Hz.
        groups: Its shards, by split (train, validation, test) and size.
        labels: Its classes, the one in most mixtures first.
        corpora: Clips by corpus (first part of their paths), most first.
        licences: Clips by licence (normalised), most first.
        inherited: By split, how many mixtures have parts of exactly these licences.
        runs: What each split was rendered from (`.hive/render-<split>.json`): plan and version.
        sha256: Hashes of the tables that the facts were counted in, by file name.
    """

    audio_format: str
    bits: int
    sample_rate: int
    groups: list[Group]
    labels: list[LabelFacts]
    corpora: list[tuple[str, int]]
    licences: list[tuple[str, int]]
    inherited: dict[str, list[tuple[list[str], int]]]
    runs: dict[str, dict[str, Any]]
    sha256: dict[str, str]

    @property
    def tracks(self) -> bool:
        """Whether it holds natural recordings and their separated tracks, not mixtures."""
        return any(run["plan"].get("kind") == TRACKS for run in self.runs.values())

    @property
    def sizes(self) -> list[int]:
        """Numbers of sources that there are, rising."""
        return sorted({group.num_sources for group in self.groups})

    @property
    def splits(self) -> list[str]:
        """Splits that there are: train, validation, test."""
        found = {group.split for group in self.groups}
        return [split for split in SPLITS if split in found]

    @property
    def clips(self) -> int:
        """Number of clips."""
        return sum(count for _, count in self.licences)

    @property
    def mixtures(self) -> int:
        """Number of mixtures."""
        return sum(group.mixtures for group in self.groups)

    def of(self, splits: list[str]) -> list[Group]:
        """Return the groups of some splits."""
        return [group for group in self.groups if group.split in splits]


def gather_facts(
    dataset: Path, sidecars: list[dict[str, Any]], sha256: dict[str, str]
) -> DatasetFacts:
    """Count what a dataset holds.

    Args:
        dataset: Folder of the dataset, with mixture table and LICENSES.csv.
        sidecars: Its sidecars, in order.
        sha256: Hashes of these two files, by name.

    Raises:
        HiveError: If the mixture table cannot be read.
    """
    mixtures: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    inherited: dict[str, Counter[tuple[str, ...]]] = {}
    rate = 0
    for batch in _batches(dataset / MIXTURES):
        rate = rate or pc.max(batch["sample_rate"]).as_py() or 0
        _count_labels(batch, mixtures, seconds)
        for split, parts in _licence_sets(batch):
            inherited.setdefault(split, Counter())[parts] += 1
    clips = {name: Counter[str]() for name in ("label", "corpus", "licence")}
    for row in read_csv(dataset / LICENCES):
        for name, found in clips.items():
            found[row[name]] += 1
    return DatasetFacts(
        audio_format=sidecars[0]["audio_format"],
        bits=sidecars[0]["bits"],
        sample_rate=rate,
        groups=_groups(sidecars),
        labels=[
            LabelFacts(name, clips["label"][name], count, seconds[name])
            for name, count in _ordered(mixtures)
        ],
        corpora=_ordered(clips["corpus"]),
        licences=_ordered(clips["licence"]),
        inherited={
            split: [
                (list(parts), count)
                for parts, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
            ]
            for split, found in sorted(inherited.items())
        },
        runs={
            path.stem.removeprefix("render-"): json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((dataset / WORK).glob("render-*.json"), key=str)
        },
        sha256=sha256,
    )


def facts_json(facts: DatasetFacts) -> dict[str, Any]:
    """Return facts as a JSON value."""
    return asdict(facts)


def read_facts(dataset: Path) -> DatasetFacts:
    """Read the facts that were counted when a dataset was finished.

    Raises:
        HiveError: If it is not finished, or was finished by another version.
    """
    path = dataset / FACTS
    remedy = "run the command that built the dataset again; what is rendered is kept"
    if not path.is_file():
        raise HiveError(f"{dataset}: not a finished dataset ({FACTS} is missing)", remedy)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        value["groups"] = [Group(**group) for group in value["groups"]]
        value["labels"] = [LabelFacts(**label) for label in value["labels"]]
        return DatasetFacts(**{field.name: value[field.name] for field in fields(DatasetFacts)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HiveError(f"{path}: cannot be read ({error})", remedy) from error


def _groups(sidecars: list[dict[str, Any]]) -> list[Group]:
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for sidecar in sidecars:
        found.setdefault((sidecar["split"], sidecar["num_sources"]), []).append(sidecar)
    return [
        Group(
            split,
            size,
            len(some),
            sum(one["mixtures"] for one in some),
            sum(one["seconds"] for one in some),
            sum(one["bytes"] for one in some),
            sum(len(one["rejects"]) for one in some),
        )
        for (split, size), some in found.items()
    ]


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the mixture table by parts, of the sources only what is counted."""
    with open_table(path, MIXTURE_SCHEMA) as file:
        names = (file.schema.column(number).path for number in range(len(file.schema.names)))
        columns = [
            name
            for name in names
            if name in {"split", "sample_rate", "target_duration"}
            or (name.startswith("sources.") and name.rpartition(".")[2] in _LISTED)
        ]
        yield from file.iter_batches(_BATCH, columns=columns)


def _count_labels(batch: pa.RecordBatch, mixtures: Counter[str], seconds: Counter[str]) -> None:
    sources = batch["sources"]
    labels = pc.struct_field(pc.list_flatten(sources), "label").dictionary_encode()
    length = pc.take(batch["target_duration"], pc.list_parent_indices(sources)).to_numpy()
    names = labels.dictionary.to_pylist()
    codes = labels.indices.to_numpy()
    counts = np.bincount(codes, minlength=len(names))
    lengths = np.bincount(codes, weights=length, minlength=len(names))
    for name, count, total in zip(names, counts.tolist(), lengths.tolist(), strict=True):
        mixtures[name] += count
        seconds[name] += total


def _licence_sets(batch: pa.RecordBatch) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the split and the licences of the parts of each mixture."""
    licences = pc.struct_field(pc.list_flatten(batch["sources"]), "licence")
    encoded = pc.fill_null(licences, "").dictionary_encode()
    names = [normalise(text) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_pylist()
    start = 0
    lengths = pc.list_value_length(batch["sources"]).to_pylist()
    for split, length in zip(batch["split"].to_pylist(), lengths, strict=True):
        yield split, tuple(sorted({names[code] for code in codes[start : start + length]}))
        start += length


def _ordered(found: Counter[str]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
