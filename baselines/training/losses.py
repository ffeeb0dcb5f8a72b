"""Losses of separation networks.

Axes: (B, T). Each gives one value for each item, computed in float32 whatever the arithmetic of the
network, and their mean.

l1
    mean |y - e| of target y and estimate e (AudioSep).
sdr
    -(w SDR + (1 - w) SI-SDR) in dB (ClearSep: w = 0.9), both soft-thresholded by t:

    SDR     10 log10(|y|^2 / (|y - e|^2 + t |y|^2))  (Wisdom et al., "What's all the fuss about free
            universal sound separation data?", ICASSP 2021)
    SI-SDR  10 log10((c + t) / (1 - c + t)), c = <e, y>^2 / (|e|^2 |y|^2); with t = 0 this is the
            usual definition, |s|^2 / |e - s|^2 with s = (<e, y> / |y|^2) y

    so that no estimate gets beyond 10 log10(1 / t) dB and solved items stop to pull. SDR pulls an
    estimate of zeros towards the target; SI-SDR, by itself, does not. Where the target is silent
    neither is defined. There the loss is 10 log10((|e|^2 + t |x|^2) / |x|^2) with the mixture x,
    which the same paper has for inactive sources: 0 dB where the mixture is passed on, 10 log10 t
    dB for silence. So both kinds of items lie on one scale.

flow
    The network's own objective (`SeparationModel.flow_loss`), which needs no estimate: FlowSep.

A target is silent whose energy is at most 1e-8 of the mixture's. A silent mixture, from which
nothing can be learnt, gives 0 and no gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import Tensor

#: Energy of a target relative to its mixture's up to which it counts as silent: -80 dB.
SILENT = 1e-8
#: Mean square below which a mixture holds nothing: -120 dB of full scale.
_NOTHING = 1e-12
#: Energy of an estimate relative to the mixture's below which SI-SDR takes it for silence.
_FLOOR = 1e-10


class L1Config(BaseModel):
    """Mean absolute difference of waveforms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["l1"]


class SDRConfig(BaseModel):
    """Negative SDR and SI-SDR, with a loss of its own where the target is silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sdr"]
    sdr_weight: float = Field(
        default=0.9, ge=0, le=1, description="Weight of SDR; SI-SDR has the rest."
    )
    threshold: float = Field(
        default=1e-3,
        gt=0,
        lt=1,
        description="Error, relative to the target or (for silence) the mixture, below which "
        "little more is won: 1e-3 is 30 dB.",
    )
    silence_weight: float = Field(
        default=1.0, ge=0, description="Weight of items whose target is silence."
    )


class FlowConfig(BaseModel):
    """The objective of a generative network, which is the network's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["flow"]


LossConfig = Annotated[L1Config | SDRConfig | FlowConfig, Field(discriminator="kind")]


class LossValue(NamedTuple):
    """What a loss gives for a batch.

    Attributes:
        loss: Mean over the items, a scalar with a gradient.
        parts: What it is made of, without gradients: they add up to it.
    """

    loss: Tensor
    parts: dict[str, Tensor]


class Loss(Protocol):
    """A loss of a batch."""

    def __call__(self, estimate: Tensor, target: Tensor, mixture: Tensor) -> LossValue:
        """Compute the loss.

        Args:
            estimate: Output of the network, shape (B, T).
            target: What was asked for, shape (B, T).
            mixture: What the network was given, shape (B, T).
        """
        ...


def make_loss(config: LossConfig) -> Loss:
    """Return the loss that a configuration describes.

    Raises:
        ValueError: If it is the network's own.
    """
    if isinstance(config, FlowConfig):
        raise ValueError("this loss is the network's own objective")
    return SDRLoss(config) if isinstance(config, SDRConfig) else l1_loss


def l1_loss(estimate: Tensor, target: Tensor, mixture: Tensor) -> LossValue:
    """Mean absolute difference of target and estimate; the mixture is not used."""
    loss = (estimate.float() - target.float()).abs().mean()
    return LossValue(loss, {"l1": loss.detach()})


class SDRLoss:
    """The loss "sdr" (see above).

    Args:
        config: Weights and threshold.
    """

    def __init__(self, config: SDRConfig) -> None:
        self._config = config

    def __call__(self, estimate: Tensor, target: Tensor, mixture: Tensor) -> LossValue:
        """Compute the loss; see `Loss`."""
        # Not under autocast: sums of squares need single precision.
        e, y, x = estimate.float(), target.float(), mixture.float()
        weight, threshold = self._config.sdr_weight, self._config.threshold
        whole = _power(x)
        heard = whole > _NOTHING
        wanted = _power(y)
        silent = wanted <= SILENT * whole
        # Denominators of items that are left out must not be 0, or their gradients are NaN.
        whole = whole.where(heard, 1.0)
        wanted = wanted.where(~silent & heard, 1.0)
        got = _power(e)
        sdr = _decibel(_power(y - e) / wanted + threshold)
        inner = (e * y).mean(-1) / wanted.sqrt()
        alike = (inner.square() / (got + _FLOOR * whole)).clamp(max=1.0)
        si_sdr = _decibel((1.0 - alike + threshold) / (alike + threshold))
        silence = _decibel(got / whole + threshold)
        active = heard & ~silent
        parts = {
            "sdr": weight * sdr.where(active, 0.0).mean(),
            "si_sdr": (1.0 - weight) * si_sdr.where(active, 0.0).mean(),
            "silence": self._config.silence_weight * silence.where(heard & silent, 0.0).mean(),
        }
        loss = parts["sdr"] + parts["si_sdr"] + parts["silence"]
        return LossValue(loss, {name: part.detach() for name, part in parts.items()})


def _power(signal: Tensor) -> Tensor:
    return signal.square().mean(-1)


def _decibel(ratio: Tensor) -> Tensor:
    return 10.0 * ratio.log10()
