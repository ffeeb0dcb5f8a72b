"""Whole commands about data, run as a user runs them, with their exit codes."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hive.main import run


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, " ".join(captured.err.split())


def test_labels(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "labels", "--json")
    assert code == 0
    assert len(json.loads(out)) == 283
    code, out, _ = command(capsys, "labels", "honking", "--json")
    facts = json.loads(out)
    assert facts["name"] == "Vehicle horn, car horn, honking"
    assert "Traffic noise, roadway noise" in facts["compatible"]
    code, out, _ = command(capsys, "labels", "Typing", "--with", "Air conditioning", "--json")
    assert json.loads(out)["compatible"] is True
    code, out, _ = command(capsys, "labels", "Crackle", "--with", "Rain")
    assert out.startswith("no: ")


def test_an_unknown_label_is_a_failure_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = command(capsys, "labels", "Acordion")
    assert code == 1
    assert "Error:" in err
    assert "Accordion" in err


def test_a_usage_error_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "build", "POOL")[0] == 2
    assert command(capsys, "mix", "plan", "P", "--out", "x", "--split", "dev", "--num", "1")[0] == 2
    assert command(capsys, "nonsense")[0] == 2


def test_sources(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "sources", "--json")
    assert code == 0
    names = [row["name"] for row in json.loads(out)]
    assert len(names) == 14
    assert names[-2:] == ["folder", "synth"]


def test_from_recordings_to_a_verified_dataset(
    make_manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(per_label=3)
    with manifest.open("a", newline="") as handle:
        csv.writer(handle).writerow(["0_0.wav", "Accordian", "CC0-1.0", "A"])
        csv.writer(handle).writerow(["gone.wav", "Typing", "CC0-1.0", "A"])
    text = manifest.read_text().replace("0_0.wav,Accordian", "./0_0.wav,Accordian")
    manifest.write_text(text)
    pool, plan, dataset = tmp_path / "POOL", tmp_path / "plan.parquet", tmp_path / "DATASET"
    code, _, err = command(capsys, "pool", "import", manifest, "--out", pool, "--workers", 1)
    assert code == 0
    assert "18 clips from 20 recordings" in err
    assert "2 recordings were not taken (1 at label, 1 at read)" in err
    reasons = (pool / "quarantine.csv").read_text()
    assert "did you mean 'Accordion'" in reasons
    assert "gone.wav" in reasons
    code, out, _ = command(capsys, "pool", "stats", pool, "--json")
    assert json.loads(out)["clips"] == 18
    code, out, _ = command(capsys, "pool", "stats", pool)
    assert "18 clips of 18 recordings in 6 classes" in " ".join(out.split())
    arguments = ("--split", "validation", "--num", 4, "--shares", "0/1/0", "--sources", "2,3")
    code, _, err = command(capsys, "mix", "plan", pool, "--out", plan, *arguments)
    assert (code, err) == (0, f"{plan}: 4 mixtures")
    render = ("mix", "render", plan, "--pool", pool, "--out", dataset, "--workers", 1)
    assert command(capsys, *render)[0] == 0
    code, out, _ = command(capsys, "mix", "verify", dataset, "--workers", 1)
    assert (code, out) == (0, "4 mixtures: all is well\n")
    shard = next(dataset.glob("data/*/*.tar"))
    shard.write_bytes(shard.read_bytes()[:-600])
    code, out, _ = command(capsys, "mix", "verify", dataset, "--workers", 1, "--json")
    assert code == 1
    assert any("damaged shard" in each["problem"] for each in json.loads(out)["findings"])


def test_a_label_without_a_partner_is_told(
    make_manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = tmp_path / "POOL"
    manifest = make_manifest(labels=("Typing", "Printer", "Waves, surf"), per_label=2)
    command(capsys, "pool", "import", manifest, "--out", pool, "--workers", 1)
    build = ("build", pool, "--out", tmp_path / "D", "--train", 2, "--workers", 1)
    code, _, err = command(capsys, *build, "--sources", "2")
    assert code == 0
    assert "train: no mixture holds Waves, surf" in err
    code, _, err = command(capsys, *build[:3], tmp_path / "E", *build[4:])
    assert code == 1
    assert "there are no 3 that may all be mixed with each other" in err
    assert "Remedy: import recordings of more classes" in err
    assert not (tmp_path / "E").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pool", "import", "gone.csv", "--out", "P"), "gone.csv: no such manifest or folder"),
        (("pool", "stats", "gone"), "gone: not a clip pool"),
        (("build", "gone", "--out", "D", "--train", "1"), "gone: not a clip pool"),
        (("build", "gone", "--out", "D"), "no mixtures are asked for"),
        (("mix", "render", "gone", "--pool", "P", "--out", "D"), "gone: no such table"),
        (("mix", "verify", "gone"), "mixtures.parquet: no such table"),
        (("register", "gone"), "gone: not a dataset folder"),
        (("pool", "synth", "--out", "P", "--label", "Speech"), "Speech"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = command(capsys, *arguments)
    assert code == 1
    assert message in err
    assert "Remedy:" in err
    assert not list(tmp_path.glob("*"))


def test_a_file_that_is_no_table_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan").write_text("not parquet")
    code, _, err = command(
        capsys, "mix", "render", tmp_path / "plan", "--pool", tmp_path, "--out", tmp_path / "D"
    )
    assert code == 1
    assert "not a Parquet table" in err


def test_doctor_finds_everything_that_is_required(
    hf_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = command(capsys, "doctor", "--json")
    found = {each["what"]: each for each in json.loads(out)}
    assert code == 0
    assert found["torch"]["ok"]
    assert found["models"]["ok"]
    assert "irm" in found["models"]["found"]
    assert found['load_dataset("hive", ...)']["ok"] is False
    assert "register mini" in found['load_dataset("hive", ...)']["remedy"]
    assert command(capsys, "register", "mini")[0] == 0
    code, out, _ = command(capsys, "doctor", "--json")
    found = {each["what"]: each for each in json.loads(out)}
    assert found['load_dataset("hive", ...)']["found"] == "mini"


def test_doctor_tells_of_packages_that_only_some_commands_need(
    hf_cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == "ray":
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    monkeypatch.setattr("hive.doctor.version", version)
    code, out, _ = command(capsys, "doctor", "--json")
    found = {each["what"]: each for each in json.loads(out)}
    ray = found["ray (--engine ray)"]
    assert (code, ray["ok"], ray["remedy"]) == (0, False, "pip install 'hive-bench[ray]'")
    assert found["s3fs (s3:// addresses)"]["ok"]


def test_help_imports_nothing_heavy() -> None:
    """The start-up budget is kept by what is not imported; nothing here is timed."""
    code = (
        "import sys; from hive.main import run; run(['--help']); "
        "heavy = {'numpy', 'torch', 'pandas', 'pyarrow', 'datasets', 'scipy', 'matplotlib', "
        "'soundfile', 'pydantic', 'jinja2', 'transformers'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("labels", "pool", "mix", "build", "evaluate", "report", "leaderboard", "doctor"):
        assert name in done.stdout
