"""Read a plan in slices: a table of millions of mixtures does not fit into every worker.

The rows of a plan stand in the order of their indices, so that a prefix of a plan is a plan; their
sizes are mixed. A shard holds one size, so its rows are scattered over a stretch of the table; its
row groups are read for it, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.tables import MIXTURE_SCHEMA, conform, open_table

_KEPT = 2


class PlanTable:
    """A mixture table of one split, read as it is needed.

    Args:
        path: The Parquet file.
        num: Take only the first rows; None for all. A prefix of a plan is a plan.

    Raises:
        HiveError: If there is no such table, it has not the columns of one, it holds another
            number of splits than one, or it has fewer rows than are asked for.
    """

    def __init__(self, path: Path, num: int | None = None) -> None:
        self.path = path
        # No file stays open: many tables may be in use at a time.
        with open_table(path, MIXTURE_SCHEMA) as file:
            metadata = file.schema_arrow.metadata or {}
            groups = file.metadata
        #: How the plan was made, as stored with it.
        self.described: dict[str, Any] = _settings(path, metadata.get(b"hive", b"{}"))
        counts = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        rows = int(self._starts[-1])
        if num is not None and not 0 <= num <= rows:
            raise HiveError(f"{path}: has {rows} mixtures, not {num}", "plan more mixtures")
        self._rows = rows if num is None else num
        self._group = lru_cache(maxsize=_KEPT)(self._read_group)

    def __len__(self) -> int:
        """Number of mixtures."""
        return self._rows

    @cached_property
    def split(self) -> str:
        """The split that the mixtures are of."""
        splits = {name for part in self._column("split") for name in part.unique().to_pylist()}
        if len(splits) != 1:
            raise HiveError(
                f"{self.path}: holds the splits {sorted(splits)}, not one",
                "plan each split by itself",
            )
        return str(splits.pop())

    @cached_property
    def sizes(self) -> NDArray[np.int32]:
        """Number of sources of each mixture, shape (N,)."""
        parts = [part.to_numpy() for part in self._column("num_sources")]
        return np.concatenate([np.empty(0, np.int32), *parts])

    def ids_sha256(self) -> str:
        """Return a hash of the mixtures' names in their order."""
        digest = hashlib.sha256()
        for part in self._column("mix_id"):
            digest.update("".join(f"{name}\n" for name in part.to_pylist()).encode("utf-8"))
        return digest.hexdigest()

    def groups(self) -> Iterator[pa.Table]:
        """Yield all mixtures in their order, a row group at a time."""
        with open_table(self.path, MIXTURE_SCHEMA) as file:
            for number, start in enumerate(self._starts[:-1].tolist()):
                if start >= self._rows:
                    return
                group = file.read_row_group(number).slice(0, self._rows - start)
                yield conform(group, MIXTURE_SCHEMA, self.path)

    def rows(self, positions: Sequence[int] | NDArray[np.int64]) -> list[dict[str, Any]]:
        """Return the rows at some positions, in the order of these.

        Args:
            positions: Numbers of rows from 0, best in rising order, shape (M,).

        Raises:
            IndexError: If one is outside the plan.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < self._rows):
            raise IndexError(f"rows {wanted.min()} to {wanted.max()} of {self._rows}")
        found: list[dict[str, Any]] = []
        group_of = np.searchsorted(self._starts, wanted, side="right") - 1
        edges = np.flatnonzero(np.diff(group_of)) + 1
        for part in np.split(np.arange(len(wanted)), edges):
            if part.size:
                number = int(group_of[part[0]])
                table = self._group(number).take(pa.array(wanted[part] - self._starts[number]))
                found += table.to_pylist()
        return found

    def _read_group(self, number: int) -> pa.Table:
        with open_table(self.path, MIXTURE_SCHEMA) as file:
            return conform(file.read_row_group(number), MIXTURE_SCHEMA, self.path)

    def _column(self, name: str) -> Iterator[pa.Array]:
        """Yield a column in parts: as one, the names of a long plan would take gigabytes."""
        left = self._rows
        with open_table(self.path, MIXTURE_SCHEMA) as file:
            for batch in file.iter_batches(columns=[name]):
                yield batch.column(0).slice(0, left)
                left -= batch.num_rows
                if left <= 0:
                    return


def _settings(path: Path, text: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise HiveError(
            f"{path}: the settings in its metadata (key `hive`) cannot be read ({error})",
            "make the table again",
        ) from error
