"""`hive-bench mix render` with published metadata, from the files to a score."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hive.errors import HiveError, UnreachableError
from hive.main import run
from hive.mixing.published.locate import is_published, locate
from hive.mixing.published.present import present
from hive.mixing.roots import CorpusRoots
from hive.shards.read import find_shards, read_shard


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, " ".join(captured.err.split())


def render(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    return command(capsys, "mix", "render", *arguments, "--workers", 1)


@pytest.fixture(scope="module")
def whole(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of all three splits, from a folder of flat tables."""
    folder = tmp_path_factory.mktemp("whole")
    names = {"train": "train", "val": "validation", "test": "test"}
    for split, name in names.items():
        rows = [row for row in made.rows if row["split"] == split]
        made.parquet(folder / "flat" / name / "data.parquet", rows)
    out = folder / "dataset"
    arguments = (folder / "flat", "--corpora", made.paths, "--out", out, "--workers", 1)
    assert run(["mix", "render", *map(str, arguments)]) == 0
    return out


def test_all_forms_give_the_same_dataset(
    capsys: pytest.CaptureFixture[str], world: Any, whole: Path, tmp_path: Path
) -> None:
    forms = {
        "one table": world.parquet(tmp_path / "one.parquet"),
        "structs of lists": world.sequences(tmp_path / "lists.parquet"),
        "nested": world.nested(tmp_path / "metadata"),
    }
    wanted = {
        path.relative_to(whole): path.read_bytes() for path in sorted(whole.glob("data/*/*.tar"))
    }
    assert len(wanted) == 12
    for name, form in forms.items():
        out = tmp_path / name
        code, _, err = render(capsys, form, "--corpora", world.paths, "--out", out)
        assert code == 0, err
        found = {path.relative_to(out): path.read_bytes() for path in out.glob("data/*/*.tar")}
        assert found == wanted
        table = pq.read_table(out / "mixtures.parquet")
        assert table.equals(pq.read_table(whole / "mixtures.parquet"))
        for file in ("LICENSES.csv", "ATTRIBUTION.txt"):
            assert (out / file).read_bytes() == (whole / file).read_bytes()


def test_what_was_rendered_is_what_was_meant(world: Any, whole: Path) -> None:
    meant = {
        f"{'validation' if row['split'] == 'val' else row['split']}-{row['num_sources']}mix-"
        f"{row['mix_id']}": row
        for row in world.rows
    }
    for split in ("train", "validation", "test"):
        for shard in find_shards(whole, split):
            for sample in read_shard(shard):
                row = meant.pop(sample.key)
                exact = world.mixture(row)
                size = row["num_sources"]
                assert np.abs(sample.mixture - exact).max() * 32768 <= size / 2 + 0.25
                assert [one["path"] for one in sample.meta["sources"]] == [
                    one["path"] for one in row["sources"]
                ]
    assert meant == {}


def test_settings_stand_in_the_plan_and_in_the_finished_table(whole: Path) -> None:
    plan = pq.read_schema(whole / ".hive" / "plan" / "test.parquet").metadata[b"hive"]
    described = json.loads(plan)
    assert described["kind"] == "published"
    assert described["metadata"] == "flat"
    assert described["mixtures"] == 12
    plans = json.loads(pq.read_schema(whole / "mixtures.parquet").metadata[b"hive"])["plans"]
    assert set(plans) == {"train", "validation", "test"}
    assert plans["test"] == described


