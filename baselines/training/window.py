"""Figures collected over some batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lightning as pl


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
