"""Comparisons of made-up runs: the numbers, what is refused, and what is said."""

from __future__ import annotations

import csv
import json
import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.compare.cli import compare
from benchmarks.compare.compute import compare_runs
from benchmarks.compare.family import MOST_PERMUTATIONS, permutations
from benchmarks.compare.records import Comparison, Row
from benchmarks.results import Results, read_results, read_scores, write_results
from hive.errors import HiveError
from hive.metrics import paired
from hive.metrics.multiplicity import holm

make_run = runpy.run_path(str(Path(__file__).parents[1] / "made_run.py"))["make_run"]
app = typer.Typer()
app.command()(compare)

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("first") / "first", name="first", mixtures=12)


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("second") / "second", name="second", mixtures=12)


def changed(
    run: Path,
    folder: Path,
    name: str = "changed",
    *,
    edit: Edit = lambda document: None,
    rows: Callable[[pa.Table], pa.Table] = lambda table: table,
) -> Path:
    """Copy a run under another name, with its results and scores edited."""
    document = read_results(run).model_dump()
    document["model"]["name"] = name
    edit(document)
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder, Results.model_validate(document), rows(read_scores(run)))
    return folder


def values(change: Callable[[np.ndarray], np.ndarray], *metrics: str):
    """Return an edit of the rows that changes the values of metrics that apply to all rows."""

    def rows(table: pa.Table) -> pa.Table:
        for metric in metrics:
            column = pa.array(change(table[metric].to_numpy().copy()), pa.float64())
            table = table.set_column(table.column_names.index(metric), metric, column)
        return table

    return rows


def row(comparison: Comparison, metric: str, run: str | None = None) -> Row:
    found = [one for one in comparison.rows if one.metric == metric and run in (None, one.run)]
    assert len(found) == 1
    return found[0]


# --- numbers --------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_pairs(first, second):
    """Against the same arrays read by hand, run less baseline."""
    tables = [read_scores(run).to_pandas() for run in (first, second)]
    base, other = tables
    found = row(compare_runs([first, second]), "si_sdr_i").statistics
    expected = {
        one.group: one
        for one in paired.compare(
            other["si_sdr_i"], base["si_sdr_i"], base["recording_id"], base["num_sources"]
        )
    }["overall"]
    both = np.isfinite(base["si_sdr_i"]) & np.isfinite(other["si_sdr_i"])
    means = (other["si_sdr_i"] - base["si_sdr_i"])[both].groupby(base["num_sources"]).mean()
    assert found.difference == pytest.approx(means.mean())
    for name in ("n", "difference", "ci_low", "ci_high", "p_value", "error", "detectable"):
        assert getattr(found, name) == getattr(expected, name)
    assert (found.mean_run, found.mean_baseline) == (expected.mean_a, expected.mean_b)
    assert (found.n, found.left_out) == (12 * 14 - 1, 1)


@pytest.mark.parametrize(("group", "n"), [("overall", 168), ("flat", 168), ("3", 36)])
def test_a_constant_difference(first, tmp_path, group, n):
    other = changed(first, tmp_path / "run", rows=values(lambda x: x + 0.5, "si_sdr"))
    found = row(compare_runs([first, other], group=group), "si_sdr").statistics
    assert [found.difference, found.ci_low, found.ci_high] == pytest.approx([0.5] * 3)
    assert found.n == n - (1 if group in ("overall", "flat") else 0)
    assert found.p_value == 1e-4
    assert (found.better, found.verdict) == ("changed", "changed better")


def test_a_worse_run(first, tmp_path):
    other = changed(first, tmp_path / "run", rows=values(lambda x: x - 0.5, "si_sdr"))
    found = row(compare_runs([first, other], metrics=["si_sdr"]), "si_sdr").statistics
    assert (found.better, found.verdict) == ("first", "first better")


def test_lower_is_better_where_it_is(first, tmp_path):
    def down(document):
        for metric in document["metrics"]:
            metric["higher_is_better"] = False

    base = changed(first, tmp_path / "base", "base", edit=down)
    other = changed(first, tmp_path / "run", edit=down, rows=values(lambda x: x - 0.5, "si_sdr"))
    found = row(compare_runs([base, other], metrics=["si_sdr"]), "si_sdr")
    assert found.statistics.difference == pytest.approx(-0.5)
    assert found.statistics.better == "changed"
    assert not found.higher_is_better


