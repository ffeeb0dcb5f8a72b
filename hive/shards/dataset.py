"""The `datasets` builder, and `register`, which prepares its cache.

Stock `load_dataset("hive", "2mix", split="test")` looks for a prepared cache when no folder and no
hub repository of that name is found. Our builder writes that cache, with typed audio columns, so
that the name works in any directory, offline, and without this package.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from hive.errors import HiveError
from hive.files import sha256_json
from hive.shards.card import configurations
from hive.shards.features import JSON_FIELD, KEY_FIELD, audio_fields
from hive.shards.layout import find_shards, locate
from hive.shards.read import read_raw
from hive.tables import MIXTURE_SCHEMA, SIZES, SPLITS

NAME = "hive"
EMBEDDED = "mini"
_BATCH = 16


@dataclass
class MixtureConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """Shards of each split, and the largest number of sources in them."""

    shards: dict[str, list[str]] | None = None
    audio_format: str = "flac"
    largest: int = max(SIZES)


class Mixtures(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Mixtures with the columns of the shards, the audio ones typed as `Audio`."""

    BUILDER_CONFIG_CLASS = MixtureConfig
    VERSION = datasets.Version("1.0.0")

    def _info(self) -> datasets.DatasetInfo:
        features = {
            name: datasets.Audio()
            for name in audio_fields(self.config.audio_format, self.config.largest)
        }
        described = datasets.Features.from_arrow_schema(MIXTURE_SCHEMA)
        features[JSON_FIELD] = dict(described)
        features[KEY_FIELD] = datasets.Value("string")
        return datasets.DatasetInfo(features=datasets.Features(features))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": shards})
            for split, shards in self.config.shards.items()
        ]

    def _generate_shards(self, shards: list[str]) -> Iterator[str]:
        yield from shards

    def _generate_tables(self, shards: list[str]) -> Iterator[tuple[Any, pa.Table]]:
        fields = audio_fields(self.config.audio_format, self.config.largest)
        schema = self.info.features.arrow_schema
        for number, shard in enumerate(shards):
            rows: list[dict[str, Any]] = []
            count = 0
            for raw in read_raw(Path(shard)):
                row: dict[str, Any] = {
                    name: {"bytes": raw.fields[name], "path": f"{raw.key}.{name}"}
                    if name in raw.fields
                    else None
                    for name in fields
                }
                rows.append({**row, JSON_FIELD: raw.meta(), KEY_FIELD: raw.key})
                if len(rows) == _BATCH:
                    yield datasets.builder.Key(number, count), _table(rows, schema)
                    rows, count = [], count + 1
            if rows:
                yield datasets.builder.Key(number, count), _table(rows, schema)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def register(dataset: Path) -> list[str]:
    """Prepare the cache so that `load_dataset("hive", ...)` opens a dataset from anywhere.

    The audio is copied into the cache (`HF_DATASETS_CACHE`). What was registered under the name
    before is replaced; the embedded `mini` stays what opens when no configuration is named.

    Args:
        dataset: A dataset folder, or the package's own for `mini` (see `hive.shards.locate`).

    Returns:
        The configurations that now open.

    Raises:
        HiveError: If the folder has no shards, or the cache cannot be written.
    """
    configs = _configs(dataset)
    root = Path(datasets.config.HF_DATASETS_CACHE).expanduser() / NAME
    replaced = {config.name for config in configs}
    for folder in sorted(root.glob("*")) if root.is_dir() else []:
        if folder.is_dir() and (
            folder.name in replaced or EMBEDDED not in replaced | {folder.name}
        ):
            shutil.rmtree(folder)
    if EMBEDDED not in replaced and not (root / EMBEDDED).is_dir():
        # Otherwise the bare name would open whichever configuration was written last.
        configs += _configs(locate(EMBEDDED))
    for config in configs:
        _prepare(config)
    _keep_embedded_first(root)
    return [config.name for config in configs]


def registered() -> list[str]:
    """Return the configurations that `load_dataset("hive", ...)` finds in the cache."""
    root = Path(datasets.config.HF_DATASETS_CACHE).expanduser() / NAME
    return sorted({info.parents[2].name for info in root.glob("*/*/*/dataset_info.json")})


def _configs(dataset: Path) -> list[MixtureConfig]:
    found: dict[tuple[int, str], list[str]] = {}
    for folder in sorted((dataset / "data").iterdir()):
        size = folder.name.removesuffix("mix")
        for split in SPLITS:
            if any(folder.glob(f"{split}-*-of-*.tar")):
                number = int(size) if size.isdigit() else 0
                shards = find_shards(dataset, split, (number,) if number else None)
                found[number, split] = [str(path.resolve()) for path in shards]
    if not found:
        raise HiveError(f"{dataset}: no shards below data/", "build or download the dataset")
    first = next(read_raw(Path(next(iter(found.values()))[0])))
    audio_format = next(name for name in first.fields if name != "json").rpartition(".")[2]
    if {size for size, _ in found} == {0}:
        by_split = {split: paths for (_, split), paths in found.items()}
        return [MixtureConfig(name=EMBEDDED, shards=by_split, audio_format=audio_format)]
    sizes = sorted({size for size, _ in found})
    splits = [split for split in SPLITS if any(split == other for _, other in found)]
    return [
        MixtureConfig(
            name=name,
            shards={
                split: [path for size in some for path in found.get((size, split), [])]
                for split in chosen
                if any((size, split) in found for size in some)
            },
            audio_format=audio_format,
            largest=max(some),
        )
        for name, (some, chosen) in configurations(sizes, splits).items()
    ]


def _prepare(config: MixtureConfig) -> None:
    # The folder's name must not depend on the configuration's contents, or the stock look-up by
    # name misses it; so they are handed over after the cache folder is chosen.
    described = [[split, *map(_stamp, paths)] for split, paths in (config.shards or {}).items()]
    builder = Mixtures(dataset_name=NAME, config_name=config.name, hash=sha256_json(described)[:16])
    builder.config.shards = config.shards
    builder.config.audio_format = config.audio_format
    builder.config.largest = config.largest
    builder.info.features = builder._info().features
    try:
        builder.download_and_prepare()
    except OSError as error:
        raise HiveError(
            f"{builder.cache_dir}: the cache cannot be written ({error})",
            "free some space, or point HF_DATASETS_CACHE to another disk",
        ) from error


def _stamp(path: str) -> list[Any]:
    status = Path(path).stat()
    return [path, status.st_size, status.st_mtime_ns]


def _keep_embedded_first(root: Path) -> None:
    # Without a configuration, the stock look-up takes the most recently modified folder.
    for folder in root.glob(f"{EMBEDDED}/*/*"):
        os.utime(folder)
