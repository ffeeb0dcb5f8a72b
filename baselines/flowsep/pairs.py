"""What the network is trained on: mixtures and targets at the level that it will be used at.

By default a mixture is brought to where it will be in use, no mean and a peak of 0.5, and the
target is scaled along. `legacy` does what the published code does:

- level: the target has no mean and a peak of 0.5, and the other sounds come on top, so mixtures are
  louder than in use; where that is beyond full scale the mixture is scaled down to a peak of 0.9
  and the target is not;
- short sound: log-mel spectrograms are padded with zeros, a loud constant, not with silence;
- silence: a target of silence is a log-mel spectrogram of zeros, which is as loud;
- no text: whether a text is dropped is drawn once for a batch, not for each example.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from baselines.levels import Level, to_level

LEVEL = Level("peak", 0.5)
"""What the network expects of a mixture, and what its training data are brought to."""
NOTHING = (
    "Just something else",
    "Nothing at all",
    "Nothing",
    "Something random",
    "nothing",
    "Silence",
    "Some noise",
)
"""Texts of the published training for a target of silence."""
_LEGACY_PEAK = 0.9


class Pair(NamedTuple):
    """A batch at the network's level.

    Attributes:
        mixture: Shape (B, T).
        target: Shape (B, T).
    """

    mixture: Tensor
    target: Tensor


def bring_to_level(mixture: Tensor, target: Tensor, *, legacy: bool) -> Pair:
    """Bring mixtures and targets to the level that the network is trained at.

    Args:
        mixture: Shape (B, T), full scale 1.0.
        target: Part of it, likewise.
        legacy: See above.
    """
    if not legacy:
        ready = to_level(mixture, LEVEL, removes_dc=True)
        return Pair(ready.samples, _centred(target) * ready.gain)
    ready = to_level(target, LEVEL, removes_dc=True)
    # The target sets the level of the mixture; where it is silent, the mixture sets its own.
    own = to_level(mixture, LEVEL, removes_dc=True)
    gain = torch.where(ready.silent.unsqueeze(1), own.gain, ready.gain)
    mixture = _centred(mixture) * gain
    peak = mixture.abs().amax(dim=-1, keepdim=True)
    mixture = torch.where(peak > 1.0, mixture * (_LEGACY_PEAK / peak.clamp_min(1.0)), mixture)
    return Pair(mixture, ready.samples)


class Draws(NamedTuple):
    """What is drawn for a batch.

    Attributes:
        time: Where on the flow each example is, shape (B,).
        noise: Where each begins, shape (B, C, T, F).
        posterior: Of mixture and target, shape (2, B, C, T, F); None for the modes.
        no_text: Which are asked without a text, bool, shape (B,).
        nothing: Which are asked for nothing, as positions in `NOTHING`, -1 for none, shape (B,).
    """

    time: Tensor
    noise: Tensor
    posterior: Tensor | None
    no_text: Tensor
    nothing: Tensor


def draw(
    shape: tuple[int, int, int, int],
    *,
    sampled: bool,
    text_dropout: float,
    empty: float,
    legacy: bool,
    device: torch.device,
    generator: torch.Generator | None,
) -> Draws:
    """Draw what a training step needs.

    Args:
        shape: Of a batch of latents, (B, C, T, F).
        sampled: Whether latents are drawn from the autoencoder's posterior.
        text_dropout: Share of examples without a text.
        empty: Share of examples that are asked for nothing.
        legacy: One draw of `text_dropout` for all of the batch.
        device: Where; a generator must be of that device.
        generator: Source of random numbers; None for torch's own.
    """

    def uniform(count: int) -> Tensor:
        return torch.rand(count, device=device, generator=generator)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, device=device, generator=generator)

    batch = shape[0]
    time, noise = uniform(batch), normal(*shape)
    posterior = normal(2, *shape) if sampled else None
    no_text = uniform(1 if legacy else batch).expand(batch) < text_dropout
    wanted = torch.randint(len(NOTHING), (batch,), device=device, generator=generator)
    nothing = torch.where(uniform(batch) < empty, wanted, -1)
    return Draws(time, noise, posterior, no_text, nothing)


def _centred(sound: Tensor) -> Tensor:
    return sound - sound.mean(dim=-1, keepdim=True, dtype=torch.float64).to(sound)
