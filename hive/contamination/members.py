"""Some members of a shard, without reading the others: a probe needs few of its gigabytes."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hive.errors import HiveError


def read_members(shard: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the members that are wanted, in their order.

    Args:
        shard: The tar file.
        wanted: Says of a name whether the member is.

    Raises:
        HiveError: If the shard is missing or damaged.
    """
    try:
        with shard.open("rb") as handle, tarfile.open(fileobj=handle, mode="r:") as archive:
            for info in archive:
                if wanted(info.name) and (member := archive.extractfile(info)) is not None:
                    yield info.name, member.read()
    except FileNotFoundError as error:
        raise HiveError(f"{shard}: no such shard", "check the path") from error
    except (tarfile.TarError, EOFError) as error:
        raise HiveError(
            f"{shard}: damaged shard ({error})", "render or download it again"
        ) from error
