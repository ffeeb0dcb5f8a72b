"""The data set of a run: which mixtures there are, which are taken, and a fingerprint of them.

Only the headers and JSON members of the shards are read here; sound is read by the runner.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hive.errors import HiveError
from hive.storage import folder_name, is_remote

if TYPE_CHECKING:
    from hive.shards.read import Sample

_FIELDS = ("mix_id", "sample_rate", "pcm_sha256")  # of a mixture, the last also of its sources
CHUNK = 8  # mixtures whose scores are written at once


@dataclass(frozen=True)
class Entry:
    """A mixture of the data set."""

    shard: Path
    mix_id: str
    num_sources: int


@dataclass(frozen=True)
class Chunk:
    """Neighbouring mixtures of one shard; their scores are written together."""

    name: str
    shard: Path
    mix_ids: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """The mixtures of one split.

    Attributes:
        name: Name of its folder, or what it was asked for by.
        path: Its folder.
        split: The split.
        sample_rate: Rate of all mixtures, Hz.
        fingerprint: SHA-256 over the sorted ids and PCM hashes of all its mixtures and stems.
        entries: All mixtures, in the order of the shards.
    """

    name: str
    path: Path
    split: str
    sample_rate: int
    fingerprint: str
    entries: tuple[Entry, ...]


def open_dataset(name: str, split: str) -> Dataset:
    """Index the shards of a data set.

    Args:
        name: A folder, or the name of an embedded data set ("mini").
        split: The split.

    Raises:
        HiveError: If the split has no shards, or a mixture's metadata lacks what is needed.
    """
    from hive.shards.read import find_shards, locate

    path = locate(name)
    entries, lines, rates, seen = [], [], set(), set()
    for shard, meta in _all_metadata(path, find_shards(path, split)):
        try:
            mix_id, sources = meta["mix_id"], meta["sources"]
            hashes = [meta["pcm_sha256"], *(each["pcm_sha256"] for each in sources)]
            rates.add(int(meta["sample_rate"]))
        except (KeyError, TypeError) as error:
            raise HiveError(
                f"{shard}: a mixture's metadata lacks {error}", "render the shards again"
            ) from error
        if mix_id in seen:
            raise HiveError(f"{shard}: mixture {mix_id} is there twice", "render them again")
        seen.add(mix_id)
        entries.append(Entry(shard, mix_id, len(sources)))
        lines.append("\x1f".join([mix_id, *map(str, hashes)]))
    if len(rates) != 1:
        raise HiveError(
            f"{path}: mixtures of split {split} have sample rates {sorted(rates)}",
            "score each rate on its own",
        )
    return Dataset(
        name=name if name == "mini" else folder_name(path),
        path=path,
        split=split,
        sample_rate=rates.pop(),
        fingerprint=hashlib.sha256("\n".join(sorted(lines)).encode("utf-8")).hexdigest(),
        entries=tuple(entries),
    )


def select(entries: Sequence[Entry], limit: int | None) -> list[Entry]:
    """Take the first `limit` mixtures, in turn from each number of sources.

    A subset so has the sizes in equal shares and does not depend on anything random; the result is
    in the order of `entries`.
    """
    if limit is None or limit >= len(entries):
        return list(entries)
    waiting: dict[int, list[int]] = {}
    for index, entry in enumerate(entries):
        waiting.setdefault(entry.num_sources, []).append(index)
    rounds = sorted(
        (turn, size, index)
        for size, indices in waiting.items()
        for turn, index in enumerate(indices)
    )
    return [entries[index] for index in sorted(index for _, _, index in rounds[:limit])]


def chunks(entries: Iterable[Entry]) -> list[Chunk]:
    """Cut mixtures into chunks of at most `CHUNK`, none of which spans two shards."""
    by_shard: dict[Path, list[str]] = {}
    for entry in entries:
        by_shard.setdefault(entry.shard, []).append(entry.mix_id)
    return [
        Chunk(f"{number:05d}-{start // CHUNK:05d}", shard, tuple(ids[start : start + CHUNK]))
        for number, (shard, ids) in enumerate(by_shard.items())
        for start in range(0, len(ids), CHUNK)
    ]


def read_chunks(pending: Sequence[Chunk]) -> Iterator[tuple[Chunk, list[Sample]]]:
    """Read and decode the mixtures of some chunks, each shard once from its beginning.

    Raises:
        HiveError: If a shard is damaged or has lost a mixture.
    """
    from hive.shards.read import read_raw

    for shard, group in itertools.groupby(pending, key=lambda chunk: chunk.shard):
        waiting = list(group)
        wanted = {mix_id for chunk in waiting for mix_id in chunk.mix_ids}
        found: dict[str, Sample] = {}
        for raw in read_raw(shard):
            if raw.key in wanted:
                found[raw.key] = raw.decode()
            while waiting and found.keys() >= set(waiting[0].mix_ids):
                chunk = waiting.pop(0)
                yield chunk, [found.pop(mix_id) for mix_id in chunk.mix_ids]
            if not waiting:
                break
        if waiting:
            lost = next(mix_id for mix_id in waiting[0].mix_ids if mix_id not in found)
            raise HiveError(f"{shard}: has no mixture {lost}", "verify the data set")


def _all_metadata(dataset: Path, shards: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield what is said of each mixture of some shards.

    To find it between the sound of remote shards would take all of them; there the mixture table
    is read, which says the same (`hive-bench mix verify` checks that).
    """
    from hive.shards.layout import MIXTURES
    from hive.tables import MIXTURE_SCHEMA, open_table

    if not is_remote(dataset) or not (dataset / MIXTURES).is_file():
        yield from ((shard, meta) for shard in shards for meta in _metadata(shard))
        return
    with open_table(dataset / MIXTURES, MIXTURE_SCHEMA) as table:
        groups = _row_groups(dataset, table.num_row_groups)
        names = [table.schema.column(number).path for number in range(len(table.schema.names))]
        columns = [name for name in names if name.split(".")[-1] in _FIELDS]
        for shard in shards:
            number = groups.get(shard.relative_to(dataset).as_posix())
            found = _metadata(shard)
            if number is not None:
                found = table.read_row_group(number, columns=columns).to_pylist()
            yield from ((shard, meta) for meta in found)


def _row_groups(dataset: Path, count: int) -> dict[str, int]:
    """Return which row group of the mixture table each shard has; empty for another table."""
    from hive.shards.layout import shard_order

    tars = [tar.relative_to(dataset).as_posix() for tar in dataset.glob("data/*/*.tar")]
    if len(tars) != count:
        return {}
    return {name: number for number, name in enumerate(sorted(tars, key=shard_order))}


def _metadata(shard: Path) -> Iterable[dict[str, Any]]:
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file) as archive:
            for member in archive:
                handle = archive.extractfile(member) if member.name.endswith(".json") else None
                if handle is None:
                    continue
                meta = json.load(handle)
                if not isinstance(meta, dict):
                    raise ValueError(f"{member.name} is not a JSON object")
                yield meta
    except (tarfile.TarError, ValueError, OSError) as error:
        raise HiveError(f"{shard}: not a readable shard ({error})", "render it again") from error
