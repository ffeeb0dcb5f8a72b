"""An exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """Average of the trained weights and of the running statistics of a network.

    At first the average follows quickly: the decay of update t is min(decay, (1 + t) / (10 + t)),
    so that the initial weights do not weigh for long.

    Args:
        module: The network, on its device.
        decay: What is kept of the average at an update.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._average = {name: value.detach().clone() for name, value in averaged(module).items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the weights as they are."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        current = averaged(module)
        torch._foreach_lerp_(
            [self._average[name] for name in current], list(current.values()), 1 - decay
        )

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """Let the network have the averaged weights for a while."""
        self._exchange(module)
        try:
            yield
        finally:
            self._exchange(module)

    @torch.no_grad()
    def _exchange(self, module: nn.Module) -> None:
        for name, value in averaged(module).items():
            kept = value.clone()
            value.copy_(self._average[name])
            self._average[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values."""
        return {"updates": self._updates, "average": dict(self._average)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same network."""
        self._updates = int(state["updates"])
        for name, value in self._average.items():
            value.copy_(state["average"][name])


def averaged(module: nn.Module) -> dict[str, Tensor]:
    """Return what is averaged, by name: parameters that train, and buffers of real numbers."""
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    kept = set(module.state_dict(keep_vars=True))
    buffers = {
        name: value
        for name, value in module.named_buffers()
        if name in kept and value.is_floating_point()
    }
    return trained | buffers
