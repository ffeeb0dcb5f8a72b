"""Training and validation examples, as Lightning wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning as pl

from baselines.data.examples import Examples
from baselines.data.module import TrainingData

_ENDLESS = 2**40


class Batches:
    """The epochs of a loader, one after another without end, with the loader's state.

    To Lightning a run is one long epoch, so there is but one kind of place to go on from: between
    two batches. It is told a length, since it would fetch one batch ahead of a loader that has
    none, and the state would be that of the batch after next.

    Args:
        loader: Gives the batches of one epoch in each pass, and knows its place.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return _ENDLESS

    def __iter__(self) -> Iterator[Examples]:
        while True:
            yield from self._loader

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        return int(self.state_dict()["epoch"])

    def state_dict(self) -> dict[str, Any]:
        """Return the place behind the last batch."""
        state: dict[str, Any] = self._loader.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at a place."""
        self._loader.load_state_dict(state)


class ExamplesModule(pl.LightningDataModule):
    """Loaders of a run; made when all ranks are known.

    Args:
        data: What they are made of.
        closed: Whether the network may only be asked for classes that it is trained on.
    """

    def __init__(self, data: TrainingData, closed: bool = False) -> None:
        super().__init__()
        self._data = data
        self._closed = closed
        self._batches: Batches | None = None
        self.validation: Any = None

    def train_dataloader(self) -> Batches:
        """Return the training examples."""
        self._batches = Batches(self._data.train_loader())
        self.validation = self._data.validation_loader(self._closed)
        return self._batches

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        return 0 if self._batches is None else self._batches.epoch
