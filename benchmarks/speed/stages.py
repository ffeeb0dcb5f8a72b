"""Where the time of the signal metrics goes, and what their Fourier transforms alone would take.

The floor is what any way of correlating by blocks must do: transform each signal once. For STOI it
is the spectra of the frames. Resampling is by matrix products and has no part in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from hive.metrics import stoi
from hive.metrics.polyphase import resampler
from hive.metrics.projection import BLOCK, BLOCKS_AT_ONCE, explained_energy, lag_products
from hive.metrics.validate import load

Array = npt.NDArray[np.float64]
#: Estimate, reference and mixture of one source, shape (T,) each.
Source = tuple[Array, Array, Array]
TAPS = 512
_PAIRS = ((0, 0), (0, 1), (0, 2))
FLOOR_SDR, FLOOR_STOI = "transforms for SDR", "transforms for STOI"


def stages(sources: Sequence[Source], sample_rate: int) -> Mapping[str, Callable[[], Any]]:
    """Return the steps of the pass over some sources, one source at a time.

    Args:
        sources: Signals of equal length.
        sample_rate: Their rate in Hz.
    """
    correlations = [lag_products([r, e, x], _PAIRS, TAPS) for e, r, x in sources]
    to_10k = resampler(sample_rate, stoi.RATE)
    slow = [(to_10k(r), to_10k(e)) for e, r, _ in sources]
    clean = [stoi._clean(r) for r, _ in slow]
    bands = [_bands(c, e) for c, (_, e) in zip(clean, slow, strict=True)]

    def check() -> None:
        for e, r, x in sources:
            load(estimate=e, reference=r, mixture=x, needs=("estimate", "reference", "mixture"))

    return {
        "checks, energies": check,
        "inner products": lambda: [(r @ e, r @ x) for e, r, x in sources],
        "correlations at 512 lags": lambda: [
            lag_products([r, e, x], _PAIRS, TAPS) for e, r, x in sources
        ],
        "Toeplitz systems": lambda: [
            explained_energy(c[0, 0], [c[0, 1], c[0, 2]]) for c in correlations
        ],
        "resampling to 10 kHz": lambda: [(to_10k(r), to_10k(e)) for e, r, _ in sources],
        "bands of STOI": lambda: [
            (stoi._clean(r), _bands(c, e)) for c, (r, e) in zip(clean, slow, strict=True)
        ],
        "comparison of STOI": lambda: [
            stoi._classic(c, b) for c, b in zip(clean, bands, strict=True) if c is not None
        ],
    }


def floor(sources: Sequence[Source], sample_rate: int) -> Mapping[str, Callable[[], Any]]:
    """Return the Fourier transforms that cannot be spared, for SDR and for STOI."""
    num_samples = len(sources[0][0])
    num_blocks = -(-num_samples // BLOCK)
    num_frames = num_samples * stoi.RATE // sample_rate // stoi.HOP
    blocks = [[np.resize(signal, (num_blocks, BLOCK)) for signal in source] for source in sources]
    frames = [
        [np.resize(signal, (num_frames, stoi.FRAME)) for signal in source[:2]] for source in sources
    ]

    def transform(arrays: list[list[Array]], at_once: int, size: int) -> None:
        for array in itertools.chain.from_iterable(arrays):
            for start in range(0, len(array), at_once):
                scipy.fft.rfft(array[start : start + at_once], size)

    return {
        FLOOR_SDR: lambda: transform(blocks, BLOCKS_AT_ONCE, BLOCK),
        FLOOR_STOI: lambda: transform(frames, stoi.ROWS_AT_ONCE, stoi.NUM_BINS),
    }


def _bands(clean: Any, samples: Array) -> Array:
    return stoi._bands(stoi._frames(samples)[clean.kept] * stoi.window())
