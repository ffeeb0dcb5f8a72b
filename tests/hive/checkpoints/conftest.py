"""A checkpoint in the published layout with random weights, and its converted form."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hive.checkpoints import clap_keys, install

NAME = "clap-630k-audioset"


@pytest.fixture(autouse=True)
def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that can be reached: no test asks the real one."""
    monkeypatch.setattr(install, "hub_answers", lambda: True)


@pytest.fixture(scope="session")
def published() -> Iterator[Any]:
    """The builder of LAION-CLAP's own network, whose smallest size is known to the converter."""
    path = Path(__file__).parents[2] / "published_clap.py"
    module = SimpleNamespace(**runpy.run_path(str(path)))
    known = (*clap_keys.ARCHITECTURES, clap_keys.Architecture(**module.MICRO))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clap_keys, "ARCHITECTURES", known)
        yield module


@pytest.fixture(scope="session")
def published_file(published: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole training checkpoint, as the hub has it."""
    file: Path = tmp_path_factory.mktemp("published") / "630k-audioset-best.pt"
    torch.save(published.checkpoint("micro"), file)
    return file


@pytest.fixture(scope="session")
def tokenizer(published: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = published.write_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return folder


@pytest.fixture(scope="session")
def converted(
    published_file: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The root of a store that holds the checkpoint; tests look at it and leave it as it is."""
    root: Path = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIVE_CHECKPOINTS", str(root))
        install.convert(published_file, NAME, tokenizer, allow_other=True)
    return root


@pytest.fixture
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def filled(converted: Path, store_root: Path) -> Path:
    """A store of this test's own with the checkpoint; its folder."""
    shutil.copytree(converted, store_root)
    return store_root / NAME
