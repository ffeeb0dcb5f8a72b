"""Jobs that share a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine_commands import files

from hive.errors import HiveError
from hive.execution.array import hold_share
from hive.execution.engine import Share
from hive.mixing.roots import PoolRoot
from hive.shards import write
from hive.shards.finish import finish, missing_shards
from hive.shards.tar import TarWriter
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
    def render(number: int) -> None:
        settings = RenderSettings(shard_size=3)
        render_plan(plan, PoolRoot(pool), tmp_path, settings, share=Share(number, 2), num=8)

    render(0)
    mine = sorted(tmp_path.glob("data/*/*.tar"))
    assert missing_shards(tmp_path) > 0
    with pytest.raises(HiveError, match="shards are missing"):
        finish(tmp_path)
    leftovers = [tar.with_name(f".{tar.name}.abcdefgh.part") for tar in mine]
    for path in leftovers:
        path.write_bytes(b"half")
    render(1)
    assert missing_shards(tmp_path) == 0
    assert all(path.exists() for path in leftovers)
    render(0)
    assert not any(path.exists() for path in leftovers)


@pytest.fixture
def rendered(plan: Path, pool: Path, tmp_path: Path) -> Path:
    """Some mixtures of the plan."""
    again(plan, pool, tmp_path)
    return tmp_path


def again(plan: Path, pool: Path, dataset: Path) -> None:
    render_plan(plan, PoolRoot(pool), dataset, RenderSettings(shard_size=3), num=4)


@pytest.mark.parametrize("harm", ["tar", "rows", "sidecar", "settings", "damaged"])
def test_a_shard_that_is_not_whole_is_rendered_again(
    plan: Path, pool: Path, rendered: Path, harm: str
) -> None:
    before = files(rendered)
    tar = sorted(rendered.glob("data/*/*.tar"))[0]
    sidecar = rendered / ".hive" / tar.relative_to(rendered).with_suffix(".json")
    if harm == "settings":  # left from a run whose settings were removed by hand
        other = {**json.loads(sidecar.read_text()), "settings_hash": "0" * 64, "sha256": "1" * 64}
        sidecar.write_text(json.dumps(other))
    elif harm == "damaged":
        sidecar.write_text("")
    else:
        {"tar": tar, "rows": sidecar.with_suffix(".parquet"), "sidecar": sidecar}[harm].unlink()
        assert missing_shards(rendered) == 1
        with pytest.raises(HiveError, match="1 shards are missing"):
            finish(rendered)
    again(plan, pool, rendered)
    assert files(rendered) == before


def test_a_sidecar_goes_before_its_shard_changes(
    plan: Path, pool: Path, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = sorted(rendered.glob("data/*/*.tar"))[0]
    sidecar = rendered / ".hive" / tar.relative_to(rendered).with_suffix(".json")
    rejects = [{"mix_id": "x", "reason": "a clip was missing", "remedy": ""}]
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "rejects": rejects}))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hive.shards.write.write_table", killed)  # after the tar file
    with pytest.raises(KeyboardInterrupt):
        again(plan, pool, rendered)
    assert missing_shards(rendered) == 1


def test_a_task_that_was_believed_lost_changes_nothing(
    plan: Path, pool: Path, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(rendered)
    sidecars = {path: path.read_bytes() for path in rendered.glob(".hive/data/*/*.json")}
    for path in sidecars:
        path.unlink()
    mixed = write.add_mixture

    def slowly(tar: TarWriter, *more: Any) -> None:
        for path, data in sidecars.items():  # its second try is done meanwhile
            path.write_bytes(data)
        mixed(tar, *more)
        tar.add("not-the.same", b"")

    monkeypatch.setattr("hive.shards.write.add_mixture", slowly)
    again(plan, pool, rendered)
    assert files(rendered) == before


def test_shards_of_another_run_are_not_finished_with_this_one(rendered: Path) -> None:
    tar = sorted(rendered.glob("data/*/*.tar"))[0]
    sidecar = rendered / ".hive" / tar.relative_to(rendered).with_suffix(".json")
    name = tar.relative_to(rendered).as_posix().replace("-of-00001", "-of-00009")
    other = {**json.loads(sidecar.read_text()), "shard": name}
    sidecar.with_name(f"{Path(name).stem}.json").write_text(json.dumps(other))
    with pytest.raises(HiveError, match="holds 1 shards of another run, such as data/"):
        finish(rendered)


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
