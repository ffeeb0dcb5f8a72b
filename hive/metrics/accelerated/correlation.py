"""How much of a signal is a filtered copy of another, for many pairs on one device.

The quantity and the way to it are those of `hive.metrics.projection`, except for the solution of
the Toeplitz systems: Cholesky factors in batches, with the residual's contribution added. (Batched
`torch.linalg.solve` is no choice: on CPUs with several threads its results are wrong.) Where a
factor does not exist or rounding would show, the result says so and means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hive.metrics.projection import MAX_RESIDUAL, block_size

MAX_SENSITIVITY = 1e3
"""Limit of |r|^2 |x|^2 / c for a solution x; times 1e-14, it is about the rounding error of c."""


def explained_energies(
    signals: torch.Tensor,
    pairs: Sequence[tuple[int, int]],
    num_taps: int,
    load_diag: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Energy of the projections of signals on the shifts of references.

    Args:
        signals: Signals of one length, at least `num_taps`; shape (S, T), float64.
        pairs: Indices (reference, signal).
        num_taps: Number of shifts L.
        load_diag: Share of the reference's energy that is added to the matrix's diagonal.

    Returns:
        b' A^-1 b for each pair, and whether it may be relied upon; shape (P,), on the device.
    """
    references = list(dict.fromkeys(left for left, _ in pairs))
    own = torch.tensor([references.index(left) for left, _ in pairs], device=signals.device)
    products = _lag_products(signals, [*((r, r) for r in references), *pairs], num_taps)
    a, b = products[: len(references)], products[len(references) :, :, None]
    a[:, 0] *= 1 + load_diag
    lag = torch.arange(num_taps, device=signals.device)
    matrices = a[:, (lag[:, None] - lag).abs()]
    factors, failed = torch.linalg.cholesky_ex(matrices)
    factors, matrices = factors[own], matrices[own]
    half = torch.linalg.solve_triangular(factors, b, upper=False)
    solution = torch.linalg.solve_triangular(factors.mT, half, upper=True)
    residual = b - matrices @ solution
    energies = ((b + residual) * solution).sum((1, 2))
    sensitivity = matrices[:, 0, 0] * solution.square().sum((1, 2))
    sound = (
        (failed[own] == 0)
        & (sensitivity <= MAX_SENSITIVITY * energies)
        & (residual.abs().amax((1, 2)) <= MAX_RESIDUAL * b.abs().amax((1, 2)))
    )
    return energies, sound


def _lag_products(
    signals: torch.Tensor, pairs: Sequence[tuple[int, int]], num_lags: int
) -> torch.Tensor:
    """Sums over n of x_i[n] x_j[n + k] for pairs (i, j) and k = 0 ... L-1, shape (P, L)."""
    size, hop = block_size(num_lags)
    num_blocks = -(-signals.shape[1] // hop)
    padded = torch.nn.functional.pad(signals, (0, (num_blocks - 1) * hop + size - signals.shape[1]))
    blocks = padded.unfold(1, size, hop)
    lefts = list(dict.fromkeys(left for left, _ in pairs))
    rights = list(dict.fromkeys(right for _, right in pairs))
    conjugates = torch.fft.rfft(blocks[lefts, :, :hop], size).conj()
    spectra = torch.fft.rfft(blocks[rights])
    left = [lefts.index(one) for one, _ in pairs]
    right = [rights.index(one) for _, one in pairs]
    sums = (conjugates[left] * spectra[right]).sum(1)
    products: torch.Tensor = torch.fft.irfft(sums, size)[:, :num_lags]
    return products
