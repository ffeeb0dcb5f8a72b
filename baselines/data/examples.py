"""The batch that networks are trained on and validated with."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from baselines.queries.encoder import Query


class Examples(NamedTuple):
    """A batch of mixtures with one query each.

    Attributes:
        mixture: Float32, shape (B, T).
        target: What the query asks for, float32, shape (B, T); zeros where it names a sound that
            the mixture does not hold.
        positive: B queries of what to keep; an empty tuple where only negatives are given.
        negative: B queries of what to drop; an empty tuple where none are given.
        num_sources: Sources of each mixture, int64, shape (B,).
        mix_id: B names of mixtures.
    """

    mixture: Tensor
    target: Tensor
    positive: list[Query]
    negative: list[Query]
    num_sources: Tensor
    mix_id: list[str]

    def pin_memory(self) -> Examples:
        """Return the batch with its tensors in page-locked memory, for loaders that ask for it."""
        return self._replace(
            mixture=self.mixture.pin_memory(),
            target=self.target.pin_memory(),
            num_sources=self.num_sources.pin_memory(),
        )
