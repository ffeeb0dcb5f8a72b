"""The data of a training run: loaders of examples for training and for validation."""

from __future__ import annotations

import os
import signal
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from baselines.data.assemble import Assembler, TrainingAssembler, ValidationAssembler
from baselines.data.config import DataConfig
from baselines.data.examples import Examples
from baselines.data.ontology import Vocabulary
from baselines.data.sources import Sounds, open_source
from hive.errors import HiveError
from hive.mixing.stream.dataset import MixtureStream
from hive.mixing.stream.loader import StreamLoader


class ExampleStream(MixtureStream):
    """Batches of examples; what is drawn for each depends on the epoch too.

    Args:
        sounds: What mixtures are made of.
        assembler: Makes the examples.
        **options: Further options of `MixtureStream`.
    """

    def __init__(self, sounds: Sounds, assembler: Assembler, **options: Any) -> None:
        super().__init__(
            sounds.mixtures, sounds.reader, targets="all", transform=assembler, **options
        )
        self._assembler = assembler

    def seek(self, epoch: int, place: int) -> None:
        """Say where the next iteration begins."""
        super().seek(epoch, place)
        self._assembler.begin(epoch)


class TrainingData:
    """Examples to train on and to validate with, at the rate of a network.

    Args:
        source: A pool, a packed pool, a plan, a folder with shards, or "mini".
        config: What the examples are made of.
        sample_rate: Rate of the network, Hz.
        seed: Seed of everything that is drawn for training.
        pool: The pool of a plan.
        tracks: Tracks of natural recordings to train on as well, see `config.tracks`.

    Raises:
        HiveError: If the source holds nothing that can be trained on as configured.
    """

    def __init__(
        self,
        source: Path,
        config: DataConfig,
        *,
        sample_rate: int,
        seed: int,
        pool: Path | None = None,
        tracks: Path | None = None,
    ) -> None:
        self._source = open_source(source, pool, tracks)
        self._config = config
        self._sample_rate = sample_rate
        self._seed = seed
        self._training = self._source.training(config, seed)
        self._check(self._training, source)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The classes that are trained on."""
        return Vocabulary(self._training.mixtures.clips["label"].unique().to_pylist())

    def train_loader(self) -> StreamLoader:
        """Return a loader of `Examples`: each pass is an epoch, and it knows its place.

        All ranks of torch.distributed make the same number of equal batches; what does not fill
        a last step is left out. Set up torch.distributed first.

        Raises:
            HiveError: If an epoch is shorter than a batch of all ranks.
        """
        assembler = TrainingAssembler(
            self._config,
            self._training.mixtures.sample_rate,
            self._sample_rate,
            self.vocabulary,
            self._seed,
        )
        stream = ExampleStream(
            self._training,
            assembler,
            batch_size=self._config.batch_size,
            seed=self._seed,
            drop_last=True,
        )
        return self._loader(stream, persistent=True)

    def validation_loader(self, closed: bool = False) -> StreamLoader:
        """Return a loader of the same examples in each epoch, shared out among the ranks.

        Batches hold up to twice `batch_size` examples, where mixtures are asked for an absent
        class as well, and some ranks may get one more than others.

        Args:
            closed: Ask only for classes that are trained on; what holds none is left out, so that
                batches may be empty.

        Raises:
            HiveError: If there is nothing to validate with.
        """
        sounds = self._source.validation(self._config)
        self._check(sounds, Path(self._config.validation.split))
        assembler = ValidationAssembler(
            self._config.validation,
            self._config.seconds,
            sounds.mixtures.sample_rate,
            self._sample_rate,
            self.vocabulary,
            closed,
        )
        stream = ExampleStream(
            sounds,
            assembler,
            batch_size=self._config.batch_size,
            shuffle=False,
            on_error="replace",
        )
        return self._loader(stream, persistent=False)

    def identity(self) -> dict[str, Any]:
        """Return what the training examples depend on, as JSON values; no paths."""
        return {
            "mixtures": self._training.mixtures.identity(),
            "classes": len(self.vocabulary.names),
            "sample_rate": self._sample_rate,
            "seed": self._seed,
            "config": self._config.model_dump(mode="json", exclude={"workers"}),
        }

    def _loader(self, stream: ExampleStream, persistent: bool) -> StreamLoader:
        workers = self._config.workers
        return StreamLoader(
            stream,
            workers,
            collate_fn=_as_it_is,
            worker_init_fn=_patient,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=persistent and workers > 0,
        )

    def _check(self, sounds: Sounds, name: Path) -> None:
        mixtures = sounds.mixtures
        if mixtures.sample_rate < self._sample_rate:
            raise HiveError(
                f"{name}: its mixtures are at {mixtures.sample_rate} Hz, below the network's "
                f"{self._sample_rate} Hz",
                "train on mixtures of the network's rate or above",
            )
        if mixtures.seconds < self._config.seconds:
            raise HiveError(
                f"{name}: its mixtures last {mixtures.seconds:g} s, less than the examples "
                f"(data.seconds = {self._config.seconds:g})",
                "set data.seconds to that, or render longer mixtures",
            )


def _as_it_is(examples: Examples) -> Examples:
    # What the loader does without being told otherwise turns queries, which are tuples, into lists.
    return examples


def _patient(_: int) -> None:
    """Let a worker outlive a signal that goes to all processes, as from a terminal or a scheduler.

    The process that trains decides: it finishes its step, saves, and ends its workers, by SIGTERM
    too. So that of the parent counts, and nobody else's, where the system tells whose it is.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_await_parent, args=(os.getppid(),), daemon=True).start()


def _await_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
