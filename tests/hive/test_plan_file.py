"""Plans on the disk: the same file in whatever way it is made, subsets, interruptions."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.main import run
from hive.mixing import plan_file, plan_parts
from hive.mixing.counts import count_text, parse_count
from hive.mixing.plan import Planner, PlanSettings, write_plan, write_subset
from hive.mixing.plan_table import PlanTable
from hive.storage import place
from hive.tables import CLIP_SCHEMA, MIXTURE_SCHEMA, write_table

PLAIN = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("plan_reference.py"))))
COUNT = 450


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(PLAIN.awkward_pool(1), PlanSettings("train", 0, 4.0))


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_file, "BLOCK", 100)


@pytest.fixture(scope="module")
def plan(planner: Planner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "train.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_file, "BLOCK", 100)
        write_plan(planner, COUNT, path)
    return path


def test_the_file_is_what_the_planner_draws(planner: Planner, plan: Path) -> None:
    table = PlanTable(plan)
    assert table.rows(range(COUNT)) == planner.rows(range(COUNT))
    assert table.described == {**planner.described, "count": COUNT}
    assert pq.ParquetFile(plan).metadata.num_row_groups == 5
    assert [path.name for path in plan.parent.iterdir()] == ["train.parquet"]


def test_workers_change_nothing(planner: Planner, plan: Path, tmp_path: Path) -> None:
    write_plan(planner, COUNT, tmp_path / "train.parquet", workers=2)
    assert (tmp_path / "train.parquet").read_bytes() == plan.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> list[range]:
    """Make drawing stop after some blocks, as by Ctrl-C; return the list of blocks drawn."""
    blocks: list[range] = []
    draw = plan_parts.draw_block

    def draw_some(block: plan_parts.Block) -> None:
        if len(blocks) == after:
            raise KeyboardInterrupt
        blocks.append(block.indices)
        draw(block)

    monkeypatch.setattr(plan_parts, "draw_block", draw_some)
    return blocks


def test_an_interrupted_plan_goes_on(
    planner: Planner, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "train.parquet"
    drawn = interrupt(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        write_plan(planner, COUNT, out)
    assert not out.exists()
    drawn.clear()
    write_plan(planner, COUNT, out)
    assert drawn == [range(300, 400), range(400, 450)]
    assert out.read_bytes() == plan.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def test_parts_of_other_settings_are_not_taken(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "train.parquet"
    interrupt(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        write_plan(planner, COUNT, out)
    other = Planner(PLAIN.awkward_pool(1), PlanSettings("train", 1, 4.0))
    with pytest.raises(HiveError, match="seed: 0 there -> 1 asked for") as caught:
        write_plan(other, COUNT, out)
    assert str(tmp_path / ".train.parquet.parts") in caught.value.problem


def test_parts_of_other_recordings_are_not_taken(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan's settings name clips and samples; drawing also looks at recordings and levels."""
    out = tmp_path / "train.parquet"
    interrupt(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        write_plan(planner, COUNT, out)
    clips = PLAIN.awkward_pool(1)
    names = pa.array(["r0", *clips["recording_id"].to_pylist()[1:]])
    clips = clips.set_column(clips.column_names.index("recording_id"), "recording_id", names)
    other = Planner(clips, planner.settings)
    assert other.described == planner.described
    with pytest.raises(HiveError, match="drawn_from_sha256"):
        write_plan(other, COUNT, out)


def test_settings_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    schema = MIXTURE_SCHEMA.with_metadata({"hive": "{"})
    pq.write_table(schema.empty_table(), tmp_path / "plan.parquet")
    with pytest.raises(HiveError, match="settings in its metadata"):
        PlanTable(tmp_path / "plan.parquet")


def test_a_remote_plan_is_the_same(planner: Planner, plan: Path) -> None:
    out = place("memory://plans/train.parquet")
    write_plan(planner, COUNT, out)
    assert out.read_bytes() == plan.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["train.parquet"]


def test_a_mixture_that_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    scarce = Planner(PLAIN.scarce_pool(), PlanSettings("train", 6, 4.0, {2: 0.1, 5: 0.9}))
    with pytest.raises(HiveError, match="tries found no 5 clips of different recordings"):
        write_plan(scarce, COUNT, tmp_path / "train.parquet")
    assert not (tmp_path / "train.parquet").exists()


@settings(max_examples=8)
@given(st.integers(1, COUNT), st.integers(1, COUNT))
def test_a_smaller_subset_is_part_of_a_larger_one(
    plan: Path, tmp_path_factory: pytest.TempPathFactory, one: int, other: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for count in (one, other):
        write_subset(plan, count, folder / f"{count}.parquet")
    small, large = sorted((one, other))
    tables = {count: pq.read_table(folder / f"{count}.parquet") for count in (small, large)}
    assert tables[large].slice(0, small).equals(tables[small])
    assert pq.read_table(plan).slice(0, large).equals(tables[large])


def test_a_subset_is_a_plan_of_that_length(planner: Planner, plan: Path, tmp_path: Path) -> None:
    write_subset(plan, 130, tmp_path / "subset.parquet")
    write_plan(planner, 130, tmp_path / "short.parquet")
    subset, short = (PlanTable(tmp_path / f"{name}.parquet") for name in ("subset", "short"))
    assert subset.ids_sha256() == short.ids_sha256() == PlanTable(plan, 130).ids_sha256()
    assert pq.read_table(tmp_path / "subset.parquet").equals(
        pq.read_table(tmp_path / "short.parquet")
    )
    assert subset.described == {**short.described, "subset": {"name": "130", "of": COUNT}}
    with pytest.raises(HiveError, match="has 450 mixtures, not 451"):
        write_subset(plan, 451, tmp_path / "more.parquet")
    with pytest.raises(HiveError, match="is the plan itself"):
        write_subset(plan, 10, plan)
    assert not (tmp_path / "more.parquet").exists()


def test_a_prefix_of_a_plan_table_is_the_prefix(plan: Path) -> None:
    whole = PlanTable(plan)
    for count in (1, 99, 100, 101, COUNT):
        table = PlanTable(plan, count)
        assert len(table) == len(table.sizes) == count
        assert table.sizes.tolist() == whole.sizes[:count].tolist()
        assert table.split == "train"
        assert sum(group.num_rows for group in table.groups()) == count


def test_prefixes_keep_sizes_and_labels(planner: Planner) -> None:
    """Sizes are even in any prefix; labels vary like those of independent draws, and no more."""
    draws = planner.drawer.draw(range(8_000))
    assert draws.sizes.sum() == len(draws.clips)
    for count in (10, 175, 875, 1750, 8_000):
        for size, share in planner.settings.size_shares.items():
            assert abs((draws.sizes[:count] == size).sum() - share * count) <= 3
    label = np.empty(len(planner.clips.members), dtype=int)
    label[planner.clips.members] = np.repeat(
        np.arange(len(planner.clips.labels)), planner.clips.counts
    )
    of_source = np.repeat(np.arange(8_000), draws.sizes)
    whole = np.bincount(label[draws.clips])
    for count in (175, 875, 1750):
        part = np.bincount(label[draws.clips[of_source < count]], minlength=len(whole))
        share = part.sum() / whole.sum()
        frequent = whole * share >= 5  # as for Pearson's test
        deviations = (part - whole * share)[frequent] / np.sqrt(whole * share)[frequent]
        assert frequent.sum() >= 10
        assert np.mean(deviations**2) < 1.5
        assert np.abs(deviations).max() < 5


@given(st.integers(1, 10**9))
def test_counts_are_read_as_they_are_written(count: int) -> None:
    assert parse_count(count_text(count)) == count
    assert parse_count(f"{count:_}") == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("175k", 175_000), ("1.75M", 1_750_000), ("17_500_000", 17_500_000), ("7.9m", 7_900_000)],
)
def test_counts_as_people_write_them(text: str, count: int) -> None:
    assert parse_count(text) == count
    assert parse_count(count_text(count)) == count


