"""Write plans and subsets of plans as mixture tables, block by block."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hive.console import progress
from hive.errors import HiveError
from hive.files import atomic_open
from hive.mixing.counts import count_text
from hive.mixing.plan_parts import drawn
from hive.mixing.plan_table import PlanTable
from hive.mixing.planner import Planner
from hive.tables import MIXTURE_SCHEMA

#: Mixtures in a block, which is drawn by one worker and stored as one row group.
BLOCK = 20_000


def write_plan(planner: Planner, count: int, path: Path, *, workers: int | None = 1) -> None:
    """Draw mixtures 0 to `count` - 1 and write them as a mixture table.

    The file is the same whatever the number of workers. Interrupted, the same call goes on, unless
    the plan is short or goes to a remote place.

    Args:
        planner: Draws the mixtures.
        count: Number of mixtures.
        path: The Parquet file to write.
        workers: Blocks drawn at a time; None for one a core.

    Raises:
        HiveError: If an interrupted run into this file had other settings, or a mixture cannot be
            drawn.
    """
    blocks = [range(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    with (
        drawn(planner, blocks, path, workers) as draws,
        _writer(path, _described(planner, count), count) as write,
    ):
        for indices, one in zip(blocks, draws, strict=True):
            write(planner.table(indices, one))


def _described(planner: Planner, count: int) -> dict[str, Any]:
    told = {"restored": planner.restored} if planner.restored else {}
    return {**planner.described, "count": count, **told}


def write_subset(plan: Path, count: int, path: Path) -> None:
    """Write the first mixtures of a plan as a plan of its own.

    Args:
        plan: A mixture table of one split.
        count: Number of mixtures.
        path: The Parquet file to write.

    Raises:
        HiveError: If the plan has fewer mixtures, or the file is the plan itself.
    """
    if path == plan:
        raise HiveError(f"{path}: is the plan itself", "write the subset into another file")
    whole = len(PlanTable(plan))
    table = PlanTable(plan, count)
    subset = {"name": count_text(count), "of": whole}
    with _writer(path, {**table.described, "count": count, "subset": subset}, count) as write:
        for group in table.groups():
            write(group)


def subset_path(plan: Path, count: int) -> Path:
    """Return the file beside a plan that a subset of it goes into: train-175k.parquet."""
    return plan.with_name(f"{plan.stem}-{count_text(count)}{plan.suffix}")


@contextmanager
def _writer(path: Path, settings: dict[str, Any], count: int) -> Iterator[Any]:
    """Open a mixture table for writing; what is yielded writes a row group."""
    metadata = {"hive": json.dumps(settings, sort_keys=True)}
    schema = MIXTURE_SCHEMA.with_metadata(metadata)
    with (
        progress() as display,
        atomic_open(path) as handle,
        pq.ParquetWriter(handle, schema, compression="zstd") as writer,
    ):
        bar = display.add_task(f"Writing {path.name}", total=count)

        def write(group: pa.Table) -> None:
            writer.write_table(group.cast(schema))
            display.advance(bar, group.num_rows)

        yield write
