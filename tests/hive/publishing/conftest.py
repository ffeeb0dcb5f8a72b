"""A small finished dataset, and a hub for it."""

from __future__ import annotations

import csv
import functools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2]))
from hub_server import TOKEN, HubServer

from hive.build import build
from hive.execution.engine import Engine
from hive.pool.importer import import_folder
from hive.pool.layout import Short
from hive.shards.write import RenderSettings

LABELS = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Telephone")
COUNTS = {"train": 6, "validation": 2, "test": 3}
SHARES = {"train": 0.4, "validation": 0.3, "test": 0.3}
AUTHOR = "A | <b>B</b> [x](http://evil.example) `c`"


def make_dataset(folder: Path, licences: tuple[str, ...], author: str = AUTHOR) -> Path:
    """Build a dataset of noise, whose clips are under these licences in turn."""
    root = folder / "recordings"
    root.mkdir(parents=True)
    rows = []
    for number, label in enumerate(LABELS):
        for take in range(7):
            samples = 0.05 * np.random.default_rng(10 * number + take).standard_normal(44100)
            soundfile.write(root / f"{number}_{take}.wav", samples, 44100)
            licence = licences[(number + take) % len(licences)]
            name = f"{number}_{take}.wav"
            rows.append({"path": name, "label": label, "licence": licence, "author": author})
    with (root / "manifest.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    import_folder(root, folder / "pool", "c", short=Short.REPEAT, seed=0, workers=1)
    build(
        folder / "pool",
        folder / "dataset",
        COUNTS,
        seed=0,
        engine=Engine(workers=1),
        settings=RenderSettings(shard_size=2),
        shares=SHARES,
        size_shares={2: 0.5, 3: 0.5},
    )
    return folder / "dataset"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose licences allow that it is passed on. It is not to be changed."""
    return make_dataset(tmp_path_factory.mktemp("free"), ("CC0-1.0", "CC-BY-4.0"))


@pytest.fixture
def dataset(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(built, tmp_path / "dataset"))


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub for programs of their own."""
    with HubServer(page=4) as server:
        yield server


@pytest.fixture
def here(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Point this process at the hub; return the waits between tries, which take no time."""
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    waited: list[float] = []
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    from hive.publishing import faults

    monkeypatch.setattr(
        "hive.publishing.hub.persistently",
        functools.partial(faults.persistently, sleep=waited.append),
    )
    reset_sessions()
    yield waited
    reset_sessions()
