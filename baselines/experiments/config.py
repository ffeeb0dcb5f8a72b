"""What an experiment is: trainings that differ, and rows of scores. Read from YAML."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hive.errors import HiveError

FOLDER = Path(__file__).resolve().parent / "configs"
#: Scores that `hive-bench decompose` gives of natural recordings, see `hive.engine.report`.
NATURAL = ("re_sdr", "re_si_sdr", "re_sdr_over_15", "re_si_sdr_over_15")
Name = Annotated[str, Field(pattern=r"^[\w.+-]+$", max_length=60)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """A row of the table: a model, and how it is asked.

    Attributes:
        name: Its heading.
        train: The training that gives the model.
        model: In its place, what `--model` of `hive-bench evaluate` takes.
        queries: What the model is told, as `hive-bench evaluate --queries`.
    """

    name: Name
    train: Name | None = None
    model: str | None = None
    queries: Literal["positive", "negative", "both"] = "positive"

    @model_validator(mode="after")
    def _one_of_both(self) -> Row:
        if (self.train is None) == (self.model is None):
            raise ValueError("a row has one of train and model")
        return self


class Score(_Part):
    """Columns of the table.

    Attributes:
        task: A task of `hive-bench evaluate`, or `natural` for the remix quality of natural
            recordings that `hive-bench decompose` separates.
        metrics: Names of columns.
    """

    task: Literal["hive", "silence", "natural"]
    metrics: tuple[str, ...]

    @model_validator(mode="after")
    def _known(self) -> Score:
        if self.task == "natural" and (wrong := {*self.metrics} - {*NATURAL}):
            raise ValueError(f"{sorted(wrong)[0]} is none of {', '.join(NATURAL)}")
        return self


class Experiment(_Part):
    """An experiment.

    Attributes:
        title: What it shows, and whose it is.
        recipe: Configuration that all trainings begin with, as `hive-bench train`.
        tracks: Whether they need tracks of natural recordings.
        trainings: Settings of each, as `section.key: value`.
        rows: Rows of the table.
        scores: Its columns.
    """

    title: str
    recipe: str = "clearsep"
    tracks: bool = False
    trainings: dict[Name, dict[str, Any]] = {}
    rows: tuple[Row, ...]
    scores: tuple[Score, ...]

    @property
    def natural(self) -> bool:
        """Whether natural recordings are separated."""
        return any(score.task == "natural" for score in self.scores)

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        for row in self.rows:
            if row.train is not None and row.train not in self.trainings:
                raise ValueError(f"row {row.name}: there is no training {row.train}")
            if self.natural and row.queries == "negative":
                raise ValueError(f"row {row.name}: natural recordings are asked for what to keep")
        names = [row.name for row in self.rows]
        if len({*names}) < len(names):
            raise ValueError("two rows have the same name")
        return self


def shipped() -> dict[str, Path]:
    """Return the shipped experiments by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def load_experiment(name: str) -> Experiment:
    """Read an experiment.

    Args:
        name: A shipped one, or a YAML file.

    Raises:
        HiveError: If there is none, or a field is unknown, missing or wrong.
    """
    known = shipped()
    path = known.get(name, Path(name))
    if not path.is_file():
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise HiveError(
            f"{name}: there is no such file, nor an experiment of that name",
            f"say {nearest[0]!r}" if nearest else f"take a file, or one of {', '.join(known)}",
        )
    try:
        return Experiment.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HiveError(f"{path}: this is no YAML ({error})", "mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        raise HiveError(
            f"{path}: {place or 'the whole'}: {first['msg']}", "compare with a shipped experiment"
        ) from error