def test_equal_runs_cannot_be_told_apart(first, tmp_path):
    found = compare_runs([first, changed(first, tmp_path / "run")])
    for one in found.rows:
        assert one.statistics.difference == 0.0
        assert one.statistics.p_holm == 1.0
        assert (one.statistics.better, one.statistics.verdict) == (None, "cannot be told apart")


def test_the_other_baseline_negates(first, second):
    one = row(compare_runs([first, second]), "stoi").statistics
    other = row(compare_runs([first, second], baseline=second), "stoi").statistics
    assert other.difference == pytest.approx(-one.difference)
    assert (other.ci_low, other.ci_high) == pytest.approx((-one.ci_high, -one.ci_low))
    assert other.p_value == one.p_value


def test_the_order_of_rows_does_not_matter(first, second, tmp_path):
    shuffled = changed(
        second,
        tmp_path / "run",
        "second",
        rows=lambda table: table.take(np.random.default_rng(0).permutation(table.num_rows)),
    )
    assert compare_runs([first, shuffled]).rows == compare_runs([first, second]).rows


def test_holm_allows_for_every_metric_and_run(first, second, tmp_path):
    third = make_run(tmp_path / "third", name="third", shift=0.6, mixtures=12)
    found = compare_runs([first, second, third], metrics=["si_sdr", "stoi", "re_si_sdr"])
    assert found.family == 6
    assert [(one.run, one.baseline) for one in found.rows] == [("second", "first")] * 3 + [
        ("third", "first")
    ] * 3
    raw = [one.statistics.p_value for one in found.rows]
    assert [one.statistics.p_holm for one in found.rows] == pytest.approx(holm(raw).tolist())
    for one in found.rows:
        assert (one.statistics.better is None) == (one.statistics.p_holm > 0.05)


def test_an_improvement_and_its_metric_are_one_test(first, second, tmp_path):
    """Against Holm's method on one of each pair, by hand."""
    third = make_run(tmp_path / "third", name="third", shift=0.3, mixtures=12)
    found = compare_runs([first, second, third])
    counted = [one for one in found.rows if not one.metric.endswith("_i")]
    assert found.family == len(counted) == 2 * 4
    assert len(found.rows) == 2 * 6
    expected = holm([one.statistics.p_value for one in counted]).tolist()
    by_test = {(one.run, one.metric): p_holm for one, p_holm in zip(counted, expected, strict=True)}
    for one in found.rows:
        assert one.statistics.p_holm == by_test[one.run, one.metric.removesuffix("_i")]
    alone = compare_runs([first, second], metrics=["si_sdr_i", "stoi"])
    assert alone.family == 2
    output = CliRunner().invoke(app, [str(first), str(second)]).output
    assert "allowing for all 4 tests" in output
    assert "an improvement (_i) has the differences of its metric" in output


def test_the_settings_of_an_improvement_are_those_of_its_metric(first, tmp_path):
    """sdr_bss_i_L64 goes with sdr_bss_L64 and not with sdr_bss."""

    def named(base: str, improvement: str) -> Edit:
        def edit(document):
            for metric in document["metrics"]:
                names = {"sdr_bss": base, "sdr_bss_i": improvement}
                metric["name"] = names.get(metric["name"], metric["name"])

        return edit

    def columns(base: str, improvement: str):
        names = {"sdr_bss": base, "sdr_bss_i": improvement}
        return lambda table: table.rename_columns(
            [names.get(name, name) for name in table.column_names]
        )

    for base, improvement, family in (
        ("sdr_bss_L64", "sdr_bss_i_L64", 1),
        ("sdr_bss", "sdr_bss_i_L64", 2),
    ):
        runs = [
            changed(
                first,
                tmp_path / name / base,
                name,
                edit=named(base, improvement),
                rows=columns(base, improvement),
            )
            for name in ("one", "other")
        ]
        assert compare_runs(runs, metrics=[improvement, base]).family == family


def test_an_improvement_of_fewer_items_is_a_test_of_its_own(first, second, tmp_path):
    """Where the mixture scores +inf, its improvement is undefined."""

    def undefined(x):
        x[40:60] = np.nan
        return x

    run = changed(second, tmp_path / "run", rows=values(undefined, "si_sdr_i"))
    found = compare_runs([first, run], metrics=["si_sdr", "si_sdr_i"])
    assert found.family == 2
    raw = [one.statistics.p_value for one in found.rows]
    assert [one.statistics.p_holm for one in found.rows] == holm(raw).tolist()


