"""How other libraries compute these ratios, odd cases included.

For comparison with tables made by those libraries, and nothing else: their constants decide what
silence and exact matches score. Arithmetic is done in the type of the inputs, as there: identical
float32 signals (RMS 0.1, 10 s) score about 105 dB of SI-SDR, float64 ones 193 dB.

Facts about torchmetrics 1.9 (`functional.audio`) and AudioSep (`utils.py`): the former adds the
machine epsilon to every sum, the latter limits mean squares from below at 1e-10 for SDR and uses
the formula with epsilons for SI-SDR.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

AUDIOSEP_FLOOR = 1e-10


def si_sdr(estimate: npt.NDArray[Any], reference: npt.NDArray[Any], zero_mean: bool) -> float:
    """SI-SDR in dB with the machine epsilon on all four sums (torchmetrics, AudioSep)."""
    eps = np.finfo(estimate.dtype).eps
    if zero_mean:
        estimate, reference = estimate - estimate.mean(), reference - reference.mean()
    scale = (np.sum(estimate * reference) + eps) / (np.sum(reference**2) + eps)
    target = scale * reference
    ratio = (np.sum(target**2) + eps) / (np.sum((target - estimate) ** 2) + eps)
    return float(10 * np.log10(ratio))


def torchmetrics_plain(estimate: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Plain SDR in dB with the machine epsilon on both sums."""
    eps = np.finfo(estimate.dtype).eps
    ratio = (np.sum(reference**2) + eps) / (np.sum((reference - estimate) ** 2) + eps)
    return float(10 * np.log10(ratio))


def audiosep_plain(estimate: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Plain SDR in dB of mean squares limited from below."""
    signal = max(float(np.mean(reference**2)), AUDIOSEP_FLOOR)
    error = max(float(np.mean((estimate - reference) ** 2)), AUDIOSEP_FLOOR)
    return float(10 * np.log10(signal / error))


def torchmetrics_sdr_bss(
    estimate: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    filter_length: int,
    zero_mean: bool,
    load_diag: float | None,
) -> float:
    """BSS-eval SDR in dB by the operations of torchmetrics, which decide how exact matches score.

    One transform of each whole signal and a general solver, in torch, one pair at a time. A silent
    reference, which torchmetrics refuses, is NaN.
    """
    import torch

    e, r = (torch.tensor(signal).double() for signal in (estimate, reference))
    if zero_mean:
        e, r = e - e.mean(), r - r.mean()
    e, r = (signal / torch.clamp(torch.linalg.norm(signal), min=1e-6) for signal in (e, r))
    size = 1 << (2 * len(r) - 2).bit_length()
    spectrum = torch.fft.rfft(r, n=size)
    a = torch.fft.irfft(spectrum.real**2 + spectrum.imag**2, n=size)[:filter_length]
    b = torch.fft.irfft(spectrum.conj() * torch.fft.rfft(e, n=size), n=size)[:filter_length]
    if load_diag is not None:
        a[0] += load_diag
    lag = torch.arange(filter_length)
    try:
        taps = torch.linalg.solve(a[(lag[:, None] - lag).abs()], b)
    except RuntimeError:  # singular
        return float("nan")
    coherence = torch.dot(b, taps)
    return float(10 * torch.log10(coherence / (1 - coherence)))
