"""Signals of a call as features of an embedding: what the perceptual metrics have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hive.embedding.extract import Extractor, Features
from hive.metrics.info import Feature
from hive.metrics.validate import Batch, FloatArray, Length, OnBad, Signal, load

Embedding: TypeAlias = str | Extractor | None
"""The name of an embedding, one at hand, or None for the default."""


class EmbeddedBatch:
    """The items of a call and their features, each signal embedded once, when first asked for.

    Args:
        batch: The signals.
        sample_rate: Their rate in Hz.
        wanted: What the metric takes of the embedding.
        embedding: The embedding.
        device: Torch device for an embedding that is given by name.

    Raises:
        HiveError: There is no such embedding, or it is not to be had here.
        ValueError: `sample_rate` is no positive whole number.
    """

    def __init__(
        self,
        batch: Batch,
        sample_rate: int,
        wanted: frozenset[Feature],
        embedding: Embedding,
        device: str,
    ) -> None:
        if not isinstance(sample_rate, int | np.integer) or sample_rate < 1:
            raise ValueError(f"sample_rate is {sample_rate!r}; embeddings need it in whole Hz")
        self.batch = batch
        self.extractor = (
            embedding if isinstance(embedding, Extractor) else _extractor(embedding, device)
        )
        self._rate = int(sample_rate)
        self._wanted = wanted

    def estimate(self, index: int) -> Features:
        """Return the features of an item's estimate."""
        return self._features(self.batch.estimates[index], keep=False)

    def reference(self, index: int) -> Features:
        """Return the features of an item's reference."""
        return self._features(self.batch.references[index], keep=True)

    def _features(self, signal: Signal, keep: bool) -> Features:
        return signal.once(
            ("features", id(self.extractor), self._wanted),
            lambda: self.extractor.features(signal.samples, self._rate, self._wanted, keep),
        )


def embed(
    wanted: tuple[Feature, ...],
    estimate: npt.ArrayLike,
    reference: npt.ArrayLike | None,
    sample_rate: int,
    embedding: Embedding,
    device: str,
    length: Length,
    on_bad: OnBad,
) -> EmbeddedBatch:
    """Check the signals of a call; see `hive.metrics.validate.load` for what is accepted.

    Without a reference, the estimates stand in for it, so that shapes are checked all the same.
    """
    compared = estimate if reference is None else reference
    batch = load(estimate=estimate, reference=compared, length=length, on_bad=on_bad)
    return EmbeddedBatch(batch, sample_rate, frozenset(wanted), embedding, device)


def score_pairs(items: EmbeddedBatch, score: Callable[[Features, Features], float]) -> FloatArray:
    """Return the score of each estimate and reference; NaN where the reference is silent."""

    def one(index: int) -> float:
        if items.batch.references[index].silent:
            return float("nan")
        return score(items.estimate(index), items.reference(index))

    return items.batch.map(one)


@lru_cache(maxsize=4)
def _extractor(name: str | None, device: str) -> Extractor:
    from hive.embedding import registry

    return Extractor(registry.load(name or registry.DEFAULT, device))
