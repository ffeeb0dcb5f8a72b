"""One training step of a separation network, as Lightning wants it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import lightning as pl
import torch
from torch import Tensor

from baselines.data.examples import Examples
from baselines.model import SeparationModel
from baselines.training.failure import NonFiniteError
from baselines.training.losses import Loss
from baselines.training.sections import OptimiserSection


class Prepared(NamedTuple):
    """A batch as it goes to the device: queries are tensors.

    Attributes:
        mixture: Shape (B, T).
        target: Shape (B, T).
        positive: What to keep, from `QueryEncoder.prepare`.
        negative: What to drop, likewise.
    """

    mixture: Tensor
    target: Tensor
    positive: Tensor
    negative: Tensor


class SeparationTask(pl.LightningModule):
    """Trains a network to give what queries ask for.

    What happens around the steps (learning rates, averages, validation, checkpoints) is the part of
    `baselines.training.supervisor`.

    Args:
        model: The network.
        loss: See `baselines.training.losses`; None for the network's own objective.
        optimiser: Settings of AdamW.
        clip: Largest norm of the gradients; None leaves them as they are.
    """

    def __init__(
        self,
        model: SeparationModel,
        loss: Loss | None,
        optimiser: OptimiserSection,
        clip: float | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._loss = loss
        self._optimiser = optimiser
        self._clip = clip
        self.examples: Examples | None = None
        self.last_loss = math.nan  # of the last batch, on this rank
        self.last_norm = math.nan  # of the last step's gradients, before clipping

    def on_before_batch_transfer(self, batch: Examples, dataloader_idx: int) -> Prepared:
        """Turn the queries of a batch into tensors; texts met before are remembered."""
        self.examples = batch
        return self.prepare(batch)

    def prepare(self, batch: Examples) -> Prepared:
        """Return a batch with its queries as tensors."""
        encoder = self.model.encoder
        return Prepared(
            batch.mixture,
            batch.target,
            encoder.prepare(batch.positive),
            encoder.prepare(batch.negative),
        )

    def estimate(self, batch: Prepared) -> Tensor:
        """Separate a batch; float32 whatever the precision of the network."""
        return self.model.separate(batch.mixture, batch.positive, batch.negative).float()

    def training_step(self, batch: Prepared, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        if self._loss is None:
            loss = self.model.flow_loss(batch.mixture, batch.target, batch.positive)
        else:
            estimate = self.estimate(batch)
            with torch.autocast(self.device.type, enabled=False):
                loss = self._loss(estimate, batch.target, batch.mixture).loss
        self._last = loss.detach()
        return loss

    def on_after_backward(self) -> None:
        """Stop on a loss that is no number.

        Raises:
            NonFiniteError: With the batch that led to it.
        """
        # Waiting for the device here, not before the backward pass, keeps it busy meanwhile.
        self.last_loss = float(self._last)
        if not math.isfinite(self.last_loss):
            raise NonFiniteError(f"the loss is {self.last_loss}", self.examples)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Measure the norm of the gradients, and clip it.

        Raises:
            NonFiniteError: If it is no number; float16 may overflow, which its scaler is for.
        """
        gradients = [
            parameter.grad
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        norm = torch.nn.utils.get_total_norm(gradients)
        self.last_norm = float(norm)
        if not math.isfinite(self.last_norm):
            if _scale(self.trainer) > 1:
                return  # the scaler skips this step and halves its factor
            raise NonFiniteError(f"the gradient's norm is {self.last_norm}", self.examples)
        if self._clip is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grads_with_norm_(parameters, self._clip, norm)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW over all parameters that train."""
        settings = self._optimiser
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        # One kernel for all weights. Not with float16: it would undo the scale of the gradients
        # itself, after they were measured and clipped. Nor on a processor, for equal bits.
        fused = self.device.type == "cuda" and _scale(self.trainer) == 0
        return torch.optim.AdamW(
            trained,
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            amsgrad=settings.amsgrad,
            fused=fused or None,
        )


def _scale(trainer: pl.Trainer) -> float:
    """Return the factor that a float16 loss is scaled by; 0 where none is."""
    scaler: Any = getattr(trainer.precision_plugin, "scaler", None)
    return float(scaler.get_scale()) if scaler is not None else 0.0
