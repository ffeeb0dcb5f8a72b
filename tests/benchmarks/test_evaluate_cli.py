"""The commands `evaluate`, `tasks` and `metrics`, and what the table shows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from benchmarks.checks import check_run
from benchmarks.dataset import open_dataset
from benchmarks.results import json_schema, read_results, read_scores
from hive import console
from hive.errors import HiveError
from hive.main import build

WORKER = Path(__file__).parents[1] / "baselines" / "worker.py"


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(
        build(), list(arguments), catch_exceptions=False, env={"COLUMNS": "120"}
    )


def _evaluate(dataset: Path, out: Path, *arguments: str) -> Result:
    return _invoke(
        "evaluate", "--benchmark", str(dataset), "--out", str(out), "--workers", "0", *arguments
    )


def test_the_whole_command(dataset: Path, tmp_path: Path) -> None:
    """In a process of its own, with scoring processes, as a user calls it."""
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate", "--json"]
    command += ["--model", "irm", "--benchmark", str(dataset), "--out", "run", "--workers", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    document = json.loads(done.stdout)
    jsonschema.validate(document, json_schema())
    assert document == json.loads((tmp_path / "run" / "results.json").read_text())
    assert all(check["passed"] for check in document["checks"])


def test_the_embedded_data_set(tmp_path: Path) -> None:
    arguments = ["--model", "psm", "--limit", "4", "--metrics", "si_sdr,si_sdr_i", "--workers", "0"]
    assert _invoke("evaluate", "--out", str(tmp_path / "run"), *arguments).exit_code == 0
    results = read_results(tmp_path / "run")
    assert (results.dataset.name, results.dataset.num_items) == ("mini", 14)
    assert all(check.passed for check in results.checks)
    means = {each.group: each.mean for each in results.aggregates if each.metric == "si_sdr_i"}
    assert set(means) == {"2", "3", "4", "5", "overall", "flat"}
    assert min(means.values()) > 5


def test_an_error_ends_with_its_remedy_and_exit_code_1(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from hive.main import main; main()", "evaluate"]
    command += ["--model", "irn", "--benchmark", str(tmp_path / "none"), "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Remedy:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table(dataset: Path, tmp_path: Path) -> None:
    result = _evaluate(dataset, tmp_path / "run", "--model", "mixture", "--metrics", "si_sdr,stoi")
    assert result.exit_code == 0
    for part in ("si_sdr ↑ dB", "stoi ↑", "overall", "unprocessed mixture, si_sdr", "n 6"):
        assert part in result.output
    results = read_results(tmp_path / "run")
    level = next(a for a in results.aggregates if (a.metric, a.group) == ("si_sdr", "2"))
    assert f"{level.mean:.2f}" in result.output
    assert f"[{level.ci_low:.2f}, {level.ci_high:.2f}]" in result.output


def test_infinite_scores_are_shown_beside_the_mean(dataset: Path, tmp_path: Path) -> None:
    result = _evaluate(dataset, tmp_path / "run", "--model", "silence", "--metrics", "si_sdr")
    assert "-inf 6" in result.output
    assert "clipped -30.00" in result.output
    assert "12 of 12 estimates are silent" in result.output


def test_a_narrow_console_gets_several_tables(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 40)
    arguments = ["evaluate", "--benchmark", str(dataset), "--out", str(tmp_path / "run")]
    arguments += ["--model", "mixture", "--workers", "0", "--metrics", "si_sdr,si_sdr_i,sdr_plain"]
    result = CliRunner().invoke(build(), arguments)
    assert result.output.count("sources ") == 3


def test_exit_code_is_1_only_if_everything_failed(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = _evaluate(dataset, tmp_path / "run", "--model", f"files:{tmp_path / 'empty'}")
    assert result.exit_code == 1
    assert "12 of 12 items failed" in result.output
    assert read_results(tmp_path / "run").counts.failed == 12


def test_a_worker_process_as_the_model(dataset: Path, tmp_path: Path) -> None:
    spec = f"process:{sys.executable} {WORKER}"
    result = _evaluate(
        dataset, tmp_path / "run", "--model", spec, "--metrics", "si_sdr_i", "--limit", "2"
    )
    assert result.exit_code == 0
    results = read_results(tmp_path / "run")
    assert results.model.name == "halver"
    assert results.model.details == {"device": "cpu"}
    level = next(a for a in results.aggregates if a.group == "overall")
    assert abs(level.mean) < 1e-6  # half the mixture has the mixture's SI-SDR


def test_options_of_the_model_are_recorded(dataset: Path, tmp_path: Path) -> None:
    spec = f"process:{sys.executable} {WORKER}"
    _evaluate(
        dataset,
        tmp_path / "run",
        *("--model", spec, "--metrics", "si_sdr", "--limit", "1", "--option", "timeout=30"),
    )
    assert read_results(tmp_path / "run").settings.options == {"timeout": "30"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--model", "mixtur"), "no model 'mixtur'"),
        (("--model", "mixture", "--task", "hvie"), "no task 'hvie'"),
        (("--model", "mixture", "--metrics", "sisdr"), "no metric 'sisdr'"),
        (("--model", "mixture", "--metrics", ","), "no metric is asked for"),
        (("--model", "mixture", "--split", "dev"), "no shards of split 'dev'"),
        (("--model", "mixture", "--device", "abacus"), "--device abacus"),
    ],
)
def test_what_is_wrong_is_said(
    dataset: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(HiveError, match=problem):
        _evaluate(dataset, tmp_path / "run", *arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["evaluate", "tasks", "metrics", "models", "separate"])
def test_help_has_an_example(command: str) -> None:
    assert f"hive-bench {command}" in _invoke(command, "--help").output


def test_the_command_line_starts_without_heavy_packages() -> None:
    code = (
        "import sys, benchmarks.cli, baselines.cli\n"
        "print(*sorted({'numpy', 'torch', 'pyarrow', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_tasks_and_metrics_as_json() -> None:
    tasks = {each["name"]: each for each in json.loads(_invoke("tasks", "--json").output)}
    metrics = {each["name"]: each for each in json.loads(_invoke("metrics", "--json").output)}
    assert set(tasks) == {"hive", "silence"}
    assert set(tasks["silence"]["default_metrics"]) <= set(tasks["silence"]["metrics"])
    assert metrics["si_sdr"]["tasks"] == ["hive"]
    assert metrics["silence_sdr"]["tasks"] == ["silence"]
    assert metrics["si_sdr"]["available"] is True
    assert "sdr_bss" in _invoke("tasks").output
    assert "estoi" in _invoke("metrics").output


def test_checks_find_what_is_wrong() -> None:
    import pyarrow as pa

    good = pa.table({"si_sdr": [1.0, float("inf"), 10.0], "sdr_bss": [1.0, float("inf"), 12.0]})
    bad = pa.table({"si_sdr": [1.0, 2.0, 3.0], "sdr_bss": [1.0, 1.9, 3.0]})
    plain = pa.table({"si_sdr": [0.0, -5.0, 9.54], "sdr_plain": [2.0, -1.0, 10.0]})

    def outcome(table: pa.Table, residual: float = 0.0, expected: int = 3) -> dict[str, bool]:
        checks = check_run(table, [], {}, residual=residual, expected=expected, failed=0)
        return {check["name"]: check["passed"] for check in checks}

    assert all(outcome(good).values())
    for excess, passed in ((5e-5, True), (1e-3, False)):
        high = pa.table({"si_sdr": [60.0 + excess], "sdr_bss": [60.0]})
        assert outcome(high, expected=1)["sdr_bss_at_least_si_sdr"] is passed
    assert not outcome(bad)["sdr_bss_at_least_si_sdr"]
    assert not outcome(good, residual=2**-15)["sources_add_up"]
    assert not outcome(good, expected=4)["items_accounted_for"]
    embedded = {"fad_pair@standin:x": [0.5, 1.0], "clap_a@standin:x": [0.875, 0.5]}
    name = "fad_pair@standin:x_agrees_with_clap_a@standin:x"
    assert outcome(pa.table(embedded), expected=2)[name]
    embedded["clap_a@standin:x"][1] = 0.51
    assert not outcome(pa.table(embedded), expected=2)[name]
    # S = 2 dB allows no less than 10 log10(10^0.2 - 1) = -2.33; 10 dB no less than 9.542.
    assert not outcome(plain)["si_sdr_bounded_by_sdr_plain"]
    assert outcome(plain.slice(0, 2), expected=2)["si_sdr_bounded_by_sdr_plain"]


def test_what_the_true_source_and_silence_must_score() -> None:
    import pyarrow as pa

    table, inf, nan = pa.table({"seconds": [1.0]}), float("inf"), float("nan")

    def outcome(**rows: dict[str, list[float | None]]) -> dict[str, bool]:
        sanity = {name: pa.table(columns) for name, columns in rows.items()}
        checks = check_run(table, [], sanity, residual=0.0, expected=1, failed=0)
        return {check["name"]: check["passed"] for check in checks}

    right = outcome(
        reference={"si_sdr": [inf, nan], "lpaps@standin:x": [0.0, None], "stoi": [nan, 1.0]},
        silence={"stoi": [0.0], "sdr_plain": [0.0]},
    )
    assert right["reference_scores_as_defined"]
    assert right["silence_scores_as_defined"]
    assert not outcome(reference={"si_sdr": [inf, 90.0]})["reference_scores_as_defined"]
    assert not outcome(reference={"clap_a": [1.0, 0.9]})["reference_scores_as_defined"]
    assert not outcome(silence={"si_sdr": [0.0]})["silence_scores_as_defined"]
    assert "silence_scores_as_defined" not in outcome(reference={"si_sdr": [inf]})
    assert "reference_scores_as_defined" not in outcome(reference={"stoi": [nan]})


def test_a_list_of_mixtures_is_scored_alone(dataset: Path, tmp_path: Path) -> None:
    names = [entry.mix_id for entry in open_dataset(str(dataset), "test").entries]
    chosen = tmp_path / "clean.txt"
    chosen.write_text(f"# clean\n{names[2]}\n\n{names[0]}  # the first\n")
    asked = ["--model", "mixture", "--metrics", "si_sdr"]
    result = _evaluate(dataset, tmp_path / "run", *asked, "--only", str(chosen))
    assert result.exit_code == 0
    results, scores = read_results(tmp_path / "run"), read_scores(tmp_path / "run")
    assert set(scores["mix_id"].to_pylist()) == {names[0], names[2]}
    digest = hashlib.sha256("".join(f"{one}\n" for one in sorted({names[0], names[2]})).encode())
    assert results.dataset.only_sha256 == digest.hexdigest()

    chosen.write_text(f"{names[1]}\n")
    with pytest.raises(HiveError, match="only_sha256"):
        _evaluate(dataset, tmp_path / "run", *asked, "--only", str(chosen))
    for text, told in (("", "names no mixture"), ("nobody\n", "'nobody' of its 1 names")):
        chosen.write_text(text)
        with pytest.raises(HiveError, match=told):
            _evaluate(dataset, tmp_path / "other", *asked, "--only", str(chosen))
