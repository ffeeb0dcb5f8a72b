"""`metrics audit`: agreement is seen, and so are differences and what is missing."""

import importlib.metadata
import json
import math

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.audit import table
from benchmarks.audit.cli import audit as command
from benchmarks.audit.closed_forms import FORMS
from benchmarks.audit.libraries import COMPARISONS
from benchmarks.audit.vectors import Vectors, largest_difference
from hive.errors import HiveError

APP = typer.Typer()
APP.command()(command)
FILE = {
    "signals": {
        "a": {"recipe": {"op": "noise", "seed": 1, "n": 600, "scale": 0.1}},
        "b": {"recipe": {"op": "delay", "of": "a", "samples": 1}},
        "half": {"recipe": {"op": "sum", "terms": [["a", 0.5]]}},
        "loop": {"recipe": {"op": "sum", "terms": [["loop", 1.0]]}},
        "odd": {"recipe": {"op": "reverse", "of": "a"}},
        "long": {"recipe": {"op": "zeros", "n": 10**12}},
    },
    "cases": [
        {
            "id": "six",
            "metric": "sdr_plain",
            "inputs": {"ref": "a", "est": "half"},
            "params": {},
            "expected": 20 * math.log10(2),
            "tol": 1e-9,
        },
        {
            "id": "exact",
            "metric": "si_sdr",
            "inputs": {"ref": "a", "est": "half"},
            "params": {},
            "expected": "inf",
            "tol": 0,
        },
    ],
}


@pytest.fixture
def vectors(tmp_path):
    def write(**changes):
        path = tmp_path / "vectors.json"
        path.write_text(json.dumps(FILE | changes))
        return path

    return write


@pytest.fixture
def one_library(monkeypatch):
    """Only what is quick, of torchmetrics and pystoi."""
    few = [each for each in COMPARISONS if each.metric in ("si_sdr", "stoi")]
    monkeypatch.setattr(table, "COMPARISONS", few)
    return few


@pytest.mark.parametrize(("metric", "tolerance", "cases"), FORMS, ids=[form[0] for form in FORMS])
def test_closed_forms(metric, tolerance, cases):
    found = list(cases())
    assert found
    for name, ours, expected in found:
        assert largest_difference(ours, expected) <= tolerance, (metric, name)


@pytest.mark.slow
def test_all_of_it_agrees():
    rows = table.audit()
    assert {row.verdict for row in rows} == {"agrees"}
    references = " ".join(row.reference for row in rows)
    for library in ("torchmetrics", "mir_eval", "museval", "fast_bss_eval", "pystoi", "fadtk"):
        assert library in references


def test_the_table_names_libraries_and_versions(one_library):
    pytest.importorskip("torchmetrics")
    pytest.importorskip("pystoi")
    result = CliRunner().invoke(APP, ["--json"])
    assert result.exit_code == 0
    rows = {(row["metric"], row["reference"]): row for row in json.loads(result.stdout)}
    row = rows["si_sdr", "torchmetrics SI-SDR"]
    assert row["version"] == importlib.metadata.version("torchmetrics")
    assert row["cases"] >= 25
    assert row["largest_difference"] <= row["tolerance"] == 1e-6
    assert {row["verdict"] for row in rows.values()} == {"agrees"}
    assert rows["stoi", "closed form"]["cases"] == 6


def test_a_missing_library_is_listed_and_fails_nothing(one_library, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(table.importlib.metadata, "version", missing)
    result = CliRunner().invoke(APP, ["--json"])
    assert result.exit_code == 0
    rows = [row for row in json.loads(result.stdout) if row["reference"] != "closed form"]
    assert len(rows) == len(one_library)
    assert {row["verdict"] for row in rows} == {"not installed"}
    assert {row["largest_difference"] for row in rows} == {None}


def test_a_wrong_metric_is_found(one_library, monkeypatch):
    monkeypatch.setattr("hive.metrics.sdr.decibel", lambda signal, error: 10.0)
    monkeypatch.setattr(table, "COMPARISONS", [])
    result = CliRunner().invoke(APP, [], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "differs" in result.stdout
    assert "si_sdr differs from closed form" in result.stderr


def test_a_file_of_vectors_adds_its_cases(monkeypatch, vectors):
    monkeypatch.setattr(table, "COMPARISONS", [])
    rows = table.audit(vectors())
    own = {row.metric: row for row in rows if row.reference == "file of test vectors"}
    assert {name: row.verdict for name, row in own.items()} == {
        "sdr_plain": "agrees",
        "si_sdr": "agrees",
    }
    wrong = [FILE["cases"][0] | {"expected": 6.03}, FILE["cases"][1] | {"expected": 50}]
    rows = table.audit(vectors(cases=wrong))
    own = {row.metric: row for row in rows if row.reference == "file of test vectors"}
    assert own["sdr_plain"].largest_difference == pytest.approx(6.03 - 20 * math.log10(2))
    assert own["si_sdr"].largest_difference == math.inf
    assert {row.verdict for row in own.values()} == {"differs"}


@pytest.mark.parametrize("name", ["loop", "odd", "long", "absent"])
def test_signals_that_cannot_be_made(vectors, name):
    path = vectors()
    with pytest.raises(HiveError, match=name) as caught:
        Vectors(path).signal(name)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "sdr_made_up"},
        {"metric": 3},
        {"inputs": {}},
        {"inputs": None},
        {"params": {"colour": 1}},
        {"expected": "much"},
        {"tol": None},
    ],
    ids=str,
)
def test_cases_that_cannot_be_computed(vectors, change):
    with pytest.raises(HiveError):
        Vectors(vectors(cases=[FILE["cases"][0] | change])).verdict("six")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"signals": {}, "cases": [{}]}', '{"signals": 1']
)
def test_files_of_another_form(tmp_path, text):
    path = tmp_path / "vectors.json"
    path.write_text(text)
    with pytest.raises(HiveError, match=r"vectors\.json"):
        Vectors(path)
    with pytest.raises(HiveError, match="absent"):
        Vectors(tmp_path / "absent.json")


def test_differences():
    assert largest_difference([1.0, math.inf, math.nan], [1.5, math.inf, math.nan]) == 0.5
    assert largest_difference(math.inf, -math.inf) == math.inf
    assert largest_difference(math.nan, 0.0) == math.inf
    assert largest_difference([1.0], [1.0, 2.0]) == math.inf
