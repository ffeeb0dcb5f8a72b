"""`standin:judge-snr`: no judge, but arithmetic with the true source, for tests and demos.

The estimate e is split into a r + b n + d, by least squares, with the true source r and the rest
of the mixture n. Four ratios in dB go through one logistic curve to 1..5: 10 dB is a 3, 20 dB a
4.5 and 0 dB a 1.5.

overall
    SI-SDR: the projection of e on r against the rest of e.
recall
    r against what a r lacks of it, (1 - min(a, 1)) r.
precision
    a r against b n.
faithfulness
    a r + b n against d.

A silent estimate, or a silent true source, scores 1 in all four. A real judge knows no true source
and hears quality; nothing that this one says compares with SAM-Audio Judge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hive.judge import inputs
from hive.judge.base import SCORES, FloatArray, OnFailure

NAME = "standin:judge-snr"
_CENTRE_DB = 10.0
_SLOPE_DB = 5.0
_Samples = npt.NDArray[np.float64]


class SnrJudge:
    """The stand-in as a judge; signals take the same way as to a real one."""

    name = NAME
    standin = True
    needs_reference = True
    checkpoint_sha256: str | None = None

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}

    def score(
        self,
        mixture: inputs.Signals,
        estimates: inputs.Signals,
        queries: Sequence[str],
        sample_rate: int,
        *,
        references: inputs.Signals | None = None,
        on_failure: OnFailure | None = None,
    ) -> FloatArray:
        """See `hive.judge.base.Judge.score`; every item can be judged."""
        if references is None:
            raise ValueError(f"{NAME} needs references=")
        pairs = inputs.pairs(mixture, estimates, sample_rate)
        truths = inputs.pairs(mixture, references, sample_rate, name="reference")
        if not len(pairs) == len(truths) == len(queries):
            raise ValueError(
                f"{len(pairs)} estimates, {len(truths)} references, {len(queries)} queries"
            )
        scores = [
            snr_scores(pair.estimate, truth.estimate, pair.mixture)
            for pair, truth in zip(pairs, truths, strict=True)
        ]
        return np.array(scores, np.float64).reshape(-1, len(SCORES))

    def close(self) -> None:
        """Do nothing: nothing runs."""


def snr_scores(
    estimate: npt.NDArray[Any], reference: npt.NDArray[Any], mixture: npt.NDArray[Any]
) -> tuple[float, float, float, float]:
    """Return the four scores of one estimate; all signals have shape (T,)."""
    e, r = np.asarray(estimate, np.float64), np.asarray(reference, np.float64)
    if not e.any() or not r.any():
        return (1.0, 1.0, 1.0, 1.0)
    n = np.asarray(mixture, np.float64) - r
    gram = np.array([[r @ r, r @ n], [n @ r, n @ n]])
    a, b = np.linalg.pinv(gram, hermitian=True) @ np.array([r @ e, n @ e])
    projection = (r @ e) / (r @ r) * r
    return (
        _mark(_energy(projection), _energy(e - projection)),
        _mark(_energy(r), _energy((1.0 - min(a, 1.0)) * r)),
        _mark(_energy(a * r), _energy(b * n)),
        _mark(_energy(a * r + b * n), _energy(e - a * r - b * n)),
    )


def _mark(good: float, bad: float) -> float:
    """Return 1 to 5 for an energy ratio."""
    if good == 0:
        return 1.0
    decibel = 10 * math.log10(good / bad) if bad > 0 else math.inf
    return 3.0 + 2.0 * math.tanh((decibel - _CENTRE_DB) / (2 * _SLOPE_DB))


def _energy(samples: _Samples) -> float:
    return float(samples @ samples)
