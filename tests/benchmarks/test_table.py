"""The tables of a run on the console and in the report: every row, and what stands in it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from benchmarks import table
from benchmarks.checks import check_run
from benchmarks.report import tables
from benchmarks.report.runs import load_runs
from benchmarks.results import Results, read_results

make_run = runpy.run_path(str(Path(__file__).parents[1] / "made_run.py"))["make_run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run", mixtures=8)


@pytest.fixture(scope="module")
def results(folder) -> Results:
    return read_results(folder)


@pytest.fixture
def printed(monkeypatch) -> Console:
    console = Console(width=140, record=True, quiet=False)
    monkeypatch.setattr(table, "out", console)
    monkeypatch.setattr(table, "err", Console(stderr=True, quiet=True))
    return console


def aggregate(results: Results, metric: str, group: str):
    return next(a for a in results.aggregates if (a.metric, a.group) == (metric, group))


def test_a_row_for_each_size_overall_and_all_items(results, printed):
    table.show_results(results)
    text = printed.export_text()
    first = [line.split("  ")[0].strip() for line in text.splitlines()]
    rows = [word for word in first if word in ("2", "3", "4", "5", "overall", "all items")]
    assert rows == ["2", "3", "4", "5", "overall", "all items"]
    flat = aggregate(results, "si_sdr_i", "flat")
    assert f"{flat.mean:.2f} ± {flat.std:.2f}" in text
    overall = aggregate(results, "si_sdr_i", "overall")
    assert f"{overall.mean:.2f}" in text
    assert f"{overall.mean:.2f} ±" not in text


def test_rows_to_read_the_others_against(results, printed):
    table.show_results(results)
    lines = printed.export_text().splitlines()
    found = {
        name: line
        for line in lines
        for name in ("mixture", "silence", "ideal mask", "reference")
        if line.strip().startswith(f"{name} ") and "place of" not in line
    }
    assert "-inf" in found["silence"]
    assert "0.000" in found["silence"]
    assert "11.50" in found["ideal mask"]
    assert "+inf" in found["reference"]
    anchor = next(
        a
        for a in results.anchors
        if (a.name, a.metric, a.group) == ("mixture", "si_sdr", "overall")
    )
    assert f"{anchor.mean:.2f}" in found["mixture"]
    sizes = next(line for line in lines if line.startswith("unprocessed mixture, si_sdr:"))
    assert "overall" in sizes
    assert "flat" not in sizes


def test_several_runs_side_by_side(results, printed):
    table.show_comparison([results, results], ["stoi"])
    text = printed.export_text()
    assert "flat" not in text
    assert text.count(f"{aggregate(results, 'stoi', 'overall').mean:.3f}") == 2


def edited(results: Results, edit) -> Results:
    document = results.model_dump()
    edit(document)
    return Results.model_validate(document)


@pytest.mark.parametrize("name", ["[red]x[/red]", "foo[/]", "[/]\\", "a:key:b"])
def test_names_from_files_are_no_markup(results, printed, monkeypatch, name):
    monkeypatch.setattr(table, "err", printed)

    def edit(document):
        document["model"]["name"] = f"model {name}"
        document["dataset"]["name"] = f"data {name}"
        document["unavailable"][0] |= {"metric": f"lost {name}", "reason": f"reason {name}"}
        document["checks"][0] |= {"passed": False, "detail": f"detail {name}"}
        for kind, key in (("metrics", "name"), ("aggregates", "metric"), ("anchors", "metric")):
            for each in document[kind]:
                if each[key] == "stoi":
                    each[key] = f"m{name}"
                    each |= {"unit": f"u{name}"} if kind == "metrics" else {}

    odd = edited(results, edit)
    table.show_results(odd)
    table.show_comparison([odd, odd], [f"m{name}"])
    text = printed.export_text()
    assert f"model {name}: task hive on data {name}, split test" in text
    for words in (f"m{name} ↑ u{name}", f"lost {name}: reason {name}", f"detail {name}"):
        assert words in text
    assert f"m{name}, u{name}" in text  # the title of the comparison
    assert text.count(f"model {name}") == 3


def test_the_notes_are_true_of_metrics_of_whole_sets(results, printed):
    def with_fad(document):
        document["metrics"].append(
            document["metrics"][0] | {"name": "fad@standin:x", "unit": "", "scope": "set"}
        )

    def only_fad(document):
        with_fad(document)
        document["metrics"] = document["metrics"][-1:]

    def notes(of: Results) -> tuple[bool, bool]:
        table.show_results(of)
        text = printed.export_text(clear=True)
        return "from a bootstrap over recordings" in text, (
            "fad@standin:x: one value for all items of a level as a set, [95 % interval from a "
            "jackknife over recordings]" in text
        )

    assert notes(results) == (True, False)
    assert notes(edited(results, with_fad)) == (True, True)
    assert notes(edited(results, only_fad)) == (False, True)


@pytest.mark.parametrize(
    ("si_sdr", "sdr_bss", "passed"),
    [
        (float("inf"), 131.0, True),  # both are exact within rounding
        (float("inf"), float("inf"), True),
        (float("-inf"), float("-inf"), True),
        (float("nan"), 3.0, True),
        (float("inf"), 60.0, False),
        (115.0, 95.0, False),
    ],
)
def test_an_infinite_score_is_one_above_what_rounding_leaves(si_sdr, sdr_bss, passed):
    scores = pa.table({"si_sdr": [si_sdr], "sdr_bss": [sdr_bss]})
    checks = check_run(scores, [], {}, residual=0.0, expected=1, failed=0)
    found = next(one for one in checks if one["name"] == "sdr_bss_at_least_si_sdr")
    assert found["passed"] is passed
    assert "inf dB" not in found["detail"]


def test_the_report_has_the_same_rows(folder, results):
    runs = load_runs([folder])
    (block,) = tables.score_blocks(runs, results.metrics, comparable=True)
    sizes = [f"{size} sources" for size in (2, 3, 4, 5)]
    assert [row.group for row in block.rows] == [*sizes, "Overall", "All items"]
    flat = aggregate(results, "stoi", "flat")
    column = [metric.name for metric in results.metrics].index("stoi")
    assert block.rows[-1].cells[column].value == f"{flat.mean:.3f} ± {flat.std:.3f}"
    assert "±" not in block.rows[-2].cells[column].value


def test_the_report_has_the_rows_to_read_against(folder, results):
    (run,) = load_runs([folder])
    blocks = {block.name: block for block in tables.anchor_blocks(run, results.metrics)}
    assert list(blocks) == ["Unprocessed mixture", "Silence", "Ideal ratio mask", "True source"]
    assert len(blocks["Unprocessed mixture"].rows) == 6
    assert [row.group for row in blocks["Silence"].rows] == ["Overall"]
    column = [metric.name for metric in results.metrics].index("si_sdr")
    values = [block.rows[0].cells[column].value for block in list(blocks.values())[1:]]
    assert values == ["−∞", "11.50", "∞"]