def test_many_tests_get_as_many_permutations_as_they_need(first, tmp_path):
    """51 tests whose p is as small as it can be: with 9,999 patterns it could not be that small."""
    run = changed(first, tmp_path / "run", rows=values(lambda x: x + 1, "stoi"))
    found = compare_runs([first] + [run] * 51, metrics=["stoi"])
    assert (found.family, found.permutations) == (51, 200 * 51)
    assert found.rows[0].statistics.p_value == 1 / (200 * 51 + 1)
    for tests in (1, 10, 60, 600, 2500):
        assert tests / (permutations(tests) + 1) <= (0.005 if tests < 250 else 0.05)
    assert permutations(1) == 9999
    assert permutations(10**6) == MOST_PERMUTATIONS


def test_rows_to_which_a_metric_does_not_apply_are_no_pairs(first, second):
    found = row(compare_runs([first, second]), "re_si_sdr").statistics
    assert (found.n, found.left_out) == (12 * 4, 0)


def test_a_value_that_only_one_run_has_is_counted(first, second, tmp_path):
    def without_one(table: pa.Table) -> pa.Table:
        numbers = table["stoi"].to_pylist()
        numbers[20] = None
        return table.set_column(
            table.column_names.index("stoi"), "stoi", pa.array(numbers, pa.float64())
        )

    found = row(compare_runs([first, changed(second, tmp_path / "run", rows=without_one)]), "stoi")
    assert (found.statistics.n, found.statistics.left_out) == (168 - 2, 2)
    assert (found.outside_run.nan, found.outside_baseline.nan) == (2, 1)


def test_items_needed_follow_from_the_error(first, second):
    """(t + t) * error / sqrt(ratio) is the difference; for many recordings about normal."""
    found = row(compare_runs([first, second]), "si_sdr_i").statistics
    for one in found.needed:
        ratio = one.recordings / found.num_recordings
        assert one.items == pytest.approx(found.n * ratio, abs=1)
        if one.recordings > 100:
            assert 2.8016 * found.error / math.sqrt(ratio) == pytest.approx(
                one.difference, rel=0.01
            )
    assert [one.difference for one in found.needed] == [0.1, 0.5, 1.0]
    assert row(compare_runs([first, second]), "stoi").statistics.needed == []


def test_nothing_is_said_of_items_needed_where_all_differences_are_the_same(first, tmp_path):
    run = changed(first, tmp_path / "run", rows=values(lambda x: x + 0.5, "si_sdr"))
    assert row(compare_runs([first, run]), "si_sdr").statistics.needed == []
    assert row(compare_runs([first, run]), "sdr_bss").statistics.needed == []
    shown = CliRunner().invoke(app, [str(first), str(run), "--metric", "si_sdr"]).output
    assert "items needed" not in shown


# --- infinite scores ------------------------------------------------------------------------------


def test_a_verdict_that_hangs_on_silence_is_pointed_out(first, tmp_path):
    """Better by 1 dB where it says anything, silent on a third."""

    def third_silent(x):
        x += 1.0
        x[::3] = -np.inf
        return x

    run = changed(first, tmp_path / "run", rows=values(third_silent, "si_sdr"))
    found = compare_runs([first, run], metrics=["si_sdr"])
    one = found.rows[0]
    assert one.statistics.better == "changed"
    assert one.clipped.better == "first"
    assert one.clipped.n == 168
    assert one.outside_run.neg_inf == 56  # every third of 168
    assert one.outside_baseline.neg_inf == 1
    assert any("the verdict hangs on infinite scores" in note for note in found.notes)
    shown = CliRunner().invoke(app, [str(first), str(run), "--metric", "si_sdr"]).output
    assert "clipped" in shown
    assert "left out of si_sdr: 56 items (changed -inf 56; first -inf 1)" in shown


def test_without_infinite_scores_nothing_is_clipped(first, second):
    assert row(compare_runs([first, second], group="5"), "si_sdr").clipped is None
    assert row(compare_runs([first, second]), "stoi").clipped is None


# --- metrics of whole sets ------------------------------------------------------------------------


