"""A training run from its configuration to a trained network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as pl
import torch
from lightning.pytorch.utilities import rank_zero_only

from baselines.architectures import architecture
from baselines.data.module import TrainingData
from baselines.model import SeparationModel
from baselines.training import checkpoints
from baselines.training.batches import ExamplesModule
from baselines.training.config import model_config
from baselines.training.failure import NonFiniteError
from baselines.training.folder import LOCK, MODEL, bind
from baselines.training.losses import make_loss
from baselines.training.record import export, write_record
from baselines.training.sections import CosineSchedule, TrainingConfig
from baselines.training.start import start
from baselines.training.state import RunState
from baselines.training.stopping import Stopped
from baselines.training.supervisor import Supervisor
from baselines.training.task import SeparationTask
from baselines.training.trainer import make_trainer, quiet
from hive.errors import HiveError
from hive.files import locked


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes:
        folder: Its folder.
        model: Folder of the trained network; None on all ranks but the first.
        state: How far it came, with the scores.
    """

    folder: Path
    model: Path | None
    state: RunState


def train(
    config: TrainingConfig,
    source: Path,
    folder: Path,
    *,
    pool: Path | None = None,
    tracks: Path | None = None,
    go_on: bool = True,
    callbacks: Sequence[pl.Callback] = (),
) -> Trained:
    """Train a network, or go on with a run that was stopped.

    The run takes the same steps with the same examples wherever and however often it is stopped in
    between; on a processor, or with `trainer.deterministic`, to the bit.

    Args:
        config: The run.
        source: Where the sound comes from; see `TrainingData`.
        folder: Folder of the run; see `baselines.training.folder`.
        pool: The pool of a plan.
        tracks: Tracks of natural recordings to train on as well as on a pool.
        go_on: Whether a run that is in the folder goes on; if not, there must be none.
        callbacks: Further callbacks of Lightning.

    Raises:
        HiveError: If something is missing or does not fit; if the folder holds another run; if a
            checkpoint is damaged; if a loss or a gradient is no number.
        Stopped: If SIGINT or SIGTERM came; the state is saved.
    """
    first = getattr(rank_zero_only, "rank", 0) == 0
    network = model_config(config)
    data = TrainingData(
        source,
        config.data,
        sample_rate=network.sample_rate,
        seed=config.trainer.seed,
        pool=pool,
        tracks=tracks,
    )
    last_step = _last_step(config, data)
    config = _resolved(config, last_step)
    lock = locked(folder / LOCK, f"{folder}: another process trains here")
    with lock if first else nullcontext(), quiet():
        identity = data.identity()
        checkpoint = folder / checkpoints.LAST
        if first:
            settings = {key: value for key, value in identity.items() if key != "config"}
            bind(folder, config, settings, go_on)
        before = _progress(checkpoint) if checkpoint.is_file() else RunState()
        torch.manual_seed(config.trainer.seed)
        model: SeparationModel = architecture(config.model.architecture).model_class(network)
        _check_loss(config, model)
        if config.model.start is not None and not before.step:
            start(model, config.model.start)
        model.encoder.mark_trained(data.vocabulary.names)
        if config.trainer.compile:
            model.compile()
        loss = None if model.generative else make_loss(config.loss)
        task = SeparationTask(model, loss, config.optimiser, config.trainer.clip).train()
        examples = ExamplesModule(data, closed=model.encoder.kind == "labels")
        supervisor = Supervisor(task, examples, config, folder, last_step)
        supervisor.state = before
        trainer = make_trainer(config.trainer, last_step, folder, [supervisor, *callbacks])
        try:
            if before.step < last_step:
                trainer.fit(
                    task,
                    datamodule=examples,
                    ckpt_path=checkpoint if before.step else None,
                    weights_only=True,
                )
        except NonFiniteError as error:
            raise (supervisor.failure or error) from error
        except Stopped:
            if first:
                write_record(folder, config, identity, supervisor.state, finished=False)
            raise
        if not first:
            return Trained(folder, None, supervisor.state)
        write_record(folder, config, identity, supervisor.state, finished=True)
        export(model, folder, config, identity, source.name, supervisor.state)
        return Trained(folder, folder / MODEL, supervisor.state)


def quick(config: TrainingConfig) -> TrainingConfig:
    """Return a run of two steps and one validation with the same network and data."""
    trainer = config.trainer.model_copy(
        update={
            "max_steps": 2,
            "max_epochs": None,
            "devices": 1,
            "num_nodes": 1,
            "accumulate": 1,
            "validate_every_steps": 2,
            "log_every_steps": 1,
        }
    )
    validation = config.data.validation.model_copy(update={"mixtures": 1})
    data = config.data.model_copy(
        update={"batch_size": 2, "mixtures_per_epoch": 4, "workers": 0, "validation": validation}
    )
    return config.model_copy(update={"trainer": trainer, "data": data})


def _check_loss(config: TrainingConfig, model: SeparationModel) -> None:
    """Refuse a loss that the network cannot be trained with."""
    if (config.loss.kind == "flow") != model.generative:
        drawn = (
            "are drawn, and only trained by their own objective"
            if model.generative
            else ("are computed, and it has no objective of its own")
        )
        raise HiveError(
            f"loss.kind: estimates of {model.name} {drawn}",
            "take flow" if model.generative else "take l1 or sdr",
        )


def _last_step(config: TrainingConfig, data: TrainingData) -> int:
    """Return the number of steps of a run."""
    settings = config.trainer
    steps = settings.max_steps or math.inf
    if settings.max_epochs is not None:
        ranks = settings.devices * settings.num_nodes
        mixtures = data.train_loader().stream.division.total
        batches = settings.max_epochs * (mixtures // (config.data.batch_size * ranks))
        steps = min(steps, max(1, batches // settings.accumulate))
    return int(steps)


def _resolved(config: TrainingConfig, last_step: int) -> TrainingConfig:
    """Return the configuration with what is left to the run's length said."""
    schedule = config.schedule
    if isinstance(schedule, CosineSchedule) and schedule.steps is None:
        schedule = schedule.model_copy(update={"steps": last_step})
    return config.model_copy(update={"schedule": schedule})


def _progress(checkpoint: Path) -> RunState:
    """Return how far the run of a checkpoint has come."""
    callbacks: dict[str, Any] = checkpoints.load(checkpoint)["callbacks"]
    return RunState.from_dict(callbacks[Supervisor.__name__]["run"])
