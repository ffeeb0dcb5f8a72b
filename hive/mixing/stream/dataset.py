"""Mixtures made on the fly, in batches, as a torch dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from hive.errors import HiveError
from hive.mixing.stream.division import Division
from hive.mixing.stream.mixer import Mixer
from hive.mixing.stream.order import Permutation
from hive.mixing.stream.readers import Reader
from hive.mixing.stream.recipe import Mixtures, Recipe
from hive.mixing.stream.spares import Spares
from hive.seeding import Stream

Batch = dict[str, Any]


class MixtureStream(IterableDataset[Any]):
    """Batches of mixtures, each made when it is needed; to be used with `StreamLoader`.

    Mixture i has the samples that `mix render` writes for row i, and is the sum of its sources to
    the bit. Every mixture comes exactly once an epoch, whatever the number of ranks and workers,
    and the batches of a rank come in an order that does not depend on the number of workers.

    A batch of B mixtures of T samples with at most S sources holds

    - `mixture`: float32 [B, T], full scale 1.0;
    - `sources`: float32 [B, S, T], zeros where a mixture has fewer sources (with targets="all");
    - `target`: float32 [B, T], `query`: its label, list of B, and `target_source`: its number from
      0, int64 [B] (with targets="one");
    - `num_sources`: int64 [B]; `labels`: list of B lists; `index`: int64 [B]; `mix_id`: list of B;
    - `replaced`: int64 [B], index of the mixture that could not be made and that this one stands in
      for, -1 for none (see `on_error`).

    Args:
        mixtures: Recipes: `Planned` or `Drawn`.
        reader: Samples: see `open_reader`.
        batch_size: Mixtures of a batch of one rank; None yields single mixtures, without the
            dimension B and without the lists over it.
        seed: Seed of the order and of the choice of targets.
        shuffle: Whether each epoch has an order of its own; if not, mixtures come by index.
        targets: "all" gives every source; "one" gives one source of each mixture, chosen at
            random by seed, epoch and index, with its label as the query: what a model that is asked
            for one sound is trained on.
        drop_last: Leave out the rest that does not fill a batch of every rank, so that all ranks
            make the same number of equal batches, as `DistributedDataParallel` needs.
        rank: This process among those that train together; by default what torch.distributed says
            when it is set up, else 0.
        world_size: Number of such processes, likewise; else 1.
        transform: Called on each batch in the worker that made it; what it returns is yielded.
        on_error: What becomes of a mixture that cannot be made, since a clip of it is missing,
            damaged or silent. "replace" puts another mixture of the epoch in its place, chosen by
            seed, epoch and index, and logs a warning: batches keep their size, and a run that is
            resumed sees the same. "raise" ends the iteration. By default what is shuffled, for
            training, is replaced, and what comes in order, for evaluation, is not. Storage that
            does not answer, and mixtures that cannot be replaced either, always raise.

    Raises:
        HiveError: If the reader is known not to have the mixtures' clips, or an argument is wrong.
    """

    def __init__(
        self,
        mixtures: Mixtures,
        reader: Reader,
        *,
        batch_size: int | None,
        seed: int = 0,
        shuffle: bool = True,
        targets: Literal["all", "one"] = "all",
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
        transform: Callable[[Batch], Any] | None = None,
        on_error: Literal["replace", "raise"] | None = None,
    ) -> None:
        if targets not in ("all", "one"):
            raise HiveError(f"targets={targets!r} is not known", 'say "all" or "one"')
        if on_error not in (None, "replace", "raise"):
            raise HiveError(f"on_error={on_error!r} is not known", 'say "replace" or "raise"')
        if (rank is None) != (world_size is None):
            raise HiveError("rank and world_size go together", "give both, or neither")
        if rank is None or world_size is None:
            rank, world_size = _distributed()
        size = 1 if batch_size is None else batch_size
        self.division = Division(len(mixtures), size, rank, world_size, drop_last)
        if self.division.ends(0):
            raise HiveError(
                f"{len(mixtures)} mixtures are less than a batch of {size} for each of "
                f"{world_size} ranks, and drop_last leaves them out",
                "take smaller batches or more mixtures",
            )
        reader.check(mixtures.clips, mixtures.sample_rate)
        self._mixtures = mixtures
        self._reader = reader
        self._single = batch_size is None
        self._seed = seed
        self._shuffle = shuffle
        self._targets = targets
        self._transform = transform
        replace = shuffle if on_error is None else on_error == "replace"
        self._spares = Spares(mixtures, seed, replace)
        self._length = int(mixtures.seconds * mixtures.sample_rate)
        # Shared with the workers, which may live longer than an epoch: epoch, and place in it.
        self._cursor = torch.zeros(2, dtype=torch.int64)
        self._cursor.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        """Batches of this rank in an epoch."""
        return self.division.count()

    def identity(self) -> dict[str, Any]:
        """Return what a saved place depends on, as JSON values."""
        return {
            **self._mixtures.identity(),
            "seed": self._seed,
            "shuffle": self._shuffle,
            "batch_size": self.division.batch_size,
        }

    def seek(self, epoch: int, place: int) -> None:
        """Say where the next iteration begins, in this process and in its workers.

        Args:
            epoch: Number of the epoch.
            place: Samples of it that all ranks together have consumed.
        """
        self._cursor[0], self._cursor[1] = epoch, place

    def __iter__(self) -> Iterator[Any]:
        epoch, place = self._cursor.tolist()
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        order = Permutation(len(self._mixtures), self._seed, epoch) if self._shuffle else None
        mixer = Mixer(self._reader, self._length)
        # A loader asks its workers in turn, so batch b comes from worker b mod W.
        for number in range(worker, self.division.count(place), workers):
            items = np.array(self.division.batch(place, number), dtype=np.int64)
            indices = order(items) if order else items
            if self._mixtures.endless:
                indices = indices + epoch * len(self._mixtures)
            batch = self._make(mixer, epoch, indices.tolist())
            yield self._transform(batch) if self._transform else batch

    def _make(self, mixer: Mixer, epoch: int, indices: list[int]) -> Batch:
        planned = self._mixtures.recipes(indices)
        self._reader.expect(one for recipe in planned for one in recipe.ingredients)
        batch: Batch = {"mixture": _empty(len(planned), self._length)}
        if self._targets == "all":
            recipes = self._fill_all(mixer, epoch, planned, batch)
        else:
            recipes = self._fill_one(mixer, epoch, planned, batch)
        labels = [[one.label for one in recipe.ingredients] for recipe in recipes]
        replaced = [
            -1 if recipe is before else before.index
            for recipe, before in zip(recipes, planned, strict=True)
        ]
        batch |= {
            "num_sources": torch.tensor([len(names) for names in labels]),
            "labels": labels,
            "index": torch.tensor([recipe.index for recipe in recipes]),
            "mix_id": [recipe.mix_id for recipe in recipes],
            "replaced": torch.tensor(replaced),
        }
        return {name: value[0] for name, value in batch.items()} if self._single else batch

    def _fill_all(
        self, mixer: Mixer, epoch: int, planned: Sequence[Recipe], batch: Batch
    ) -> list[Recipe]:
        """Make mixtures with all their sources; return which were made."""
        batch["sources"] = _empty(len(planned), self._mixtures.largest, self._length)

        def make(recipe: Recipe, row: int) -> None:
            count = len(recipe.ingredients)
            stems = batch["sources"][row].numpy()
            mixer.mix(recipe, list(stems[:count]), batch["mixture"][row].numpy())
            stems[count:] = 0.0

        return [self._spares.make(recipe, row, epoch, make) for row, recipe in enumerate(planned)]

    def _fill_one(
        self, mixer: Mixer, epoch: int, planned: Sequence[Recipe], batch: Batch
    ) -> list[Recipe]:
        """Make mixtures with one target each; return which were made."""
        batch["target"] = _empty(len(planned), self._length)
        spare = np.empty((self._mixtures.largest, self._length), np.float32)

        def make(recipe: Recipe, row: int) -> None:
            stems = list(spare[: len(recipe.ingredients)])
            stems[self._target(recipe, epoch)] = batch["target"][row].numpy()
            mixer.mix(recipe, stems, batch["mixture"][row].numpy())

        recipes = [
            self._spares.make(recipe, row, epoch, make) for row, recipe in enumerate(planned)
        ]
        chosen = [self._target(recipe, epoch) for recipe in recipes]
        batch["query"] = [
            recipe.ingredients[number].label for recipe, number in zip(recipes, chosen, strict=True)
        ]
        batch["target_source"] = torch.tensor(chosen)
        return recipes

    def _target(self, recipe: Recipe, epoch: int) -> int:
        stream = Stream(self._seed, "stream", f"{epoch}/{recipe.index}", "target")
        return stream.integer(len(recipe.ingredients))


def _empty(*shape: int) -> Tensor:
    """Return room for float32; in a worker where the process that it is sent to can see it."""
    if get_worker_info() is None:
        return torch.from_numpy(np.empty(shape, np.float32))
    size = 4 * int(np.prod(shape))
    # What torch's own collate function does; tensors made elsewhere are copied when they are sent.
    storage: Any = torch.UntypedStorage._new_shared(size)  # type: ignore[no-untyped-call]
    flat: Tensor = torch.empty(0).set_(storage)
    return flat.view(shape)


def _distributed() -> tuple[int, int]:
    """Return this process's rank and the number of ranks, by torch.distributed."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
