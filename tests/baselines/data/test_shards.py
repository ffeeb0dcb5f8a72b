"""Rendered shards as mixtures of a stream."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.data.shards import ShardMixtures, ShardReader
from hive.build import build
from hive.errors import HiveError
from hive.mixing.stream import MixtureStream
from hive.shards.layout import find_shards
from hive.shards.read import read_shard

SIZES = (2, 3, 4, 5)


@pytest.fixture(scope="session")
def dataset(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    build(pool, folder, {"train": 9, "validation": 5}, seed=1)
    return folder


def test_mixtures_and_sources_are_those_of_the_shards(dataset: Path) -> None:
    mixtures = ShardMixtures(dataset, "train", SIZES)
    expected = {
        sample.key: sample
        for shard in find_shards(dataset, "train")
        for sample in read_shard(shard)
    }
    assert len(mixtures) == len(expected) == 9
    seen = set()
    for batch in MixtureStream(mixtures, ShardReader(dataset), batch_size=2, seed=5):
        for row, name in enumerate(batch["mix_id"]):
            sample = expected[name]
            seen.add(name)
            count = int(batch["num_sources"][row])
            assert batch["labels"][row] == [one["label"] for one in sample.meta["sources"]]
            np.testing.assert_array_equal(batch["mixture"][row], sample.mixture)
            sources = batch["sources"][row, :count]
            np.testing.assert_array_equal(sources, np.stack(list(sample.sources.values())))
    assert seen == set(expected)


def test_sizes_and_limits(dataset: Path) -> None:
    every = ShardMixtures(dataset, "train", SIZES)
    found = dict.fromkeys(SIZES, 0)
    for recipe in every.recipes(range(len(every))):
        found[len(recipe.ingredients)] += 1
    size = max(found, key=lambda one: found[one])
    assert len(ShardMixtures(dataset, "train", [size])) == found[size]
    limited = ShardMixtures(dataset, "train", SIZES, limit=1)
    assert len(limited) == sum(count > 0 for count in found.values())
    assert limited.identity() != every.identity()
    assert every.identity() == ShardMixtures(dataset, "train", SIZES).identity()


def test_the_embedded_dataset() -> None:
    pairs = ShardMixtures(Path("mini"), "test", [2, 4], limit=2)
    sizes = [len(recipe.ingredients) for recipe in pairs.recipes(range(len(pairs)))]
    assert sorted(sizes) == [2, 2, 4, 4]
    assert pairs.seconds == 4.0


def rewritten(dataset: Path, folder: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Copy a dataset with other members; None leaves one out."""
    shutil.copytree(dataset, folder)
    for shard in find_shards(folder, "train"):
        with tarfile.open(shard) as archive:
            members = [
                (info.name, handle.read())
                for info in archive
                if (handle := archive.extractfile(info)) is not None
            ]
        with tarfile.open(shard, "w") as archive:
            for name, data in members:
                changed = change(name, data)
                if changed is not None:
                    info = tarfile.TarInfo(name)
                    info.size = len(changed)
                    archive.addfile(info, io.BytesIO(changed))
    return folder


def with_fields(**fields: Any) -> Callable[[str, bytes], bytes]:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("json") or "0000" not in name:
            return data
        return json.dumps({**json.loads(data), **fields}).encode()

    return change


def test_damaged_members_are_named(dataset: Path, tmp_path: Path) -> None:
    def without_s1(name: str, data: bytes) -> bytes | None:
        return None if ".s1." in name else data

    refused = {
        "a": (without_s1, r"train-.*tar: mixture 'train-\d+' lacks .*'s1.wav'"),
        "b": (lambda name, data: b"{" if "json" in name else data, "json member cannot be read"),
        "c": (with_fields(sample_rate=None), "lacks sources, a rate"),
        "d": (with_fields(target_duration=float("inf")), "inf s"),
        "e": (with_fields(sources=[]), "0 sources"),
    }
    for name, (change, message) in refused.items():
        copied = rewritten(dataset, tmp_path / name, change)
        with pytest.raises(HiveError, match=message):
            ShardMixtures(copied, "train", SIZES)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_members_that_are_no_files_are_refused(dataset: Path, tmp_path: Path, kind: bytes) -> None:
    copied = rewritten(dataset, tmp_path / "copied", lambda name, data: data)
    with tarfile.open(find_shards(copied, "train")[0], "a") as archive:
        info = tarfile.TarInfo("zzz.json")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(HiveError, match=r"'zzz\.json' is no plain file"):
        ShardMixtures(copied, "train", SIZES)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b" " * (1 << 21), "json member has 2097152 bytes"), (b"[" * 200_000, "cannot be read")],
)
def test_json_that_would_fill_the_memory_is_refused(
    dataset: Path, tmp_path: Path, data: bytes, message: str
) -> None:
    def change(name: str, before: bytes) -> bytes:
        return data if name.endswith("json") else before

    with pytest.raises(HiveError, match=message):
        ShardMixtures(rewritten(dataset, tmp_path / "copied", change), "train", SIZES)


def test_rates_that_differ_are_refused(dataset: Path, tmp_path: Path) -> None:
    wrong = rewritten(dataset, tmp_path / "all", with_fields(sample_rate=32000))
    mixtures = ShardMixtures(wrong, "train", SIZES)
    stream = MixtureStream(mixtures, ShardReader(wrong), batch_size=1, shuffle=False)
    with pytest.raises(HiveError, match="44100 Hz, not 32000 Hz"):
        next(iter(stream))

    seen: list[str] = []

    def first_only(name: str, data: bytes) -> bytes:
        if name.endswith("json"):
            seen.append(name)
            if len(seen) == 1:
                return json.dumps({**json.loads(data), "sample_rate": 32000}).encode()
        return data

    with pytest.raises(HiveError, match="several rates or lengths"):
        ShardMixtures(rewritten(dataset, tmp_path / "one", first_only), "train", SIZES)


def test_a_shard_that_was_cut_off_is_named(dataset: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(dataset, copied)
    shard = find_shards(copied, "train")[0]
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(HiveError, match="damaged shard"):
        ShardMixtures(copied, "train", SIZES)


def test_no_shards_of_a_split(dataset: Path) -> None:
    with pytest.raises(HiveError, match="no shards of split 'test'"):
        ShardMixtures(dataset, "test", SIZES)
