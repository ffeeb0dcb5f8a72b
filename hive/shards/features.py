"""The columns of a mixture, as declared in dataset cards and by the `datasets` builder."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hive.tables import MIXTURE_SCHEMA, SIZES, TRACK_SCHEMA

JSON_FIELD = "json"
KEY_FIELD = "__key__"
URL_FIELD = "__url__"
REST = "rest"  # what the tracks of a natural recording leave of it


def audio_fields(
    audio_format: str, largest: int = max(SIZES), *, tracks: bool = False
) -> list[str]:
    """Return the audio columns: mixture, sources 1 to `largest`, and of tracks the rest."""
    names = ["mix", *(f"s{n + 1}" for n in range(largest)), *([REST] if tracks else [])]
    return [f"{name}.{audio_format}" for name in names]


def row_schema(*, tracks: bool) -> pa.Schema:
    """Return the schema of the mixture table, which is that of the json members too."""
    return TRACK_SCHEMA if tracks else MIXTURE_SCHEMA


def card_features(audio_format: str, largest: int, *, tracks: bool = False) -> list[dict[str, Any]]:
    """Return the features of a dataset card.

    Audio is declared as bytes: that can be read everywhere, with no decoder installed, and
    `cast_column("mix.flac", Audio())` decodes it.
    """
    columns = audio_fields(audio_format, largest, tracks=tracks)
    row = [_card_feature(field) for field in row_schema(tracks=tracks)]
    return [
        *({"name": name, "dtype": "binary"} for name in columns),
        {"name": JSON_FIELD, "struct": row},
        {"name": KEY_FIELD, "dtype": "string"},
        {"name": URL_FIELD, "dtype": "string"},
    ]


def _card_feature(field: pa.Field) -> dict[str, Any]:
    if pa.types.is_list(field.type):
        members = field.type.value_type
        return {"name": field.name, "list": [_card_feature(member) for member in members]}
    if pa.types.is_struct(field.type):
        return {"name": field.name, "struct": [_card_feature(member) for member in field.type]}
    dtype = {"double": "float64"}.get(str(field.type), str(field.type))
    return {"name": field.name, "dtype": dtype}
