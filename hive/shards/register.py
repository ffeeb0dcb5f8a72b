"""Prepare the Hugging Face cache so that stock `load_dataset("hive", ...)` opens a dataset.

`load_dataset("hive", "2mix", split="test")` looks for a prepared cache when it finds no folder and
no hub repository of that name. Our builder writes that cache, so that the name works in any
directory, offline, and without this package.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import datasets

from hive.errors import HiveError
from hive.files import sha256_json
from hive.shards.card import ALL, TEST_ONLY
from hive.shards.dataset import MixtureConfig, Mixtures
from hive.shards.features import JSON_FIELD, REST
from hive.shards.layout import EMBEDDED, find_shards, locate
from hive.shards.read import read_raw
from hive.storage import place, stamp
from hive.tables import SPLITS

NAME = "hive"


def register(dataset: Path) -> list[str]:
    """Prepare the cache so that `load_dataset("hive", ...)` opens a dataset from anywhere.

    The audio is copied into the cache (`HF_DATASETS_CACHE`), once for the configuration of its
    size and once for `all`; the test-only configurations share their files. What was registered
    under the name before is replaced; the embedded `mini` is kept, or registered along, and is what
    opens when no configuration is named.

    Args:
        dataset: A dataset folder, or the package's own for `mini` (see `hive.shards.locate`).

    Returns:
        The configurations that now open.

    Raises:
        HiveError: If the folder has no shards, or the cache cannot be written.
    """
    shards, form = _find(dataset)
    try:
        if dataset == locate(EMBEDDED):
            return _register_mini(shards, form)
        for folder in _cache().glob("*"):
            if folder.is_dir() and folder.name != EMBEDDED:
                shutil.rmtree(folder)
        sizes = sorted(shards)
        names = []
        for name, some in [*((f"{size}mix", [size]) for size in sizes), (ALL, sizes)]:
            names += _register_sizes(name, {n: shards[n] for n in some}, form)
        if not any((_cache() / EMBEDDED).glob(f"{Mixtures.VERSION}/*/dataset_info.json")):
            names += _register_mini(*_find(locate(EMBEDDED)))
        _keep_mini_first()
    except OSError as error:
        raise HiveError(
            f"{_cache()}: the cache cannot be written ({error})",
            "free some space, or point HF_DATASETS_CACHE to another disk",
        ) from error
    return names


def registered() -> list[str]:
    """Return the configurations that `load_dataset("hive", ...)` finds in the cache."""
    return sorted({info.parents[2].name for info in _cache().glob("*/*/*/dataset_info.json")})


Shards = dict[int, dict[str, list[str]]]  # by size (0: all together), then split


class _Form(NamedTuple):
    """What the members of shards are: the format of their audio, and whether there are tracks."""

    audio_format: str
    tracks: bool


def _cache() -> Path:
    return Path(datasets.config.HF_DATASETS_CACHE).expanduser() / NAME


def _find(dataset: Path) -> tuple[Shards, _Form]:
    """List the shards of a dataset by size and split, and the form of their contents."""
    found: Shards = {}
    for folder in sorted((dataset / "data").iterdir()):
        size = folder.name.removesuffix("mix")
        number = int(size) if size.isdigit() else 0
        for split in SPLITS:
            if any(folder.glob(f"{split}-*-of-*.tar")):
                paths = find_shards(dataset, split, (number,) if number else None)
                found.setdefault(number, {})[split] = [str(path.resolve()) for path in paths]
    if not found:
        raise HiveError(f"{dataset}: no shards below data/", "build or download the dataset")
    path = next(iter(next(iter(found.values())).values()))[0]
    names = [name.rpartition(".") for name in next(read_raw(place(path))).fields]
    audio_format = next(suffix for _, _, suffix in names if suffix != JSON_FIELD)
    return found, _Form(audio_format, any(stem == REST for stem, _, _ in names))


def _register_mini(shards: Shards, form: _Form) -> list[str]:
    shutil.rmtree(_cache() / EMBEDDED, ignore_errors=True)
    _prepare(MixtureConfig(name=EMBEDDED, shards=shards[0], audio_format=form.audio_format))
    return [EMBEDDED]


def _register_sizes(name: str, shards: Shards, form: _Form) -> list[str]:
    by_split: dict[str, list[str]] = {}
    for split in SPLITS:
        paths = [path for of_size in shards.values() for path in of_size.get(split, [])]
        if paths:
            by_split[split] = paths
    builder = _prepare(
        MixtureConfig(
            name=name,
            shards=by_split,
            audio_format=form.audio_format,
            largest=max(shards),
            tracks=form.tracks,
        )
    )
    if "test" not in by_split:
        return [name]
    _share_test(builder, f"{name}{TEST_ONLY}")
    return [name, f"{name}{TEST_ONLY}"]


def _prepare(config: MixtureConfig) -> Mixtures:
    # The folder's name must not depend on the configuration's contents, or the stock look-up by
    # name misses it; so they are handed over after the cache folder is chosen.
    described = [[split, *map(_stamp, paths)] for split, paths in (config.shards or {}).items()]
    builder = Mixtures(dataset_name=NAME, config_name=config.name, hash=sha256_json(described)[:16])
    builder.config.shards = config.shards
    builder.config.audio_format = config.audio_format
    builder.config.largest = config.largest
    builder.config.tracks = config.tracks
    builder.info.features = builder._info().features
    builder.download_and_prepare()
    return builder


def _share_test(builder: Mixtures, name: str) -> None:
    """Prepare a test-only configuration from the files of the one that has all splits."""
    prepared = Path(builder.cache_dir)
    folder = _cache() / name / prepared.parent.name / prepared.name
    folder.mkdir(parents=True)
    for file in prepared.glob(f"{NAME}-test*.arrow"):
        try:
            os.link(file, folder / file.name)
        except OSError:  # a file system without hard links
            shutil.copyfile(file, folder / file.name)
    info = builder.info.copy()
    test = info.splits["test"]
    info.config_name = name
    info.splits = datasets.SplitDict({"test": test}, dataset_name=NAME)
    info.dataset_size = info.size_in_bytes = test.num_bytes
    info.write_to_directory(str(folder))


def _stamp(path: str) -> list[Any]:
    return [path, *stamp(place(path))]


def _keep_mini_first() -> None:
    # Without a configuration, the stock look-up takes the most recently modified folder.
    for folder in _cache().glob(f"{EMBEDDED}/*/*"):
        os.utime(folder)
