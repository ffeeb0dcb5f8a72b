"""The sidecars of a dataset's shards: which are done, and what is in them.

They are listed once a folder and read many at a time, since each look at a remote file is a request
and a dataset may have 20,000 of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hive.errors import HiveError
from hive.shards.layout import WORK, Shard, shard_order
from hive.storage import read_many

_AGAIN = "delete it and run the command that built the dataset again; what is rendered is kept"


def dataset_sidecars(dataset: Path) -> list[dict[str, Any]]:
    """Read the sidecars of a dataset, by split (train, validation, test), size and index.

    Raises:
        HiveError: If one cannot be read.
    """
    paths = sorted((dataset / WORK / "data").glob("*/*.json"))
    sidecars = []
    for path, data in zip(paths, read_many(paths), strict=True):
        sidecar = _parsed(data)
        if sidecar is None:
            raise HiveError(f"{path}: is no sidecar of a shard", _AGAIN)
        sidecars.append(sidecar)
    return sorted(sidecars, key=lambda sidecar: shard_order(sidecar["shard"]))


def divided(
    dataset: Path, shards: Sequence[Shard], settings_hash: str
) -> tuple[set[Shard], set[Shard]]:
    """Look which shards need not be rendered.

    Args:
        dataset: Folder of the dataset.
        shards: The shards.
        settings_hash: Of the run that asks.

    Returns:
        Those that are done; and those that are to be rendered again although they have a sidecar:
        with rejects, whose clips may have been mended, of another run, damaged, or without one of
        their other files.
    """
    listed = _listed(dataset)
    there = [shard for shard in shards if _files(shard)[0] in listed]
    contents = read_many([shard.sidecar(dataset) for shard in there])
    done = {
        shard
        for shard, data in zip(there, contents, strict=True)
        if listed.issuperset(_files(shard))
        and (sidecar := _parsed(data)) is not None
        and sidecar["settings_hash"] == settings_hash
        and not sidecar["rejects"]
    }
    return done, set(there) - done


def incomplete(dataset: Path, shards: Iterable[Shard]) -> int:
    """Return how many of some shards lack their sidecar, their tar file or their rows."""
    listed = _listed(dataset)
    return sum(not listed.issuperset(_files(shard)) for shard in shards)


def _files(shard: Shard) -> tuple[str, str, str]:
    """Return the names of what is written of a shard, the sidecar first."""
    stem = f"{WORK}/{shard.name.removesuffix('.tar')}"
    return f"{stem}.json", f"{stem}.parquet", shard.name


def _listed(dataset: Path) -> set[str]:
    patterns = ("data/*/*.tar", f"{WORK}/data/*/*.json", f"{WORK}/data/*/*.parquet")
    return {
        path.relative_to(dataset).as_posix()
        for pattern in patterns
        for path in dataset.glob(pattern)
    }


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    whole = isinstance(value, dict) and {"shard", "settings_hash", "rejects"} <= value.keys()
    return value if whole else None
