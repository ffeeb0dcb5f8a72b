"""The folder of a run while it is being made: its settings, and the scores of finished chunks.

`RUN/.hive/run.json` says what the run is; a run with other settings into the same folder is
refused. `RUN/.hive/parts/CHUNK.parquet` appears, whole, when a chunk is scored, so a run that was
killed loses only what it was working on. What metrics of whole sets need of the chunk lies beside
it in `CHUNK.safetensors`, which is written before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.results import ROW_SCHEMA
from benchmarks.tasks import Float
from hive.claims import describe, differences
from hive.errors import HiveError
from hive.files import atomic_open, remove_temporaries, write_bytes, write_json

#: Embedding, feature, row of `benchmarks.sanity` or "estimate", mix_id, source_id.
VectorKey: TypeAlias = tuple[str, str, str, str, str]


#: In the column "row" of a part: scores of the model; the others are rows of `benchmarks.sanity`.
ESTIMATE = "estimate"


@dataclass
class Part:
    """The scores of one chunk.

    Attributes:
        rows: Columns of `ROW_SCHEMA`, "row" and metrics; a metric that does not apply to a row is
            not in it.
        failures: mix_id, source_id, metric and error of what could not be scored; without a
            metric, the item has no scores at all.
        examples: Records of the examples written.
        residual: Largest difference of a mixture from the sum of its sources.
        vectors: What metrics of whole sets need.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str | None]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    residual: float = 0.0
    vectors: dict[VectorKey, Float] = field(default_factory=dict)


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder; it is made if it does not exist.
        identity: Everything that the scores depend on, as a JSON value.
        metrics: Columns of the parts beside those of `ROW_SCHEMA`.

    Raises:
        HiveError: If the folder holds a run with another identity, or something else.
    """

    def __init__(self, path: Path, identity: dict[str, Any], metrics: tuple[str, ...]) -> None:
        self.path = path
        self._parts = path / ".hive" / "parts"
        columns = [pa.field(name, pa.float64()) for name in metrics]
        self.schema = pa.schema([*ROW_SCHEMA, pa.field("row", pa.string()), *columns])
        record = path / ".hive" / "run.json"
        if record.is_file():
            _compare(path, _read_json(record), identity)
            remove_temporaries(path)
            return
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise HiveError(
                f"{path}: exists and is no folder of a run", "name a new or empty folder with --out"
            )
        write_json(record, identity)

    def read(self, name: str) -> tuple[pa.Table, Part] | None:
        """Return a finished chunk as a table of its rows and its other facts, or None."""
        file = self._parts / f"{name}.parquet"
        if not file.is_file():
            return None
        try:
            table = pq.read_table(file)
            facts = json.loads(table.schema.metadata[b"part"])
            return table.replace_schema_metadata(None).cast(self.schema), Part(**facts)
        except (pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
            raise HiveError(f"{file}: not a part of a run ({error})", "delete it") from error

    def vectors(self, name: str) -> dict[VectorKey, Float]:
        """Return what metrics of whole sets need of a finished chunk."""
        from safetensors.numpy import load_file

        file = self._parts / f"{name}.safetensors"
        if not file.is_file():
            return {}
        try:
            found = load_file(file)
        except Exception as error:
            raise _damaged(file, error) from error
        return {_key(text): array for text, array in found.items()}

    def vector_counts(self, name: str) -> dict[VectorKey, int]:
        """Return the number of vectors under each key of a finished chunk, without reading them."""
        from safetensors import safe_open

        file = self._parts / f"{name}.safetensors"
        if not file.is_file():
            return {}
        try:
            with safe_open(file, framework="numpy") as handle:
                keys = handle.keys()  # no mapping: it cannot be iterated itself
                return {_key(key): handle.get_slice(key).get_shape()[0] for key in keys}
        except Exception as error:
            raise _damaged(file, error) from error

    def write(self, name: str, part: Part) -> None:
        """Write a finished chunk."""
        if part.vectors:
            from safetensors.numpy import save

            arrays = {"/".join(key): np.ascontiguousarray(a) for key, a in part.vectors.items()}
            write_bytes(self._parts / f"{name}.safetensors", save(arrays))
        facts = {
            "failures": part.failures,
            "examples": part.examples,
            "residual": part.residual,
        }
        table = pa.Table.from_pylist(part.rows, schema=self.schema)
        with atomic_open(self._parts / f"{name}.parquet") as handle:
            pq.write_table(table.replace_schema_metadata({"part": json.dumps(facts)}), handle)


def _damaged(file: Path, error: Exception) -> HiveError:
    return HiveError(
        f"{file}: not a part of a run ({error})", f"delete it and {file.stem}.parquet beside it"
    )


def _key(text: str) -> VectorKey:
    embedding, feature, row, mix_id, source_id = text.split("/")
    return embedding, feature, row, mix_id, source_id


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
        raise ValueError("not an object")
    except ValueError as error:
        raise HiveError(f"{path}: not JSON ({error})", "name another folder with --out") from error


def _compare(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    if there != here:
        raise HiveError(
            f"{path}: holds a run with other settings:\n{describe(differences(there, here))}",
            "name another folder with --out, or give the settings of that run",
        )
