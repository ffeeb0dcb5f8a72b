"""Plan the mixtures of a split: from a clip table to rows of a mixture table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.files import sha256_json
from hive.mixing.clip_arrays import ClipArrays, codes
from hive.mixing.draw import Drawer, Draws
from hive.mixing.settings import PlanSettings
from hive.tables import MIXTURE_SCHEMA, MIXTURE_SOURCE, SAMPLE_RATE, SIZES

#: What drawing needs of the clip table, beside what `_SOURCES` names.
_DRAWN_FROM = ("activity", "pcm_sha256")
#: What is only told of the plan.
_TOLD = ("restored",)
#: Fields of a source that are those of its clip, and the clip table's names for them.
_SOURCES = {
    "path": "path",
    "label": "label",
    "chunk_start_second": "start_second",
    "chunk_end_second": "end_second",
    "clip_id": "clip_id",
    "recording_id": "recording_id",
    "licence": "licence",
    "attribution": "attribution",
}
#: Columns of the clip table that a planner reads.
NEEDED = (*_SOURCES.values(), *_DRAWN_FROM, *_TOLD)
_HASHED = 65_536  # rows whose text is in memory at a time
_SOURCE_IDS = [f"s{number}" for number in range(1, max(SIZES) + 1)]


class Planner:
    """Draws the mixtures of one split.

    Args:
        clips: Clip table of this split (see `hive.tables.CLIP_SCHEMA`), or its columns `NEEDED`.
        settings: What to draw.

    Attributes:
        clips: The clips as arrays.
        settings: What to draw.
        clips_sha256: Hash of the clips' names, samples and labels.
        described: How the plan is made, as stored with it.
        settings_hash: Hash of that.
        restored: Number of clips whose upper band super-resolution made up.
        sources: What rows tell of each clip: path, label and so on, by the clip table's names.
        drawer: Draws what mixtures are made of.

    Raises:
        HiveError: If the clips allow no mixture of one of the sizes.
    """

    def __init__(self, clips: pa.Table, settings: PlanSettings) -> None:
        if not clips.num_rows:
            raise HiveError(
                f"split {settings.split!r} has no clips",
                "give it a share of the recordings (--shares), or import more of them",
            )
        clips = clips.select(NEEDED).sort_by("clip_id")
        self.settings = settings
        self.clips = ClipArrays.of(clips)
        self.clips_sha256 = _clips_sha256(clips)
        self.described = settings.describe(self.clips_sha256)
        self.settings_hash = sha256_json(self.described)
        self.restored = int(pc.sum(clips["restored"]).as_py() or 0)
        self.sources = clips.select(list(_SOURCES.values())).combine_chunks()
        self._licence, self._licence_texts = codes(clips["licence"])
        self._joined: dict[tuple[int, ...], str] = {}
        self.drawer = Drawer(self.clips, settings)

    def lonely(self) -> list[str]:
        """Return the labels that no mixture of this plan can hold, for want of a partner."""
        return self.drawer.lonely()

    def draw(self, index: int) -> dict[str, Any]:
        """Draw mixture `index` as a row of the mixture table."""
        return self.rows([index])[0]

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Draw some mixtures, in any order, as rows; 64 at a time take a tenth of the time each."""
        rows: list[dict[str, Any]] = self.table(indices, self.drawer.draw(indices)).to_pylist()
        return rows

    def table(self, indices: Sequence[int], draws: Draws) -> pa.Table:
        """Return mixtures that were drawn as a mixture table.

        Args:
            indices: Their indices, shape (M,).
            draws: What they are made of.
        """
        settings, count = self.settings, len(indices)
        starts = np.concatenate([[0], np.cumsum(draws.sizes)]).astype(np.int32)
        columns = {
            "mix_id": pa.array([f"{settings.split}-{index:08d}" for index in indices]),
            "split": pa.repeat(settings.split, count),
            "num_sources": pa.array(draws.sizes),
            "sample_rate": pa.repeat(pa.scalar(SAMPLE_RATE, pa.int32()), count),
            "target_duration": pa.repeat(pa.scalar(settings.seconds, pa.float64()), count),
            "sources": pa.ListArray.from_arrays(pa.array(starts), self._structs(draws, starts)),
            "settings_hash": pa.repeat(self.settings_hash, count),
            "licence": self._licences(draws),
        }
        arrays = _in_order(columns, MIXTURE_SCHEMA, count)
        return pa.Table.from_arrays(arrays, schema=MIXTURE_SCHEMA)

    def _structs(self, draws: Draws, starts: NDArray[np.int32]) -> pa.StructArray:
        count = len(draws.clips)
        taken = self.sources.take(pa.array(draws.clips))
        place = np.arange(count) - np.repeat(starts[:-1], draws.sizes)
        columns = {field: taken[column].combine_chunks() for field, column in _SOURCES.items()}
        columns |= {
            "source_id": pa.array(_SOURCE_IDS).take(pa.array(place)),
            "crop_start_second": pa.array(draws.starts),
            "crop_end_second": pa.array(draws.starts + self.settings.seconds),
            "snr_db": pa.array(draws.snr_db),
        }
        arrays = _in_order(columns, MIXTURE_SOURCE, count)
        return pa.StructArray.from_arrays(arrays, fields=list(MIXTURE_SOURCE))

    def _licences(self, draws: Draws) -> pa.Array:
        """Return what each mixture's parts are licensed under, joined."""
        licences = np.full((len(draws.sizes), max(SIZES)), -1, dtype=np.int32)
        there = np.arange(max(SIZES)) < draws.sizes[:, None]
        licences[there] = self._licence[draws.clips]
        licences.sort(axis=1)
        together = [self._together(tuple(row)) for row in licences.tolist()]
        return pa.array(together, pa.string())

    def _together(self, licences: tuple[int, ...]) -> str:
        if licences not in self._joined:
            texts = {self._licence_texts[number] for number in licences if number >= 0}
            self._joined[licences] = " AND ".join(sorted(texts - {"", None}))
        return self._joined[licences]


def _in_order(columns: dict[str, pa.Array], fields: Iterable[pa.Field], count: int) -> list[Any]:
    """Return the columns in the order of the fields, nulls for those that are not there."""
    return [
        columns[field.name] if field.name in columns else pa.nulls(count, field.type)
        for field in fields
    ]


def _clips_sha256(clips: pa.Table) -> str:
    """Return `sha256_json` of the clips' names, hashes and labels, a row a list."""
    digest = hashlib.sha256(b"[")
    for start in range(0, clips.num_rows, _HASHED):
        part = clips.slice(start, _HASHED)
        columns = [part[name].to_pylist() for name in ("clip_id", "pcm_sha256", "label")]
        rows = [list(row) for row in zip(*columns, strict=True)]
        text = json.dumps(rows, separators=(",", ":"))[1:-1]
        digest.update((text if not start else f",{text}").encode("utf-8"))
    digest.update(b"]")
    return digest.hexdigest()
