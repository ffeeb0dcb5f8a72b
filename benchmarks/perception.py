"""Perceptual metrics of the items of one mixture, from one pass of the network for each signal.

What is found about true sources is kept on disk, so a second model is scored at half the cost; see
`hive.embedding.cache`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hive.metrics.registry import Metric, resolve

if TYPE_CHECKING:
    from benchmarks.results import MetricRecord
    from benchmarks.tasks import Float, Material, Scored
    from hive.embedding.extract import Extractor


class Texts:
    """Embeds the queries of a run, each once.

    Done in the process of the run: scoring processes need not hold the network of the texts.

    Args:
        metrics: Metrics of the run.
        device: Torch device.
    """

    def __init__(self, metrics: Sequence[MetricRecord], device: str) -> None:
        found = [resolve(metric.name) for metric in metrics]
        self._device = device
        self._embeddings = sorted(
            {one.embedding for one in found if one.embedding and "text" in one.info.features}
        )

    def vectors(self, queries: Mapping[str, str]) -> dict[str, dict[str, Float]]:
        """Return unit vectors of queries by source_id, for each embedding."""
        return {
            name: {
                source_id: extractor(name, self._device).text(text)
                for source_id, text in queries.items()
            }
            for name in self._embeddings
        }


@functools.lru_cache(maxsize=4)
def extractor(embedding: str, device: str) -> Extractor:
    """Return the extractor of an embedding, with the cache on disk; the last ones are kept."""
    from hive.embedding.cache import FeatureCache
    from hive.embedding.extract import Extractor
    from hive.embedding.registry import load

    return Extractor(load(embedding, device), FeatureCache())


def score_perceptual(scored: Scored, material: Material, metrics: Sequence[Metric]) -> None:
    """Add perceptual metrics to the scores of a mixture.

    Columns of an item whose sound cannot be embedded are NaN, and listed with the reason.

    Args:
        scored: Scores of the mixture so far; those of its items that have any are completed.
        material: The mixture.
        metrics: Metrics that need an embedding.
    """
    for embedding in dict.fromkeys(one.embedding for one in metrics if one.embedding):
        of_embedding = [one for one in metrics if one.embedding == embedding]
        for name in list(scored.values):
            try:
                _score_item(scored, material, name, embedding, of_embedding)
            except ValueError as error:
                columns = [one.name for one in of_embedding if one.info.scope == "item"]
                scored.values[name] |= dict.fromkeys(columns, float("nan"))
                gaps = dict.fromkeys((one.name for one in of_embedding), str(error))
                scored.gaps[name] = scored.gaps.get(name, {}) | gaps


def _score_item(
    scored: Scored, material: Material, name: str, embedding: str, metrics: Sequence[Metric]
) -> None:
    from hive.metrics.fad import set_vectors
    from hive.metrics.perceptual import perceptual_metrics, wanted

    source = extractor(embedding, material.device)
    features = wanted([one.info for one in metrics])
    rate = material.sample_rate
    reference = source.features(material.sources[name], rate, features, keep=True)
    estimate = source.features(material.estimates[name], rate, features, keep=material.lasting)
    texts = material.texts.get(embedding, {})
    found = perceptual_metrics(
        estimates=[estimate],
        references=[reference],
        texts=[texts[name]] if name in texts else None,
        names=[one.info.name for one in metrics if one.info.scope == "item"],
    )
    columns = {one.info.name: one.name for one in metrics}
    scored.values[name] |= {columns[item]: float(value[0]) for item, value in found.items()}
    for one in metrics:
        if one.info.scope == "set" and not reference.silent:
            for what, signal in (("estimate", estimate), ("reference", reference)):
                key = (embedding, one.info.features[0], what, name)
                scored.vectors[key] = set_vectors(one.info.name, signal)
