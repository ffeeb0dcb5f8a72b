"""What exactly a number is: definition, settings, rate, resampler, weights, library versions.

Two values may be compared if their ids are equal. The id leaves the versions of libraries out,
which change values by rounding at most; they are recorded beside it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from typing import Any

from hive.audio import RESAMPLER
from hive.embedding.base import EmbeddingInfo
from hive.embedding.cache import REVISION
from hive.metrics.registry import Metric, resolve

_DIGITS = 10


@dataclass(frozen=True)
class Identity:
    """What a column's values depend on.

    Attributes:
        definition: Name of the metric without suffixes.
        revision: Number of its definition.
        settings: What is not the default: filter_length, load_diag, zero_mean, compat; for a share,
            "of" names the definition whose values are counted, with its revision.
        sample_rate: Rate in Hz at which the metric sees the signals.
        band: Rate in Hz whose band the true source is limited to, or None.
        resampler: The one resampler of models, metrics and embeddings.
        embedding: Name of the embedding, or None.
        features: Number of how signals are cut and embedded (`hive.embedding.cache.REVISION`), or
            None without an embedding.
        judge: Name of the judge, or None.
        checkpoint_sha256: Hash of the weights of embedding or judge, or None.
    """

    definition: str
    revision: int
    settings: dict[str, Any]
    sample_rate: int
    band: int | None
    resampler: str
    embedding: str | None
    features: int | None
    judge: str | None
    checkpoint_sha256: str | None

    @property
    def id(self) -> str:
        """A short text that is equal exactly if all of these are."""
        text = json.dumps(asdict(self), sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        return f"{self.definition}.{self.revision}-{self.sample_rate}-{digest[:_DIGITS]}"


def identify(
    metric: Metric,
    sample_rate: int,
    *,
    embedding: EmbeddingInfo | None = None,
    judge: str | None = None,
    judge_sha256: str | None = None,
) -> Identity:
    """Return the identity of a column.

    Args:
        metric: The column.
        sample_rate: Rate of the data in Hz.
        embedding: The embedding, if the metric needs one.
        judge: Name of the judge, if it is judged.
        judge_sha256: Hash of the judge's weights, if known.
    """
    judged = metric.info.judged
    rate = metric.rate or sample_rate
    settings = dict(metric.options)
    if metric.info.share_of:
        settings["of"] = f"{metric.info.share_of}.{resolve(metric.info.share_of).info.revision}"
    return Identity(
        definition=metric.info.name,
        revision=metric.info.revision,
        settings=settings,
        sample_rate=rate,
        # A band that the data cannot fill changes nothing.
        band=metric.band if metric.band is not None and metric.band < sample_rate else None,
        resampler=RESAMPLER,
        embedding=embedding.name if embedding else None,
        features=REVISION if embedding else None,
        judge=judge if judged else None,
        checkpoint_sha256=judge_sha256
        if judged
        else (embedding.checkpoint_sha256 if embedding else None),
    )


def versions(metric: Metric) -> dict[str, str]:
    """Return the installed versions of the packages that a metric's values depend on."""
    found = {}
    library = ("torch",) if metric.compat else ()
    for name in (*metric.info.packages, *library, "soxr"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
