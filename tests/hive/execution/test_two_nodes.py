"""A Ray cluster of two nodes, of which one is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_commands import files, kill_session, render, running, shards_done, start, wait_until

from hive.mixing.plan import Planner, PlanSettings, write_plan
from hive.mixing.roots import PoolRoot
from hive.pool.store import read_pool
from hive.shards.finish import finish
from hive.shards.write import RenderSettings, render_plan

pytestmark = pytest.mark.slow
MIXTURES = 240


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with a core each."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    given = {"num_cpus": 1, "object_store_memory": 128 << 20, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=given)
    yield nodes
    nodes.shutdown()


def at_work(raylet: int) -> list[int]:
    """Return the workers of a node that do a task of ours."""
    return [
        process.pid
        for process in running()
        if process.parent == raylet and process.title.startswith("ray::_do")
    ]


def test_a_node_that_is_killed_changes_nothing(cluster: Any, pool: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.parquet"
    write_plan(Planner(read_pool(pool)[0], PlanSettings("train", 0, 4.0)), MIXTURES, plan)
    alone = tmp_path / "alone"
    render_plan(plan, PoolRoot(pool), alone, RenderSettings(shard_size=3))
    finish(alone)
    second = cluster.add_node(num_cpus=1, object_store_memory=128 << 20)
    cluster.wait_for_nodes()
    out = tmp_path / "out"
    engine = ("--engine", "ray", "--ray-address", cluster.address)
    process = start(render(plan, pool, out, *engine), HIVE_QUIET="")
    try:
        raylet = second.all_processes["raylet"][0].process.pid
        wait_until(lambda: shards_done(out) >= 10 and bool(at_work(raylet)), process)
        for victim in (raylet, *at_work(raylet)):
            os.kill(victim, signal.SIGKILL)
        done = shards_done(out)
        _, told = process.communicate(timeout=600)
    finally:
        kill_session(process.pid)
    shards = len(list(alone.glob("data/*/*.tar")))
    assert 10 <= done < shards
    assert process.returncode == 0, told
    assert "tried again (1 of 2)" in told
    assert files(out) == files(alone)
