"""What a careful publisher looks at: may it be passed on, and does it tell more than it should?"""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hive.errors import HiveError
from hive.licences import inherit, terms
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.tables import MIXTURE_SCHEMA, open_table

_BATCH = 20_000
_SHOWN = 12
_LOOKED_AT = 1000
#: Paths of one machine: below the usual roots, of Windows, or as an address.
_PATHS = (
    r"(?:^|[\s\"'=(,;|:])(?:~|/(?:home|Users|root|mnt|media|tmp|var|opt|srv|scratch|nfs|lustre"
    r"|gpfs|Volumes|private|data|datasets?|work|workspace|storage|export|projects?|cluster|content"
    r"|net|dbfs))/[^\s\"',;|]+|\b(?:file|s3|gs|gcs|hdfs|abfss?|az|nfs|smb|s?ftp|ssh)://"
    r"|(?:^|[\s\"'=(,;|])(?:[A-Za-z]:\\|\\\\)[^\s]+"
)
#: Names of users and machines that say nothing of anybody.
_COMMON = {"root", "user", "users", "admin", "ubuntu", "debian", "runner", "localhost", "test"}
_SHORTEST = 4


def check_licences(facts: DatasetFacts, edition: Edition) -> None:
    """Stop if audio would be published that its licences do not let be passed on.

    Args:
        facts: What the dataset is.
        edition: Its form; only splits whose shards are published count.

    Raises:
        HiveError: With what was found, by licence and by conflict.
    """
    found: Counter[str] = Counter()
    for split in edition.shown(facts):
        for parts, count in facts.inherited.get(split, []):
            for licence in parts:
                if reason := _forbids(licence):
                    found[f"{licence}: {reason}"] += count
            for sentence in inherit(parts).conflicts:
                # Those of one licence alone are said above.
                if " with " in sentence.partition(": ")[0]:
                    found[sentence] += count
    if not found:
        return
    lines = [
        f"  {count} {'mixture' if count == 1 else 'mixtures'}: {text}"
        for text, count in found.most_common(_SHOWN)
    ]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more reasons, see the dataset card")
    raise HiveError(
        "licences of clips do not allow this dataset to be passed on\n" + "\n".join(lines),
        "build it without such clips (--allow-licence no-youtube,no-unknown,no-nd,"
        "no-research-only and one of no-nc or no-sa), publish the tables alone (--splits none), "
        "or, where the law or an agreement of yours allows it, add --accept licences",
    )


def _forbids(licence: str) -> str:
    asked = terms(licence)
    if not asked.known:
        return "its terms are not known, and without a licence nothing is permitted"
    if asked.youtube:
        return "YouTube's terms give no right to pass audio on"
    if asked.no_sharing:
        return "the audio must not be passed on"
    if asked.noderivatives:
        return "adaptations must not be passed on, and a mixture is one"
    return "it is for research or private use only" if asked.research_only else ""


def check_private(paths: Iterable[Path]) -> None:
    """Stop if a file holds paths of this machine, or the name of its user or its own.

    Args:
        paths: Text files, and Parquet tables of mixtures.

    Raises:
        HiveError: With the places found.
    """
    pattern = "|".join([_PATHS, *(rf"\b{re.escape(name)}\b" for name in _own_names())])
    found = chain.from_iterable(
        _in_table(path, pattern) if path.suffix == ".parquet" else _in_text(path, pattern)
        for path in paths
    )
    # Of a large table every row may be one.
    if shown := list(islice(dict.fromkeys(islice(found, _LOOKED_AT)), _SHOWN)):
        raise HiveError(
            "what is to be published names places or people of this machine, such as\n"
            + "\n".join(f"  {line}" for line in shown),
            "correct the manifests of the pool and build again, or, if this may be known, add "
            "--accept names",
        )


def _own_names() -> list[str]:
    names = {socket.gethostname()}
    with contextlib.suppress(OSError, KeyError):  # a container whose user has no name
        names.add(getpass.getuser())
    return sorted(name for name in names if len(name) >= _SHORTEST and name not in _COMMON)


def _in_text(path: Path, pattern: str) -> Iterator[str]:
    searched = re.compile(pattern)
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            if match := searched.search(line):
                yield f"{path.name}, line {number}: {match[0].strip()}"


def _in_table(path: Path, pattern: str) -> Iterator[str]:
    with open_table(path, MIXTURE_SCHEMA) as file:
        for name, value in (file.schema_arrow.metadata or {}).items():
            if match := re.search(pattern, value.decode("utf-8", "replace")):
                yield f"{path.name}, settings {name.decode()}: {match[0].strip()}"
        for batch in file.iter_batches(_BATCH):
            for name, column in _texts(batch):
                texts = pc.unique(pc.drop_null(column))
                hits = texts.filter(pc.match_substring_regex(texts, pattern)).to_pylist()
                yield from (f"{path.name}, {name}: {text}" for text in hits)


def _texts(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.Array]]:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_string(column.type):
            yield name, column
        elif pa.types.is_list(column.type):
            inner = pc.list_flatten(column)
            for field in inner.type:
                if pa.types.is_string(field.type):
                    yield f"{name}.{field.name}", pc.struct_field(inner, field.name)
