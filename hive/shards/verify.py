"""Check a dataset: what the shards hold against what the tables promise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from hive import audio
from hive.cooccurrence import allowed
from hive.errors import HiveError, UnreachableError
from hive.execution import Engine, run_tasks, tick
from hive.files import sha256_file
from hive.mixing.plan import SNR_RANGE_DB
from hive.mixing.published.plan import KIND as PUBLISHED
from hive.mixing.render import PEAK, TARGET_RMS
from hive.shards.facts import TRACKS
from hive.shards.features import REST, row_schema
from hive.shards.finish import read_checksums
from hive.shards.layout import MIXTURES, shard_order
from hive.shards.leakage import Finding, leaks
from hive.shards.read import RawSample, read_raw
from hive.shards.tar import HashingReader
from hive.storage import open_stream, stamp
from hive.tables import MIXTURE_SCHEMA, conform, open_table


@dataclass(frozen=True)
class _ShardCheck:
    dataset: Path
    name: str
    sha256: str
    row_group: int
    changed: tuple[Any, ...]  # stamp of the mixture table
    kind: str  # of the plan of its split; "" for mixtures that were drawn


def verify(dataset: Path, engine: Engine | None = None) -> tuple[int, list[Finding]]:
    """Check checksums, members, additivity, hashes, levels, labels, and leakage between splits.

    In splits that were rendered from published metadata, levels, peaks and label pairs are what
    its authors chose; they are not checked, and `left_out` says so.

    Args:
        dataset: Folder of the dataset.
        engine: Who checks the shards; this process by default.

    Returns:
        The number of mixtures checked, and the findings, in order; none when all is well.

    Raises:
        HiveError: If there is no mixture table or list of checksums.
    """
    with open_table(dataset / MIXTURES, MIXTURE_SCHEMA) as table:
        count, groups = table.metadata.num_rows, table.num_row_groups
    hashes = read_checksums(dataset)
    if not hashes:
        raise HiveError(f"{dataset}/SHA256SUMS: missing or empty", "finish the build first")
    findings = list(leaks(dataset))
    findings += [
        Finding(name, "differs from its checksum")
        for name, digest in hashes.items()
        if not name.endswith(".tar") and _differs(dataset / name, digest)
    ]
    tars = sorted((name for name in hashes if name.endswith(".tar")), key=shard_order)
    findings += [
        Finding(path.relative_to(dataset).as_posix(), "is not listed in SHA256SUMS")
        for path in sorted(dataset.glob("data/*/*.tar"))
        if path.relative_to(dataset).as_posix() not in hashes
    ]
    if groups != len(tars):
        raise HiveError(
            f"{dataset / MIXTURES}: has {groups} row groups for {len(tars)} shards",
            "build the dataset again",
        )
    changed = tuple(stamp(dataset / MIXTURES))
    kinds = {split: plan.get("kind", "") for split, plan in _plans(dataset).items()}
    checks = [
        _ShardCheck(dataset, name, hashes[name], group, changed, kinds.get(_split(name), ""))
        for group, name in enumerate(tars)
    ]
    outcome = run_tasks(
        _check_shard, checks, engine=engine or Engine(), title="Verifying", total=count
    )
    for part in outcome.check("shards"):
        findings += part
    return count, findings


def left_out(dataset: Path) -> list[str]:
    """Say, in a sentence for each split that is concerned, what `verify` does not check."""
    return [
        f"{split}: made from {plan['metadata']}"
        + (f" at {plan['revision'][:12]}" if plan["revision"] else "")
        + "; levels, peaks and label pairs are its authors' choice and are not checked"
        for split, plan in sorted(_plans(dataset).items())
        if plan.get("kind") == PUBLISHED
    ]


def _plans(dataset: Path) -> dict[str, dict[str, Any]]:
    """Return how the plan of each split was made; nothing for datasets of older versions."""
    with open_table(dataset / MIXTURES, MIXTURE_SCHEMA) as table:
        metadata = table.schema_arrow.metadata or {}
    plans: dict[str, dict[str, Any]] = json.loads(metadata.get(b"hive", b"{}")).get("plans", {})
    return plans


def _split(shard: str) -> str:
    return shard.rpartition("/")[2].partition("-")[0]


def check_sample(sample: RawSample, row: dict[str, Any], *, kind: str = "") -> Iterator[Finding]:
    """Check one mixture against its row of the mixture table.

    Args:
        sample: The mixture as stored.
        row: Its row.
        kind: Of the plan of its split. Of published metadata, levels and peaks are left out; of
            separated recordings too, and the rest is what their tracks leave.

    Raises:
        HiveError: If a member cannot be read.
    """
    if "json" in sample.fields and sample.meta() != json.loads(json.dumps(row)):
        yield Finding(sample.key, "its json member differs from the mixture table")
    names = ["mix", *(source["source_id"] for source in row["sources"])]
    names += [REST] if kind == TRACKS else []
    wanted = {"json", *names}
    have = {field.split(".")[0] for field in sample.fields}
    if have != wanted:
        yield Finding(sample.key, f"members {sorted(have)} instead of {sorted(wanted)}")
        return
    bits = audio.stored_bits(sample.audio_field("mix"))
    decoded = [audio.decode_integers(sample.audio_field(name), bits) for name in names]
    length = int(row["target_duration"] * row["sample_rate"])
    if any(x.shape != (length,) or rate != row["sample_rate"] for x, rate in decoded):
        yield Finding(sample.key, f"audio is not {length} mono samples at {row['sample_rate']} Hz")
        return
    mixture, *stems = (samples for samples, _ in decoded)
    if not np.array_equal(np.sum(stems, axis=0), mixture):
        yield Finding(sample.key, "the sources do not add up to the mixture")
    if audio.pcm_sha256(mixture, bits) != row["pcm_sha256"]:
        yield Finding(sample.key, "the mixture's samples differ from their hash")
    scale = float(1 << (bits - 1))
    if not kind and audio.peak(mixture) > PEAK * scale:
        yield Finding(sample.key, f"peak above {PEAK}")
    for source, stem in zip(row["sources"], stems, strict=False):  # the rest has no row
        where = f"{sample.key} {source['source_id']}"
        if audio.pcm_sha256(stem, bits) != source["pcm_sha256"]:
            yield Finding(where, "samples differ from their hash")
        if kind:
            continue
        ratio = row["global_normalization_factor"] * 10.0 ** (source["snr_db"] / 20.0)
        # Rounding to integers adds noise of a third of a step at the most.
        if abs(audio.rms(stem / scale) - TARGET_RMS * ratio) > 1e-4 * ratio + 1 / scale:
            yield Finding(where, f"level is not RMS {TARGET_RMS} at {source['snr_db']:.2f} dB")
        if not SNR_RANGE_DB[0] <= source["snr_db"] <= SNR_RANGE_DB[1]:
            yield Finding(where, f"snr_db {source['snr_db']:.2f} outside {SNR_RANGE_DB}")


def _check_shard(check: _ShardCheck) -> list[Finding]:
    path = check.dataset / check.name
    if not path.is_file():
        return [Finding(check.name, "is missing")]
    findings: list[Finding] = []
    group = _table(check.dataset / MIXTURES, check.changed).read_row_group(check.row_group)
    schema = row_schema(tracks=check.kind == TRACKS)
    rows = {row["mix_id"]: row for row in conform(group, schema, MIXTURES).to_pylist()}
    with open_stream(path) as handle:
        reader = HashingReader(handle)
        try:
            for sample in read_raw(path, reader):
                row = rows.pop(sample.key, None)
                if row is None:
                    findings.append(Finding(sample.key, "is not in the mixture table"))
                else:
                    findings += _check_mixture(sample, row, kind=check.kind)
                tick()
        except UnreachableError:
            raise  # says nothing of the shard
        except HiveError as error:
            findings.append(Finding(check.name, str(error)))
        if reader.sha256() != check.sha256:
            findings.insert(0, Finding(check.name, "differs from its checksum"))
    findings += [Finding(key, f"is missing from {check.name}") for key in rows]
    return findings


def _check_mixture(sample: RawSample, row: dict[str, Any], *, kind: str) -> Iterator[Finding]:
    try:
        yield from check_sample(sample, row, kind=kind)
    except HiveError as error:  # a member that is no JSON or no audio says nothing of the others
        yield Finding(sample.key, error.problem)
    yield from _check_labels(row, kind=kind)


@lru_cache(maxsize=1)
def _table(path: Path, changed: tuple[Any, ...]) -> pq.ParquetFile:
    # At 20,000 row groups the footer alone takes the better part of a second to read.
    return open_table(path, MIXTURE_SCHEMA)


def _check_labels(row: dict[str, Any], *, kind: str) -> Iterator[Finding]:
    labels = [source["label"] for source in row["sources"]]
    for first, second in combinations(labels, 2) if not kind else ():
        if first == second or not allowed(first, second):
            yield Finding(row["mix_id"], f"{first!r} and {second!r} may not be mixed")
    if row["num_sources"] != len(labels):
        yield Finding(row["mix_id"], "num_sources is not the number of its sources")


def _differs(path: Path, digest: str) -> bool:
    return not path.is_file() or sha256_file(path) != digest
