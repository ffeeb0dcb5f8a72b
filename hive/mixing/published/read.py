"""Read published metadata: flat Parquet tables, or nested JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hive.errors import HiveError
from hive.mixing.published.block import (
    BLOCK,
    OPTIONAL,
    ROW_NUMBERS,
    ROW_TEXTS,
    SOURCE_NUMBERS,
    SOURCE_TEXTS,
    UNEVEN,
    Block,
    Floats,
)
from hive.tables import open_parquet

_FETCH = "fetch the file again"
_INFO = ("split", "sample_rate", "target_duration")
_PARAMS = ("global_normalization_factor", "final_max_amplitude")


def parquet_blocks(origin: str, path: Path) -> Iterator[Block]:
    """Read a flat table, with `sources` as a list of structs or as a struct of lists.

    Both occur: what a dataset card declares as a `sequence:` of fields is a struct of lists to
    `datasets`, and a list of structs to most other writers.

    Args:
        origin: Name of the file, for messages.
        path: The file.

    Raises:
        HiveError: If the file cannot be read, or a column is missing or of another type.
    """
    first = 0
    try:
        with open_parquet(path) as file:
            schema = file.schema_arrow
            _check_columns(origin, schema)
            wanted = [
                name for name in (*ROW_TEXTS, *ROW_NUMBERS, "sources") if name in schema.names
            ]
            for batch in file.iter_batches(BLOCK, columns=wanted):
                yield _from_arrow(origin, first, batch)
                first += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:  # also broken text
        raise HiveError(f"{origin}, from row {first} on: cannot be read ({error})", _FETCH) from (
            error
        )


def json_blocks(origin: str, path: Path) -> Iterator[Block]:
    """Read a list of nested objects (`dataset_info`, `sources`, `mixing_params`).

    Args:
        origin: Name of the file, for messages.
        path: The file.

    Raises:
        HiveError: If the file cannot be read, or is no list.
    """
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise HiveError(f"{origin}: not a readable JSON file ({error})", _FETCH) from error
    if not isinstance(rows, list):
        raise HiveError(f"{origin}: no list of mixtures", "give files of mixture metadata")
    for first in range(0, len(rows), BLOCK):
        yield _from_objects(origin, first, rows[first : first + BLOCK])


def _check_columns(origin: str, schema: pa.Schema) -> None:
    for name in (*ROW_TEXTS, *ROW_NUMBERS, "sources"):
        if name not in schema.names and name not in OPTIONAL:
            raise HiveError(
                f"{origin}: column {name!r} is missing",
                "give mixture metadata as in ShandaAI/Hive, or a plan of `hive-bench mix plan`",
            )
    kind = _struct(schema.field("sources").type)
    lists = kind is not None and kind is schema.field("sources").type
    names = {kind.field(number).name for number in range(kind.num_fields)} if kind else set()
    for name in (*SOURCE_TEXTS, *SOURCE_NUMBERS):
        if name not in names:
            raise HiveError(f"{origin}: column 'sources' has no field {name!r}", _FETCH)
        if lists and kind is not None and not _is_list(kind.field(name).type):
            raise HiveError(f"{origin}: field {name!r} of 'sources' is no list", _FETCH)


def _struct(kind: pa.DataType) -> pa.StructType | None:
    """Return the struct type with the fields of sources, in either of the two forms."""
    inner = kind.value_type if _is_list(kind) else kind
    return inner if pa.types.is_struct(inner) else None


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _from_arrow(origin: str, first: int, batch: pa.RecordBatch) -> Block:
    sources = batch["sources"]
    broken: dict[int, str] = {}
    names = (*SOURCE_TEXTS, *SOURCE_NUMBERS)
    if pa.types.is_struct(sources.type):
        lists = {name: pc.struct_field(sources, name) for name in names}
        lengths = {name: _lengths(column) for name, column in lists.items()}
        counts = lengths["path"]
        uneven = np.any([length != counts for length in lengths.values()], axis=0)
        broken = {int(row): UNEVEN for row in np.flatnonzero(uneven)}
        fields = {}
        for name, column in lists.items():
            parents = np.repeat(np.arange(len(counts)), lengths[name])
            fields[name] = pc.list_flatten(column).filter(pa.array(~uneven[parents]))
        counts = np.where(uneven, 0, counts)
    else:
        flat = pc.list_flatten(sources)
        fields = {name: pc.struct_field(flat, name) for name in names}
        counts = _lengths(sources)
    size = batch.num_rows
    return Block(
        origin,
        first,
        {name: _texts(batch[name]) for name in ROW_TEXTS},
        {
            name: _numbers(batch[name]) if name in batch.schema.names else np.full(size, np.nan)
            for name in ROW_NUMBERS
        },
        counts,
        {name: _texts(fields[name]) for name in SOURCE_TEXTS},
        {name: _numbers(fields[name]) for name in SOURCE_NUMBERS},
        broken,
    )


def _lengths(column: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    lengths: np.ndarray[Any, np.dtype[np.int64]] = (
        pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return lengths


def _texts(column: pa.Array) -> list[str | None]:
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def _numbers(column: pa.Array) -> Floats:
    cast = column.cast(pa.float64(), safe=False).fill_null(np.nan)
    numbers: Floats = cast.to_numpy(zero_copy_only=False)
    return numbers


def _from_objects(origin: str, first: int, rows: list[Any]) -> Block:
    texts: dict[str, list[str | None]] = {name: [] for name in ROW_TEXTS}
    numbers: dict[str, list[float]] = {name: [] for name in ROW_NUMBERS}
    source_texts: dict[str, list[str | None]] = {name: [] for name in SOURCE_TEXTS}
    source_numbers: dict[str, list[float]] = {name: [] for name in SOURCE_NUMBERS}
    counts: list[int] = []
    broken: dict[int, str] = {}
    for place, row in enumerate(rows):
        flat, sources, problem = _flat(row)
        if problem:
            broken[place] = problem
        for name in ROW_TEXTS:
            texts[name].append(_text(flat.get(name)))
        for name in ROW_NUMBERS:
            numbers[name].append(_number(flat.get(name)))
        for source in sources:
            for name in SOURCE_TEXTS:
                source_texts[name].append(_text(source.get(name)))
            for name in SOURCE_NUMBERS:
                source_numbers[name].append(_number(source.get(name)))
        counts.append(len(sources))
    return Block(
        origin,
        first,
        {**texts},
        {name: np.array(values, dtype=np.float64) for name, values in numbers.items()},
        np.array(counts, dtype=np.int64),
        {**source_texts},
        {name: np.array(values, dtype=np.float64) for name, values in source_numbers.items()},
        broken,
    )


def _flat(row: Any) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Return the fields of a nested object side by side, its sources, and what is wrong."""
    if not isinstance(row, dict):
        return {}, [], "no object"
    flat = {"mix_id": row.get("mix_id")}
    for part, names in (("dataset_info", _INFO), ("mixing_params", _PARAMS)):
        values = row.get(part)
        if not isinstance(values, dict):
            return flat, [], f"{part}: missing or no object"
        flat.update({name: values.get(name) for name in names})
    sources = row.get("sources")
    if not isinstance(sources, list) or not all(isinstance(one, dict) for one in sources):
        return flat, [], "sources: missing or no list of objects"
    return flat, sources, ""


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**18 else None  # ids may be plain numbers
    if not isinstance(value, str):
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which no file can hold
        return None
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf")
