"""What is kept of a training step whose loss or gradient is no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from baselines.data.examples import Examples
from hive.errors import HiveError


class NonFiniteError(Exception):
    """A loss or a gradient is infinite or NaN.

    Args:
        problem: Which.
        examples: The batch of this rank.
    """

    def __init__(self, problem: str, examples: Examples | None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.examples = examples


def keep(
    failure: NonFiniteError, folder: Path, step: int, rank: int, state: dict[str, Any]
) -> HiveError:
    """Save a failed step, and return the error to tell the user.

    Args:
        failure: What went wrong.
        folder: The run's folder; the file goes to `failures/`.
        step: Number of the step that failed.
        rank: This process.
        state: Tensors and plain values besides the batch, such as the weights.
    """
    path = folder / "failures" / f"step-{step:07d}-rank-{rank}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    examples = failure.examples
    batch: dict[str, Any] = {} if examples is None else examples._asdict()
    part = path.with_suffix(".part")
    torch.save({"problem": failure.problem, "step": step, **state, **batch}, part)
    part.replace(path)
    names = "" if examples is None else f" on {', '.join(examples.mix_id[:8])}"
    names += ", ..." if examples is not None and len(examples.mix_id) > 8 else ""
    return HiveError(
        f"step {step} failed{names}: {failure.problem}; batch, queries and weights are in {path}",
        f"look at it with torch.load({str(path)!r}, weights_only=True); then mend the recording, "
        "or train into another folder with a lower optimiser.lr, trainer.clip or precision fp32",
    )
