"""How much of a signal is a filtered copy of another: the arithmetic behind BSS-eval SDR.

With r a reference, e an estimate and L taps, the energy of the projection of e on the causal
shifts r[n], r[n-1] ... r[n-L+1] is b' A^-1 b, where A is the symmetric Toeplitz matrix of the
autocorrelation of r (lags 0 to L-1, linear) and b the correlation of r with e at the same lags
(Vincent, Gribonval, Fevotte 2006, section III; Scheibler 2022, section 3).

Correlations: long signals are cut into blocks, whose circular cross-spectra are summed before one
inverse transform. A circular correlation of a block pairs its tail with its own head, where the
linear one pairs the tail with the head of the next block; both terms involve L samples only and
are exchanged at the end. So each signal is transformed once, without padding or overlap.

Solution: Levinson recursion. Its residual is checked, and enters the result to first order, which
leaves an error of second order; where the matrix is too ill-conditioned (long stretches of one
tone), the projection is taken on the eigenvectors that stand above rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.linalg

from hive.metrics.validate import FloatArray

BLOCK = 8192  # samples; 4096 to 16384 measure alike
BLOCKS_AT_ONCE = 8  # spectra of a few signals then fit the second-level cache
MAX_RESIDUAL = 1e-11  # of the largest correlation; well-conditioned systems leave 1e-15 to 1e-12


def lag_products(
    signals: Sequence[FloatArray], pairs: Iterable[tuple[int, int]], num_lags: int
) -> dict[tuple[int, int], FloatArray]:
    """Correlate pairs of signals at non-negative lags.

    Args:
        signals: Signals of one length T, each contiguous.
        pairs: Indices (i, j) of signals.
        num_lags: Number of lags L, at most T.

    Returns:
        For each pair, the sums over n of x_i[n] x_j[n + k] for k = 0 ... L-1.
    """
    wanted = list(dict.fromkeys(pairs))
    size = max(BLOCK, 1 << (2 * num_lags - 1).bit_length())
    cut = [_blocks(signal, size) for signal in signals]
    sums = {pair: np.zeros(size // 2 + 1, np.complex128) for pair in wanted}
    for part in range(len(cut[0])):
        spectra: dict[int, npt.NDArray[np.complex128]] = {}
        conjugates: dict[int, npt.NDArray[np.complex128]] = {}
        for left, right in wanted:
            for index in (left, right):
                if index not in spectra:
                    spectra[index] = scipy.fft.rfft(cut[index][part])
            if left not in conjugates:
                conjugates[left] = spectra[left].conj()
            sums[left, right] += (conjugates[left] * spectra[right]).sum(axis=0)
    tails = {left: _tails(cut[left], num_lags).conj() for left, _ in wanted}
    heads = {right: _head_steps(cut[right], num_lags) for _, right in wanted}
    products = {}
    for left, right in wanted:
        circular = scipy.fft.irfft(sums[left, right], size)[:num_lags]
        edges = np.einsum("bf,bf->f", tails[left], heads[right])
        products[left, right] = circular + scipy.fft.irfft(edges, 2 * num_lags)[num_lags:]
    return products


def explained_energy(
    autocorrelation: FloatArray, correlations: Sequence[FloatArray]
) -> list[float]:
    """Energy of the projections of signals on the shifts of a reference.

    Args:
        autocorrelation: Of the reference, lags 0 to L-1; its first element is positive.
        correlations: Of the reference with each signal, lags 0 to L-1.

    Returns:
        b' A^-1 b for each signal, never negative.
    """
    matrix = scipy.linalg.toeplitz(autocorrelation)
    energies = []
    for b in correlations:
        energy = _levinson(matrix, b)
        energies.append(_least_squares(matrix, b) if energy is None else energy)
    return energies


def _levinson(matrix: FloatArray, b: FloatArray) -> float | None:
    """Return b' A^-1 b, or None if the recursion lost too much precision."""
    try:
        solution = scipy.linalg.solve_toeplitz(matrix[0], b, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    residual = b - matrix @ solution
    if not np.abs(residual).max() <= MAX_RESIDUAL * np.abs(b).max():
        return None
    return max(0.0, float(b @ solution + residual @ solution))


def _least_squares(matrix: FloatArray, b: FloatArray) -> float:
    """Return b' A^+ b, leaving out directions of A that are lost in rounding."""
    values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
    sound = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return float(np.sum((b @ vectors[:, sound]) ** 2 / values[sound]))


def _blocks(signal: FloatArray, size: int) -> list[FloatArray]:
    """Cut a signal into arrays of blocks, shape (B, size); the last one is padded with zeros."""
    num_full = len(signal) // size
    body = signal[: num_full * size].reshape(num_full, size)
    last = np.zeros((1, size))
    last[0, : len(signal) - body.size] = signal[body.size :]
    return [
        *(body[start : start + BLOCKS_AT_ONCE] for start in range(0, num_full, BLOCKS_AT_ONCE)),
        last,
    ]


def _tails(blocks: list[FloatArray], num_lags: int) -> npt.NDArray[np.complex128]:
    """Spectra of the last samples of each block."""
    tails = np.concatenate([part[:, -num_lags:] for part in blocks])
    return np.asarray(scipy.fft.rfft(tails, 2 * num_lags))


def _head_steps(blocks: list[FloatArray], num_lags: int) -> npt.NDArray[np.complex128]:
    """Spectra of how the first samples of the next block differ from those of each block."""
    heads = np.concatenate([part[:, :num_lags] for part in blocks])
    return np.asarray(scipy.fft.rfft(np.diff(heads, axis=0, append=0.0), 2 * num_lags))
