from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from hive.errors import HiveError, UnreachableError
from hive.mixing.plan import Planner
from hive.mixing.plan_table import PlanTable
from hive.mixing.render import Rendered, render
from hive.mixing.roots import PoolRoot
from hive.mixing.stream import Drawn, FileReader, MixtureStream, PackReader, Planned, open_reader
from hive.mixing.stream.compact import DONE
from hive.mixing.stream.recipe import Ingredient
from hive.pool.store import read_pool
from hive.tables import MIXTURE_SCHEMA, write_table

WORLD: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "world.py")))
COUNT = 41
SOURCE = {
    **{
        "path": "a",
        "label": "b",
        "snr_db": 0.0,
        "chunk_start_second": 0.0,
        "chunk_end_second": 1.0,
    },
    **{"crop_start_second": 0.0, "crop_end_second": 0.5},
}


def stream(mixtures: Any, where: Path, **options: Any) -> MixtureStream:
    return MixtureStream(mixtures, open_reader(where), **{"batch_size": 8, **options})


def assert_rendered(batch: dict[str, Any], rendered: list[Rendered]) -> None:
    """The integers of the shards, divided by 2^15, and nothing where there is no source."""
    for row, index in enumerate(batch["index"].tolist()):
        want = rendered[index]
        assert batch["mix_id"][row] == want.row["mix_id"]
        assert batch["labels"][row] == [source["label"] for source in want.row["sources"]]
        assert np.array_equal(batch["mixture"][row].numpy() * 32768, want.mixture)
        stems = batch["sources"][row]
        assert batch["num_sources"][row] == len(want.sources)
        for stem, integers in zip(stems, want.sources, strict=False):
            assert np.array_equal(stem.numpy() * 32768, integers)
        assert not stems[len(want.sources) :].any()
        assert torch.equal(stems.sum(0), batch["mixture"][row])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("drawn", [False, True])
def test_every_mixture_is_the_rendered_one(
    pool: Path,
    pack: Path,
    plan: Path,
    planner: Planner,
    rendered: list[Rendered],
    packed: bool,
    drawn: bool,
) -> None:
    mixtures = Drawn(planner, COUNT) if drawn else Planned(plan)
    batches = list(stream(mixtures, pack if packed else pool))
    assert [len(batch["index"]) for batch in batches] == [8] * 5 + [1]
    for batch in batches:
        assert batch["mixture"].shape == (len(batch["index"]), 22050)
        assert batch["sources"].shape == (len(batch["index"]), 5, 22050)
        assert batch["mixture"].dtype == batch["sources"].dtype == torch.float32
        assert_rendered(batch, rendered)
    assert sorted(i for batch in batches for i in batch["index"].tolist()) == list(range(COUNT))
    factors = [one.row["global_normalization_factor"] for one in rendered]
    assert min(factors) < max(factors) == 1  # both ways are taken


def test_mixtures_longer_than_what_is_worked_on_at_a_time(
    pool: Path, pack: Path, planner: Planner, tmp_path: Path
) -> None:
    """Crops of 1.6 s, some beginning in the middle of a block and ending with the file."""
    row = planner.draw(4)
    row["target_duration"] = 1.6
    for number, source in enumerate(row["sources"]):
        source["crop_start_second"] = 0.1 * number / 3
        source["crop_end_second"] = source["crop_start_second"] + 1.6
    write_table(tmp_path / "plan.parquet", [row], MIXTURE_SCHEMA)
    for where in (pool, pack):
        (batch,) = stream(Planned(tmp_path / "plan.parquet"), where)
        assert batch["mixture"].shape == (1, 70560)
        assert_rendered(batch, [render(row, PoolRoot(pool))])


