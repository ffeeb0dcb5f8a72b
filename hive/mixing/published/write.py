"""Writing a plan of millions of rows, some at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hive.files import atomic_open
from hive.tables import MIXTURE_SCHEMA

_GROUP = 20_000


class PlanFile:
    """Puts tables together to row groups, of which a reader keeps two in memory.

    Args:
        writer: Writes them.
    """

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        self._waiting.append(table)
        if sum(one.num_rows for one in self._waiting) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what waits for more rows."""
        if self._waiting:
            group = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(group.replace_schema_metadata(self._writer.schema.metadata))
            self._waiting = []


@contextmanager
def plan_file(path: Path, described: dict[str, Any]) -> Iterator[PlanFile]:
    """Write a plan that appears when it is whole.

    Args:
        path: The file.
        described: Settings of the plan, which go into its metadata.

    Raises:
        HiveError: If it cannot be written.
    """
    schema = MIXTURE_SCHEMA.with_metadata({"hive": json.dumps(described, sort_keys=True)})
    with (
        atomic_open(path) as handle,
        pq.ParquetWriter(handle, schema, compression="zstd") as writer,
    ):
        file = PlanFile(writer)
        yield file
        file.flush()