def with_fad(value: float) -> Edit:
    def edit(document):
        record = dict(document["metrics"][0])
        record |= {
            "name": "fad@standin:logmel512",
            "unit": "",
            "higher_is_better": False,
            "scope": "set",
            "standin": True,
        }
        document["metrics"].append(record)
        summary = dict(document["aggregates"][0])
        summary |= {
            "metric": "fad@standin:logmel512",
            "group": "overall",
            "mean": value,
            "n": 168,
            "mean_clipped": None,
        }
        document["aggregates"].append(summary)

    return edit


def test_a_metric_of_the_whole_set_is_shown_without_a_test(first, tmp_path):
    base = changed(first, tmp_path / "base", "base", edit=with_fad(1.5))
    run = changed(first, tmp_path / "run", edit=with_fad(1.25))
    found = compare_runs([base, run])
    one = row(found, "fad@standin:logmel512")
    assert not one.tested
    assert (one.statistics.mean_run, one.statistics.mean_baseline) == (1.25, 1.5)
    assert one.statistics.difference == -0.25
    assert one.statistics.better is None
    assert one.statistics.verdict == "not tested: one value for the whole set"
    assert math.isnan(one.statistics.p_holm)
    assert found.family == len(found.rows) - 3  # nor two improvements
    assert any("fad@standin:logmel512 say nothing" in note for note in found.notes)
    missing = row(compare_runs([base, run], group="2"), "fad@standin:logmel512").statistics
    assert math.isnan(missing.difference)


def test_values_of_sets_of_other_items_are_pointed_out(first, tmp_path):
    base = changed(first, tmp_path / "base", "base", edit=with_fad(1.5))
    same = changed(first, tmp_path / "same", "same", edit=with_fad(1.25))
    fewer = changed(first, tmp_path / "run", edit=with_fad(1.25), rows=lambda table: table.slice(2))
    words = "the items of changed and base are not the same (166 and 168, 166 in common)"
    notes = [note for note in compare_runs([base, fewer, same]).notes if words in note]
    assert len(notes) == 1
    assert notes[0].startswith("fad@standin:logmel512: one value for all items of a run")
    assert not any("are not the same" in note for note in compare_runs([base, same]).notes)
    assert not any(
        "are not the same" in note for note in compare_runs([base, fewer], metrics=["stoi"]).notes
    )
    shown = CliRunner().invoke(app, [str(base), str(fewer)]).output
    assert "metrics of a whole set: of the values over all items of each run" in shown


# --- items ----------------------------------------------------------------------------------------


def test_items_that_only_one_run_has_are_named(first, tmp_path):
    def failing(document):
        document["failures"] = [
            {"mix_id": "test-2mix-000000", "source_id": "s1", "error": "out of memory"}
        ]

    run = changed(first, tmp_path / "run", edit=failing, rows=lambda table: table.slice(2))
    base = changed(first, tmp_path / "base", "base", rows=lambda table: table.slice(0, 160))
    found = compare_runs([base, run])
    assert (found.runs[0].only_in_run, found.runs[0].only_in_baseline) == (8, 2)
    assert row(found, "sdr_bss").statistics.n == 158 - 1  # one is at -inf
    assert (
        "2 items are only in base, of which 1 failed in changed, and are left out: "
        "test-2mix-000000 s1, test-2mix-000000 s2"
    ) in found.notes
    assert any(note.startswith("8 items are only in changed, and") for note in found.notes)


def test_runs_without_a_common_item_are_refused(first, tmp_path):
    base = changed(first, tmp_path / "base", rows=lambda table: table.slice(0, 10))
    run = changed(first, tmp_path / "run", rows=lambda table: table.slice(10))
    with pytest.raises(HiveError, match="no item in common"):
        compare_runs([base, run])


def test_an_item_that_is_there_twice_is_refused(first, tmp_path):
    run = changed(
        first, tmp_path / "run", rows=lambda table: pa.concat_tables([table, table.slice(5, 1)])
    )
    with pytest.raises(HiveError, match=r"scores.parquet: item test-2mix-000002 s2 is there more"):
        compare_runs([first, run])


@pytest.mark.parametrize("field", ["recording_id", "label", "query"])
def test_files_that_disagree_about_an_item_are_refused(first, tmp_path, field):
    def other(table: pa.Table) -> pa.Table:
        names = table[field].to_pylist()
        names[7] = names[9] = "elsewhere"
        return table.set_column(table.column_names.index(field), field, pa.array(names))

    run = changed(first, tmp_path / "run", rows=other)
    with pytest.raises(HiveError, match=f"{field} of test-2mix-000003 s2 is elsewhere, that in"):
        compare_runs([first, run])


