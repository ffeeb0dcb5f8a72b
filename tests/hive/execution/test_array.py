"""Jobs that share a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hive.errors import HiveError
from hive.execution.array import hold_share
from hive.execution.engine import Share
from hive.mixing.roots import PoolRoot
from hive.shards.finish import missing_shards
from hive.shards.write import RenderSettings, render_plan

ASKED = {"limit": None}


def test_a_share_is_held_once(tmp_path: Path) -> None:
    with hold_share(tmp_path, Share(0, 2), ASKED, "rain"):
        with hold_share(tmp_path, Share(1, 2), ASKED, "rain"):
            pass
        with pytest.raises(HiveError, match="another run is at work on rain, shard 0 of 2"):
            hold_share(tmp_path, Share(0, 2), ASKED, "rain").__enter__()
    with hold_share(tmp_path, Share(0, 2), ASKED, "rain"):
        pass  # it is free again


def test_jobs_at_work_agree(tmp_path: Path) -> None:
    with hold_share(tmp_path, Share(1, 2), ASKED, "rain"):
        with pytest.raises(HiveError, match="jobs with other settings are at work") as caught:
            hold_share(tmp_path, Share(0, 2), {"limit": 5}, "rain").__enter__()
        assert "limit: None there -> 5 asked for" in caught.value.problem
        with pytest.raises(HiveError, match="shard_count: 2 there -> 1 asked for"):
            hold_share(tmp_path, Share(), ASKED, "rain").__enter__()
        with hold_share(tmp_path, Share(0, 2), ASKED, "rain"):
            pass  # those that were refused hold nothing
    with hold_share(tmp_path, Share(0, 3), {"limit": 5}, "rain"):
        assert json.loads((tmp_path / "jobs.json").read_text()) == {"limit": 5, "shard_count": 3}


def test_a_job_that_failed_frees_its_share(tmp_path: Path) -> None:
    with pytest.raises(KeyError), hold_share(tmp_path, Share(), ASKED, "rain"):
        raise KeyError
    with hold_share(tmp_path, Share(), ASKED, "rain"):
        pass


def test_leftovers_of_this_share_are_removed_and_of_no_other(
    plan: Path, pool: Path, tmp_path: Path
) -> None:
    shares = [Share(number, 2) for number in range(2)]
    settings = RenderSettings(shard_size=3)
    render_plan(plan, PoolRoot(pool), tmp_path, settings, share=shares[0])
    mine = sorted(tmp_path.glob("data/*/*.tar"))
    assert missing_shards(tmp_path) > 0
    leftovers = [tar.with_name(f".{tar.name}.abcdefgh.part") for tar in mine]
    for path in leftovers:
        path.write_bytes(b"half")
    render_plan(plan, PoolRoot(pool), tmp_path, settings, share=shares[1])
    assert missing_shards(tmp_path) == 0
    assert all(path.exists() for path in leftovers)
    render_plan(plan, PoolRoot(pool), tmp_path, settings, share=shares[0])
    assert not any(path.exists() for path in leftovers)


@pytest.mark.parametrize("lacks", ["dataset", "pool"])
def test_a_machine_that_lacks_a_folder_says_so(
    plan: Path, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    out = tmp_path / "out"
    claims = "hive.shards.write.claim"
    if lacks == "dataset":  # the machine that sent the task has written its settings elsewhere
        monkeypatch.setattr(claims, lambda path, settings: [])
    find = PoolRoot(tmp_path / "nowhere" if lacks == "pool" else pool)
    with pytest.raises(HiveError) as caught:
        render_plan(plan, find, out, RenderSettings())
    told = {
        "dataset": f"{out}: not the folder of this run",
        "pool": f"{tmp_path / 'nowhere'}: no such folder",
    }
    assert told[lacks] in caught.value.problem
    assert not list(out.glob("data/*/*.tar"))
