"""STOI of many pairs on one device.

The steps are those of `hive.metrics.stoi`. References keep different numbers of frames: kept frames
are moved to the front, the others are zeroed behind them, and runs that reach beyond the last kept
one do not count. Resampling is by matrix products, not by Fourier transforms, so that digital
silence stays zero: STOI is blind to level, and would hear the rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

import torch

from hive.metrics.polyphase import resampler
from hive.metrics.stoi import (
    DYNAMIC_RANGE,
    EPS,
    FRAME,
    HOP,
    LIMIT,
    NUM_BINS,
    RATE,
    RUN,
    third_octaves,
    window,
)


def stoi_of_pairs(
    signals: torch.Tensor,
    pairs: Sequence[tuple[int, int]],
    sample_rate: int,
    forms: Collection[bool],
) -> dict[bool, torch.Tensor]:
    """Classic STOI, extended STOI or both, of pairs of signals.

    Args:
        signals: Signals of one length, shape (S, T), float64.
        pairs: Indices (reference, tested signal).
        sample_rate: Rate of the signals in Hz.
        forms: False for classic STOI, True for extended, or both.

    Returns:
        Values of each form, shape (P,), on the device; NaN where fewer than 31 frames are kept.
    """
    used = list(dict.fromkeys(index for pair in pairs for index in pair))
    samples = resample(signals[used], sample_rate)
    num_frames = max(0, -(-(samples.shape[1] - FRAME) // HOP))
    if num_frames <= RUN:
        return {form: signals.new_full((len(pairs),), torch.nan) for form in forms}
    shape = signals.new_tensor(window())
    frames = samples.unfold(1, FRAME, HOP)[:, :num_frames] * shape

    references = list(dict.fromkeys(left for left, _ in pairs))
    own = [references.index(left) for left, _ in pairs]
    clean = frames[[used.index(index) for index in references]]
    levels = 20 * torch.log10(clean.square().sum(-1).sqrt() + EPS)
    kept = levels.amax(1, keepdim=True) - DYNAMIC_RANGE - levels < 0
    order = kept.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    count = kept.sum(1)
    inside = torch.arange(num_frames, device=signals.device) < count[:, None]

    def bands_of(chosen: torch.Tensor, rows: list[int]) -> torch.Tensor:
        index = order[rows][:, :, None].expand_as(chosen)
        return _bands(chosen.gather(1, index) * inside[rows][:, :, None], shape)

    reference = bands_of(clean, list(range(len(references))))[own]
    tested = bands_of(frames[[used.index(index) for _, index in pairs]], own)
    num_runs = (count[own] - RUN).clamp_min(0)
    within = torch.arange(reference.shape[1] - RUN + 1, device=signals.device) < num_runs[:, None]
    values = {}
    for form in forms:
        of_runs = (_extended if form else _classic)(reference, tested)
        total = torch.where(within, of_runs, 0.0).sum(1)
        values[form] = total / num_runs  # 0 / 0 where there is no run
    return values


def resample(signals: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Bring signals, shape (S, T), to 10 kHz as `hive.metrics.polyphase` does."""
    if sample_rate == RATE:
        return signals
    periods = resampler(sample_rate, RATE)
    num_outputs = -(-signals.shape[1] * periods.up // periods.down)
    num_rows = -(-num_outputs // periods.outputs)
    before = -periods.parts[0][0]
    last, weights = periods.parts[-1]
    width = before + (num_rows - 1) * periods.inputs + last + len(weights)
    padded = torch.nn.functional.pad(
        signals[:, : width - before], (before, max(0, width - before - signals.shape[1]))
    )
    output = signals.new_empty(len(signals), num_rows, periods.outputs)
    column = 0
    for first, part in _weights(sample_rate, signals.device):
        rows = padded[:, before + first :].unfold(1, len(part), periods.inputs)[:, :num_rows]
        output[:, :, column : column + part.shape[1]] = rows @ part
        column += part.shape[1]
    return output.flatten(1)[:, :num_outputs]


@lru_cache(maxsize=8)
def _weights(sample_rate: int, device: torch.device) -> list[tuple[int, torch.Tensor]]:
    return [
        (first, torch.from_numpy(part).to(device))
        for first, part in resampler(sample_rate, RATE).parts
    ]


def _bands(frames: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """Third-octave envelopes of windowed frames (N, F, FRAME) put together, (N, F - 1, bands)."""
    joined = frames[:, :, :HOP].clone()
    joined[:, 1:] += frames[:, :-1, HOP:]
    again = torch.cat([joined[:, :-1], joined[:, 1:]], dim=2) * shape
    lowest, sums = third_octaves()
    spectra = torch.view_as_real(torch.fft.rfft(again, NUM_BINS)).flatten(2)
    power = spectra[:, :, 2 * lowest : 2 * lowest + len(sums)].square()
    return (power @ power.new_tensor(sums)).sqrt()


def _runs(bands: torch.Tensor) -> torch.Tensor:
    """All runs of successive frames, as a view of shape (N, runs, bands, RUN)."""
    return bands.unfold(1, RUN, 1)


def _unit(values: torch.Tensor, dim: int) -> torch.Tensor:
    """Values with mean 0 and norm 1 along an axis."""
    centred = values - values.mean(dim, keepdim=True)
    return centred / (centred.square().sum(dim, keepdim=True).sqrt() + EPS)


def _classic(reference: torch.Tensor, tested: torch.Tensor) -> torch.Tensor:
    """Mean correlation over the bands of each run, shape (N, runs)."""
    clean, other = _runs(reference), _runs(tested)
    gain = clean.square().sum(3).sqrt() / (other.square().sum(3).sqrt() + EPS)
    limited = torch.minimum(other * gain[..., None], clean * LIMIT)
    return (_unit(limited, 3) * _unit(clean, 3)).sum(3).mean(2)


def _extended(reference: torch.Tensor, tested: torch.Tensor) -> torch.Tensor:
    """Mean correlation over the frames of each run, shape (N, runs)."""
    first, second = (_unit(_unit(_runs(bands), 3), 2) for bands in (reference, tested))
    return (first * second).sum((2, 3)) / RUN