def test_a_rendered_table_and_any_audio_file_can_be_streamed(tmp_path: Path) -> None:
    """Given gains and factor are used; files are resampled, averaged and padded as in rendering."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", 0.1 * rng.standard_normal((48000, 2)), 48000)
    soundfile.write(tmp_path / "b.wav", 0.1 * rng.standard_normal(20000), 44100, subtype="PCM_24")
    source = {"chunk_start_second": 0.0, "crop_start_second": 0.25, "crop_end_second": 0.75}
    row = {
        "mix_id": "x-1",
        "split": "train",
        "num_sources": 2,
        "sample_rate": 44100,
        "target_duration": 0.5,
        "sources": [
            source
            | {"path": "a.wav", "label": "Typing", "chunk_end_second": 1.0, "snr_db": 0.0}
            | {"rms_gain": 2.0},
            source
            | {"path": "b.wav", "label": "Cough", "chunk_end_second": 0.45, "snr_db": -3.0}
            | {"applied_weight": 0.7},
        ],
        "global_normalization_factor": 0.5,
    }
    write_table(tmp_path / "plan.parquet", [row], MIXTURE_SCHEMA)
    read = PlanTable(tmp_path / "plan.parquet").rows([0])
    mixtures = Planned(tmp_path / "plan.parquet")
    for reader in (FileReader(tmp_path.joinpath), open_reader(tmp_path)):
        (batch,) = MixtureStream(mixtures, reader, batch_size=4)
        assert_rendered(batch, [render(read[0], tmp_path.joinpath)])
    row["sources"][0]["rms_gain"] = 90.0
    write_table(tmp_path / "plan.parquet", [row], MIXTURE_SCHEMA)
    with pytest.raises(HiveError, match=r"a\.wav: clips at the weight .* for x-1"):
        list(stream(Planned(tmp_path / "plan.parquet"), tmp_path))


def test_one_target_a_mixture(pack: Path, plan: Path, rendered: list[Rendered]) -> None:
    """The target is a stem of the mixture, its label the query; another may come next epoch."""
    chosen: list[dict[int, int]] = []
    for epoch in (0, 0, 1):
        one = stream(Planned(plan), pack, targets="one")
        one.seek(epoch, 0)
        seen: dict[int, int] = {}
        for batch in one:
            assert "sources" not in batch
            for row, index in enumerate(batch["index"].tolist()):
                number = int(batch["target_source"][row])
                stem = rendered[index].sources[number]
                assert np.array_equal(batch["target"][row].numpy() * 32768, stem)
                assert np.array_equal(
                    batch["mixture"][row].numpy() * 32768, rendered[index].mixture
                )
                assert batch["query"][row] == batch["labels"][row][number]
                seen[index] = number
        chosen.append(seen)
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(set(chosen[0].values())) > 2


def test_single_mixtures_and_a_transform(pack: Path, plan: Path, rendered: list[Rendered]) -> None:
    singles = list(stream(Planned(plan), pack, batch_size=None, shuffle=False))
    assert [int(one["index"]) for one in singles] == list(range(COUNT))
    assert len(stream(Planned(plan), pack, batch_size=None)) == COUNT
    assert singles[3]["mixture"].shape == (22050,)
    assert singles[3]["mix_id"] == rendered[3].row["mix_id"]
    sizes = list(stream(Planned(plan), pack, transform=lambda batch: batch["mixture"].shape))
    assert sizes == [(8, 22050)] * 5 + [(1, 22050)]


def test_a_prefix_of_a_plan(pack: Path, plan: Path) -> None:
    (batch,) = stream(Planned(plan, num=5), pack)
    assert sorted(batch["index"].tolist()) == list(range(5))
    with pytest.raises(HiveError, match="has 41 mixtures, not 42"):
        Planned(plan, num=42)


def test_fresh_mixtures_go_on_with_the_epochs(pack: Path, planner: Planner) -> None:
    def indices(fresh: bool, epoch: int) -> set[int]:
        one = stream(Drawn(planner, 10, fresh), pack)
        one.seek(epoch, 0)
        return {index for batch in one for index in batch["index"].tolist()}

    assert indices(True, 0) == set(range(10))
    assert indices(True, 3) == set(range(30, 40))
    assert indices(False, 3) == set(range(10))


def test_the_compact_plan_is_made_once_and_follows_the_plan(
    pack: Path, planner: Planner, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.parquet"
    write_table(plan, planner.rows(range(4)), MIXTURE_SCHEMA)
    folder = Planned(plan, cache=tmp_path / "cache").folder
    made = (folder / DONE).stat().st_mtime_ns
    assert folder == tmp_path / "cache"
    assert len(Planned(plan, cache=folder)) == 4
    assert (folder / DONE).stat().st_mtime_ns == made
    write_table(plan, planner.rows(range(6)), MIXTURE_SCHEMA)
    assert len(Planned(plan, cache=folder)) == 6
    (folder / "sources.bin").write_bytes(b"")  # a disk that was full
    (batch,) = stream(Planned(plan, cache=folder), pack)
    assert sorted(batch["index"].tolist()) == list(range(6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_duration": 0.25}, "several rates or lengths"),
        ({"mix_id": "x" * 300}, "a mix_id has 300 bytes"),
        ({"sources": None}, "sources is null"),
        ({"sources": [{"path": "a"}]}, "label of a source is null"),
        ({"sources": []}, "a row has 0 sources"),
        ({"sources": [SOURCE] * 40}, "a row has 40 sources"),
        ({"sources": [SOURCE | {"snr_db": np.inf}]}, "snr_db of a source is no number"),
        ({"sources": [SOURCE | {"applied_weight": np.inf}]}, "weight is infinite"),
        ({"sources": [SOURCE | {"crop_end_second": 1e9}]}, "crop_start_second 0 .* no interval"),
        ({"sources": [SOURCE | {"chunk_start_second": -1.0}]}, "chunk_start_second -1 .* no"),
        ({"sources": [SOURCE | {"chunk_end_second": np.nan}]}, "chunk_end_second nan .* no"),
        ({"global_normalization_factor": np.inf}, "factor is infinite"),
    ],
)
def test_what_cannot_be_streamed_is_named(
    planner: Planner, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    rows = planner.rows(range(2))
    write_table(tmp_path / "plan.parquet", [rows[0], rows[1] | change], MIXTURE_SCHEMA)
    with pytest.raises(HiveError, match=message):
        Planned(tmp_path / "plan.parquet")


def test_a_pack_of_another_pool_is_refused(pack: Path, plan: Path, tmp_path: Path) -> None:
    table = pq.read_table(plan)
    rows = table.to_pylist()
    rows[7]["sources"][1]["label"] = "Telephone"
    write_table(tmp_path / "plan.parquet", rows, MIXTURE_SCHEMA)
    with pytest.raises(
        HiveError, match=r"1 of the 1\d clips .* are not in this pack, or have other labels"
    ):
        stream(Planned(tmp_path / "plan.parquet"), pack)
    for row in rows:
        row["sample_rate"] = 32000
    write_table(tmp_path / "plan.parquet", rows, MIXTURE_SCHEMA)
    with pytest.raises(HiveError, match="is at 44100 Hz, the mixtures at 32000 Hz"):
        stream(Planned(tmp_path / "plan.parquet"), pack)


def test_a_chunk_outside_its_clip_is_an_error(pack: Path, planner: Planner, tmp_path: Path) -> None:
    rows = planner.rows(range(1))
    rows[0]["sources"][0]["chunk_end_second"] = 9.0
    write_table(tmp_path / "plan.parquet", rows, MIXTURE_SCHEMA)
    with pytest.raises(HiveError, match="does not lie inside the file"):
        list(stream(Planned(tmp_path / "plan.parquet"), pack))


def test_wrong_arguments_are_explained(pack: Path, plan: Path) -> None:
    with pytest.raises(HiveError, match="targets='two'"):
        stream(Planned(plan), pack, targets="two")
    with pytest.raises(HiveError, match="rank and world_size go together"):
        stream(Planned(plan), pack, rank=1)
    with pytest.raises(HiveError, match="on_error='skip'"):
        stream(Planned(plan), pack, on_error="skip")
    with pytest.raises(HiveError, match="41 mixtures are less than a batch of 21 for each of 2"):
        stream(Planned(plan), pack, batch_size=21, rank=0, world_size=2, drop_last=True)
    with pytest.raises(HiveError, match="rank 2 of 2"):
        stream(Planned(plan), pack, rank=2, world_size=2)


def test_the_package_comes_without_torch() -> None:
    code = (
        "import sys, hive.mixing.stream as s; s.Drawn, s.Planned, s.open_reader;"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_identity_can_be_stored(pack: Path, plan: Path, planner: Planner) -> None:
    for mixtures in (Planned(plan), Drawn(planner, 5)):
        identity = stream(mixtures, pack).identity()
        assert json.loads(json.dumps(identity)) == identity
    assert isinstance(open_reader(pack), PackReader)


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.inf, 1e6])
def test_a_length_that_no_mixture_has_is_refused(
    planner: Planner, tmp_path: Path, seconds: float
) -> None:
    rows = [row | {"target_duration": seconds} for row in planner.rows(range(2))]
    write_table(tmp_path / "plan.parquet", rows, MIXTURE_SCHEMA)
    with pytest.raises(HiveError, match="target_duration"):
        Planned(tmp_path / "plan.parquet")


def test_a_plan_that_is_replaced_under_a_stream_is_noticed(
    pack: Path, planner: Planner, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.parquet"
    write_table(plan, planner.rows(range(4)), MIXTURE_SCHEMA)
    one = stream(Planned(plan), pack)
    write_table(plan, planner.rows(range(4, 8)), MIXTURE_SCHEMA)
    Planned(plan)
    with pytest.raises(HiveError, match="was replaced while it was being read"):
        next(iter(one))


@pytest.fixture
def damaged(pool: Path, tmp_path: Path) -> tuple[Path, str]:
    """A pool with a clip that cannot be read, and the clip's path."""
    shutil.copytree(pool, tmp_path / "pool")
    path = read_pool(pool)[0]["path"].to_pylist()[4]
    (tmp_path / "pool" / path).write_bytes(b"fLaC, but nothing follows")
    return tmp_path / "pool", path