def test_verify_leaves_out_what_the_authors_chose(
    capsys: pytest.CaptureFixture[str], whole: Path, tmp_path: Path
) -> None:
    # The few files of this small world are in all splits, which is found.
    code, out, _ = command(capsys, "mix", "verify", whole, "--json", "--workers", 1)
    told = json.loads(out)
    assert code == 1
    assert all("recording is in" in found["problem"] for found in told["findings"])
    assert [line.split(":")[0] for line in told["left_out"]] == ["test", "train", "validation"]
    copy = shutil.copytree(whole, tmp_path / "copy")
    shard = next(copy.glob("data/2mix/test-*.tar"))
    data = bytearray(shard.read_bytes())
    at = data.index(b"test-2mix-sample_00000001.mix.flac") - 1  # filler that nobody reads
    data[at] ^= 1
    shard.write_bytes(data)
    told = json.loads(command(capsys, "mix", "verify", copy, "--json", "--workers", 1)[1])
    where = shard.relative_to(copy).as_posix()
    assert {"where": where, "problem": "differs from its checksum"} in told["findings"]
    # One member that is no audio, and one that is no JSON: a finding each, and no more.
    at = data.index(b"fLaC")
    data[at : at + 4] = b"fail"
    at = data.index(b'{"final_max', data.index(b"test-2mix-sample_00000001.json"))
    data[at] = ord("[")
    shard.write_bytes(data)
    told = json.loads(command(capsys, "mix", "verify", copy, "--json", "--workers", 1)[1])
    found = {one["where"]: one["problem"] for one in told["findings"] if "mix" in one["where"]}
    assert found == {
        where: "differs from its checksum",
        "test-2mix-sample_00000000": "stored audio cannot be decoded (Format not recognised)",
        "test-2mix-sample_00000001": (
            "mixture 'test-2mix-sample_00000001' has no readable json member"
        ),
    }


def test_coverage_comes_first_and_partial_renders_what_can_be_made(
    capsys: pytest.CaptureFixture[str], world: Any, tmp_path: Path
) -> None:
    here = [source["path"] for source in world.rows[0]["sources"]]
    corpora = world.write_paths("some.json", here)
    paths = json.loads(corpora.read_text())
    gone = next(name for name in world_names(world) if name not in paths)
    corpora.write_text(json.dumps({**paths, gone.upper(): str(tmp_path / "nowhere")}))
    table = world.parquet(tmp_path / "rows.parquet")
    out = tmp_path / "dataset"
    arguments = (table, "--corpora", corpora, "--out", out)

    code, printed, err = render(capsys, *arguments)
    assert code == 1
    assert "audio is missing, so" in err
    assert "--partial" in err
    assert not out.exists()
    assert "not mapped" in printed
    code, printed, _ = command(
        capsys, "mix", "render", table, "--corpora", corpora, "--coverage", "--json"
    )
    assert code == 0
    assert not out.exists()
    told = json.loads(printed)
    check_coverage(told, world, set(paths), gone)

    code, _, err = render(capsys, *arguments, "--partial")
    assert code == 0, err
    made = pq.read_table(out / "mixtures.parquet").to_pylist()
    assert {path.partition("/")[0] for row in made for path in paths_of(row)} <= set(paths)
    assert len(made) == told["total"]["possible"] > 0
    written = json.loads((out / ".hive" / "plan" / "train.coverage.json").read_text())
    assert written == told
    with (out / ".hive" / "plan" / "train.missing.csv").open() as handle:
        missing = [row["path"] for row in csv.DictReader(handle)]
    assert missing == sorted(
        {path for row in world.rows for path in paths_of(row)}
        - {path for path in all_paths(world) if path.partition("/")[0] in paths}
    )
    # Again: nothing changes.
    before = {path: path.stat().st_mtime_ns for path in out.glob("data/*/*.tar")}
    assert render(capsys, *arguments, "--partial")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("data/*/*.tar")} == before
    # More corpora have come: nothing is written, since other jobs may be at work on the plan.
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    code, _, err = render(capsys, table, "--corpora", world.paths, "--out", out)
    assert code == 1
    of_train = sum(row["split"] == "train" for row in made)
    assert f"mixtures: {of_train} there -> 4 asked for" in err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files


def world_names(world: Any) -> list[str]:
    return sorted({path.partition("/")[0] for path in all_paths(world)})


