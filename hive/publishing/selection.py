"""Which files of a dataset are published: those of SHA256SUMS, described for their repository.

Everything else stays at home: `.hive`, temporaries, and quarantine.csv, whose reasons name files of
this machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError
from hive.files import sha256_file
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts, read_facts
from hive.shards.finish import (
    read_checksums,
    unfinished,
    write_checksums,
    write_descriptions,
)
from hive.shards.layout import (
    ATTRIBUTION,
    CARD,
    CHECKSUMS,
    CROISSANT,
    LICENCES,
    MIXTURES,
    TRACKS,
    shard_order,
)
from hive.shards.sidecars import dataset_sidecars
from hive.storage import is_remote

_TABLES = (MIXTURES, LICENCES, ATTRIBUTION)
_SHARD = re.compile(r"data/\d+mix/(?:train|validation|test)-\d{5}-of-\d{5}\.tar")
#: What the hub asks of a repository ("Repository limitations and recommendations").
_MOST_IN_FOLDER = 10_000
_MOST_FILES = 100_000
_AGAIN = "run the command that built the dataset again; what is rendered is kept"


@dataclass(frozen=True)
class File:
    """A file to be published.

    Attributes:
        name: Its path in the repository.
        path: Where it is here.
        size: Bytes.
        sha256: Its hash, as SHA256SUMS has it.
    """

    name: str
    path: Path
    size: int
    sha256: str

    def check_size(self) -> None:
        """Compare the file with its size, which takes no time.

        Raises:
            HiveError: If it is missing or differs.
        """
        if not self.path.is_file():
            raise HiveError(f"{self.path}: is missing, and the hub has not got it yet", _AGAIN)
        if self.path.stat().st_size != self.size:
            raise self._changed()

    def check(self) -> None:
        """Compare the file with its hash.

        Raises:
            HiveError: If it is missing or differs.
        """
        self.check_size()
        if sha256_file(self.path) != self.sha256:
            raise self._changed()

    def _changed(self) -> HiveError:
        return HiveError(
            f"{self.path}: differs from its hash in {CHECKSUMS}",
            "delete it and run the command that built the dataset again",
        )


def check_finished(dataset: Path) -> DatasetFacts:
    """Return the facts of a dataset that can be published.

    Raises:
        HiveError: If it is not on this machine, not finished, or was changed since.
    """
    if is_remote(dataset):
        raise HiveError(
            f"{dataset}: only a folder of this machine can be published", "copy it here"
        )
    if not (dataset / CHECKSUMS).is_file() or unfinished(dataset):
        raise HiveError(f"{dataset}: not a finished dataset (shards are missing)", _AGAIN)
    facts, hashes = read_facts(dataset), read_checksums(dataset)
    changed = [name for name in _TABLES if hashes.get(name) != facts.sha256.get(name)]
    changed += [name for name in (CARD, CROISSANT) if _differs(dataset / name, hashes.get(name))]
    if changed:
        raise HiveError(
            f"{dataset}: {' and '.join(changed)} changed since the dataset was finished",
            f"{_AGAIN}; the card is written anew for the hub, so edit it there",
        )
    return facts


def select(dataset: Path, facts: DatasetFacts, edition: Edition, work: Path) -> list[File]:
    """List the files to publish: shards, then tables, then what describes them.

    Args:
        dataset: Folder of the dataset.
        facts: Its facts.
        edition: Its form on the hub, for which card, croissant.json and SHA256SUMS are written.
        work: Folder to write these three to.

    Raises:
        HiveError: If SHA256SUMS and the shards do not agree.
    """
    listed = read_checksums(dataset)
    sidecars = {sidecar["shard"]: sidecar for sidecar in dataset_sidecars(dataset)}
    shards = sorted((name for name in listed if name.startswith("data/")), key=shard_order)
    if set(shards) != set(sidecars) or not all(_SHARD.fullmatch(name) for name in shards):
        raise HiveError(f"{dataset / CHECKSUMS}: does not list the shards that there are", _AGAIN)
    for name, sidecar in sidecars.items():
        if sidecar["sha256"] != listed[name]:
            raise HiveError(f"{dataset / CHECKSUMS}: has another hash of {name}", _AGAIN)
    hashes = {name: listed[name] for name in shards if edition.has(name)}
    files = [
        File(name, dataset / name, sidecars[name]["bytes"], digest)
        for name, digest in hashes.items()
    ]
    for name in (*_TABLES, *(name for name in (TRACKS,) if name in listed)):
        size = (dataset / name).stat().st_size if (dataset / name).is_file() else -1
        files.append(File(name, dataset / name, size, listed[name]))
        hashes[name] = listed[name]
    hashes |= write_descriptions(work, facts, hashes, edition)
    write_checksums(work, hashes)
    return [*files, *_described(work)]


def check_limits(files: Sequence[File]) -> None:
    """Stop before terabytes are sent that the hub would refuse in the end.

    Raises:
        HiveError: If there are more files than it takes, in all or in a folder.
    """
    folders = Counter(file.name.rpartition("/")[0] for file in files)
    folder, most = folders.most_common(1)[0]
    told = f"{len(files)} files" * (len(files) > _MOST_FILES)
    if most >= _MOST_IN_FOLDER:
        told = f"{most} files in {folder}"
    if told:
        raise HiveError(
            f"{told}: the hub takes fewer than {_MOST_IN_FOLDER:,} in a folder and "
            f"{_MOST_FILES:,} in a repository",
            "build it with a larger --shard-size, or publish some splits only (--splits)",
        )


def _described(work: Path) -> Iterator[File]:
    for name in (CROISSANT, CARD, CHECKSUMS):
        yield File(name, work / name, (work / name).stat().st_size, sha256_file(work / name))


def _differs(path: Path, digest: str | None) -> bool:
    return not path.is_file() or sha256_file(path) != digest
