"""What a model card says, typed: of the network, from itself; of its training, from the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baselines.architectures import architecture

if TYPE_CHECKING:
    from baselines.model import SeparationModel

_REPO = r"^[\w.-]+/[\w.-]+$"
_NAME = r"^[\w.-]+$"
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFacts(_Facts):
    """Sound that a network was trained on.

    Attributes:
        name: What it is called.
        description: What it is, and how examples are made of it, in a sentence or two.
        hub_id: Its dataset repository on the hub, OWNER/NAME; None if it is on none.
        fingerprint: SHA-256 that says which edition it is, such as that of the clip table.
        clips: Recordings in it.
        hours: Their length.
        licences: Number of recordings by licence, SPDX identifiers.
    """

    name: str
    description: str = ""
    hub_id: str | None = Field(default=None, pattern=_REPO)
    fingerprint: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    clips: Count | None = None
    hours: Number | None = None
    licences: dict[str, Count] = Field(default_factory=dict)


class TrainingFacts(_Facts):
    """How a network was trained.

    Attributes:
        data: What it was trained on.
        validation: What it was chosen by, in a sentence.
        recipe: Settings by name: loss, optimiser, batch size and so on.
        seed: Seed of the run.
        steps: Steps of the optimiser.
        examples: Mixtures that it has seen.
        hardware: What it ran on, such as "1 NVIDIA H200".
        seconds: How long it ran.
    """

    data: tuple[DataFacts, ...]
    validation: str = ""
    recipe: dict[str, str | int | Number | bool] = Field(default_factory=dict)
    seed: int
    steps: Count
    examples: Count | None = None
    hardware: str
    seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Result(_Facts):
    """A number that was measured.

    Attributes:
        data: On what: name of a benchmark or dataset.
        group: Which part of it, such as "2 sources".
        metric: Name of the metric, as `hive-bench metrics` lists it.
        unit: Its unit.
        value: Mean.
        low: Lower end of the 95 % interval; None if there is none.
        high: Upper end of it.
        count: Items that it is the mean of.
    """

    data: str
    group: str = ""
    metric: str
    unit: str = "dB"
    value: Number
    low: Number | None = None
    high: Number | None = None
    count: Count | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Result:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high belong together: give both, or none")
        if self.low is None or self.high is None:
            return self
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value} is not between low and high")
        return self


class CardFacts(_Facts):
    """What a card says of a trained network; what is left out is told to be not stated.

    Attributes:
        name: Name of the trained network.
        summary: What it is for, in a sentence or two.
        repo: Its repository on the hub, OWNER/NAME; None if it is on none.
        licence: Licence of the weights, an SPDX identifier.
        licence_note: Why that licence, or what else it asks for.
        training: How it was trained.
        results: What it scores.
        results_note: How that was measured, and against what to hold it.
        limits: What it cannot do, a sentence each.
        attributions: Who is to be named, a line each.
        attributions_file: File of the folder that names all; empty if there is none.
    """

    name: str = Field(pattern=_NAME)
    summary: str = ""
    repo: str | None = Field(default=None, pattern=_REPO)
    licence: str | None = None
    licence_note: str = ""
    training: TrainingFacts | None = None
    results: tuple[Result, ...] = ()
    results_note: str = ""
    limits: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()
    attributions_file: str = Field(default="", pattern=r"^[\w.-]*$")


@dataclass(frozen=True)
class NetworkFacts:
    """What a network says of itself.

    Attributes:
        architecture: Name of its architecture.
        title: What people call that.
        sample_rate: Rate it works at, Hz.
        window_seconds: Length that it was trained at.
        takes_negatives: Whether it uses queries of what to drop.
        encoder: Kind of its query encoder.
        checkpoint: Checkpoint that the query encoder needs besides; None if it needs none.
        parameters: Number of weights, without those of that checkpoint.
    """

    architecture: str
    title: str
    sample_rate: int
    window_seconds: float
    takes_negatives: bool
    encoder: str
    checkpoint: str | None
    parameters: int


def network_facts(model: SeparationModel) -> NetworkFacts:
    """Ask a network what it is."""
    return NetworkFacts(
        architecture=model.name,
        title=architecture(model.name).title,
        sample_rate=model.sample_rate,
        window_seconds=model.window_seconds,
        takes_negatives=model.takes_negatives,
        encoder=model.encoder.kind,
        checkpoint=model.encoder.config().get("checkpoint"),
        parameters=sum(each.numel() for each in model.parameters()),
    )
