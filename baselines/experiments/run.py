"""Running an experiment: commands of this program one after the other, then a table.

    OUT/trainings/NAME/       runs of `hive-bench train`
    OUT/scores/ROW-TASK/      runs of `hive-bench evaluate`, or of `hive-bench decompose`
    OUT/table.csv             the table

Each command goes on where it was stopped, and is quick where it is done; so does the experiment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from baselines.experiments.config import Experiment, Row, Score
from baselines.training.commands import run_together
from hive.errors import HiveError
from hive.files import locked, write_csv

TABLE = "table.csv"
LOCK = ".lock"
_OVER = "_over_15"


@dataclass(frozen=True)
class Plan:
    """What is done, and with what.

    Attributes:
        experiment: The experiment.
        out: Its folder.
        benchmark: Dataset that is scored on.
        pool: Pool that is trained on; None where nothing is trained.
        tracks: Tracks that are trained on as well.
        natural: Recordings for the scores of natural ones, as (corpus, place).
        recipe: In place of the experiment's.
        settings: `section.key=value`, for all trainings.
        limit: Mixtures, or recordings, to score at most.
        device: Torch device of the scoring.
    """

    experiment: Experiment
    out: Path
    benchmark: str
    pool: Path | None = None
    tracks: Path | None = None
    natural: tuple[str, str] | None = None
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    limit: int | None = None
    device: str = "auto"


class Cell(NamedTuple):
    """A value of the table: mean and standard deviation of the items, None where undefined."""

    mean: float | None
    std: float | None


Line = dict[str, Cell]


def run(plan: Plan) -> dict[str, Line]:
    """Train, score, and write the table; stopped or killed, the same call goes on.

    Returns:
        For each row, its values by "task: metric".

    Raises:
        HiveError: If something is missing that the experiment needs, or another process is at work.
        CommandError: If a command failed, or was stopped.
    """
    _check(plan)
    with locked(plan.out / LOCK, f"{plan.out}: another process is at work here"):
        for name in plan.experiment.trainings:
            run_together([_train(plan, name)])
        lines: dict[str, Line] = {}
        for row in plan.experiment.rows:
            lines[row.name] = {}
            for score in plan.experiment.scores:
                run_together([_score(plan, row, score)])
                lines[row.name] |= _read(plan, row, score)
            _write(plan, lines)
        return lines


def columns(experiment: Experiment) -> list[str]:
    """Return the headings of the values."""
    return [f"{score.task}: {metric}" for score in experiment.scores for metric in score.metrics]


def _check(plan: Plan) -> None:
    needed = {
        "--pool": (bool(plan.experiment.trainings), plan.pool),
        "--tracks": (plan.experiment.tracks, plan.tracks),
        "--natural": (plan.experiment.natural, plan.natural),
    }
    for option, (needs, given) in needed.items():
        if needs and given is None:
            raise HiveError(f"{plan.experiment.title}: needs {option}", f"give {option}")


def _train(plan: Plan, name: str) -> list[str]:
    own = [f"{key}={json.dumps(value)}" for key, value in plan.experiment.trainings[name].items()]
    words = ["train", plan.recipe or plan.experiment.recipe, "--pool", str(plan.pool)]
    if plan.experiment.tracks:
        words += ["--tracks", str(plan.tracks)]
    words += ["--out", str(_training(plan, name))]
    return _command([*words, *_repeated("--set", [*plan.settings, *own])])


def _score(plan: Plan, row: Row, score: Score) -> list[str]:
    model = row.model or f"trained:{_training(plan, row.train or '')}"
    common = ["--model", model, "--out", str(_scores(plan, row, score)), "--device", plan.device]
    common += ["--limit", str(plan.limit)] if plan.limit else []
    if score.task == "natural":
        corpus, place = plan.natural or ("", "")
        words = ["decompose", place, "--corpus", corpus, *common]
        return _command([*words, "--positive-only"] if row.queries == "positive" else words)
    asked = ["--task", score.task, "--metrics", ",".join(score.metrics), "--queries", row.queries]
    return _command(["evaluate", "--benchmark", plan.benchmark, *asked, "--examples", "0", *common])


def _read(plan: Plan, row: Row, score: Score) -> Line:
    folder = _scores(plan, row, score)
    if score.task == "natural":
        report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
        found = dict(_remixed(report["remixed"]))
    else:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        found = {
            one["metric"]: Cell(_number(one["mean"]), _number(one["std"]))
            for one in results["aggregates"]
            if one["group"] == "flat"  # the mean of all items, as in the papers
        }
    return {f"{score.task}: {name}": found.get(name, Cell(None, None)) for name in score.metrics}


def _remixed(remixed: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Cell]]:
    for one in remixed:
        yield one["metric"], Cell(one["mean"], None)
        yield f"{one['metric']}{_OVER}", Cell(one["over_15"], None)


def _number(value: float | str | None) -> float | None:
    """Return a number of `results.json`, where infinities are texts."""
    return None if value is None else float(value)


def _write(plan: Plan, lines: Mapping[str, Line]) -> None:
    names = columns(plan.experiment)
    head = [word for name in names for word in (name, f"{name}, std")]
    rows = [
        [row, *(value for name in names for value in line[name])] for row, line in lines.items()
    ]
    write_csv(plan.out / TABLE, ["row", *head], rows)


def _training(plan: Plan, name: str) -> Path:
    return plan.out / "trainings" / name


def _scores(plan: Plan, row: Row, score: Score) -> Path:
    return plan.out / "scores" / f"{row.name}-{score.task}"


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "hive", *words]
