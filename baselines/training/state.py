"""How far a run has come: what its checkpoints know besides weights, optimiser and data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any


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