def test_runs_that_asked_for_other_labels_are_told_their_seeds(first, tmp_path):
    """As two runs of the task `silence`, whose absent labels are drawn by --seed."""

    def edit(document):
        document["settings"]["seed"] = 7

    def other(table: pa.Table) -> pa.Table:
        for field in ("label", "query"):
            names = pa.array(["Gong"] * table.num_rows)
            table = table.set_column(table.column_names.index(field), field, names)
        return table

    run = changed(first, tmp_path / "run", edit=edit, rows=other)
    with pytest.raises(HiveError, match="label of test-2mix-000000 s1 is Gong, that in") as caught:
        compare_runs([first, run])
    assert "--seed was 7 and 0" in caught.value.remedy


# --- what cannot be compared ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("task",), "silence", "task silence and hive"),
        (("dataset", "split"), "validation", "split validation and test"),
        (("dataset", "fingerprint"), "cd" * 32, "dataset fingerprint"),
        (("dataset", "sample_rate"), 32000, "sample rate 32000 and 44100"),
    ],
)
def test_other_tasks_and_data_are_refused(first, tmp_path, place, value, words):
    def edit(document):
        for key in place[:-1]:
            document = document[key]
        document[place[-1]] = value

    run = changed(first, tmp_path / "run", edit=edit)
    with pytest.raises(HiveError, match=words) as caught:
        compare_runs([first, run])
    assert str(run) in caught.value.problem
    assert caught.value.remedy


def test_metrics_of_another_identity_are_refused(first, tmp_path):
    def edit(document):
        metric = document["metrics"][0]
        metric["id"] = "another"
        metric["identity"]["checkpoint_sha256"] = "ef" * 32

    run = changed(first, tmp_path / "run", edit=edit)
    with pytest.raises(HiveError, match="metric sdr_bss is not the same: checkpoint_sha256 ef"):
        compare_runs([first, run])
    assert compare_runs([first, run], metrics=["si_sdr"]).rows


def test_metrics_that_a_run_lacks(first, second, tmp_path):
    def edit(document):
        document["metrics"] = [one for one in document["metrics"] if one["name"] != "stoi"]

    run = changed(second, tmp_path / "run", edit=edit)
    found = compare_runs([first, run])
    assert "stoi" not in [one.metric for one in found.rows]
    assert "stoi is not compared: it is not in changed" in found.notes
    with pytest.raises(HiveError, match="there is no 'stoi'"):
        compare_runs([first, run], metrics=["stoi"])
    with pytest.raises(HiveError, match="did you mean si_sdr_i"):
        compare_runs([first, run], metrics=["si_sdri"])

    def none(document):
        document["metrics"] = []

    with pytest.raises(HiveError, match="no metric in common"):
        compare_runs([first, changed(second, tmp_path / "none", edit=none)])


def test_a_column_that_the_results_promise_must_be_there(first, second, tmp_path):
    run = changed(second, tmp_path / "run", rows=lambda table: table.drop_columns(["stoi"]))
    with pytest.raises(HiveError, match="column 'stoi' is missing"):
        compare_runs([first, run])


def test_an_unknown_group_or_baseline(first, second, tmp_path):
    with pytest.raises(HiveError, match="no items of 7 sources"):
        compare_runs([first, second], group="7")
    with pytest.raises(HiveError, match="is none of the runs"):
        compare_runs([first, second], baseline=tmp_path)


# --- notes ----------------------------------------------------------------------------------------


def test_what_a_reader_must_know(first, second, tmp_path):
    def edit(document):
        document["model"] |= {"uses_reference": True, "generative": True}
        document["versions"]["numpy"] = "2.0.0"
        document["settings"]["queries"] = "both"
        document["model"]["details"] = {"facts": {"negatives": "emulated"}}
        document["checks"][0]["passed"] = False

    run = changed(second, tmp_path / "run", "odd", edit=edit)
    found = compare_runs([first, run], metrics=["stoi"])
    words = "\n".join(found.notes)
    assert "odd is an oracle" in words
    assert "odd is generative" in words
    assert "numpy 2.0.0 and 1.26.4" in words
    assert "different queries: first positive, odd both" in words
    assert "odd emulates negative queries" in words
    assert "odd: check sdr_bss >= si_sdr failed: all items" in words
    assert found.runs[0].oracle
    assert compare_runs([first, second], metrics=["stoi"]).notes == []


