"""LPAPS: distance of two sounds in the layers of CLAP's audio network.

Axes: signals (..., T), T up to 10 s, time last; one value for each leading index. No unit; lower is
better.

Both signals are one window of 10 s (`hive.embedding.windows.full`), and a layer is the output of
one of HTSAT's four stages, shape (tokens, channels): tokens are places in time and frequency. With
f^ = f / (|f| + 1e-10), norms taken along one axis, a layer contributes |f^e - f^r|^2 along that
axis, averaged over the other; the four layers are added.

lpaps
    Norm along the tokens, mean over the channels: what AudioEditingCode (`evals/lpaps.py`), which
    the Hive paper cites, computes. A layer lies in 0..4, near 2 for unrelated directions: 0 for
    identical sounds, below 8 in all but strange cases.
lpaps_channel
    Norm along the channels, mean over the tokens, as LPIPS does for images.
lpaps_win
    Mean of `lpaps` over the windows that the notebooks of AudioEditingCode cut: the whole sound
    and, of one longer than 9 s, what follows after 9 s, repeated (`hive.embedding.windows.tail`).

Odd cases: a silent reference (RMS below 1e-6) gives NaN; a silent estimate has layers like any
other, and a value. Sounds above 10 s are refused.

References: Iashin and Rahtu, "Taming visually guided sound generation", BMVC 2021 (LPAPS); Manor
and Michaeli, "Zero-shot unsupervised and text-based audio editing using DDPM inversion", ICML 2024
(CLAP's network in its place); Zhang et al., CVPR 2018 (LPIPS).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hive.embedding.base import Float32
from hive.embedding.extract import Features
from hive.metrics.embedded import Embedding, embed, score_pairs
from hive.metrics.info import Feature, MetricInfo
from hive.metrics.validate import FloatArray, Length, OnBad

EPS = 1e-10  # added to norms
TOKENS, CHANNELS = 0, 1

_SOURCE = "AudioEditingCode, evals/lpaps.py, with music_audioset_epoch_15_esc_90.14"
_INPUTS = ("estimate", "reference", "sample_rate")
_PACKAGES = ("numpy", "soxr", "torch", "transformers")
_LAYERS: tuple[Feature, ...] = ("layers",)
_BOTH: tuple[Feature, ...] = ("layers", "tail")
METRICS = (
    MetricInfo(
        "lpaps",
        "LPAPS",
        "",
        False,
        "Distance of CLAP's layers, each channel normalised over time and frequency.",
        "sum over layers of mean over channels of |f_e/|f_e| - f_r/|f_r||^2, norms along tokens",
        _SOURCE,
        "hive.metrics.lpaps:lpaps",
        _INPUTS,
        features=_LAYERS,
        packages=_PACKAGES,
    ),
    MetricInfo(
        "lpaps_channel",
        "LPAPS-channel",
        "",
        False,
        "Distance of CLAP's layers, each place in time and frequency normalised over channels.",
        "sum over layers of mean over tokens of |f_e/|f_e| - f_r/|f_r||^2, norms along channels",
        "Zhang et al. 2018 (LPIPS), on CLAP's layers",
        "hive.metrics.lpaps:lpaps_channel",
        _INPUTS,
        features=_LAYERS,
        packages=_PACKAGES,
    ),
    MetricInfo(
        "lpaps_win",
        "LPAPS-win",
        "",
        False,
        "Mean of lpaps of the whole sound and of its part after 9 s, repeated.",
        "(lpaps(e, r) + lpaps(e, r after 9 s)) / 2; up to 9 s, lpaps",
        "AudioEditingCode, notebooks: windows of 10 s with 10 % overlap",
        "hive.metrics.lpaps:lpaps_win",
        _INPUTS,
        features=_BOTH,
        packages=_PACKAGES,
    ),
)


def lpaps(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """LPAPS, normalised along the tokens.

    Args:
        estimate: Output of a system, shape (..., T), up to 10 s.
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        embedding: Name of an embedding with layers, one at hand, or None for the default.
        device: Torch device for an embedding given by name.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...), at least 0.

    Raises:
        HiveError: The embedding is not to be had here.
        ValueError: It has no layers, a signal is longer than 10 s; or see
            `hive.metrics.validate.load`.
    """
    items = embed(_LAYERS, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, lpaps_value)


def lpaps_channel(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """LPAPS, normalised along the channels; arguments as `lpaps`."""
    items = embed(_LAYERS, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, lpaps_channel_value)


def lpaps_win(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Mean of LPAPS over the windows of the notebooks; arguments as `lpaps`."""
    items = embed(_BOTH, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, lpaps_win_value)


def lpaps_value(estimate: Features, reference: Features) -> float:
    """LPAPS of the features of two signals, which must have layers."""
    return layer_distance(_layers(estimate.layers), _layers(reference.layers), TOKENS)


def lpaps_channel_value(estimate: Features, reference: Features) -> float:
    """`lpaps_channel` of the features of two signals, which must have layers."""
    return layer_distance(_layers(estimate.layers), _layers(reference.layers), CHANNELS)


def lpaps_win_value(estimate: Features, reference: Features) -> float:
    """`lpaps_win` of the features of two signals, which must have layers of their tails too."""
    tail = layer_distance(_layers(estimate.tail_layers), _layers(reference.tail_layers), TOKENS)
    return (lpaps_value(estimate, reference) + tail) / 2


def layer_distance(first: Sequence[Float32], second: Sequence[Float32], axis: int) -> float:
    """Return the distance of two lists of layers, each of shape (tokens, channels).

    Args:
        first: Layers of one sound.
        second: Layers of the other, of the same shapes.
        axis: Axis of the norm: `TOKENS` or `CHANNELS`; the mean is over the other.
    """
    return sum(_distance(a, b, axis) for a, b in zip(first, second, strict=True))


def _distance(first: Float32, second: Float32, axis: int) -> float:
    difference = _normalised(first, axis) - _normalised(second, axis)
    return float(np.mean(np.sum(difference**2, axis=axis)))


def _normalised(layer: Float32, axis: int) -> FloatArray:
    values = layer.astype(np.float64)
    unit: FloatArray = values / (np.sqrt(np.sum(values**2, axis=axis, keepdims=True)) + EPS)
    return unit


def _layers(layers: tuple[Float32, ...] | None) -> tuple[Float32, ...]:
    if layers is None:
        raise ValueError("the features hold no layers; ask for them when extracting")
    return layers
