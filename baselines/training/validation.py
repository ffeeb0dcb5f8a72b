"""Scoring a network in the middle of training, on the same mixtures every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import lightning as pl
import torch
from torch import nn

from baselines.data.examples import Examples
from baselines.training.scores import ScoreSums
from baselines.training.task import SeparationTask
from hive.errors import HiveError

MAIN_SCORE = "si_sdr_i"


class InterruptedValidationError(Exception):
    """The run is to end before the validation has."""


def validate(
    trainer: pl.Trainer,
    task: SeparationTask,
    examples: Iterable[Examples],
    stop: Callable[[], bool],
) -> dict[str, float]:
    """Return mean scores over the examples of all ranks; see `ScoreSums.means`.

    Args:
        trainer: Says how to compute, and where.
        task: The network; it is in evaluation mode meanwhile, and as before afterwards.
        examples: The batches of this rank.
        stop: Asked before each batch whether to give up.

    Raises:
        InterruptedValidationError: If it is given up.
        HiveError: If nothing could be asked for.
    """
    sums = ScoreSums()
    device = trainer.strategy.root_device
    with evaluating(task.model), torch.no_grad(), trainer.precision_plugin.val_step_context():
        if trainer.world_size > 1:
            # Running statistics are each rank's own until the next forward pass equals them out.
            for buffer in task.model.buffers():
                torch.distributed.broadcast(buffer, 0)
        for batch in examples:
            if stop():
                raise InterruptedValidationError
            if not len(batch.mixture):
                continue  # mixtures of classes that must not be asked for
            prepared = trainer.strategy.batch_to_device(task.prepare(batch), device)
            estimate = task.estimate(prepared)
            sums.add(estimate, prepared.target, prepared.mixture, batch.num_sources)
    sums.reduce(device)
    means = sums.means()
    if MAIN_SCORE not in means:
        raise HiveError(
            "no validation mixture holds a class that is trained on",
            "set data.validation.split to one that does, or add recordings of those classes to it",
        )
    return means


def describe(scores: Mapping[str, float]) -> str:
    """Return the scores in a line to read."""
    sizes = [
        f"{key.removeprefix(f'{MAIN_SCORE}_')} {value:.2f}"
        for key, value in scores.items()
        if key.startswith(f"{MAIN_SCORE}_")
    ]
    text = f"SI-SDRi {scores[MAIN_SCORE]:.2f} dB ({', '.join(sizes)})"
    text += f", SDRi {scores['sdr_plain_i']:.2f} dB"
    if "silence_sdr" in scores:
        text += f", Silence-SDR {scores['silence_sdr']:.1f} dB"
    return text


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, then each of its parts back into its mode before."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
