"""The two tables that the house is built on: clips and mixtures.

Both are Parquet files with the schemas below. Settings travel with a table in its schema metadata
(key `hive`), so that a table says how it was made. The mixture schema uses the field names of the
metadata that the Hive authors publish, and adds identity, licence and PCM hashes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hive.errors import HiveError
from hive.files import atomic_open
from hive.storage import is_remote, place

SAMPLE_RATE = 44100
SPLITS = ("train", "validation", "test")
SIZES = (2, 3, 4, 5)

PROVENANCE = pa.struct(
    [
        ("stage", pa.string()),
        ("version", pa.string()),
        ("decision", pa.string()),
        ("score", pa.float64()),
    ]
)

CLIP_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("source", pa.string()),  # corpus
        ("path", pa.string()),  # relative to the pool; the first part is the corpus
        ("start_second", pa.float64()),
        ("end_second", pa.float64()),
        ("label", pa.string()),
        ("label_mid", pa.string()),
        ("split", pa.string()),  # "" while the recording is not bound to a split
        ("recording_id", pa.string()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("bandwidth_hz", pa.float64()),
        ("restored", pa.bool_()),  # whether super-resolution made up the upper band
        ("rms", pa.float64()),
        ("activity", pa.list_(pa.uint8())),  # level of each 0.1-s frame in dBFS + 128
        ("licence", pa.string()),
        ("attribution", pa.string()),
        ("pcm_sha256", pa.string()),
        ("provenance", pa.list_(PROVENANCE)),
    ]
)

#: Columns that older tables lack, and what was true of their rows.
_LATER = {"restored": False}

MIXTURE_SOURCE = pa.struct(
    [
        ("source_id", pa.string()),  # s1 .. s5
        ("path", pa.string()),
        ("label", pa.string()),
        ("chunk_start_second", pa.float64()),  # the interval read from the file
        ("chunk_end_second", pa.float64()),
        ("crop_start_second", pa.float64()),  # the crop, counted inside the chunk
        ("crop_end_second", pa.float64()),
        ("rms_gain", pa.float64()),  # brings the crop to RMS 0.1; null until rendered
        ("snr_db", pa.float64()),  # relative to the first source
        ("applied_weight", pa.float64()),  # rms_gain * 10^(snr_db / 20); null until rendered
        ("clip_id", pa.string()),
        ("recording_id", pa.string()),
        ("licence", pa.string()),
        ("attribution", pa.string()),
        ("pcm_sha256", pa.string()),  # of the stem as stored; null until rendered
    ]
)

MIXTURE_SCHEMA = pa.schema(
    [
        ("mix_id", pa.string()),
        ("split", pa.string()),
        ("num_sources", pa.int32()),
        ("sample_rate", pa.int32()),
        ("target_duration", pa.float64()),  # seconds
        ("sources", pa.list_(MIXTURE_SOURCE)),
        ("global_normalization_factor", pa.float64()),  # null until rendered
        ("final_max_amplitude", pa.float64()),  # null until rendered
        ("settings_hash", pa.string()),
        ("licence", pa.string()),  # of the parts, joined by " AND "
        ("pcm_sha256", pa.string()),  # of the mixture as stored; null until rendered
    ]
)

#: How the tracks of a natural recording were made, and how good they are (`hive.engine`).
SEPARATION = pa.struct(
    [
        ("model", pa.string()),
        ("model_sha256", pa.string()),  # of its weights; "" where it has none
        ("iteration", pa.int32()),  # of the data engine, from 1
        ("subset", pa.string()),  # "self_separate" or "independent"
        ("re_sdr", pa.float64()),  # dB; null where the tracks add up exactly
        ("re_si_sdr", pa.float64()),
        ("correlation", pa.float64()),  # largest of two tracks, 0 to 1
        ("similarity", pa.float64()),  # of two tracks' spectrograms, likewise
        ("least_share", pa.float64()),  # of a track in the energy of all tracks
    ]
)

#: A natural recording, separated: `sources` are its tracks, which add up to it with the rest.
TRACK_SCHEMA = MIXTURE_SCHEMA.append(pa.field("separation", SEPARATION))


def write_table(
    path: Path | str,
    rows: list[dict[str, Any]] | pa.Table,
    schema: pa.Schema,
    settings: dict[str, Any] | None = None,
) -> None:
    """Write rows as Parquet, atomically.

    Args:
        path: The file.
        rows: Rows as dictionaries, or an Arrow table of `schema`.
        schema: Its schema.
        settings: How the table was made; stored in the schema metadata as JSON.
    """
    metadata = {"hive": json.dumps(settings or {}, sort_keys=True)}
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=schema)
    with atomic_open(path) as handle:
        pq.write_table(table.replace_schema_metadata(metadata), handle, compression="zstd")


def read_table(path: Path | str, schema: pa.Schema) -> tuple[pa.Table, dict[str, Any]]:
    """Read a Parquet table and check it against a schema.

    Returns:
        The table with the schema's columns in its order, and the settings stored with it.

    Raises:
        HiveError: If the file is missing, is no Parquet, lacks a column or has one of another type.
    """
    with open_table(path, schema) as file:
        table = file.read()
    metadata = table.schema.metadata or {}
    settings: dict[str, Any] = json.loads(metadata.get(b"hive", b"{}"))
    return conform(table, schema, path), settings


def open_table(path: Path | str, schema: pa.Schema) -> pq.ParquetFile:
    """Open a Parquet table to be read in parts, and check it against a schema.

    Raises:
        HiveError: As `read_table`.
    """
    file = open_parquet(path)
    conform(file.schema_arrow.empty_table(), schema, path)
    return file


def open_parquet(path: Path | str) -> pq.ParquetFile:
    """Open a Parquet file of any schema; of a remote one only what is asked for is fetched.

    Raises:
        HiveError: If the file is missing or is no Parquet.
    """
    path = place(path)
    try:
        return _Opened(path.open("rb") if is_remote(path) else path)
    except FileNotFoundError as error:
        raise HiveError(f"{path}: no such table", "check the path, or make it first") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise HiveError(f"{path}: not a Parquet table ({error})", "make it again") from error


class _Opened(pq.ParquetFile):  # type: ignore[misc]
    """A Parquet file that also closes a file object that it was opened with."""

    def close(self, force: bool = True) -> None:
        super().close(force)


def conform(table: pa.Table, schema: pa.Schema, path: Path | str) -> pa.Table:
    """Return a table with the columns of a schema, in its order and with its types.

    Args:
        table: The table, or a part of it.
        schema: Its schema.
        path: Where it was read from, for messages.

    Raises:
        HiveError: If it lacks a column or has one of another type.
    """
    for field in schema:
        if field.name in table.column_names:
            continue
        if field.name in _LATER:
            column = pa.array([_LATER[field.name]] * table.num_rows, field.type)
            table = table.append_column(field, column)
        else:
            raise HiveError(
                f"{path}: column {field.name!r} is missing", "make the table with this version"
            )
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise HiveError(
            f"{path}: a column has another type than expected ({error})",
            "make the table with this version",
        ) from error
