"""A small pool, and runs on it."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

WORLD: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "world.py")))


@pytest.fixture(scope="session")
def world() -> Any:
    """Settings that make networks small and runs short; see `world.py`."""
    return WORLD


@pytest.fixture(scope="session")
def training_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with clips for training and for validation."""
    made: Path = WORLD.make_pool(tmp_path_factory.mktemp("trained-on") / "pool")
    return made


@pytest.fixture
def run_tiny(training_pool: Path) -> Callable[..., Any]:
    """Train a tiny AudioSep: `run_tiny(folder, *overrides, **options of train)`."""
    from baselines.training.config import load_config
    from baselines.training.run import train

    def run(folder: Path, *overrides: str, **options: Any) -> Any:
        config = load_config("audiosep-mini", [*WORLD.TINY, *overrides])
        return train(config, training_pool, folder, **options)

    return run
