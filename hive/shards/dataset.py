"""The `datasets` builder of mixtures: the columns of the shards, with typed audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import datasets
import pyarrow as pa

from hive.shards.features import JSON_FIELD, KEY_FIELD, audio_fields
from hive.shards.read import read_raw
from hive.storage import place
from hive.tables import MIXTURE_SCHEMA, SIZES

_BATCH = 16


@dataclass
class MixtureConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """Shards of each split, and the largest number of sources in them."""

    shards: dict[str, list[str]] | None = None
    audio_format: str = "flac"
    largest: int = max(SIZES)


class Mixtures(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Mixtures with the columns of the shards, the audio ones typed as `Audio`."""

    BUILDER_CONFIG_CLASS = MixtureConfig
    VERSION = datasets.Version("1.0.0")

    def _info(self) -> datasets.DatasetInfo:
        features = {
            name: datasets.Audio(decode=can_decode())
            for name in audio_fields(self.config.audio_format, self.config.largest)
        }
        described = datasets.Features.from_arrow_schema(MIXTURE_SCHEMA)
        features[JSON_FIELD] = dict(described)
        features[KEY_FIELD] = datasets.Value("string")
        return datasets.DatasetInfo(features=datasets.Features(features))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": shards})
            for split, shards in self.config.shards.items()
        ]

    def _generate_shards(self, shards: list[str]) -> Iterator[str]:
        yield from shards

    def _generate_tables(self, shards: list[str]) -> Iterator[tuple[Any, pa.Table]]:
        fields = audio_fields(self.config.audio_format, self.config.largest)
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
