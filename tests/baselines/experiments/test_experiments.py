"""Experiments: the shipped ones, what they run, and the tables."""

from __future__ import annotations

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from baselines.experiments import run as running
from baselines.experiments.config import Experiment, load_experiment, shipped
from baselines.experiments.run import TABLE, Plan, columns, run
from baselines.training.config import load_config
from benchmarks import tasks
from benchmarks.catalogue import requested
from hive.errors import HiveError

WORLD: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "training" / "world.py"))


@pytest.mark.parametrize("name", shipped())
def test_shipped_experiments_fit_recipes_and_metrics(name: str) -> None:
    experiment = load_experiment(name)
    for changes in experiment.trainings.values():
        settings = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        for recipe in (experiment.recipe, "clearsep-mini"):
            load_config(recipe, settings)
    for score in experiment.scores:
        if score.task != "natural":
            requested(tasks.get(score.task), score.metrics)


def test_the_papers_settings() -> None:
    """Tables 5 and 6 of ClearSep."""
    rates = load_experiment("silence-rates").trainings.values()
    assert [one["data.queries.silence"] for one in rates] == [0.0, 0.05, 0.10, 0.15]
    told = {
        name: load_config("clearsep", [f"data.tracks={json.dumps(one['data.tracks'])}"]).data.tracks
        for name, one in load_experiment("thresholds").trainings.items()
    }
    used = {
        name: (
            one.independent_db if one.independent else None,
            one.self_separate_db if one.self_separate else None,
        )
        for name, one in told.items()
    }
    assert used == {
        "R1": (None, None),
        "R2": (10.0, None),
        "R3": (None, 10.0),
        "R4": (15.0, None),
        "R5": (None, 15.0),
        "R6": (10.0, 15.0),
    }


MADE = {
    "title": "Made up",
    "recipe": "clearsep-mini",
    "tracks": True,
    "trainings": {"a": {"data.tracks": {"independent": 0.1}}},
    "rows": [
        {"name": "a", "train": "a"},
        {"name": "known_P+N", "model": "known", "queries": "both"},
    ],
    "scores": [
        {"task": "hive", "metrics": ["si_sdr_i", "stoi"]},
        {"task": "natural", "metrics": ["re_sdr_over_15", "re_sdr"]},
    ],
}


