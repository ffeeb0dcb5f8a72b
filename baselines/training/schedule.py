"""Learning rates, as a function of the step and of the validation scores so far.

Nothing depends on how often the schedule was asked: a run that goes on from a checkpoint needs the
step, and for a plateau three numbers.
"""

from __future__ import annotations

import math
from typing import Any

from baselines.training.sections import (
    CosineSchedule,
    PlateauSchedule,
    Schedule,
    SteppedSchedule,
)


class LearningRate:
    """Learning rate of each step.

    Args:
        schedule: How it develops.
        lr: Learning rate that the schedule multiplies.
        last_step: Number of steps of the run, where a cosine ends unless it says otherwise.
    """

    def __init__(self, schedule: Schedule, lr: float, last_step: int) -> None:
        self._schedule = schedule
        self._lr = lr
        self._last_step = last_step
        self._current = lr  # of a plateau
        self._best = -math.inf
        self._worse = 0  # validations in a row that were not better

    def at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        schedule = self._schedule
        if isinstance(schedule, PlateauSchedule):
            return self._current
        if isinstance(schedule, SteppedSchedule):
            stage = step // schedule.every
            return self._lr * (schedule.factors[stage] if stage < len(schedule.factors) else 1.0)
        if isinstance(schedule, CosineSchedule):
            return self._lr * self._cosine(schedule, step)
        return self._lr

    def observe(self, score: float) -> None:
        """Take note of a validation score, larger being better.

        A plateau multiplies the rate when more than `patience` scores in a row were not better than
        the best one, as torch's `ReduceLROnPlateau` does with `threshold=0`.
        """
        if not isinstance(self._schedule, PlateauSchedule):
            return
        if score > self._best:
            self._best, self._worse = score, 0
            return
        self._worse += 1
        if self._worse > self._schedule.patience:
            lowered = max(self._current * self._schedule.factor, self._schedule.floor)
            self._current, self._worse = min(self._current, lowered), 0

    def state_dict(self) -> dict[str, Any]:
        """Return what `at` depends on besides the step."""
        return {"current": self._current, "best": self._best, "worse": self._worse}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._current = float(state["current"])
        self._best = float(state["best"])
        self._worse = int(state["worse"])

    def _cosine(self, schedule: CosineSchedule, step: int) -> float:
        if step < schedule.warmup_steps:
            return (step + 1) / (schedule.warmup_steps + 1)
        end = schedule.steps or self._last_step
        way = (step - schedule.warmup_steps) / max(1, end - schedule.warmup_steps)
        return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * min(1.0, way))) / 2
