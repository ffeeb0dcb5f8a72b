"""CLAP-A and CLAP-T: cosines of CLAP embeddings.

Axes: signals (..., T), T up to 10 s, time last; one value for each leading index. No unit, -1 to 1;
higher is better.

clap_a
    Cosine of the embeddings of estimate and reference (Hive paper, appendix G.2).
clap_t
    Cosine of the embeddings of the estimate and of the text, which is the query exactly as the
    system was given it.
clap_t_win
    Mean of `clap_t` over the windows that the notebooks of AudioEditingCode cut: the whole sound
    and, of one longer than 9 s, what follows after 9 s, repeated (`hive.embedding.windows.tail`).

Norms are raised to 1e-8 as in torch's `cosine_similarity`. Odd cases: a silent reference (RMS below
1e-6) gives NaN in `clap_a`; a silent estimate has an embedding like any other, and a value. Sounds
above 10 s are refused.

References: Wu et al., "Large-scale contrastive language-audio pretraining", ICASSP 2023;
AudioEditingCode, `evals/meta_clap_consistency.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hive.embedding.base import Float32
from hive.embedding.extract import Features
from hive.metrics.embedded import Embedding, embed, score_pairs
from hive.metrics.info import Feature, MetricInfo
from hive.metrics.validate import FloatArray, Length, OnBad

EPS = 1e-8  # floor of norms

_SOURCE = "AudioEditingCode, evals/meta_clap_consistency.py"
_PACKAGES = ("numpy", "soxr", "torch", "transformers")
_VECTOR: tuple[Feature, ...] = ("vector",)
_TEXT: tuple[Feature, ...] = ("vector", "text")
_TEXT_WIN: tuple[Feature, ...] = ("vector", "tail", "text")
_WITH_TEXT = ("estimate", "sample_rate", "text")
METRICS = (
    MetricInfo(
        "clap_a",
        "CLAP-A",
        "",
        True,
        "Cosine of the CLAP embeddings of estimate and reference.",
        "<u_e, u_r> / (|u_e| |u_r|)",
        "Hive paper, appendix G.2",
        "hive.metrics.clap:clap_a",
        ("estimate", "reference", "sample_rate"),
        features=_VECTOR,
        packages=_PACKAGES,
    ),
    MetricInfo(
        "clap_t",
        "CLAP-T",
        "",
        True,
        "Cosine of the CLAP embeddings of the estimate and of the query's text.",
        "<u_e, u_text> / (|u_e| |u_text|)",
        _SOURCE,
        "hive.metrics.clap:clap_t",
        _WITH_TEXT,
        features=_TEXT,
        packages=_PACKAGES,
    ),
    MetricInfo(
        "clap_t_win",
        "CLAP-T-win",
        "",
        True,
        "Mean of clap_t of the whole sound and of its part after 9 s, repeated.",
        "(clap_t(e) + clap_t(e after 9 s)) / 2; up to 9 s, clap_t",
        "AudioEditingCode, notebooks: windows of 10 s with 10 % overlap",
        "hive.metrics.clap:clap_t_win",
        _WITH_TEXT,
        features=_TEXT_WIN,
        packages=_PACKAGES,
    ),
)


def clap_a(
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
    """Cosine of the embeddings of estimate and reference.

    Args:
        estimate: Output of a system, shape (..., T), up to 10 s.
        reference: True source, shape (..., T).
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        embedding: Name of an embedding, one at hand, or None for the default.
        device: Torch device for an embedding given by name.
        length: "strict", or "match" to cut or pad the estimate.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...), -1 to 1.

    Raises:
        HiveError: The embedding is not to be had here.
        ValueError: A signal is longer than 10 s; or see `hive.metrics.validate.load`.
    """
    items = embed(_VECTOR, estimate, reference, sample_rate, embedding, device, length, on_bad)
    return score_pairs(items, clap_a_value)


def clap_t(
    *,
    estimate: npt.ArrayLike,
    text: str | Sequence[str],
    reference: npt.ArrayLike | None = None,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    embedding: Embedding = None,
    device: str = "cpu",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Cosine of the embeddings of the estimate and of a text.

    Args:
        estimate: Output of a system, shape (..., T), up to 10 s.
        text: The query as the system was given it: one for all items, or one for each, in the
            order of the flattened leading axes.
        reference: Not used.
        mixture: Not used.
        sample_rate: Rate of the signals in Hz.
        embedding: Name of an embedding that takes texts, one at hand, or None for the default.
        device: Torch device for an embedding given by name.
        on_bad: "raise", or "nan" to score items with NaN or Inf as NaN.

    Returns:
        Values, shape (...), -1 to 1.

    Raises:
        HiveError: The embedding is not to be had here, or takes no texts.
        ValueError: The number of texts is not that of the items, a signal is longer than 10 s; or
            see `hive.metrics.validate.load`.
    """
    return _score_texts(clap_t_value, _TEXT, estimate, text, sample_rate, embedding, device, on_bad)


def clap_t_win(
    *,
    estimate: npt.ArrayLike,
    text: str | Sequence[str],
    reference: npt.ArrayLike | None = None,
    mixture: npt.ArrayLike | None = None,
    sample_rate: int,
    embedding: Embedding = None,
    device: str = "cpu",
    on_bad: OnBad = "raise",
) -> FloatArray:
    """Mean of `clap_t` over the windows of the notebooks; arguments as `clap_t`."""
    return _score_texts(
        clap_t_win_value, _TEXT_WIN, estimate, text, sample_rate, embedding, device, on_bad
    )


def clap_a_value(estimate: Features, reference: Features) -> float:
    """CLAP-A of the features of two signals."""
    return cosine(estimate.vector, reference.vector)


def clap_t_value(estimate: Features, text: Float32) -> float:
    """CLAP-T of the features of a signal and the vector of a text."""
    return cosine(estimate.vector, text)


def clap_t_win_value(estimate: Features, text: Float32) -> float:
    """`clap_t_win` of the features of a signal, which must have its tail, and a text's vector."""
    if estimate.tail_vector is None:
        raise ValueError("the features hold no tail; ask for it when extracting")
    return (cosine(estimate.vector, text) + cosine(estimate.tail_vector, text)) / 2


def cosine(first: Float32, second: Float32) -> float:
    """Return the cosine of two vectors, computed in float64, norms raised to 1e-8."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    norms = max(math.sqrt(a @ a), EPS) * max(math.sqrt(b @ b), EPS)
    return min(1.0, max(-1.0, float(a @ b) / norms))


def _score_texts(
    score: Callable[[Features, Float32], float],
    wanted: tuple[Feature, ...],
    estimate: npt.ArrayLike,
    text: str | Sequence[str],
    sample_rate: int,
    embedding: Embedding,
    device: str,
    on_bad: OnBad,
) -> FloatArray:
    items = embed(wanted, estimate, None, sample_rate, embedding, device, "strict", on_bad)
    texts = [text] * items.batch.num_items if isinstance(text, str) else list(text)
    if len(texts) != items.batch.num_items:
        raise ValueError(f"there are {len(texts)} texts for {items.batch.num_items} estimates")
    return items.batch.map(lambda i: score(items.estimate(i), items.extractor.text(texts[i])))
