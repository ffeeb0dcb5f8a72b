"""ClearSep's loop: train, separate natural recordings, train further on their tracks, and again.

Cheng et al. (2025), section 3.3 and appendix A.2: 80 epochs on labelled clips, then the data engine
with the trained network, then 20 epochs from its weights on clips and tracks, and so on. Here the
later trainings last a share of the first one, a quarter by default.

    RUN/iteration-1.yaml, RUN/iteration-1/    a run of `hive-bench train`
    RUN/tracks-1/                             `hive-bench decompose` with its network
    RUN/iteration-2/                          a run from its weights, on clips and tracks
    ...
    RUN/iterations.json                       what each iteration had and scored

Each part is a command of its own, so that it has the machine's memory and GPUs to itself; it goes
on where it was stopped, and is left alone when it is done. Several GPUs separate as a job array.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml

from baselines.training.commands import run_together
from baselines.training.folder import MODEL, RECORD
from baselines.training.sections import CosineSchedule, TrainingConfig
from hive.engine.page import FOLDER as REPORT
from hive.files import locked, write_json, write_text
from hive.mixing.clip_table import read_clips

TABLE = "iterations.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Loop:
    """What is to be done.

    Attributes:
        config: The first training; the later ones differ in length and first weights.
        pool: Pool or packed pool of labelled clips.
        natural: Natural recordings: what `hive-bench decompose` takes.
        corpus: What kind of corpus they are, as its `--corpus`.
        folder: Folder of the loop.
        iterations: How often to train.
        further: Length of the later trainings, as a share of the first.
        devices: Torch devices of the separation.
    """

    config: TrainingConfig
    pool: Path
    natural: Path
    corpus: str
    folder: Path
    iterations: int = 3
    further: float = 0.25
    devices: tuple[str, ...] = ("auto",)


@dataclass(frozen=True)
class Iteration:
    """What one iteration had and scored (ClearSep, table 2).

    Attributes:
        iteration: Its number, from 1.
        steps: Steps of its training.
        clip_hours: Hours of labelled clips to train on.
        track_hours: Hours of tracks to train on.
        recordings: Natural recordings whose tracks were trained on.
        self_separate: Those that were trained on themselves.
        scores: Of the validation, for the weights that were kept.
    """

    iteration: int
    steps: int
    clip_hours: float
    track_hours: float
    recordings: int
    self_separate: int
    scores: dict[str, float]


def iterate(loop: Loop) -> list[Iteration]:
    """Go through all iterations; stopped or killed, the same call goes on.

    Returns:
        What each iteration had and scored, which `iterations.json` holds too.

    Raises:
        HiveError: If another process is at work in the folder.
        CommandError: If a part failed, or was stopped.
    """
    with locked(loop.folder / LOCK, f"{loop.folder}: another process is at work here"):
        hours = _hours(loop.pool)
        done: list[Iteration] = []
        for number in range(1, loop.iterations + 1):
            if number > 1:
                run_together(_separating(loop, number - 1))
            run_together([_training(loop, number)])
            done.append(_told(loop, number, hours))
            write_json(loop.folder / TABLE, [asdict(one) for one in done])
        return done


def _training(loop: Loop, number: int) -> list[str]:
    """Return the command of a training, whose configuration is written."""
    config = loop.config if number == 1 else _further(loop, number)
    file = loop.folder / f"iteration-{number}.yaml"
    write_text(file, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    run = _folder(loop, "iteration", number)
    words = ["train", str(file), "--pool", str(loop.pool), "--out", str(run)]
    return _command(
        [*words, "--tracks", str(_folder(loop, "tracks", number - 1))] if number > 1 else words
    )


def _separating(loop: Loop, number: int) -> list[list[str]]:
    """Return the commands that make the tracks of an iteration, one for each device."""
    words = ["decompose", str(loop.natural), "--corpus", loop.corpus]
    words += ["--model", f"trained:{_folder(loop, 'iteration', number)}"]
    words += ["--out", str(_folder(loop, "tracks", number)), "--iteration", str(number)]
    words += ["--seed", str(loop.config.trainer.seed), *_limits(loop.config)]
    count = len(loop.devices)
    return [
        _command(
            [
                *words,
                *("--device", device),
                *("--shard-index", str(index), "--shard-count", str(count)),
            ]
        )
        for index, device in enumerate(loop.devices)
    ]


def _limits(config: TrainingConfig) -> list[str]:
    told, tracks = config.engine, config.data.tracks
    named = {
        "threshold": min(tracks.independent_db, tracks.self_separate_db),
        "self-separate": tracks.self_separate_db,
        "least-share": told.least_share,
        "correlation": told.correlation,
        "similarity": told.similarity,
    }
    words = [word for name, value in named.items() for word in (f"--{name}", str(value))]
    return words if told.negatives else [*words, "--positive-only"]


def _further(loop: Loop, number: int) -> TrainingConfig:
    """Return the configuration of a later training."""
    config = loop.config
    trainer = config.trainer
    lengths = {
        name: None if value is None else max(1, round(value * loop.further))
        for name, value in (("max_steps", trainer.max_steps), ("max_epochs", trainer.max_epochs))
    }
    weights = _folder(loop, "iteration", number - 1) / MODEL
    schedule = config.schedule
    if isinstance(schedule, CosineSchedule):
        schedule = schedule.model_copy(update={"steps": None})
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"start": str(weights)}),
            "trainer": trainer.model_copy(update=lengths),
            "schedule": schedule,
        }
    )


def _told(loop: Loop, number: int, hours: float) -> Iteration:
    """Read what an iteration left behind."""
    record = _read(_folder(loop, "iteration", number) / RECORD)
    best = next(one for one in record["history"] if one["step"] == record["best_step"])
    independent: dict[str, Any] = {"track_hours": 0.0, "recordings": 0}
    own: dict[str, Any] = {"recordings": 0}
    if number > 1:
        report = _read(_folder(loop, "tracks", number - 1) / REPORT / "report.json")
        independent, own = report["subsets"]
    return Iteration(
        iteration=number,
        steps=record["steps"],
        clip_hours=hours,
        track_hours=independent["track_hours"],
        recordings=independent["recordings"],
        self_separate=own["recordings"],
        scores={name: value for name, value in best.items() if name != "step"},
    )


def _read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _hours(pool: Path) -> float:
    clips = read_clips(pool)
    seconds = pc.sum(pc.subtract(clips["end_second"], clips["start_second"])).as_py()
    return float(seconds) / 3600


def _folder(loop: Loop, kind: str, number: int) -> Path:
    return loop.folder / f"{kind}-{number}"


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "hive", *words]