@pytest.mark.parametrize("targets", ["all", "one"])
@pytest.mark.parametrize("drawn", [False, True])
def test_a_broken_clip_does_not_end_training(
    damaged: tuple[Path, str],
    plan: Path,
    planner: Planner,
    rendered: list[Rendered],
    caplog: pytest.LogCaptureFixture,
    targets: str,
    drawn: bool,
) -> None:
    """Other mixtures take the place of those that hold it, always the same ones."""
    where, path = damaged
    broken = {
        index
        for index, one in enumerate(rendered)
        if path in [source["path"] for source in one.row["sources"]]
    }
    assert 0 < len(broken) < COUNT
    mixtures = Drawn(planner, COUNT) if drawn else Planned(plan)
    batches = list(stream(mixtures, where, targets=targets))
    assert [len(batch["index"]) for batch in batches] == [8] * 5 + [1]
    there = [i for batch in batches for i in batch["index"].tolist()]
    replaced = [i for batch in batches for i in batch["replaced"].tolist()]
    assert {i for i in replaced if i >= 0} == broken
    assert not broken & set(there)
    asked = [now if before < 0 else before for now, before in zip(there, replaced, strict=True)]
    assert sorted(asked) == list(range(COUNT))
    assert len(caplog.records) == len(broken)
    assert path in caplog.text
    for batch in batches if targets == "all" else ():
        assert_rendered(batch, rendered)
    for row, index in enumerate(batches[0]["index"].tolist() if targets == "one" else ()):
        stem = rendered[index].sources[int(batches[0]["target_source"][row])]
        assert np.array_equal(batches[0]["target"][row].numpy() * 32768, stem)
    resumed = stream(mixtures, where, targets=targets)
    resumed.seek(0, 16)
    assert [i for batch in resumed for i in batch["index"].tolist()] == there[16:]


