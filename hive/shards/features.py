"""The columns of a mixture, as declared in dataset cards and by the `datasets` builder."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hive.tables import MIXTURE_SCHEMA, SIZES

JSON_FIELD = "json"
KEY_FIELD = "__key__"
URL_FIELD = "__url__"


def audio_fields(audio_format: str, largest: int = max(SIZES)) -> list[str]:
    """Return the audio columns: the mixture, then sources 1 to `largest`."""
    return [f"{name}.{audio_format}" for name in ("mix", *(f"s{n + 1}" for n in range(largest)))]


def card_features(audio_format: str, largest: int) -> list[dict[str, Any]]:
    """Return the features of a dataset card.

    Audio is declared as bytes: that can be read everywhere, with no decoder installed, and
    `cast_column("mix.flac", Audio())` decodes it.
    """
    audio = [{"name": name, "dtype": "binary"} for name in audio_fields(audio_format, largest)]
    return [
        *audio,
        {"name": JSON_FIELD, "struct": [_card_feature(field) for field in MIXTURE_SCHEMA]},
        {"name": KEY_FIELD, "dtype": "string"},
        {"name": URL_FIELD, "dtype": "string"},
    ]


def _card_feature(field: pa.Field) -> dict[str, Any]:
    if pa.types.is_list(field.type):
        members = field.type.value_type
        return {"name": field.name, "list": [_card_feature(member) for member in members]}
    dtype = {"double": "float64"}.get(str(field.type), str(field.type))
    return {"name": field.name, "dtype": dtype}