def test_commands_and_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of which command, with what each leaves behind made up."""
    asked: list[list[str]] = []

    def pretend(commands: Any) -> None:
        (words,) = commands
        asked.append(words[3:])  # after: python -m hive
        out = Path(words[words.index("--out") + 1])
        (out / "report").mkdir(parents=True, exist_ok=True)
        aggregates = [
            {"metric": "si_sdr_i", "group": "flat", "mean": 4.5, "std": "inf"},
            {"metric": "si_sdr_i", "group": "overall", "mean": 9.0, "std": 9.0},
        ]
        (out / "results.json").write_text(json.dumps({"aggregates": aggregates}))
        remixed = [{"metric": "re_sdr", "mean": 12.0, "over_15": 0.25}]
        (out / "report/report.json").write_text(json.dumps({"remixed": remixed}))

    monkeypatch.setattr(running, "run_together", pretend)
    plan = Plan(
        Experiment.model_validate(MADE),
        tmp_path / "out",
        "DATA",
        pool=Path("POOL"),
        tracks=Path("TRACKS"),
        natural=("audioset", "AS"),
        settings=("trainer.max_steps=3",),
        limit=7,
        device="cpu",
    )
    lines = run(plan)
    out = tmp_path / "out"
    training = ["train", "clearsep-mini", "--pool", "POOL", "--tracks", "TRACKS"]
    training += ["--out", str(out / "trainings/a"), "--set", "trainer.max_steps=3"]
    evaluation = ["evaluate", "--benchmark", "DATA", "--task", "hive"]
    evaluation += ["--metrics", "si_sdr_i,stoi", "--queries"]
    separation = ["decompose", "AS", "--corpus", "audioset", "--model"]
    common = ["--device", "cpu", "--limit", "7"]
    own = f"trained:{out / 'trainings/a'}"
    scores = out / "scores"

    def asking(queries: str, model: str, folder: str) -> list[str]:
        end = ["--examples", "0", "--model", model, "--out", str(scores / folder)]
        return [*evaluation, queries, *end]

    assert asked == [
        [*training, "--set", 'data.tracks={"independent": 0.1}'],
        [*asking("positive", own, "a-hive"), *common],
        [*separation, own, "--out", str(scores / "a-natural"), *common, "--positive-only"],
        [*asking("both", "known", "known_P+N-hive"), *common],
        [*separation, "known", "--out", str(scores / "known_P+N-natural"), *common],
    ]
    names = ["hive: si_sdr_i", "hive: stoi", "natural: re_sdr_over_15", "natural: re_sdr"]
    assert columns(plan.experiment) == names == list(lines["a"])
    assert [cell.mean for cell in lines["a"].values()] == [4.5, None, 0.25, 12.0]
    with (out / TABLE).open(newline="") as handle:
        table = list(csv.reader(handle))
    assert table[0][:3] == ["row", "hive: si_sdr_i", "hive: si_sdr_i, std"]
    assert table[2] == ["known_P+N", "4.5", "inf", "", "", "0.25", "", "12.0", ""]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [{"name": "a"}]}, "one of train and model"),
        ({"rows": [{"name": "a", "train": "b"}]}, "there is no training b"),
        ({"rows": [{"name": "../a", "train": "a"}]}, "rows.0.name"),
        ({"rows": [MADE["rows"][0]] * 2}, "same name"),  # type: ignore[index]
        ({"scores": [{"task": "natural", "metrics": ["si_sdr"]}]}, "si_sdr is none of"),
        ({"rows": [{"name": "a", "train": "a", "queries": "negative"}]}, "asked for what to keep"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_experiment(changes: dict, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**MADE, **changes}))
    with pytest.raises(HiveError, match=message) as error:
        load_experiment(str(file))
    assert str(file) in str(error.value)


def test_what_an_experiment_needs(tmp_path: Path) -> None:
    made = Experiment.model_validate(MADE)
    with pytest.raises(HiveError, match="needs --natural"):
        run(Plan(made, tmp_path, "mini", pool=tmp_path, tracks=tmp_path))
    with pytest.raises(HiveError, match="say 'silence-rates'"):
        load_experiment("silence-rate")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_experiment_of_small_networks(tmp_path: Path) -> None:
    """Two trainings, scored on the embedded dataset; the same command again changes nothing."""
    pool = WORLD["make_pool"](tmp_path / "pool")
    file = tmp_path / "small.yaml"
    made = {
        "title": "Small",
        "recipe": "clearsep-mini",
        "trainings": {
            "with": {"data.queries.silence": 0.2},
            "without": {"data.queries.silence": 0.0},
        },
        "rows": [{"name": name, "train": name} for name in ("with", "without")]
        + [{"name": "nothing", "model": "mixture"}],
        "scores": [{"task": "hive", "metrics": ["si_sdr_i"]}],
    }
    file.write_text(yaml.safe_dump(made))
    words = [sys.executable, "-m", "hive", "experiment", str(file), "--pool", str(pool)]
    words += ["--out", str(tmp_path / "out"), "--limit", "4", "--device", "cpu"]
    untrained = "model.config.encoder.untrained=ancestors"  # mini has other classes
    for setting in (WORLD["SMALL"]["clearsep"], *WORLD["TINY"][1:], untrained):
        words += ["--set", setting]
    tables = []
    for _ in range(2):
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Small" in done.stdout
        tables.append((tmp_path / "out" / TABLE).read_bytes())
    assert tables[0] == tables[1]
    rows = {row["row"]: row for row in csv.DictReader(tables[0].decode().splitlines())}
    assert list(rows) == ["with", "without", "nothing"]
    assert float(rows["nothing"]["hive: si_sdr_i"]) == 0.0
    assert float(rows["with"]["hive: si_sdr_i"]) != float(rows["without"]["hive: si_sdr_i"])
