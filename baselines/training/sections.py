"""What a training run is made of: the sections of its YAML file.

Every field has a description, which `hive-bench train --fields` prints; unknown keys are refused.
Files and overrides are read by `baselines.training.config`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baselines.data.config import DataConfig
from baselines.training.losses import LossConfig


class Section(BaseModel):
    """A part of a configuration: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(Section):
    """The network."""

    architecture: str = Field(
        description="Name of the architecture, see `baselines.architectures`."
    )
    preset: Literal["published", "mini"] = Field(
        description="Sizes to begin with: those of the publication, or those of the shipped minis."
    )
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the architecture's configuration that differ from the preset; "
        "`encoder` is joined with the preset's if it is of the same kind, else it replaces it.",
    )
    start: str | None = Field(
        default=None,
        description="Weights to begin with: `clap` for the audio encoder of the query encoder's "
        "checkpoint, which ClearSep adapts; or a trained network, by folder or name; or, with "
        "`frozen:` before that, the parts of it that are not trained, such as FlowSep's "
        "autoencoder and vocoder. By default all weights are drawn.",
    )


class OptimiserSection(Section):
    """AdamW (Loshchilov and Hutter, ICLR 2019)."""

    lr: float = Field(gt=0, description="Learning rate that the schedule multiplies.")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        default=(0.9, 0.999), description="Decay of the running mean and of the running square."
    )
    eps: float = Field(default=1e-8, gt=0, description="Added to the root of the square.")
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="Decoupled decay of all weights, as in the publications.",
    )
    amsgrad: bool = Field(
        default=False, description="Divide by the largest running square so far (AMSGrad)."
    )


class ConstantSchedule(Section):
    """The same learning rate throughout."""

    kind: Literal["constant"]


class PlateauSchedule(Section):
    """Lower learning rate each time the validation score stops to grow."""

    kind: Literal["plateau"]
    factor: float = Field(gt=0, lt=1, description="What the learning rate is multiplied by.")
    patience: int = Field(
        ge=0, description="Validations in a row without a better score that are put up with."
    )
    floor: float = Field(default=0.0, ge=0, description="Learning rate that it never falls below.")


class SteppedSchedule(Section):
    """Warm-up of AudioSep: a small learning rate for many steps, then a larger one, and so on."""

    kind: Literal["stepped"]
    factors: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.001, 0.01, 0.1),
        description="Multiples of the learning rate, one after the other; then 1.",
    )
    every: int = Field(default=10_000, ge=1, description="Steps that each of them lasts.")


class CosineSchedule(Section):
    """Linear warm-up, then half a period of a cosine."""

    kind: Literal["cosine"]
    warmup_steps: int = Field(default=0, ge=0, description="Steps from near 0 to the full rate.")
    steps: int | None = Field(
        default=None,
        ge=1,
        description="Step at which the cosine ends; by default the run's last step.",
    )
    final: float = Field(
        default=0.0, ge=0, le=1, description="Multiple of the learning rate at the end and after."
    )


Schedule = Annotated[
    ConstantSchedule | PlateauSchedule | SteppedSchedule | CosineSchedule,
    Field(discriminator="kind"),
]


class TrainerSection(Section):
    """How long, how exactly and on what the network is trained."""

    max_steps: int | None = Field(
        default=None, ge=1, description="Steps of the optimiser to train for."
    )
    max_epochs: int | None = Field(
        default=None, ge=1, description="Epochs to train for; what ends first counts."
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32",
        description="Arithmetic of the forward pass: float32, or mixed with bfloat16 or (GPU only) "
        "float16; weights, loss and optimiser are float32.",
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="What to compute on; auto takes GPUs if there are any."
    )
    devices: int = Field(
        default=1, ge=1, description="GPUs, or processes on the CPU, of each machine."
    )
    num_nodes: int = Field(default=1, ge=1, description="Machines.")
    sync_batchnorm: bool = Field(
        default=False,
        description="Statistics of batch normalisation over all GPUs, not over each for itself.",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        description="Batches whose gradients are averaged for a step; batch normalisation sees "
        "each for itself.",
    )
    clip: float | None = Field(
        default=None, gt=0, description="Largest norm of all gradients together; none by default."
    )
    compile: bool = Field(default=False, description="Compile the network with `torch.compile`.")
    ema_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Validate and save an exponential moving average of the weights, with this "
        "decay a step; none by default.",
    )
    validate_every_steps: int = Field(
        default=1000, ge=1, description="Steps from one validation and checkpoint to the next."
    )
    log_every_steps: int = Field(
        default=50, ge=1, description="Steps from one log line to the next."
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of the initial weights, of the data and of all noise."
    )
    deterministic: bool = Field(
        default=False,
        description="Use only operations that give the same bits each time, slower on a GPU.",
    )

    @model_validator(mode="after")
    def _ends(self) -> TrainerSection:
        if self.max_steps is None and self.max_epochs is None:
            raise ValueError("max_steps or max_epochs is needed")
        return self


class EngineSection(Section):
    """How tracks are made where training takes turns with the data engine (`--iterations`)."""

    negatives: bool = Field(
        default=True, description="Whether the network is told what to drop: the other events."
    )
    least_share: float = Field(
        default=0.01, ge=0.0, le=0.5, description="Least share of a track in the energy."
    )
    correlation: float = Field(
        default=0.3, ge=0.0, le=1.0, description="Largest correlation of two tracks."
    )
    similarity: float = Field(
        default=0.9, ge=0.0, le=1.0, description="Largest likeness of two tracks' spectrograms."
    )


class TrainingConfig(Section):
    """A training run."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Name of the run and of the trained model."
    )
    model: ModelSection
    data: DataConfig
    loss: LossConfig
    optimiser: OptimiserSection
    schedule: Schedule
    trainer: TrainerSection
    engine: EngineSection = Field(default_factory=EngineSection)
