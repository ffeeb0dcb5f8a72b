from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hive.build import build
from hive.maintenance.make_mini import make_mini
from hive.pool.importer import import_synth
from hive.shards.dataset import can_decode
from hive.shards.layout import find_shards, locate
from hive.shards.read import read_raw, read_shard
from hive.shards.register import register, registered
from hive.shards.write import RenderSettings
from hive.tables import SIZES

CLASSES = ("Clock", "Typing", "Telephone", "Mechanical fan", "Printer", "Air conditioning")
ROOT = Path(__file__).parents[2]

#: Runs without this package: only `datasets` and soundfile are imported.
READER = """
import io, json, sys
import soundfile
from datasets import load_dataset
name, split, streaming = sys.argv[2] or None, sys.argv[3], sys.argv[4] == "stream"
data = load_dataset(sys.argv[1], name, split=split, streaming=streaming)
rows = []
for row in data:
    sums = {}
    for field, value in row.items():
        if not field.endswith((".flac", ".wav")) or value is None:
            continue
        if isinstance(value, dict):
            value = value["bytes"]
        if isinstance(value, bytes):
            samples, rate = soundfile.read(io.BytesIO(value), dtype="float32")
        else:
            decoded = value.get_all_samples()
            samples, rate = decoded.data[0].numpy(), decoded.sample_rate
        sums[field] = [float(abs(samples).sum()), len(samples), rate]
    rows.append({"key": row["__key__"], "json": row["json"], "audio": sums})
assert "hive" not in sys.modules
json.dump(rows, sys.stdout)
"""


def stock(
    path: str, name: str, split: str, cwd: Path, cache: Path, streaming: bool = False
) -> list[dict[str, Any]]:
    """What stock `load_dataset` reads, in another process and folder, offline."""
    done = subprocess.run(
        [sys.executable, "-c", READER, path, name, split, "stream" if streaming else "map"],
        cwd=cwd,
        env={**os.environ, "HF_DATASETS_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def ours(dataset: Path, split: str, sizes: tuple[int, ...] | None = None) -> list[dict[str, Any]]:
    """What the shards hold, read by our own code."""
    rows = []
    for shard in find_shards(dataset, split, sizes):
        for sample in read_shard(shard):
            signals = {"mix": sample.mixture, **sample.sources}
            rows.append(
                {
                    "key": sample.key,
                    "json": sample.meta,
                    "audio": {
                        f"{name}.flac": [float(np.abs(x).sum()), len(x), sample.sample_rate]
                        for name, x in signals.items()
                    },
                }
            )
    return rows


def same(got: list[dict[str, Any]], want: list[dict[str, Any]]) -> None:
    assert [row["key"] for row in got] == [row["key"] for row in want]
    for a, b in zip(got, want, strict=True):
        assert a["json"] == b["json"]
        assert a["audio"].keys() == b["audio"].keys()
        for name, values in a["audio"].items():
            assert values == pytest.approx(b["audio"][name], rel=1e-5)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("register")
    import_synth(root / "pool", seed=0, per_class=2, classes=CLASSES, workers=1)
    counts = {"train": 6, "test": 6}
    shares = {"train": 0.5, "test": 0.5}
    build(
        root / "pool",
        root / "dataset",
        counts,
        seed=0,
        settings=RenderSettings(shard_size=2),
        shares=shares,
        size_shares={2: 1.0, 3: 1.0},
    )
    return root / "dataset"


@pytest.mark.parametrize("streaming", [False, True])
def test_the_folder_opens_with_stock_load_dataset(
    dataset: Path, tmp_path: Path, streaming: bool
) -> None:
    for name, split, sizes in (("3mix", "train", (3,)), ("all_test", "test", None)):
        got = stock(str(dataset), name, split, tmp_path, tmp_path / "cache", streaming)
        same(got, ours(dataset, split, sizes))


def test_the_name_opens_anywhere_once_registered(
    dataset: Path, hf_cache: Path, tmp_path: Path
) -> None:
    names = register(dataset)
    wanted = ["2mix", "2mix_test", "3mix", "3mix_test", "all", "all_test", "mini"]
    assert names == wanted
    assert registered() == wanted
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    same(stock("hive", "2mix", "test", elsewhere, hf_cache), ours(dataset, "test", (2,)))
    same(stock("hive", "all", "train", elsewhere, hf_cache, True), ours(dataset, "train"))
    same(stock("hive", "all_test", "test", elsewhere, hf_cache), ours(dataset, "test"))
    # Without a configuration the name opens mini, whatever was registered last.
    same(stock("hive", "", "test", elsewhere, hf_cache), ours(locate("mini"), "test"))


def test_registering_again_replaces_what_was_there(dataset: Path, hf_cache: Path) -> None:
    register(dataset)
    register(locate("mini"))
    assert "3mix" in registered()
    (hf_cache / "hive" / "9mix" / "1.0.0" / "x").mkdir(parents=True)
    register(dataset)
    assert "9mix" not in registered()
    info = json.loads(next(hf_cache.glob("hive/3mix/1.0.0/*/dataset_info.json")).read_text())
    assert info["features"]["mix.flac"]["_type"] == "Audio"
    assert info["features"]["mix.flac"].get("decode", True) == can_decode()


def test_in_a_checkout_the_bare_name_opens_mini(tmp_path: Path) -> None:
    got = stock("hive", "", "test", ROOT, tmp_path / "cache")
    same(got, ours(locate("mini"), "test"))
    assert sorted(row["json"]["num_sources"] for row in got) == sorted([*SIZES] * 3)


def test_mini_is_what_it_says() -> None:
    mini = locate("mini") / "data" / "mini"
    assert sum(path.stat().st_size for path in mini.iterdir()) < 12e6
    samples = [
        sample for path in find_shards(locate("mini"), "test") for sample in read_shard(path)
    ]
    assert len(samples) == 12
    for sample in samples:
        assert len(sample.mixture) == 4 * 44100
        assert sample.sample_rate == 44100
        assert np.array_equal(np.sum(list(sample.sources.values()), axis=0), sample.mixture)
        assert sample.meta["licence"] == "CC0-1.0"


def test_mini_can_be_made_again_bit_for_bit(tmp_path: Path) -> None:
    make_mini(tmp_path)
    shipped = find_shards(locate("mini"), "test")[0]
    again = tmp_path / "data" / "mini" / shipped.name
    shipped_samples, made = list(read_raw(shipped)), list(read_raw(again))
    assert [sample.meta() for sample in made] == [sample.meta() for sample in shipped_samples]
    assert (tmp_path / "README.md").read_text() == (locate("mini") / "README.md").read_text()
    listed = (locate("mini") / "data" / "mini" / "SHA256SUMS").read_text().split()[0]
    assert hashlib.sha256(shipped.read_bytes()).hexdigest() == listed
    if soundfile.__libsndfile_version__ == "1.2.2":  # the encoder that made the shipped file
        assert again.read_bytes() == shipped.read_bytes()