def test_names_of_counts() -> None:
    counts = (175_000, 875_000, 1_750_000, 7_900_000, 17_500_000, 100_000, 1234)
    assert [count_text(count) for count in counts] == [
        *("175k", "875k", "1.75M", "7.9M", "17.5M", "100k", "1234")
    ]


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1.2345k", "k", "2G", "1e6", "1__0", "10,000", "2000M", "nan"]
)
def test_texts_that_are_no_counts(text: str) -> None:
    with pytest.raises(HiveError, match="is no number of mixtures"):
        parse_count(text)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_table(folder / "clips.parquet", PLAIN.even_pool(12), CLIP_SCHEMA)
    return folder


def test_the_command_writes_subsets(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "train.parquet"
    command = ["mix", "plan", str(pool), "--out", str(out), "--split", "train", "--workers", "1"]
    assert run([*command, "--num", "0.25k", "--subset", "0.1k", "--subset", "50"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{out}: 250 mixtures",
        f"{tmp_path / 'train-50.parquet'}: 50 mixtures",
        f"{tmp_path / 'train-100.parquet'}: 100 mixtures",
    ]
    assert run(["mix", "subset", str(out), "--num", "200"]) == 0
    names: Counter[Any] = Counter()
    for count in (50, 100, 200):
        table = PlanTable(tmp_path / f"train-{count}.parquet")
        assert len(table) == count
        assert table.rows(range(count)) == PlanTable(out).rows(range(count))
        names[json.dumps(table.described["subset"])] += 1
    assert names['{"name": "200", "of": 250}'] == 1
    assert run([*command, "--num", "10", "--subset", "1k"]) == 2
    assert "1000 is more than --num 10" in capsys.readouterr().err
    assert run([*command, "--num", "ten"]) == 2
    assert "'ten' is no number of mixtures" in capsys.readouterr().err
    assert run(["mix", "subset", str(out), "--num", "1k"]) == 1
    assert "has 250 mixtures, not 1000" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_command_goes_on(pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.parquet"
    command = [sys.executable, "-m", "hive", "mix", "plan", str(pool), "--out", str(out)]
    command += ["--split", "train", "--num", "400k", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        parts = tmp_path / ".train.parquet.parts"
        while len(list(parts.glob("*.npz"))) < 2:
            assert process.poll() is None
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert b"goes on with the same command" in process.communicate(timeout=60)[1]
        assert process.returncode == 130
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.npz")}
    assert not list(parts.glob(".*.part"))
    assert not out.exists()
    assert len(kept) >= 2
    assert subprocess.run(command, check=True).returncode == 0
    assert len(PlanTable(out)) == 400_000
    assert not parts.exists()
