"""The sidecars of a dataset's shards: which are done, and what is in them.

They are listed once a folder and read many at a time, since each look at a remote file is a request
and a dataset may have 20,000 of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hive.errors import HiveError
from hive.shards.layout import WORK, Shard, shard_order
from hive.storage import read_many


def dataset_sidecars(dataset: Path) -> list[dict[str, Any]]:
    """Read the sidecars of a dataset, by split (train, validation, test), size and index.

    Raises:
        HiveError: If one cannot be read.
    """
    sidecars = _read(sorted((dataset / WORK / "data").glob("*/*.json")))
    return sorted(sidecars, key=lambda sidecar: shard_order(sidecar["shard"]))


def finished(dataset: Path, shards: Sequence[Shard]) -> set[Shard]:
    """Return the shards that are done: those without rejects, whose clips may have been mended.

    Raises:
        HiveError: If a sidecar cannot be read.
    """
    there = {
        path.relative_to(dataset).as_posix()
        for pattern in ("data/*/*.tar", f"{WORK}/data/*/*.json")
        for path in dataset.glob(pattern)
    }
    names = {shard: shard.sidecar(dataset).relative_to(dataset).as_posix() for shard in shards}
    found = [shard for shard in shards if shard.name in there and names[shard] in there]
    sidecars = _read([shard.sidecar(dataset) for shard in found])
    return {shard for shard, sidecar in zip(found, sidecars, strict=True) if not sidecar["rejects"]}


def _read(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    contents = read_many(paths)
    for path in paths:
        try:
            value: dict[str, Any] = json.loads(next(contents))
        except (OSError, ValueError) as error:
            raise HiveError(
                f"{path}: sidecar cannot be read ({error})", "render the shard again"
            ) from error
        yield value
