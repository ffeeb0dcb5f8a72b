"""Lightning's trainer, set up for a run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as pl
import torch

from baselines.training.sections import TrainerSection
from hive.errors import HiveError

_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_IRRELEVANT = (
    ".*does not have many workers.*",
    ".*module.s. in eval mode at the start of training.*",  # pretrained parts stay as they are
    ".*You have overridden `on_before_batch_transfer`.*",  # where the queries are prepared
    ".*isinstance.treespec, LeafSpec.*",
)


def make_trainer(
    settings: TrainerSection, last_step: int, folder: Path, callbacks: Sequence[pl.Callback]
) -> pl.Trainer:
    """Return a trainer that trains up to a step, and leaves all else to callbacks.

    Raises:
        HiveError: If the machine has not the devices that are asked for, or cannot compute so.
    """
    accelerator = settings.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda":
        _check_gpus(settings)
        # Products of float32 matrices on tensor cores where half the digits are given up anyway.
        if settings.precision != "fp32":
            torch.set_float32_matmul_precision("high")
    elif settings.precision == "fp16":
        raise HiveError("trainer.precision: fp16 needs a GPU", "take bf16 or fp32 on a processor")
    ranks = settings.devices * settings.num_nodes
    options: dict[str, Any] = {"precision": _PRECISION[settings.precision]}
    return pl.Trainer(
        accelerator=accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy="ddp" if ranks > 1 else "auto",
        sync_batchnorm=settings.sync_batchnorm and ranks > 1 and accelerator == "cuda",
        max_steps=last_step,
        accumulate_grad_batches=settings.accumulate,
        deterministic=settings.deterministic,
        benchmark=accelerator == "cuda" and not settings.deterministic,
        callbacks=list(callbacks),
        default_root_dir=folder,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def _check_gpus(settings: TrainerSection) -> None:
    there = torch.cuda.device_count()
    if settings.devices <= there:
        return
    if not there:
        raise HiveError("trainer.accelerator: there is no GPU", "take cpu, or auto")
    fewer = settings.accumulate * settings.devices / there
    same = f" --set trainer.accumulate={fewer:.0f}" if fewer == round(fewer) else ""
    raise HiveError(
        f"trainer.devices: {settings.devices} GPUs asked for, {there} here",
        f"--devices {there}{same} makes steps of as many mixtures, one batch after the other",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning from telling what it found and what one might try."""
    logs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in _IRRELEVANT:
            warnings.filterwarnings("ignore", message)
        try:
            yield
        finally:
            for log, level in zip(logs, before, strict=True):
                log.setLevel(level)