def test_few_recordings_are_pointed_out(tmp_path):
    runs = [
        make_run(tmp_path / name, name=name, mixtures=2, labels=["a", "b"]) for name in ("x", "y")
    ]
    notes = compare_runs(runs, metrics=["stoi"]).notes
    assert any(note.startswith("only 6 recordings: intervals") for note in notes)


# --- command --------------------------------------------------------------------------------------


def test_the_table(first, tmp_path):
    better = changed(first, tmp_path / "b", "better", rows=values(lambda x: x + 0.5, "si_sdr"))
    result = CliRunner().invoke(
        app, [str(first), str(better), "--metric", "si_sdr", "--metric", "stoi"]
    )
    assert result.exit_code == 0, result.output
    assert "better less first: task hive on fixture, split test" in result.output
    for word in ("si_sdr", "+0.50", "[+0.50, +0.50]", "0.0001", "0.0002", "167", "cannot be told"):
        assert word in result.output
    assert "allowing for all 2 tests" in result.output
    assert "with infinite scores clipped to -30 and 100 dB, the verdicts are the same" in (
        result.output
    )


def test_json_and_csv_hold_the_same(first, second, tmp_path):
    out = tmp_path / "sub" / "rows.csv"
    result = CliRunner().invoke(app, [str(first), str(second), "--json", "--csv", str(out)])
    assert result.exit_code == 0, result.output

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(result.stdout, parse_constant=refuse)
    assert Comparison.model_validate(document) == compare_runs([first, second])
    with out.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    expected = [
        (one["metric"], treatment, statistics)
        for one in document["rows"]
        for treatment, statistics in (("finite", one["statistics"]), ("clipped", one["clipped"]))
        if statistics
    ]
    assert [(one["metric"], one["treatment"]) for one in rows] == [
        (metric, treatment) for metric, treatment, _ in expected
    ]
    for one, (_, _, statistics) in zip(rows, expected, strict=True):
        assert float(one["difference"]) == statistics["difference"]
        assert float(one["p_holm"]) == statistics["p_holm"]
        assert one["verdict"] == statistics["verdict"]


@pytest.mark.parametrize(
    "arguments", [["A"], ["A", "A"], ["A", "B", "--group", "all"], ["A", "B", "--wrong"]]
)
def test_usage_errors(first, second, arguments):
    names = {"A": str(first), "B": str(second)}
    result = CliRunner().invoke(app, [names.get(word, word) for word in arguments])
    assert result.exit_code == 2


def test_a_missing_run_is_a_user_error(first, tmp_path):
    with pytest.raises(HiveError, match="no results there"):
        compare_runs([first, tmp_path / "nothing"])


@pytest.mark.parametrize("name", ["[red]x[/red]", "foo[/]", "[/]\\", "a:key:b"])
def test_names_from_files_are_no_markup(first, second, tmp_path, monkeypatch, name):
    monkeypatch.setattr("benchmarks.compare.table.out", Console(width=160))

    def edit(document):
        document["dataset"]["name"] = f"data {name}"
        document["checks"][0] |= {"passed": False, "detail": f"detail {name}"}
        for metric in document["metrics"]:
            if metric["name"] == "stoi":
                metric["name"], metric["unit"] = f"m{name}", "[/]"

    def rename(table: pa.Table) -> pa.Table:
        names = [f"m{name}" if column == "stoi" else column for column in table.column_names]
        return table.rename_columns(names)

    base = changed(first, tmp_path / "base", f"base {name}", edit=edit, rows=rename)
    better = values(lambda x: x + 0.5, f"m{name}")
    run = changed(base, tmp_path / "run", name, rows=better)
    result = CliRunner().invoke(app, [str(base), str(run), "--metric", f"m{name}"])
    assert result.exit_code == 0, result.output
    assert f"{name} less base {name}: task hive on data {name}," in result.output
    assert f"m{name} " in result.output
    assert f"{name} better" in result.output
    assert f"detail {name}" in result.output


def test_runs_of_one_model_are_told_apart(first, tmp_path):
    run = changed(first, tmp_path / "again", "first")
    found = compare_runs([first, run], metrics=["stoi"])
    assert (found.baseline.name, found.runs[0].name) == ("first (1: first)", "first (2: again)")
