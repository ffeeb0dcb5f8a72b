"""The tables of a run on the console and in the report: every row, and what stands in it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import table
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
