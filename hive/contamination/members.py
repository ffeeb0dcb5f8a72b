"""Some members of a shard, without reading the others: a probe needs few of its gigabytes."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hive.errors import HiveError
from hive.shards.tar import damage_told

_LARGEST = 1 << 30


def read_members(shard: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the members that are wanted, in their order.

    Args:
        shard: The tar file.
        wanted: Says of a name whether the member is.

    Raises:
        HiveError: If the shard is missing or damaged.
    """
    with (
        damage_told(shard),
        shard.open("rb") as handle,
        tarfile.open(fileobj=handle, mode="r:") as archive,
    ):
        for info in archive:
            if not wanted(info.name) or (member := archive.extractfile(info)) is None:
                continue
            if info.size > _LARGEST:  # which a small file may claim, as a sparse member
                raise HiveError(
                    f"{shard}: {info.name} has {info.size} bytes, which no stem has",
                    "render or download it again",
                )
            yield info.name, member.read()