def all_paths(world: Any) -> set[str]:
    return {path for row in world.rows for path in paths_of(row)}


def paths_of(row: dict[str, Any]) -> list[str]:
    return [source["path"] for source in row["sources"]]


def check_coverage(told: dict[str, Any], world: Any, here: set[str], gone: str) -> None:
    """Count anew, row by row."""

    def can(row: dict[str, Any]) -> bool:
        return {path.partition("/")[0] for path in paths_of(row)} <= here

    for one in told["corpora"]:
        name = one["name"]
        clips = {
            (source["path"], source["chunk_start_second"], source["chunk_end_second"])
            for row in world.rows
            for source in row["sources"]
            if source["path"].startswith(f"{name}/")
        }
        state = "found" if name in here else "folder missing" if name == gone else "not mapped"
        assert one["state"] == state
        assert (one["files"], one["clips"]) == (1, len(clips))
        assert one["files_here"] == (name in here)
        assert one["clips_here"] == (len(clips) if name in here else 0)
        assert one["mixtures"] == sum(
            any(path.startswith(f"{name}/") for path in paths_of(row)) for row in world.rows
        )
    names = {"train": "train", "val": "validation", "test": "test"}
    for one in told["mixtures"]:
        rows = [
            row
            for row in world.rows
            if (names[row["split"]], row["num_sources"]) == (one["split"], one["num_sources"])
        ]
        assert (one["mixtures"], one["possible"]) == (len(rows), sum(map(can, rows)))
    assert told["total"]["mixtures"] == len(world.rows)
    assert told["missing_files"] == len(world_names(world)) - len(here)


def test_rows_that_cannot_be_used_or_rendered_are_listed(
    capsys: pytest.CaptureFixture[str], world: Any, tmp_path: Path
) -> None:
    rows = [row for row in world.rows if row["split"] == "test"]
    rows[0]["global_normalization_factor"] = 0.0
    rows[1]["sources"][1]["path"] = "ESC50/../../secret.wav"
    rows[4]["sources"][0]["label"] = "Grumbling of a dragon"
    # Both names of one split and size, given twice.
    rows[5]["mix_id"] = rows[4]["mix_id"]
    for source in rows[7]["sources"]:
        source["applied_weight"] = source["applied_weight"] * 40
    rows[8]["sample_rate"] = 22050
    rows[9]["sources"][0]["chunk_end_second"] = 300.0
    for name, row in zip(("a", "b"), rows[10:], strict=True):
        row["mix_id"] = f"Odd {name}.1"
    table = world.parquet(tmp_path / "rows.parquet", rows)
    out = tmp_path / "dataset"
    arguments = (table, "--corpora", world.paths, "--split", "test", "--out", out)
    code, _, err = render(capsys, *arguments)
    assert code == 1
    assert "2 mixtures could not be rendered" in err
    assert "Grumbling of a dragon" in err
    assert "1 of 22050 Hz" in err
    with (out / "quarantine.csv").open() as handle:
        listed = [(row["stage"], row["path"], row["reason"]) for row in csv.DictReader(handle)]
    assert [stage for stage, _, _ in listed] == ["metadata", "metadata", "render", "render"]
    assert listed[0][1] == f"rows.parquet, row 0 ({rows[0]['mix_id']})"
    assert listed[0][2] == "global_normalization_factor: 0 is out of range"
    assert "path" in listed[1][2]
    assert "clips at the weight and normalisation factor given" in listed[2][2]
    assert "does not lie inside the file" in listed[3][2]
    found = {row["mix_id"]: row for row in pq.read_table(out / "mixtures.parquet").to_pylist()}
    assert len(found) == 8
    name = f"test-3mix-{rows[4]['mix_id']}"
    assert {name, f"{name}--2", "test-5mix-odd_a_1", "test-5mix-odd_b_1"} <= set(found)
    assert found[name]["sources"][0]["label"] == "Grumbling of a dragon"
    other = f"test-4mix-{rows[8]['mix_id']}"
    assert found[other]["sample_rate"] == 22050
    exact = world.mixture(rows[8])
    shard = next(out.glob("data/4mix/*.tar"))
    (sample,) = [one for one in read_shard(shard) if one.key == other]
    assert sample.sample_rate == 22050
    assert np.abs(sample.mixture - exact).max() * 32768 <= 2.25
    assert render(capsys, *arguments, "--partial")[0] == 0
    assert command(capsys, "mix", "verify", out, "--workers", 1)[0] == 0


