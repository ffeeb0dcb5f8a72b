"""What stands beside the shards: the merged mixture table, licences, card and checksums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hive.errors import HiveError
from hive.files import (
    atomic_open,
    is_file,
    locked,
    read_csv,
    remove_temporaries_of,
    sha256_file,
    write_json,
    write_text,
)
from hive.pool.store import QUARANTINE, Reject, write_quarantine
from hive.shards.attribution import write_attribution
from hive.shards.card import dataset_card
from hive.shards.croissant import croissant
from hive.shards.edition import Edition
from hive.shards.facts import TRACKS, DatasetFacts, facts_json, gather_facts
from hive.shards.features import row_schema
from hive.shards.layout import (
    ATTRIBUTION,
    CARD,
    CHECKSUMS,
    CROISSANT,
    FACTS,
    LICENCES,
    MIXTURES,
    WORK,
    Shard,
)
from hive.shards.layout import TRACKS as TRACK_TABLE
from hive.shards.licences import dataset_licences, write_licences
from hive.shards.sidecars import dataset_sidecars, incomplete
from hive.storage import read_many

_BESIDE = (MIXTURES, LICENCES, ATTRIBUTION, QUARANTINE, FACTS, CARD, CROISSANT, CHECKSUMS)


def finish(dataset: Path) -> list[Reject]:
    """Write everything beside the shards from their sidecars; running it again changes nothing.

    The last jobs of an array may come to it at the same time: they do it one after the other.

    Args:
        dataset: Folder of the dataset.

    Returns:
        The mixtures that could not be rendered; they stand in quarantine.csv too.

    Raises:
        HiveError: If shards are missing, or there are some of another run.
    """
    with locked(dataset / WORK / "finish.lock"):
        # Once more, under the lock: another job may have begun to render some again.
        if missing := missing_shards(dataset):
            raise HiveError(
                f"{dataset}: {missing} shards are missing",
                "run the command that built it again, or wait for the job that renders them",
            )
        remove_temporaries_of(dataset / name for name in _BESIDE)
        return _finish(dataset)


def _finish(dataset: Path) -> list[Reject]:
    sidecars = dataset_sidecars(dataset)
    _refuse_others(dataset, sidecars)
    _merge_rows(dataset, sidecars)
    write_licences(dataset, dataset_licences(dataset))
    write_attribution(dataset)
    rejects = [
        Reject("", reject["mix_id"], "render", reject["reason"], reject["remedy"])
        for sidecar in sidecars
        for reject in sidecar["rejects"]
    ]
    write_quarantine(dataset, [*_unusable_rows(dataset), *rejects])
    hashes = {sidecar["shard"]: sidecar["sha256"] for sidecar in sidecars}
    tables = {name: sha256_file(dataset / name) for name in (MIXTURES, LICENCES, ATTRIBUTION)}
    hashes |= tables
    if is_file(dataset / TRACK_TABLE):
        hashes[TRACK_TABLE] = sha256_file(dataset / TRACK_TABLE)
    facts = gather_facts(dataset, sidecars, tables)
    write_json(dataset / FACTS, facts_json(facts))
    write_checksums(dataset, hashes | write_descriptions(dataset, facts, hashes))
    return rejects


def write_descriptions(
    folder: Path, facts: DatasetFacts, hashes: dict[str, str], edition: Edition | None = None
) -> dict[str, str]:
    """Write the dataset card and croissant.json.

    Args:
        folder: Folder to write to.
        facts: What the dataset is.
        hashes: SHA-256 of its other files, by name.
        edition: In which form it is described; as the folder that it is by default.

    Returns:
        The hashes of the two files, by name.
    """
    write_text(folder / CARD, dataset_card(facts, edition))
    write_json(folder / CROISSANT, croissant(facts, hashes, edition))
    return {name: sha256_file(folder / name) for name in (CARD, CROISSANT)}


def write_checksums(folder: Path, hashes: dict[str, str]) -> None:
    """Write SHA256SUMS in the form that `sha256sum --check` reads."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(hashes.items())]
    write_text(folder / CHECKSUMS, "".join(lines))


def read_checksums(folder: Path) -> dict[str, str]:
    """Read SHA256SUMS: hashes by file name; empty when there is none."""
    path = folder / CHECKSUMS
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _merge_rows(dataset: Path, sidecars: list[dict[str, Any]]) -> None:
    plans = {split: claim["plan"] for split, claim in _claims(dataset).items()}
    # They travel with the table: where the dataset goes, `.hive` does not.
    settings = {"hive": json.dumps({"plans": plans}, sort_keys=True)}
    tracks = any(plan.get("kind") == TRACKS for plan in plans.values())
    schema = row_schema(tracks=tracks).with_metadata(settings)
    with (
        atomic_open(dataset / MIXTURES) as handle,
        pq.ParquetWriter(handle, schema, compression="zstd") as writer,
    ):
        paths = [
            (dataset / WORK / sidecar["shard"]).with_suffix(".parquet") for sidecar in sidecars
        ]
        for data in read_many(paths):
            # One row group for each shard, in their order: a reader finds a shard's rows by it.
            rows = pq.read_table(pa.BufferReader(data))
            writer.write_table(rows.replace_schema_metadata(settings))


def unfinished(dataset: Path) -> bool:
    """Whether shards were never rendered; one that was may be gone, once it is published."""
    there = {path.as_posix() for path in (dataset / WORK / "data").glob("*/*.json")}
    return any(shard.sidecar(dataset).as_posix() not in there for shard in _wanted(dataset))


def missing_shards(dataset: Path) -> int:
    """Return how many shards of the splits that were begun have still to be rendered."""
    # Listed, not read: every job of an array asks, and there may be tens of thousands.
    return incomplete(dataset, _wanted(dataset))


def _wanted(dataset: Path) -> list[Shard]:
    """Return the shards of the splits that were begun."""
    return [
        Shard(split, int(size), index, count)
        for split, claim in _claims(dataset).items()
        for size, count in claim["shards"].items()
        for index in range(count)
    ]


def _refuse_others(dataset: Path, sidecars: list[dict[str, Any]]) -> None:
    """Stop where shards of another run lie between those of this one: readers take all."""
    wanted = {shard.name for shard in _wanted(dataset)}
    others = [sidecar["shard"] for sidecar in sidecars if sidecar["shard"] not in wanted]
    if others:
        raise HiveError(
            f"{dataset}: holds {len(others)} shards of another run, such as {others[0]}",
            f"remove them here and below {WORK}, or build into another folder",
        )


def _claims(dataset: Path) -> dict[str, dict[str, Any]]:
    """Return what each split that was begun is rendered from."""
    paths = sorted((dataset / WORK).glob("render-*.json"), key=str)
    return {
        path.stem.removeprefix("render-"): json.loads(path.read_text(encoding="utf-8"))
        for path in paths
    }


def _unusable_rows(dataset: Path) -> list[Reject]:
    """Return the rows of published metadata that no mixture could be made of."""
    paths = sorted((dataset / WORK / "plan").glob("*.quarantine.csv"), key=str)
    return [Reject(**row) for path in paths for row in read_csv(path)]
