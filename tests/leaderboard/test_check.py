"""A sound run passes; every tampering is found, and named."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from leaderboard.check import check_run
from leaderboard.cli import app

make_run = runpy.run_path(str(Path(__file__).parents[1] / "made_run.py"))["make_run"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run", mixtures=8, examples=1)


@pytest.fixture
def run(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "run"))


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads((run / "results.json").read_text())
    change(value)
    (run / "results.json").write_text(json.dumps(value))


def edit_rows(run: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(run / "scores.parquet")
    pq.write_table(change(table), run / "scores.parquet")


def with_value(name: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        index = table.column_names.index(name)
        field = table.schema.field(name)
        return table.set_column(index, field, pa.array(values, field.type))

    return change


def fields(run: Path) -> list[str]:
    return [finding.field for finding in check_run(run)]


def test_a_sound_run_passes(sound):
    """It has undefined, infinite and inapplicable values, and says so."""
    assert check_run(sound) == []


# --- results.json ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda value: value.update(note="hello"), "note"),
        (lambda value: value["model"].update(size=3), "model.size"),
        (lambda value: value["dataset"].pop("fingerprint"), "dataset.fingerprint"),
        (lambda value: value["dataset"].update(fingerprint="abc"), "dataset.fingerprint"),
        (lambda value: value["counts"].update(items="66"), "counts.items"),
        (lambda value: value["aggregates"][0].update(mean="much"), "aggregates.0.mean"),
        (
            lambda value: value["examples"][0].update(mixture="../../etc/passwd"),
            "examples.0.mixture",
        ),
        (
            lambda value: value["examples"][0].update(mixture="/etc/passwd"),
            "examples.0.mixture",
        ),
    ],
)
def test_fields_against_the_schema(run, change, field):
    edit(run, change)
    assert fields(run) == [field]


def test_only_strict_json(run):
    text = (run / "results.json").read_text()
    (run / "results.json").write_text(text.replace('"mean": ', '"mean": NaN, "was": ', 1))
    assert [finding.problem for finding in check_run(run)] == ["not JSON: NaN is not strict JSON"]
    (run / "results.json").write_bytes(b"\xff\xfe{")
    assert "not JSON" in check_run(run)[0].problem
    (run / "results.json").write_text("[" * 100_000)
    assert "not JSON" in check_run(run)[0].problem


def test_missing_files(run):
    (run / "scores.parquet").unlink()
    assert [(one.file, one.problem) for one in check_run(run)] == [
        ("scores.parquet", "no such file")
    ]
    (run / "results.json").unlink()
    assert [(one.file, one.problem) for one in check_run(run)] == [("results.json", "no such file")]


@pytest.mark.parametrize(
    ("name", "value"), [("mean", 0.5), ("ci_low", 1e-5), ("std", -1.0), ("n", 1), ("n_nan", 2)]
)
def test_a_changed_aggregate(run, name, value):
    def change(results):
        results["aggregates"][2][name] += value

    edit(run, change)
    found = [one for one in check_run(run) if one.field == "aggregates[sdr_bss, 4]"]
    assert len(found) == 1
    assert found[0].problem.startswith(f"{name} is ")


def test_missing_double_and_unfounded_aggregates(run):
    edit(run, lambda value: value["aggregates"].pop(0))
    assert "aggregates[sdr_bss, 2]" in fields(run)
    edit(run, lambda value: value["aggregates"].append(value["aggregates"][0] | {"group": "9"}))
    assert "aggregates[sdr_bss, 9]" in fields(run)
    edit(run, lambda value: value["aggregates"].append(value["aggregates"][0]))
    assert "aggregates" in fields(run)


def test_wrong_counts(run):
    edit(
        run,
        lambda value: value["counts"].update(
            items=1, failed=1, length_fixed=1, silent_estimates=0, silent_references=1
        ),
    )
    assert {f"counts.{name}" for name in ("items", "failed", "length_fixed")} <= set(fields(run))
    assert {"counts.silent_estimates", "counts.silent_references"} <= set(fields(run))
    assert "items_accounted_for" in fields(run)


def test_failures_that_have_scores(run):
    failure = {"mix_id": "test-2mix-000000", "source_id": "s1", "error": "x"}

    def change(value):
        value["failures"] = [failure, failure]
        value["counts"]["failed"] = 2

    edit(run, change)
    assert fields(run).count("failures") == 2


def test_a_failed_check_is_not_hidden(run):
    edit(run, lambda value: value["checks"][0].update(passed=False))
    assert fields(run) == ["checks[0]"]


# --- scores.parquet -------------------------------------------------------------------------------


def test_one_changed_score(run):
    value = pq.read_table(run / "scores.parquet")["stoi"][5].as_py()
    edit_rows(run, with_value("stoi", 5, value + 1e-3))
    assert fields(run) == [f"aggregates[stoi, {group}]" for group in ("2", "flat", "overall")]


@pytest.mark.parametrize("gone", [None, float("nan"), float("-inf")])
def test_a_score_taken_away(run, gone):
    edit_rows(run, with_value("si_sdr_i", 1, gone))
    assert fields(run) == [f"aggregates[si_sdr_i, {group}]" for group in ("2", "flat", "overall")]


def test_columns(run):
    edit_rows(run, lambda table: table.drop_columns(["stoi"]))
    assert [(one.field, one.problem) for one in check_run(run)] == [
        ("stoi", "the column is missing")
    ]
    edit_rows(run, lambda table: table.append_column("stoi", pa.array(["x"] * len(table))))
    assert fields(run) == ["stoi"]
    edit_rows(run, lambda table: table.append_column("better", pa.array([1.0] * len(table))))
    assert fields(run) == ["stoi", "better"]


def test_a_file_that_is_no_table(run):
    (run / "scores.parquet").write_text("a,b\n1,2\n")
    assert "not a Parquet table" in check_run(run)[0].problem


def test_items_twice(run):
    edit_rows(run, lambda table: pa.concat_tables([table, table.slice(4, 1)]))
    assert "mix_id, source_id" in fields(run)
    assert "items_accounted_for" in fields(run)


def test_items_left_out(run):
    """Leaving out the weakest rows raises the mean; the counts tell."""
    edit_rows(run, lambda table: table.slice(2))
    assert {"dataset.num_mixtures", "items_accounted_for"} <= set(fields(run))


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("mix_id", "../up", "mix_id"),
        ("mix_id", None, "mix_id"),
        ("task", "silence", "task"),
        ("num_sources", 3, "num_sources"),
        ("num_sources", 0, "num_sources"),
        ("seconds", -1.0, "seconds"),
        ("seconds", float("nan"), "seconds"),
        ("stoi", 1.5, "stoi"),
        ("stoi", float("inf"), "stoi"),
        ("si_sdr", 1e6, "si_sdr"),
        ("si_sdr", 90.0, "sdr_bss_at_least_si_sdr"),
    ],
)
def test_values_out_of_range(run, column, value, field):
    edit_rows(run, with_value(column, 0, value))
    assert field in fields(run)


# --- oracles --------------------------------------------------------------------------------------


def test_ideal_masks_must_be_marked(tmp_path):
    assert check_run(make_run(tmp_path / "a", name="irm", mixtures=4, uses_reference=True)) == []
    assert fields(make_run(tmp_path / "b", name="irm", mixtures=4)) == ["model.uses_reference"]


def test_estimates_that_are_the_references(tmp_path):
    run = make_run(tmp_path / "run", mixtures=4, shift=80)
    assert fields(run) == ["model.uses_reference"]


# --- examples -------------------------------------------------------------------------------------


def test_example_files(run, tmp_path):
    stored = json.loads((run / "results.json").read_text())["examples"][0]
    (tmp_path / "elsewhere").write_bytes(b"fLaC")
    (run / stored["mixture"]).unlink()
    (run / stored["mixture"]).symlink_to(tmp_path / "elsewhere")
    (run / stored["reference"]).unlink()
    (run / stored["estimate"]).write_bytes(b"RIFF")
    problems = {one.field: one.problem for one in check_run(run)}
    assert "outside the run's examples" in problems["examples[0].mixture"]
    assert "no such file" in problems["examples[0].reference"]
    assert "not a FLAC file" in problems["examples[0].estimate"]


# --- command --------------------------------------------------------------------------------------


def test_the_command(sound, run):
    runner = CliRunner()
    clean = runner.invoke(app, ["leaderboard", "check", str(sound)])
    assert clean.exit_code == 0, clean.output
    assert "nothing to object to" in clean.output
    edit(run, lambda value: value.update(note="hello"))
    faulty = runner.invoke(app, ["leaderboard", "check", str(sound), str(run)])
    assert faulty.exit_code == 1
    assert "note" in faulty.output
    listed = runner.invoke(app, ["leaderboard", "check", str(sound), str(run), "--json"])
    assert listed.exit_code == 1
    value = json.loads(listed.stdout)
    assert [one["findings"] == [] for one in value] == [True, False]
    assert value[1]["findings"][0]["field"] == "note"


def test_differences_below_the_tolerance_pass(run):
    value = pq.read_table(run / "scores.parquet")["stoi"][5].as_py()
    edit_rows(run, with_value("stoi", 5, np.nextafter(value, 1)))
    assert check_run(run) == []


def test_standins_and_other_weights_and_wrong_ids_are_found(tmp_path):
    run = make_run(tmp_path / "run", mixtures=4)
    changed = json.loads((run / "results.json").read_text())
    changed["metrics"][0]["standin"] = True
    changed["metrics"][1]["published"] = False
    changed["metrics"][2]["identity"]["sample_rate"] = 32000
    (run / "results.json").write_text(json.dumps(changed))
    found = {(one.field, one.problem) for one in check_run(run)}
    assert ("metrics[0]", "sdr_bss comes from a stand-in, whose values compare with nothing") in (
        found
    )
    assert ("metrics[1]", "sdr_bss_i comes from other weights than the published ones") in found
    assert [problem for field, problem in found if field == "metrics[2].id"]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identity.settings", {"filter_length": 4096}),
        ("unit", ""),
        ("scope", "set"),
        ("higher_is_better", False),
        ("identity.definition", "si_sdr"),
        ("name", "sdr_bess"),
    ],
)
def test_a_metric_is_what_its_name_says(tmp_path, field, value):
    run = make_run(tmp_path / "run", mixtures=4)
    changed = json.loads((run / "results.json").read_text())
    record = changed["metrics"][0]
    *path, last = field.split(".")
    for part in path:
        record = record[part]
    record[last] = value
    (run / "results.json").write_text(json.dumps(changed))
    found = fields(run)
    if field in ("name", "scope"):  # its column is then missing, or one too many
        assert found
    else:
        assert f"metrics[0].{field}" in found


def test_what_was_not_scored_is_found(tmp_path):
    run = make_run(tmp_path / "run", mixtures=4)
    changed = json.loads((run / "results.json").read_text())
    failure = {"mix_id": "test-2mix-000000", "source_id": "s1", "metric": "stoi", "error": "no"}
    changed["failures"] = [failure]
    (run / "results.json").write_text(json.dumps(changed))
    (found,) = check_run(run)
    assert (found.field, found.problem) == ("failures", "1 of 56 items lack stoi")
