"""Several perceptual metrics of the same items from one set of features.

Each signal is embedded once (`hive.embedding.extract`); what a metric takes of it says `wanted`.
Values are those of the single functions, which use the same code. All features must be of one
embedding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from hive.embedding.base import Float32
from hive.embedding.extract import Features
from hive.metrics import clap, fad, lpaps
from hive.metrics.info import Feature, MetricInfo
from hive.metrics.validate import FloatArray

_ByName: TypeAlias = Mapping[str, MetricInfo]
METRICS = (*fad.METRICS, *lpaps.METRICS, *clap.METRICS)
_INFOS: _ByName = {info.name: info for info in METRICS}
_OF_PAIRS = {
    "fad_pair": fad.fad_pair_value,
    "fad_pair_sq": fad.fad_pair_sq_value,
    "fad_file": fad.fad_file_value,
    "lpaps": lpaps.lpaps_value,
    "lpaps_channel": lpaps.lpaps_channel_value,
    "lpaps_win": lpaps.lpaps_win_value,
    "clap_a": clap.clap_a_value,
}
_OF_TEXTS = {"clap_t": clap.clap_t_value, "clap_t_win": clap.clap_t_win_value}
ITEM_METRICS = (*_OF_PAIRS, *_OF_TEXTS)
"""Names that `perceptual_metrics` computes; those over sets are `hive.metrics.fad.SET_METRICS`."""


def wanted(infos: Iterable[MetricInfo]) -> frozenset[Feature]:
    """Return what the signals of metrics must be asked for; the text is not a signal's."""
    return frozenset(feature for info in infos for feature in info.features) - {"text"}


def perceptual_metrics(
    *,
    estimates: Sequence[Features],
    references: Sequence[Features] | None = None,
    texts: Sequence[Float32] | None = None,
    names: Sequence[str],
) -> dict[str, FloatArray]:
    """Compute metrics of items from their features.

    Args:
        estimates: Features of the outputs, N of them.
        references: Features of the true sources, N, if a metric needs them. Where one is silent,
            metrics that need it are NaN.
        texts: Vectors of the queries, shape (512,) each, N, if a metric needs them.
        names: Metrics out of `ITEM_METRICS`.

    Returns:
        Values of each metric, shape (N,), in the order of `names`.

    Raises:
        ValueError: A metric is not computed from features of items, something that it needs is
            missing, or lengths differ.

    Example:
        >>> one = Features(silent=False, vector=np.eye(512, dtype=np.float32)[0])
        >>> perceptual_metrics(estimates=[one], references=[one], names=["clap_a", "fad_pair"])
        {'clap_a': array([1.]), 'fad_pair': array([0.])}
    """
    _check(estimates, references, texts, names)
    return {name: _score(name, estimates, references, texts) for name in names}


def _score(
    name: str,
    estimates: Sequence[Features],
    references: Sequence[Features] | None,
    texts: Sequence[Float32] | None,
) -> FloatArray:
    if name in _OF_TEXTS:
        of_text = _OF_TEXTS[name]
        return np.array([of_text(e, t) for e, t in zip(estimates, texts or (), strict=True)])
    of_pair = _OF_PAIRS[name]
    return np.array(
        [
            np.nan if r.silent else of_pair(e, r)
            for e, r in zip(estimates, references or (), strict=True)
        ]
    )


def _check(
    estimates: Sequence[Features],
    references: Sequence[Features] | None,
    texts: Sequence[Float32] | None,
    names: Sequence[str],
) -> None:
    outside = [name for name in names if name not in ITEM_METRICS]
    if outside:
        raise ValueError(f"not computed from features of items: {', '.join(outside)}")
    needs = {one for name in names for one in _INFOS[name].requires}
    given = {"reference": ("references", references), "text": ("texts", texts)}
    for need, (argument, items) in given.items():
        if need not in needs:
            continue
        if items is None:
            raise ValueError(f"{argument}= is missing")
        if len(items) != len(estimates):
            raise ValueError(f"there are {len(items)} {argument} for {len(estimates)} estimates")
