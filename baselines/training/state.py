"""How far a run has come: what its checkpoints know besides weights, optimiser and data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lightning as pl


@dataclass
class RunState:
    """Progress of a run, in plain values.

    Attributes:
        step: Steps of the optimiser that are done.
        mixtures: Examples trained on, on all ranks together.
        seconds: Time spent, validations included, over all processes that took part in turn.
        validated: Step of the last validation.
        best_score: Highest validation score so far.
        best_step: Its step.
        history: One entry a validation: step, seconds, epoch, learning rate, mean loss since the
            entry before, scores.
    """

    step: int = 0
    mixtures: int = 0
    seconds: float = 0.0
    validated: int = 0
    best_score: float = -math.inf
    best_step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> RunState:
        """Return the state of a checkpoint."""
        return cls(**value)


@dataclass
class Window:
    """Sums over the batches since something was last reported.

    Attributes:
        batches: Batches of this rank.
        loss: Sum of their losses.
        mixtures: Examples of all ranks.
        seconds: Time that they took, without validations.
    """

    batches: int = 0
    loss: float = 0.0
    mixtures: int = 0
    seconds: float = 0.0

    def mean(self, trainer: pl.Trainer) -> float:
        """Return the mean loss, over all ranks; to be called on all of them."""
        import torch

        mean = self.loss / max(1, self.batches)
        if trainer.world_size == 1:
            return mean
        told = torch.tensor(mean, device=trainer.strategy.root_device)
        return float(trainer.strategy.reduce(told, reduce_op="mean"))

    @property
    def speed(self) -> float:
        """Examples a second."""
        return self.mixtures / self.seconds if self.seconds else 0.0