def test_metadata_and_corpora_at_addresses(
    capsys: pytest.CaptureFixture[str], world: Any, whole: Path, tmp_path: Path
) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(world.corpora), "/published/corpora", recursive=True)
    memory.put(str(world.nested(tmp_path / "metadata")), "/published/metadata", recursive=True)
    paths = {name: f"memory://published/corpora/{name}" for name in world_names(world)}
    memory.pipe_file("/published/paths.json", json.dumps(paths).encode())
    memory.pipe_file("/published/flat.parquet", (world.parquet(tmp_path / "x")).read_bytes())
    for name in ("metadata", "flat.parquet"):
        out = tmp_path / f"from {name}"
        code, _, err = render(
            capsys,
            f"memory://published/{name}",
            *("--corpora", "memory://published/paths.json", "--out", out, "--split", "test"),
        )
        assert code == 0, err
        for path in whole.glob("data/*/test-*.tar"):
            assert (out / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_num_takes_a_prefix(
    capsys: pytest.CaptureFixture[str], world: Any, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    table = world.parquet(tmp_path / "rows.parquet")
    arguments = (table, "--corpora", world.paths, "--split", "test", "--num", 5, "--out", out)
    assert render(capsys, *arguments)[0] == 0
    few = pq.read_table(out / "mixtures.parquet", columns=["mix_id", "pcm_sha256"]).to_pylist()
    every = pq.read_table(whole / "mixtures.parquet", columns=["mix_id", "pcm_sha256"]).to_pylist()
    assert len(few) == 5
    assert all(row in every for row in few)


def test_the_wrong_option_is_told(
    capsys: pytest.CaptureFixture[str], world: Any, whole: Path, tmp_path: Path
) -> None:
    ours = whole / ".hive" / "plan" / "test.parquet"
    theirs = world.parquet(tmp_path / "plan.parquet")
    out = ("--out", tmp_path / "out")
    code, _, err = render(capsys, theirs, "--pool", tmp_path, *out)
    assert (code, "published metadata, no plan" in err, "--corpora FILE.json" in err) == (
        *(1, True, True),
    )
    code, _, err = render(capsys, "plans/test", "--pool", tmp_path, *out)
    assert (code, "plans/test: no such file, so a dataset on the hub" in err) == (1, True)
    code, _, err = render(capsys, ours, "--corpora", world.paths, *out)
    assert (code, "no published metadata" in err, "by --pool" in err) == (1, True, True)
    code, _, err = render(capsys, tmp_path / "none.parquet", "--pool", tmp_path, *out)
    assert (code, "no such table, folder or hub dataset" in err) == (1, True)
    assert render(capsys, theirs, "--corpora", world.paths)[0] == 2
    assert not (tmp_path / "out").exists()
    code, _, err = render(
        capsys, theirs, "--corpora", world.paths, *out, "--split", "train", "--num", 5
    )
    assert (code, "has 4 mixtures, not 5" in err) == (1, True)
    # The training split has too few, and the first one is not rendered for nothing.
    theirs = ("--corpora", world.paths, "--out", tmp_path / "all", "--num", 12)
    code, _, err = render(capsys, whole.parent / "flat", *theirs)
    assert (code, "has 4 mixtures, not 12" in err) == (1, True)
    assert not (tmp_path / "all" / "data").exists()


def test_columns_tell_metadata_from_plans_and_names_do_not(
    world: Any, whole: Path, tmp_path: Path
) -> None:
    ours = pq.read_table(whole / "mixtures.parquet")
    bare = tmp_path / "bare"
    pq.write_table(ours.replace_schema_metadata(None), bare)
    assert not is_published(str(bare))
    assert is_published(str(world.parquet(tmp_path / "test-plan")))
    assert is_published(str(world.nested(tmp_path / "json") / "test"))
    assert is_published("ShandaAI/Hive")
    assert is_published("hf://datasets/ShandaAI/Hive/test/data.parquet")


def test_files_of_other_splits_are_left_alone(world: Any, tmp_path: Path) -> None:
    folder = world.nested(tmp_path / "metadata")
    (folder / "dataset_paths.json").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.json").write_text("[]")
    names = list(locate(str(folder), "validation").files)
    assert names == [
        "dataset_paths.json",
        *(f"val/{size}mix/val_{size}mix_metadata_tar0001.json" for size in (2, 3, 4, 5)),
    ]
    assert len(locate(str(folder)).files) == 17
    rows = [block for block in locate(str(folder), "validation").blocks() if block.broken]
    assert [(block.origin, block.broken[0].split(".")[0]) for block in rows] == [
        ("dataset_paths.json", "dataset_paths")
    ]


def test_a_folder_with_many_wanted_files_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number in range(0, 40, 2):
        (tmp_path / "a" / f"{number}.wav").write_bytes(b"")
    (tmp_path / "a" / "41.wav").mkdir()
    (tmp_path / "a" / "b" / "0.wav").write_bytes(b"")
    roots = CorpusRoots({"x": tmp_path / "a", "gone": tmp_path / "gone"})
    paths = [f"X/{number}.wav" for number in range(42)]
    paths += ["X/b/0.wav", "X/b/1.wav", "other/1.wav", *(f"gone/{n}.wav" for n in range(20))]
    found = present(paths, roots)
    here = {path for path, there in found.items() if there}
    assert here == {*(f"X/{number}.wav" for number in range(0, 40, 2)), "X/b/0.wav"}
    assert set(found) == set(paths)


def test_a_folder_that_cannot_be_looked_into_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("hive.mixing.published.present.os.scandir", refuse)
    with pytest.raises(HiveError, match=r"x: cannot be listed \(Input/output error\)"):
        present([f"X/{number}.wav" for number in range(20)], CorpusRoots({"x": tmp_path / "x"}))


def test_a_corpus_that_is_not_mounted_loses_no_mixtures(tmp_path: Path) -> None:
    find = CorpusRoots({"x": tmp_path / "gone"})
    with pytest.raises(UnreachableError, match="no such folder, and a corpus was in it"):
        find("X/1.wav")


@pytest.mark.slow
def test_a_dataset_goes_on_to_loading_and_scoring(
    capsys: pytest.CaptureFixture[str],
    whole: Path,
    tmp_path: Path,
    hf_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from datasets import load_dataset

    monkeypatch.chdir(tmp_path)  # here, `hive` is a folder
    assert command(capsys, "register", whole)[0] == 0
    rows = load_dataset("hive", "3mix", split="test", streaming=True)
    (first, *_) = list(rows)
    assert first["__key__"] == "test-3mix-sample_00000000"
    code, _, err = command(
        capsys,
        *("evaluate", "--model", "irm", "--benchmark", whole, "--split", "test"),
        *("--metrics", "si_sdr,si_sdr_i", "--workers", 0, "--out", tmp_path / "run"),
    )
    assert code == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    means = {(one["metric"], one["group"]): one for one in results["aggregates"]}
    # An ideal mask helps every source of every one of the twelve mixtures.
    assert means["si_sdr_i", "overall"]["n"] == 3 * (2 + 3 + 4 + 5)
    assert means["si_sdr_i", "overall"]["ci_low"] > 5.0
