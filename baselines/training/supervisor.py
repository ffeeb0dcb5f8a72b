"""What happens around the steps of a training run, in one place and in one order.

Before a batch: torch's generators are seeded by (seed, step, batch, rank), so that nothing depends
on what was drawn before and a run that goes on needs no generator's state; the learning rate is
set. After a step: average, figures, validation, checkpoint, end. A checkpoint is only written
between two steps and after the step's validation, so what goes on from it does the same again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as pl
import torch

from baselines.training import checkpoints
from baselines.training.batches import ExamplesModule
from baselines.training.display import Display
from baselines.training.ema import Ema
from baselines.training.failure import NonFiniteError, keep
from baselines.training.logs import Logs
from baselines.training.schedule import LearningRate
from baselines.training.sections import TrainingConfig
from baselines.training.state import RunState, Window
from baselines.training.stopping import Stopped, StopSignals
from baselines.training.task import Prepared, SeparationTask
from baselines.training.validation import MAIN_SCORE, InterruptedValidationError, describe, validate
from hive.errors import HiveError
from hive.seeding import Stream


class Supervisor(pl.Callback):
    """Looks after a run.

    Args:
        task: What is trained.
        examples: What it is trained and validated with.
        config: The run.
        folder: Its folder.
        last_step: Number of its steps.

    Attributes:
        state: How far the run has come.
        failure: What to tell the user of a loss that was no number, if there was one.
    """

    def __init__(
        self,
        task: SeparationTask,
        examples: ExamplesModule,
        config: TrainingConfig,
        folder: Path,
        last_step: int,
    ) -> None:
        self._task, self._examples = task, examples
        self._settings = config.trainer
        self._folder = folder
        self._last_step = last_step
        self._rate = LearningRate(config.schedule, config.optimiser.lr, last_step)
        self._signals = StopSignals()
        self._ema: Ema | None = None
        self._ema_state: dict[str, Any] | None = None
        self._logs: Logs | None = None
        self._display: Display
        self._clock = 0.0
        self._since_log = Window()
        self._since_validation = Window()
        self.state = RunState()
        self.failure: HiveError | None = None

    # Lightning's hooks, in the order in which they come.

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.state = RunState.from_dict(state_dict["run"])
        self._rate.load_state_dict(state_dict["rate"])
        self._ema_state = state_dict["ema"]
        self._since_log = Window(**state_dict["since_log"])
        self._since_validation = Window(**state_dict["since_validation"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Get ready; a validation that was cut short before is made up for."""
        # Only now: Lightning puts its own handlers in place before, and takes all away at the end.
        self._signals.__enter__()
        self._clock = time.monotonic()
        if self._settings.ema_decay is not None:
            self._ema = Ema(self._task.model, self._settings.ema_decay)
            if self._ema_state is not None:
                self._ema.load_state_dict(self._ema_state)
        if trainer.is_global_zero:
            self._logs = Logs(self._folder, self.state.step)
        self._display = Display(self.state.step, self._last_step, trainer.is_global_zero)
        if self._due() and self.state.validated < self.state.step:
            self._after_step(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Prepared, batch_idx: int
    ) -> None:
        """Seed the generators and set the learning rate."""
        address = f"{self.state.step}/{batch_idx}/{trainer.global_rank}"
        torch.manual_seed(Stream(self._settings.seed, "train", address, "noise").integer(2**63))
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self._rate.at(self.state.step)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Prepared,
        batch_idx: int,
    ) -> None:
        """Count, and do what is due between two steps."""
        mixtures = len(batch.mixture) * trainer.world_size
        self.state.mixtures += mixtures
        for window in (self._since_log, self._since_validation):
            window.batches += 1
            window.loss += self._task.last_loss
            window.mixtures += mixtures
            window.seconds += time.monotonic() - self._clock
        self._tick()
        if trainer.global_step == self.state.step:
            return  # gradients are still accumulated
        self.state.step = trainer.global_step
        if self._ema is not None:
            self._ema.update(self._task.model)
        self._display.step(self.state.step, self._task.last_loss, self._since_log.speed)
        if self.state.step % self._settings.log_every_steps == 0 or self._is_last():
            self._log(trainer)
        self._after_step(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values, for a checkpoint."""
        return {
            "run": self.state.as_dict(),
            "rate": self._rate.state_dict(),
            "ema": None if self._ema is None else self._ema.state_dict(),
            "since_log": asdict(self._since_log),
            "since_validation": asdict(self._since_validation),
        }

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put everything away."""
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Put everything away; keep what led to a loss that is no number."""
        self._close()
        if isinstance(exception, NonFiniteError):
            weights = {"weights": self._task.model.state_dict(), "seed": self._settings.seed}
            step, rank = self.state.step + 1, trainer.global_rank
            self.failure = keep(exception, self._folder, step, rank, weights)

    # What is due after a step.

    def _after_step(self, trainer: pl.Trainer) -> None:
        """Validate and save, if it is time to; end, if a signal wants it."""
        stopped = 0 if self._is_last() else self._stopped(trainer)
        if self._due() and not stopped:
            try:
                self._validate(trainer)
            except InterruptedValidationError:
                stopped = self._signals.received
        if self._due() or stopped:
            checkpoints.save_last(trainer, self._folder)
            self._tick()
        if stopped:
            raise Stopped(stopped)

    def _is_last(self) -> bool:
        return self.state.step == self._last_step

    def _due(self) -> bool:
        every = self._settings.validate_every_steps
        return self.state.step > 0 and (self.state.step % every == 0 or self._is_last())

    def _stopped(self, trainer: pl.Trainer) -> int:
        """Return the signal that has come to any of the ranks, or 0."""
        if trainer.world_size == 1:
            return self._signals.received
        told = torch.tensor(self._signals.received, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(told, reduce_op="max"))

    def _gives_up(self, trainer: pl.Trainer) -> Callable[[], bool]:
        """Return what says whether to break off a validation.

        The last one is seen through, and so is that of several ranks, which have batches of their
        own to go.
        """
        alone = trainer.world_size == 1 and not self._is_last()
        return lambda: alone and self._signals.received > 0

    def _validate(self, trainer: pl.Trainer) -> None:
        """Score the network, keep it if it is the best so far, and tell the schedule."""
        average = self._ema.swapped(self._task.model) if self._ema is not None else nullcontext()
        with average:
            scores = validate(
                trainer, self._task, self._examples.validation, self._gives_up(trainer)
            )
            self._tick()
            self.state.validated = self.state.step
            score = scores[MAIN_SCORE]
            better = score > self.state.best_score
            if better:
                self.state.best_score, self.state.best_step = score, self.state.step
                if trainer.is_global_zero:
                    checkpoints.save_best(self._task.model, self._folder, self.state.step, score)
        figures = {
            "step": self.state.step,
            "epoch": self._examples.epoch,
            "seconds": round(self.state.seconds, 3),
            "learning_rate": self._rate.at(self.state.step),
            "loss": self._since_validation.mean(trainer),
            **scores,
        }
        self._rate.observe(score)
        self._since_validation = Window()
        self.state.history.append(figures)
        self._display.note(
            f"step {self.state.step}: {describe(scores)}{', best so far' if better else ''}"
        )
        if self._logs is not None:
            self._logs.log_validation(figures)

    def _log(self, trainer: pl.Trainer) -> None:
        figures: Mapping[str, float] = {
            "step": self.state.step,
            "epoch": self._examples.epoch,
            "loss": self._since_log.mean(trainer),
            "gradient_norm": self._task.last_norm,
            "learning_rate": self._rate.at(self.state.step - 1),
            "mixtures_per_second": round(self._since_log.speed, 2),
        }
        self._since_log = Window()
        if self._logs is not None:
            self._logs.log_step(figures)

    def _tick(self) -> None:
        """Count the time since the last call."""
        now = time.monotonic()
        self.state.seconds += now - self._clock
        self._clock = now

    def _close(self) -> None:
        self._signals.__exit__(None, None, None)
        if hasattr(self, "_display"):
            self._display.close()
        if self._logs is not None:
            self._logs.close()
