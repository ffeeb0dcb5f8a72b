"""Fréchet audio distance (FAD) of CLAP embeddings, and the distances of pairs that go by its name.

Axes: signals (N, T) for values of a set, (..., T) for values of items, time last. No unit; lower is
better. u is the unit vector of a sound, its windows those of `hive.embedding.windows.sliding`
(10 for a sound of 10 s).

Of a set, one value for all items (`hive.metrics.setvalue`):

fad
    Fréchet distance of all windows of all estimates to all windows of all references, as fadtk
    computes it for `clap-laion-music` (Gui et al., "Adapting Frechet audio distance for generative
    music evaluation", ICASSP 2024).
fad_onewin
    The same with one window a sound, the whole of it.
fad_inf
    `fad` extrapolated to infinitely many windows (Gui et al.; Chong and Forsyth, CVPR 2020).

Of items, averaged like other metrics:

fad_pair
    |u_e - u_r|. The "FAD" printed in the Hive paper behaves like the mean of this (an inference
    from its tables): over 97 rows it follows sqrt(2 - 2 CLAP-A), as a distance of pairs does and a
    distance of sets does not.
fad_pair_sq
    |u_e - u_r|^2.
fad_file
    Fréchet distance of the windows of one estimate to those of its reference.

Odd cases: items with a silent reference (RMS below 1e-6) score NaN and are left out of sets; a
silent estimate has an embedding like any other, and a value. A set, or in `fad_file` a sound, of
one window raises ValueError: it has no covariance. Sounds above 10 s are refused here
(`hive-bench fad` takes them).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hive.embedding.base import Float32
from hive.embedding.extract import Features
from hive.metrics import frechet
from hive.metrics.embedded import EmbeddedBatch, Embedding, embed, score_pairs
from hive.metrics.info import Feature, MetricInfo, Scope
from hive.metrics.setvalue import (
    Extrapolation,
    SetValue,
    extrapolate,
    paired_distance,
)
from hive.metrics.validate import FloatArray, Length, OnBad

_INPUTS = ("estimate", "reference", "sample_rate")
_PACKAGES = ("numpy", "soxr", "torch", "transformers")
_VECTOR: tuple[Feature, ...] = ("vector",)
_WINDOWS: tuple[Feature, ...] = ("windows",)
SET_METRICS = ("fad", "fad_onewin", "fad_inf")


def _info(
    name: str,
    title: str,
    definition: str,
    formula: str,
    source: str,
    features: tuple[Feature, ...],
    scope: Scope = "item",
) -> MetricInfo:
    return MetricInfo(
        name,
        title,
        "",
        False,
        definition,
        formula,
        source,
        f"hive.metrics.fad:{name}",
        _INPUTS,
        scope=scope,
        features=features,
        packages=_PACKAGES if scope == "item" else (*_PACKAGES, "scipy"),
    )


_FRECHET = "|m_e - m_r|^2 + tr(C_e + C_r - 2 (C_e C_r)^(1/2))"
METRICS = (
    _info(
        "fad",
        "FAD",
        "Fréchet distance of all CLAP windows of the estimates to those of the references.",
        f"{_FRECHET} over windows of 10 s, one a second",
        "fadtk, clap-laion-music, which the Hive paper cites",
        _WINDOWS,
        "set",
    ),
    _info(
        "fad_onewin",
        "FAD-onewin",
        "fad with one window a sound.",
        f"{_FRECHET} over whole sounds",
        "this package",
        _VECTOR,
        "set",
    ),
    _info(
        "fad_inf",
        "FAD-inf",
        "fad extrapolated to infinitely many windows of the estimates.",
        "intercept of a line through fad of 25 sizes n of the set, over 1/n",
        "Gui et al. 2024; fadtk score_inf, without replacement",
        _WINDOWS,
        "set",
    ),
    _info(
        "fad_pair",
        "FAD-pair",
        "Euclidean distance of the CLAP embeddings of estimate and reference.",
        "|u_e - u_r|",
        "inferred from the Hive paper, tables A3 to A5",
        _VECTOR,
    ),
    _info(
        "fad_pair_sq",
        "FAD-pair²",
        "Squared Euclidean distance of the CLAP embeddings of estimate and reference.",
        "|u_e - u_r|^2",
        "this package",
        _VECTOR,
    ),
    _info(
        "fad_file",
        "FAD-file",
        "Fréchet distance of the CLAP windows of one estimate to those of its reference.",
        f"{_FRECHET} over the windows of one sound",
        "this package",
        _WINDOWS,
    ),
)


def fad(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    recordings: Sequence[str] | None = None,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> SetValue:
    """Fréchet audio distance of a set of estimates to their references.

    Args:
        estimate: Outputs of a system, shape (N, T), up to 10 s each.
        reference: True sources, shape (N, T).
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        recordings: What each item was cut from, for the interval; by default all differ.
        embedding: Name of an embedding, one at hand, or None for the default.
        device: Torch device for an embedding given by name.
        length: "strict", or "match" to cut or pad the estimates.
        on_bad: "raise", or "nan" to leave out items with NaN or Inf.

    Returns:
        The value with its interval and the numbers of files and windows.

    Raises:
        HiveError: The embedding is not to be had here.
        ValueError: There are fewer than two windows, a signal is longer than 10 s; or see
            `hive.metrics.validate.load`.
    """
    items = embed(_WINDOWS, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return paired_distance(*_sets("fad", items, recordings))


def fad_onewin(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    recordings: Sequence[str] | None = None,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> SetValue:
    """Fréchet audio distance with one window a sound; arguments as `fad`."""
    items = embed(_VECTOR, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return paired_distance(*_sets("fad_onewin", items, recordings))


def fad_inf(
    *,
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    seed: int = 0,
    embedding: Embedding = None,
    device: str = "cpu",
    length: Length = "strict",
    on_bad: OnBad = "raise",
) -> Extrapolation:
    """`fad` extrapolated to infinitely many windows.

    Arguments as `fad`; `seed` is that of the parts drawn (`hive.metrics.setvalue.extrapolate`).
    """
    items = embed(_WINDOWS, estimate, reference, sample_rate, embedding, device, length, on_bad)
    references, estimates, _ = _sets("fad_inf", items, None)
    return extrapolate(references, estimates, seed)


def fad_pair(
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
    """Euclidean distance of the embeddings of estimate and reference.

    Args:
        estimate: Outputs of a system, shape (..., T), up to 10 s each.
        reference: True sources, shape (..., T).
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        embedding: Name of an embedding, one at hand, or None for the default.
        device: Torch device for an embedding given by name.
        length: "strict", or "match" to cut or pad the estimates.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...), 0 to 2.

    Raises:
        HiveError: The embedding is not to be had here.
        ValueError: A signal is longer than 10 s; or see `hive.metrics.validate.load`.
    """
    items = embed(_VECTOR, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, fad_pair_value)


def fad_pair_sq(
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
    """Square of `fad_pair`, 0 to 4; arguments as there."""
    items = embed(_VECTOR, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, fad_pair_sq_value)


def fad_file(
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
    """Fréchet distance of the windows of each estimate to those of its reference.

    Arguments as `fad_pair`; signals of a second or less, which have one window, raise ValueError.
    """
    items = embed(_WINDOWS, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, fad_file_value)


def fad_pair_value(estimate: Features, reference: Features) -> float:
    """`fad_pair` of the features of two signals."""
    return float(np.linalg.norm(_difference(estimate, reference)))


def fad_pair_sq_value(estimate: Features, reference: Features) -> float:
    """`fad_pair_sq` of the features of two signals."""
    return float(np.sum(_difference(estimate, reference) ** 2))


def fad_file_value(estimate: Features, reference: Features) -> float:
    """`fad_file` of the features of two signals, which must have windows."""
    return frechet.distance_of_vectors(
        set_vectors("fad_file", estimate), set_vectors("fad_file", reference)
    )


def set_vectors(name: str, features: Features) -> Float32:
    """Return what a metric over sets takes of one sound, shape (W, D).

    Args:
        name: One of `SET_METRICS`, or "fad_file".
        features: Features of the sound; with windows, unless `name` is "fad_onewin".

    Raises:
        ValueError: The features hold no windows.
    """
    if name == "fad_onewin":
        return features.vector[np.newaxis]
    if features.windows is None:
        raise ValueError("the features hold no windows; ask for them when extracting")
    return features.windows


def set_metric(
    name: str,
    references: Sequence[Float32],
    estimates: Sequence[Float32],
    recordings: Sequence[str],
    seed: int = 0,
    *,
    interval: bool = True,
) -> SetValue | Extrapolation:
    """Compute a metric of a set from what `set_vectors` gave for each item.

    Args:
        name: One of `SET_METRICS`.
        references: Vectors of each reference, shape (W, D) each.
        estimates: Vectors of each estimate, in the same order.
        recordings: What each item was cut from, for the interval.
        seed: Seed of what "fad_inf" draws.
        interval: Whether to compute the interval, which takes most of the time.

    Raises:
        ValueError: There is no such metric, or a set is too small for it.
    """
    if name not in SET_METRICS:
        raise ValueError(f"{name} is no metric of sets; they are {', '.join(SET_METRICS)}")
    if name == "fad_inf":
        return extrapolate(references, estimates, seed)
    return paired_distance(references, estimates, recordings, interval=interval)


def _difference(estimate: Features, reference: Features) -> FloatArray:
    difference: FloatArray = estimate.vector.astype(np.float64) - reference.vector
    return difference


def _sets(
    name: str, items: EmbeddedBatch, recordings: Sequence[str] | None
) -> tuple[list[Float32], list[Float32], list[str]]:
    """Vectors of the references and estimates that count, and what they were cut from."""
    batch = items.batch
    names = recordings if recordings is not None else [str(i) for i in range(batch.num_items)]
    if len(names) != batch.num_items:
        raise ValueError(f"there are {len(names)} recordings for {batch.num_items} items")
    kept = [
        index
        for index in range(batch.num_items)
        if index not in batch.bad and not batch.references[index].silent
    ]
    return (
        [set_vectors(name, items.reference(index)) for index in kept],
        [set_vectors(name, items.estimate(index)) for index in kept],
        [names[index] for index in kept],
    )
