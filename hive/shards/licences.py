"""What a dataset says of licences: LICENSES.csv, and what its mixtures inherit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hive.files import write_records
from hive.licences import inherit, normalise
from hive.shards.layout import LICENCES, MIXTURES
from hive.tables import MIXTURE_SCHEMA, open_table

_ADDRESS = re.compile(r"https?://[^\s;,<>\"]+")
_BATCH = 20_000


@dataclass(frozen=True)
class ClipLicence:
    """A row of LICENSES.csv.

    Attributes:
        clip_id: The clip.
        path: Its file in the pool.
        corpus: First part of the path.
        label: Its class.
        licence: SPDX identifier or expression (`hive.licences.normalise`).
        stated: The licence as the corpus writes it.
        attribution: Who is to be named.
        url: Address in the attribution; empty where there is none.
        mixtures: Number of mixtures that hold it.
    """

    clip_id: str
    path: str
    corpus: str
    label: str
    licence: str
    stated: str
    attribution: str
    url: str
    mixtures: int


@dataclass(frozen=True)
class DatasetLicences:
    """The licences of a dataset.

    Attributes:
        clips: One entry a clip, by clip id.
        mixtures: Number of mixtures by the set of their parts' licences (normalised, sorted).
    """

    clips: list[ClipLicence]
    mixtures: Counter[tuple[str, ...]]

    def expressions(self) -> list[tuple[str, int]]:
        """Return the SPDX expressions that mixtures inherit, with their numbers, most first."""
        found: Counter[str] = Counter()
        for parts, count in self.mixtures.items():
            found[inherit(parts).expression] += count
        return _ordered(found)

    def terms(self) -> list[tuple[str, int]]:
        """Return what is asked of mixtures, in words, with their numbers, most first."""
        found: Counter[str] = Counter()
        for parts, count in self.mixtures.items():
            found[inherit(parts).terms.describe()] += count
        return _ordered(found)

    def conflicts(self) -> list[tuple[str, int]]:
        """Return why mixtures cannot keep all their licences, with their numbers, most first."""
        found: Counter[str] = Counter()
        for parts, count in self.mixtures.items():
            for sentence in inherit(parts).conflicts:
                found[sentence] += count
        return _ordered(found)

    def in_conflict(self) -> int:
        """Return the number of mixtures with a conflict."""
        return sum(count for parts, count in self.mixtures.items() if inherit(parts).conflicts)


def dataset_licences(dataset: Path) -> DatasetLicences:
    """Gather the licences of a dataset from its mixture table, batch by batch.

    Args:
        dataset: Folder of the dataset.
    """
    clips: dict[str, tuple[str, str, str, str]] = {}
    holding: Counter[str] = Counter()
    mixtures: Counter[tuple[str, ...]] = Counter()
    for lists in _sources(dataset / MIXTURES):
        sources = pc.list_flatten(lists)
        names = ("clip_id", "path", "label", "licence", "attribution")
        columns = [pc.struct_field(sources, name).to_pylist() for name in names]
        licences = [normalise(licence or "") for licence in columns[3]]
        for row in zip(*columns, strict=True):
            clips.setdefault(row[0], row[1:])
        for parts in _divided(lists, list(zip(columns[0], licences, strict=True))):
            holding.update({clip_id for clip_id, _ in parts})
            mixtures[tuple(sorted({licence for _, licence in parts}))] += 1
    return DatasetLicences(
        [_clip_licence(name, *clips[name], holding[name]) for name in sorted(clips)], mixtures
    )


def write_licences(dataset: Path, licences: DatasetLicences) -> None:
    """Write LICENSES.csv."""
    write_records(dataset / LICENCES, ClipLicence, licences.clips)


def _sources(path: Path) -> Iterator[pa.ListArray]:
    with open_table(path, MIXTURE_SCHEMA) as table:
        for batch in table.iter_batches(_BATCH, columns=["sources"]):
            yield batch["sources"]


def _divided(lists: pa.Array, values: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    start = 0
    for length in pc.list_value_length(lists).to_pylist():
        yield values[start : start + length]
        start += length


def _clip_licence(
    clip_id: str, path: str, label: str, stated: str, attribution: str, mixtures: int
) -> ClipLicence:
    address = _ADDRESS.search(attribution or "")
    return ClipLicence(
        clip_id=clip_id,
        path=path,
        corpus=path.partition("/")[0],
        label=label,
        licence=normalise(stated or ""),
        stated=stated or "",
        attribution=attribution or "",
        url=address[0] if address else "",
        mixtures=mixtures,
    )


def _ordered(found: Counter[str]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
