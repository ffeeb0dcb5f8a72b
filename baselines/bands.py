"""Mel-spaced bands: fewer rows for the network to see, and the way back to bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def band_weights(bins: int, bands: int, sample_rate: int) -> Tensor:
    """Return triangles over the bins below the Nyquist rate; those of a bin add up to 1.

    Centres are evenly spaced on the mel scale (2595 log10(1 + f / 700)) from the first to the last
    bin, but nowhere closer than one bin: at the low end, where mel spacing is finer than that, each
    bin is a band of its own, and no band is empty.

    Args:
        bins: Number of bins; bin k is at k / bins of the Nyquist rate.
        bands: Number of bands, 2 to `bins`.
        sample_rate: Hz.

    Returns:
        Shape (bands, bins), float32; every column adds up to 1, every row to more than 0.
    """
    centres = _centres(bins, bands, sample_rate)
    positions = np.arange(bins, dtype=np.float64)
    rows = [np.interp(positions, centres, row) for row in np.eye(bands)]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _centres(bins: int, bands: int, sample_rate: int) -> npt.NDArray[np.float64]:
    """Centres of the bands, in bins: increasing from 0 to bins - 1 by steps of at least 1."""
    width = sample_rate / 2.0 / bins
    last = _mel((bins - 1) * width)
    centres = [0.0]
    for remaining in range(bands - 1, 0, -1):
        here = _mel(centres[-1] * width)
        even = _hertz(here + (last - here) / remaining) / width
        centres.append(max(centres[-1] + 1.0, even))
    return np.array(centres)


def _mel(frequency: float) -> float:
    return 2595.0 * float(np.log10(1.0 + frequency / 700.0))


def _hertz(mel: float) -> float:
    return 700.0 * float(10.0 ** (mel / 2595.0) - 1.0)
