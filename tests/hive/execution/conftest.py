from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # worker processes get it from here, and import `engine_tasks`

from engine_commands import files  # noqa: E402

from hive.mixing.plan import Planner, PlanSettings, write_plan  # noqa: E402
from hive.mixing.roots import PoolRoot  # noqa: E402
from hive.pool.importer import import_folder  # noqa: E402
from hive.pool.layout import Short  # noqa: E402
from hive.pool.store import read_pool  # noqa: E402
from hive.shards.finish import finish  # noqa: E402
from hive.shards.write import RenderSettings, render_plan  # noqa: E402


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray cluster of two cores, which all tests share."""
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=128 << 20,
        logging_level="ERROR",
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of 24 clips of noise."""
    root = tmp_path_factory.mktemp("recordings")
    names = ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Telephone")
    lines = ["path,label,licence,author"]
    for number, label in enumerate((*names, "Cough")):
        for take in range(4):
            samples = 0.05 * np.random.default_rng(10 * number + take).standard_normal(88200)
            soundfile.write(root / f"{number}_{take}.wav", samples, 44100)
            lines.append(f'{number}_{take}.wav,"{label}",CC0-1.0,Author {take}')
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    import_folder(root, root / "pool", "c", short=Short.REPEAT, seed=0, workers=1)
    return root / "pool"


@pytest.fixture(scope="session")
def plan(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of 24 mixtures of 4 s."""
    path = tmp_path_factory.mktemp("plan") / "train.parquet"
    write_plan(Planner(read_pool(pool)[0], PlanSettings("train", 0, 4.0)), 24, path)
    return path


@pytest.fixture(scope="session")
def whole(pool: Path, plan: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every file of the dataset that this process renders of the plan, and its hash."""
    dataset = tmp_path_factory.mktemp("whole")
    render_plan(plan, PoolRoot(pool), dataset, RenderSettings(shard_size=3))
    finish(dataset)
    return files(dataset)
