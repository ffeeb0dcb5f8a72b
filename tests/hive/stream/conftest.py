"""A pool, its pack and a plan, shared by the tests of streaming."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hive.mixing.plan import Planner
from hive.mixing.plan_table import PlanTable
from hive.mixing.render import Rendered, render
from hive.mixing.roots import PoolRoot
from hive.pool.pack import pack_pool
from hive.pool.store import read_pool

WORLD: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "world.py")))
COUNT = 41


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = WORLD.make_pool(tmp_path_factory.mktemp("streamed") / "pool")
    return made


@pytest.fixture(scope="session")
def pack(pool: Path) -> Path:
    pack_pool(pool, pool.parent / "pack", part_bytes=600_000)
    return pool.parent / "pack"


@pytest.fixture(scope="session")
def planner(pool: Path) -> Planner:
    made: Planner = WORLD.make_planner(read_pool(pool)[0])
    return made


@pytest.fixture(scope="session")
def plan(pool: Path, planner: Planner) -> Path:
    made: Path = WORLD.make_plan(planner, COUNT, pool.parent / "train.parquet")
    return made


@pytest.fixture(scope="session")
def rendered(pool: Path, plan: Path) -> list[Rendered]:
    """What `mix render` makes of the plan."""
    return [render(row, PoolRoot(pool)) for row in PlanTable(plan).rows(range(COUNT))]