def test_evaluation_ends_at_a_broken_clip(damaged: tuple[Path, str], plan: Path) -> None:
    where, path = damaged
    for options in ({"shuffle": False}, {"on_error": "raise"}):
        with pytest.raises(HiveError, match=path):
            list(stream(Planned(plan), where, **options))
    assert len(list(stream(Planned(plan), where, shuffle=False, on_error="replace"))) == 6


def test_storage_that_is_not_reached_is_no_broken_clip(pool: Path, plan: Path) -> None:
    def gone(path: str) -> Path:
        raise UnreachableError(f"{path}: cannot be reached", "check the connection")

    with pytest.raises(UnreachableError):
        list(MixtureStream(Planned(plan), FileReader(gone), batch_size=8))


def test_samples_that_are_no_numbers_are_a_broken_clip(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(44100, np.nan), 44100, subtype="FLOAT")
    recipe = Ingredient("a.wav", "Typing", (0.0, 1.0), (0.0, 0.5), 0.0, 1.0)
    with pytest.raises(HiveError, match=r"a\.wav: holds samples that are not finite"):
        FileReader(tmp_path.joinpath).read(recipe, 44100, 22050)


def test_a_place_in_fresh_mixtures_is_none_in_others(pack: Path, planner: Planner) -> None:
    assert Drawn(planner, 5).identity() != Drawn(planner, 5, fresh=False).identity()
    clips = read_pool(pack)[0]
    column = clips.column_names.index("recording_id")
    same = pa.array(["r"] * 2 + clips["recording_id"].to_pylist()[2:])
    other = WORLD.make_planner(clips.set_column(column, "recording_id", same))
    assert other.settings_hash == planner.settings_hash  # rows do not say it
    assert Drawn(other, 5).identity() != Drawn(planner, 5).identity()
    with pytest.raises(HiveError, match="an epoch of 0 mixtures"):
        Drawn(planner, 0)
