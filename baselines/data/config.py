"""What training examples are made of: the `data` section of a training configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from hive.mixing.settings import SIZE_SHARES, SNR_RANGE_DB
from hive.tables import SIZES

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=60.0)]
Range = tuple[FiniteFloat, FiniteFloat]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _rising(name: str, bounds: Range) -> None:
    if not bounds[0] <= bounds[1]:
        raise ValueError(f"{name}: {bounds[0]:g} is above {bounds[1]:g}")


class QueryConfig(_Section):
    """What is asked of a mixture."""

    positive_only: Share = Field(
        default=1.0, description="Share of the questions that name what to keep, and no more."
    )
    negative_only: Share = Field(
        default=0.0, description="Share of the questions that name what to drop, and no more."
    )
    both: Share = Field(default=0.0, description="Share of the questions that name both.")
    negatives: Literal["all", "some"] = Field(
        default="all",
        description="What is named as to be dropped: the labels of all other sources, as in the "
        "ClearSep paper, or of a random part of them, at least one.",
    )
    silence: Share = Field(
        default=0.0,
        description="Share of the questions that name a class that the mixture does not hold: the "
        "target is silence.",
    )
    plausible: Share = Field(
        default=0.5,
        description="Share of these classes that are drawn from those which may be heard together "
        "with the mixture's; the others are drawn from all classes of the data.",
    )
    ancestors: Share = Field(
        default=0.0,
        description="Share of the questions for a source that name a node of the ontology above "
        "its class; the target is the sum of all sources below that node.",
    )

    @model_validator(mode="after")
    def _add_up(self) -> QueryConfig:
        if abs(self.positive_only + self.negative_only + self.both - 1.0) > 1e-6:
            raise ValueError("positive_only, negative_only and both must add up to 1")
        if self.silence and self.negative_only == 1.0:
            raise ValueError("silence needs questions that name what to keep")
        return self

    @property
    def uses_negatives(self) -> bool:
        """Whether some questions name what to drop."""
        return self.positive_only < 1.0


class AugmentConfig(_Section):
    """What is changed in each source before mixing; the defaults suit pools of few recordings."""

    semitones: int = Field(
        default=5,
        ge=0,
        le=12,
        description="Speed and pitch together are changed by up to so many semitones, in whole "
        "ones, each as likely as the others.",
    )
    shift: Share = Field(
        default=1.0, description="Share of the sources that are shifted in time, in a circle."
    )
    polarity: Share = Field(default=0.5, description="Share of the sources whose sign is changed.")
    equaliser: Share = Field(
        default=0.5, description="Share of the sources that go through a random equaliser."
    )
    equaliser_db: float = Field(
        default=9.0, ge=0.0, le=40.0, description="Largest gain or loss of one of its bands, dB."
    )
    low_pass: Share = Field(
        default=0.1, description="Share of the sources whose upper band is cut off."
    )
    low_pass_hz: Range = Field(
        default=(2500.0, 12000.0), description="Range of the frequency from which it is cut off."
    )
    reverb: Share = Field(
        default=0.15, description="Share of the sources that a synthetic reverberation is added to."
    )
    reverb_seconds: Range = Field(
        default=(0.1, 0.8), description="Range of the time in which it decays by 60 dB."
    )
    reverb_db: Range = Field(
        default=(-15.0, 0.0), description="Range of its level relative to the direct sound."
    )
    gaps: Share = Field(
        default=0.2, description="Share of the sources in which some time is silenced."
    )
    longest_gap: Share = Field(
        default=0.5, description="Longest gap, as a share of the example; there are one or two."
    )
    level_db: Range = Field(
        default=(-15.0, 0.0), description="Range of the gain of the mixture as a whole, dB."
    )

    @model_validator(mode="after")
    def _ranges(self) -> AugmentConfig:
        for name in ("low_pass_hz", "reverb_seconds", "reverb_db", "level_db"):
            _rising(name, getattr(self, name))
        if self.low_pass_hz[0] < 100.0 or self.reverb_seconds[0] <= 0.0:
            raise ValueError("low_pass_hz begins at 100 Hz, reverb_seconds above 0")
        if self.reverb_seconds[1] > 10.0 or self.level_db[1] > 0.0 or self.level_db[0] < -80.0:
            raise ValueError("reverb_seconds end at 10 s, level_db lies between -80 and 0 dB")
        return self


class TracksConfig(_Section):
    """How the tracks of natural recordings are trained on, where some are given (`--tracks`)."""

    independent: Share = Field(
        default=0.5,
        description="Share of the examples that are mixed of clips and tracks together "
        "(independent-track training).",
    )
    self_separate: Share = Field(
        default=0.2,
        description="Share of the examples that are natural recordings with one of their tracks "
        "as the target (self-separate training). What is left is mixed of clips alone.",
    )
    independent_db: FiniteFloat = Field(
        default=10.0,
        description="Re-SDR and Re-SI-SDR of a recording above which its tracks are mixed, dB.",
    )
    self_separate_db: FiniteFloat = Field(
        default=15.0,
        description="Likewise, above which the recording itself is trained on with its tracks, dB.",
    )

    @model_validator(mode="after")
    def _at_most_all(self) -> TracksConfig:
        if self.independent + self.self_separate > 1.0 + 1e-9:
            raise ValueError("independent and self_separate are more than 1 together")
        return self


class ValidationConfig(_Section):
    """The mixtures that a network is validated with: the same ones every time, not augmented.

    Each is asked for one of its sources; some are asked for an absent class as well.
    """

    split: str = Field(default="validation", description="Split that they are made of.")
    sizes: tuple[int, ...] = Field(default=SIZES, description="Numbers of sources.")
    mixtures: int = Field(
        default=100, ge=1, description="Mixtures of each number of sources, nearly or exactly."
    )
    silence: Share = Field(
        default=0.25, description="Share of them that are asked for an absent class as well."
    )
    seed: int = Field(default=0, ge=0, description="Seed by which they are drawn.")

    @model_validator(mode="after")
    def _known(self) -> ValidationConfig:
        if not self.sizes or not set(self.sizes) <= set(SIZES):
            raise ValueError(f"sizes: choose from {', '.join(map(str, SIZES))}")
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError("sizes: each only once")
        return self


class DataConfig(_Section):
    """Training examples; where sounds come from is said on the command line."""

    seconds: Seconds = Field(default=4.0, description="Length of an example.")
    split: str = Field(default="train", description="Split that is trained on.")
    split_seed: int = Field(
        default=0,
        ge=0,
        description="Seed by which recordings of a pool that are not bound to a split are divided, "
        "as `--seed` of `hive-bench build`.",
    )
    licences: tuple[str, ...] = Field(
        default=(),
        description="Rules of licences that clips of a pool must meet, as `--allow-licence`.",
    )
    mixer: Literal["hive", "audiosep"] = Field(
        default="hive",
        description="hive: mixtures of classes that may be heard together. audiosep: two clips, "
        "each with the next one of the batch, at their own levels (needs a pool).",
    )
    sizes: dict[int, float] = Field(
        default_factory=lambda: dict(SIZE_SHARES),
        description="Share of the mixtures of each number of sources. Of shards, the mixtures of "
        "these numbers are taken, in the shares that are there; a plan is taken as it is.",
    )
    snr_db: Range = Field(
        default=SNR_RANGE_DB,
        description="Range of a source's level relative to the first source; with the mixer "
        "audiosep, of the second clip's level relative to the target. A plan has its own.",
    )
    mixtures_per_epoch: int = Field(
        default=10_000,
        ge=1,
        description="Mixtures of an epoch that are drawn; shards, a plan and the mixer audiosep "
        "have epochs of their own length.",
    )
    batch_size: int = Field(default=16, ge=1, description="Examples of a batch of each process.")
    workers: int = Field(
        default=2, ge=0, description="Processes that make batches for each that trains."
    )
    queries: QueryConfig = Field(default_factory=QueryConfig)
    augment: AugmentConfig | None = Field(
        default=None, description="Changes of the sources before mixing; none by default."
    )
    tracks: TracksConfig = Field(default_factory=TracksConfig)
    validation: ValidationConfig = Field(default_factory=ValidationConfig)

    @model_validator(mode="after")
    def _possible(self) -> DataConfig:
        _rising("snr_db", self.snr_db)
        if not set(self.sizes) <= set(SIZES) or any(
            not 0 <= share < float("inf") for share in self.sizes.values()
        ):
            raise ValueError("sizes: a share of 0 or more for some of 2, 3, 4 and 5 sources")
        if not sum(self.sizes.values()):
            raise ValueError("sizes: one needs a share above 0")
        if self.mixer == "audiosep" and self.batch_size < 2:
            raise ValueError("batch_size: the mixer audiosep mixes two examples of a batch")
        return self
