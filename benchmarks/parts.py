"""The folder of a run while it is being made: its settings, and the scores of finished chunks.

`RUN/.hive/run.json` says what the run is; a run with other settings into the same folder is
refused. `RUN/.hive/parts/CHUNK.parquet` appears, whole, when a chunk is scored, so a run that was
killed loses only what it was working on. What metrics of whole sets need of the chunk lies beside
it in `CHUNK.safetensors`, which is written before it. Processes of any number, on any machines that
share the folder, may write parts at the same time. A part that had failures and was made again
leaves `CHUNK.N.again`, so that whoever is putting the results together meanwhile takes notice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.results import ROW_SCHEMA
from benchmarks.tasks import Float
from hive.claims import claim, describe
from hive.errors import HiveError
from hive.files import atomic_open, remove_temporaries, write_bytes

#: Embedding, feature, row of `benchmarks.sanity` or "estimate", mix_id, source_id.
VectorKey: TypeAlias = tuple[str, str, str, str, str]


#: In the column "row" of a part: scores of the model; the others are rows of `benchmarks.sanity`.
ESTIMATE = "estimate"
_WORK = ".hive"
_LONGEST_HEADER = 100_000_000  # bytes, as the format has it


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
        machine: Where it was made, as the fields of `MachineRecord`.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str | None]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    residual: float = 0.0
    vectors: dict[VectorKey, Float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)


class Parts:
    """Which parts of a run there are, whatever the run is.

    Args:
        path: The folder of the run; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = path / _WORK / "parts"

    def files(self) -> frozenset[str]:
        """Return the names of all files of parts: what is there, at this moment."""
        try:
            return frozenset(
                file.name for file in self._parts.iterdir() if not file.name.startswith(".")
            )
        except FileNotFoundError:
            return frozenset()

    def faultless(self, names: Iterable[str]) -> set[str]:
        """Return the chunks among `names` that are finished without any failure."""
        there = self.files()
        return {
            name for name in names if f"{name}.parquet" in there and not self._has_failures(name)
        }

    def any_estimate(self) -> bool:
        """Return whether any process has separated and scored any item."""
        for name in sorted(self.files()):
            if name.endswith(".parquet"):
                with (self._parts / name).open("rb") as handle:
                    rows = pq.ParquetFile(handle).read(columns=["row"])
                if ESTIMATE in rows["row"].to_pylist():
                    return True
        return False

    def _has_failures(self, name: str) -> bool:
        """Say whether something of a finished chunk failed; its rows are not read."""
        file = self._parts / f"{name}.parquet"
        try:
            with file.open("rb") as handle:
                return bool(json.loads(pq.read_schema(handle).metadata[b"part"])["failures"])
        except (pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
            raise _no_part(file, error) from error


class RunFolder(Parts):
    """The folder of a run.

    Args:
        path: The folder; it is made if it does not exist.
        identity: Everything that the scores depend on, as a JSON value.
        metrics: Columns of the parts beside those of `ROW_SCHEMA`.
        alone: Whether nobody else writes there, so that temporary files are leftovers.

    Raises:
        HiveError: If the folder holds a run with another identity, or something else.
    """

    def __init__(
        self, path: Path, identity: dict[str, Any], metrics: tuple[str, ...], *, alone: bool = True
    ) -> None:
        super().__init__(path)
        columns = [pa.field(name, pa.float64()) for name in metrics]
        self.schema = pa.schema([*ROW_SCHEMA, pa.field("row", pa.string()), *columns])
        record = path / _WORK / "run.json"
        # Asked again, since another job may have begun the run between the two questions.
        if not record.is_file() and _holds_other_things(path) and not record.is_file():
            raise HiveError(
                f"{path}: exists and is no folder of a run", "name a new or empty folder with --out"
            )
        try:
            # Compared in any case: without hard links, the last of several that begin at once wins.
            changed = claim(record, identity) or claim(record, identity)
        except (ValueError, AttributeError) as error:
            raise HiveError(
                f"{record}: not the record of a run ({error})", "name another folder with --out"
            ) from error
        if changed:
            raise HiveError(
                f"{path}: holds a run with other settings:\n{describe(changed)}",
                "name another folder with --out, or give the settings of that run",
            )
        if alone:
            remove_temporaries(path)

    def read(self, name: str) -> tuple[pa.Table, Part] | None:
        """Return a finished chunk as a table of its rows and its other facts, or None."""
        file = self._parts / f"{name}.parquet"
        try:
            # Not `read_table`, which takes nearly twice as long for a file this small.
            table = pq.ParquetFile(pa.BufferReader(file.read_bytes())).read()
            facts = json.loads(table.schema.metadata[b"part"])
            return table.replace_schema_metadata(None).cast(self.schema), Part(**facts)
        except FileNotFoundError:
            return None
        except (pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
            raise _no_part(file, error) from error

    def vectors(self, name: str) -> dict[VectorKey, Float]:
        """Return what metrics of whole sets need of a finished chunk."""
        from safetensors.numpy import load

        file = self._parts / f"{name}.safetensors"
        try:
            found = load(file.read_bytes())
            # In one order: `load` gives them in any, and sums depend on it in their last digits.
            return {_key(text): found[text] for text in sorted(found)}
        except FileNotFoundError:
            return {}
        except HiveError:
            raise
        except Exception as error:
            raise _damaged(file, error) from error

    def vector_counts(self, name: str) -> dict[VectorKey, int]:
        """Return the number of vectors under each key of a finished chunk, without reading them."""
        file = self._parts / f"{name}.safetensors"
        try:
            with file.open("rb") as handle:
                header = _header(handle)
            return {
                _key(text): each["shape"][0]
                for text, each in header.items()
                if text != "__metadata__"
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise _damaged(file, error) from error

    def write(self, name: str, part: Part) -> None:
        """Write a finished chunk."""
        again = (self._parts / f"{name}.parquet").is_file()
        if part.vectors:
            from safetensors.numpy import save

            arrays = {"/".join(key): np.ascontiguousarray(a) for key, a in part.vectors.items()}
            write_bytes(self._parts / f"{name}.safetensors", save(arrays))
        facts = {
            "failures": part.failures,
            "examples": part.examples,
            "residual": part.residual,
            "machine": part.machine,
        }
        table = pa.Table.from_pylist(part.rows, schema=self.schema)
        with atomic_open(self._parts / f"{name}.parquet") as handle:
            pq.write_table(table.replace_schema_metadata({"part": json.dumps(facts)}), handle)
        if again:
            write_bytes(self._parts / f"{name}.{uuid.uuid4().hex}.again", b"")


def _holds_other_things(path: Path) -> bool:
    if not path.exists():
        return False
    return not path.is_dir() or any(each.name != _WORK for each in path.iterdir())


def _no_part(file: Path, error: Exception) -> HiveError:
    return HiveError(f"{file}: not a part of a run ({error})", "delete it")


def _damaged(file: Path, error: Exception) -> HiveError:
    return HiveError(
        f"{file}: not a part of a run ({error})", f"delete it and {file.stem}.parquet beside it"
    )


def _header(handle: IO[bytes]) -> Any:
    """Read the header of a safetensors file: its length in 8 bytes, then JSON."""
    length = int.from_bytes(handle.read(8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("no header of safetensors")
    return json.loads(handle.read(length))


def _key(text: str) -> VectorKey:
    embedding, feature, row, mix_id, source_id = text.split("/")
    return embedding, feature, row, mix_id, source_id
