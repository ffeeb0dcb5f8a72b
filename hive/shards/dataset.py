"""The `datasets` builder of mixtures: the columns of the shards, with typed audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import datasets
import pyarrow as pa

from hive.shards.features import JSON_FIELD, KEY_FIELD, audio_fields, row_schema
from hive.shards.read import read_raw
from hive.storage import place
from hive.tables import SIZES

_BATCH = 16


@dataclass
class MixtureConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """Shards of each split, the largest number of sources in them, and whether these are tracks."""

    shards: dict[str, list[str]] | None = None
    audio_format: str = "flac"
    largest: int = max(SIZES)
    tracks: bool = False


class Mixtures(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Mixtures with the columns of the shards, the audio ones typed as `Audio`."""

    BUILDER_CONFIG_CLASS = MixtureConfig
    VERSION = datasets.Version("1.0.0")

    def _info(self) -> datasets.DatasetInfo:
        features = {name: datasets.Audio(decode=can_decode()) for name in self._audio_fields()}
        described = datasets.Features.from_arrow_schema(row_schema(tracks=self.config.tracks))
        features[JSON_FIELD] = dict(described)
        features[KEY_FIELD] = datasets.Value("string")
        return datasets.DatasetInfo(features=datasets.Features(features))

    def _audio_fields(self) -> list[str]:
        config = self.config
        return audio_fields(config.audio_format, config.largest, tracks=config.tracks)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": shards})
            for split, shards in self.config.shards.items()
        ]

    def _generate_shards(self, shards: list[str]) -> Iterator[str]:
        yield from shards

    def _generate_tables(self, shards: list[str]) -> Iterator[tuple[Any, pa.Table]]:
        fields = self._audio_fields()
        schema = self.info.features.arrow_schema
        for number, shard in enumerate(shards):
            rows: list[dict[str, Any]] = []
            count = 0
            for raw in read_raw(place(shard)):
                row: dict[str, Any] = {
                    name: {"bytes": raw.fields[name], "path": f"{raw.key}.{name}"}
                    if name in raw.fields
                    else None
                    for name in fields
                }
                rows.append({**row, JSON_FIELD: raw.meta(), KEY_FIELD: raw.key})
                if len(rows) == _BATCH:
                    yield datasets.builder.Key(number, count), _table(rows, schema)
                    rows, count = [], count + 1
            if rows:
                yield datasets.builder.Key(number, count), _table(rows, schema)


@cache
def can_decode() -> bool:
    """Whether `datasets` can decode audio here: torchcodec loads, which needs FFmpeg's libraries.

    Without them, columns are prepared as `Audio(decode=False)`, whose rows give the encoded bytes;
    a row that wants to decode itself would fail as a whole.
    """
    try:
        from torchcodec.decoders import AudioDecoder
    except (ImportError, OSError, RuntimeError):
        return False
    return AudioDecoder is not None


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)
