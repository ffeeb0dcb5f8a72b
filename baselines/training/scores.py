"""Scores of validation: those of `hive.metrics`, computed on tensors where they are.

si_sdr_i
    Improvement of SI-SDR over the mixture (`hive.metrics.sdr`), of examples with a target.
sdr_plain_i
    Likewise of SDR, which a level that is wrong costs, and silence where there should be sound.
silence_sdr
    Level of the mixture over that of the estimate (`hive.metrics.silence`), of examples that ask
    for an absent class.

Sums are in float64, so values are those of the metrics. A mean takes values beyond 60 dB either way
as 60 dB: an estimate of exact zeros scores minus infinity, or infinity, and is one item of many.
An estimate that holds NaN or infinity scores minus infinity, so that no mean leaves it out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from hive.metrics.sdr import EXACT_COHERENCE
from hive.metrics.validate import SILENCE_RMS

LIMIT_DB = 60.0
NAMES = ("si_sdr_i", "sdr_plain_i", "silence_sdr")
_MOST_SOURCES = 32


class ItemScores(NamedTuple):
    """Scores of the examples of a batch, float64, shape (B,); NaN where one does not apply."""

    si_sdr_i: Tensor
    sdr_plain_i: Tensor
    silence_sdr: Tensor


def score_items(estimate: Tensor, target: Tensor, mixture: Tensor) -> ItemScores:
    """Score each example of a batch.

    Args:
        estimate: Output of the network, shape (B, T).
        target: What was asked for, shape (B, T); silent where that is a class that is absent.
        mixture: What the network was given, shape (B, T).
    """
    e, y, x = estimate.double(), target.double(), mixture.double()
    before = _si_sdr(x, y)
    absent = _silent(y)
    silence = 10.0 * (_energy(x) / _energy(e)).log10()
    worst = -math.inf
    values = (_si_sdr(e, y) - before, _sdr(e, y) - _sdr(x, y), silence)
    gain, sdr_gain, silence = (one.where(_energy(e).isfinite(), worst) for one in values)
    improvable = ~absent & before.isfinite()
    return ItemScores(
        gain.where(improvable, math.nan),
        sdr_gain.where(improvable, math.nan),
        silence.where(absent & ~_silent(x), math.nan),
    )


class ScoreSums:
    """Means of scores, overall and by number of sources, over batches and ranks.

    Attributes:
        sums: Sum of the values and their number, by score and number of sources, float64, shape
            (2, 33, 2): to be added up over ranks.
    """

    def __init__(self) -> None:
        self.sums = torch.zeros(len(NAMES), _MOST_SOURCES + 1, 2, dtype=torch.float64)

    def add(self, estimate: Tensor, target: Tensor, mixture: Tensor, num_sources: Tensor) -> None:
        """Score a batch (see `score_items`).

        Args:
            estimate: Shape (B, T).
            target: Shape (B, T).
            mixture: Shape (B, T).
            num_sources: Sources of each mixture, int64, shape (B,).
        """
        for number, values in enumerate(score_items(estimate, target, mixture)):
            values = values.cpu().clamp(-LIMIT_DB, LIMIT_DB)
            counted = ~values.isnan()
            sizes = num_sources.cpu()[counted]
            told = torch.stack([values[counted], torch.ones(len(sizes), dtype=torch.float64)], 1)
            self.sums[number].index_add_(0, sizes, told)

    def reduce(self, device: torch.device | str = "cpu") -> None:
        """Add up the sums of all ranks of torch.distributed, if there are several.

        Args:
            device: Where tensors have to be for that: with NCCL, the rank's GPU.
        """
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            sums = self.sums.to(device)
            torch.distributed.all_reduce(sums)
            self.sums = sums.cpu()

    def means(self) -> dict[str, float]:
        """Return the means: by name, and by name and number of sources such as `si_sdr_i_2mix`.

        What has no example is left out.
        """
        found: dict[str, float] = {}
        for name, sums in zip(NAMES, self.sums, strict=True):
            groups = {name: sums.sum(0)}
            groups |= {f"{name}_{size}mix": sums[size] for size in range(_MOST_SOURCES + 1)}
            found |= {
                key: float(total / count) for key, (total, count) in groups.items() if count > 0
            }
        return found


def _si_sdr(e: Tensor, y: Tensor) -> Tensor:
    """SI-SDR in dB; NaN for a silent target, -inf for a silent estimate."""
    wanted, got = _energy(y), _energy(e)
    scale = (e * y).sum(-1) / wanted
    along = scale.square() * wanted
    # Sample by sample: differences of energies lose what is left of a good estimate.
    error = _energy(e - scale.unsqueeze(-1) * y)
    value = 10.0 * (along / error).log10()
    value = value.where(along < EXACT_COHERENCE * got, math.inf)
    return value.where(along > 0.0, -math.inf).where(~_silent(y), math.nan)


def _sdr(e: Tensor, y: Tensor) -> Tensor:
    """SDR in dB, by energies alone."""
    return 10.0 * (_energy(y) / _energy(y - e)).log10()


def _energy(signal: Tensor) -> Tensor:
    return signal.square().sum(-1)


def _silent(signal: Tensor) -> Tensor:
    return signal.square().mean(-1).sqrt() < SILENCE_RMS
