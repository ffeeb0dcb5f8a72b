"""The libraries that metrics are compared with, and on which signals."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.audit.closed_forms import Array, Case
from hive.metrics import get

RATE, T = 16_000, 16_000


@dataclass(frozen=True)
class Comparison:
    """What to compare; `package` is the distribution that must be installed."""

    metric: str
    reference: str
    package: str
    tolerance: float
    cases: Callable[[], Iterable[Case]]


def _noise(seed: int) -> Array:
    return 0.1 * np.random.default_rng(seed).standard_normal(T)


def _references() -> dict[str, Array]:
    """References of kinds on which implementations tend to part."""
    white, time = _noise(1), np.arange(T) / T
    tones = sum(np.cos(2 * np.pi * 173.3 * k * time + k) / k for k in range(1, 9))
    kinds = {
        "white": white,
        "coloured": np.convolve(white, 0.97 ** np.arange(200))[:T],
        "harmonic": np.asarray(tones) * (1 + 0.5 * np.sin(2 * np.pi * 3 * time)) + 0.01 * white,
        "modulated": white * np.sin(2 * np.pi * 3.5 * time) ** 2,
        "gaps": white * (time % 0.3 < 0.2),
        "offset": white + 0.2,
    }
    return {name: 0.1 * x / np.sqrt(np.mean(x**2)) for name, x in kinds.items()}


def _pairs(levels: Sequence[float]) -> Iterator[tuple[str, Array, Array]]:
    """Pairs (name, estimate, reference): noise at given levels in dB, and distortions."""
    other = _noise(2)
    for kind, reference in _references().items():
        for level in levels:
            yield f"{kind}, {level:g} dB", reference + 10 ** (-level / 20) * other, reference
    reference = _references()["coloured"]
    filtered = np.convolve(reference, [1, 0.4, -0.3, 0.2])[:T]
    delayed = np.concatenate([np.zeros(100), reference])[:T]
    yield "filtered", filtered + 0.1 * other, reference
    yield "delayed", delayed + 0.1 * other, reference
    yield "inverted", 0.3 * other - reference, reference
    yield "soft", 1e-4 * (reference + other), reference
    yield "unrelated", other, reference


def _against(
    name: str,
    library: Callable[[Array, Array], float],
    levels: Sequence[float] = (-10, 0, 20, 39),
    **options: Any,
) -> Iterator[Case]:
    """Values of a metric and of `library(estimate, reference)` on all pairs."""
    ours = get(name)
    for case, estimate, reference in _pairs(levels):
        value = ours(estimate=estimate, reference=reference, **options)
        yield case, float(value), library(estimate, reference)


def _torchmetrics(function: str, dtype: str = "float64") -> Callable[[Array, Array], float]:
    def score(estimate: Array, reference: Array) -> float:
        import torch
        import torchmetrics.functional.audio as library

        # One pair at a time: batched solutions are wrong on CPUs with several threads.
        signals = (torch.from_numpy(x.astype(dtype)) for x in (estimate, reference))
        return float(getattr(library, function)(*signals))

    return score


def _odd_cases(name: str, function: str) -> Iterator[Case]:
    """A library's own values where they are decided by its constants."""
    reference, other, silence = _noise(1), _noise(2), np.zeros(T)
    library = _torchmetrics(function, "float32")
    for case, estimate, target in (
        ("silent estimate", silence, reference),
        ("exact match", reference, reference),
        ("half of the reference", 0.5 * reference, reference),
        ("RMS of 1e-8", 1e-8 * (reference + 0.3 * other), 1e-8 * reference),
        ("ordinary", reference + 0.3 * other, reference),
    ):
        yield case, float(get(name)(estimate=estimate, reference=target)), library(estimate, target)


def _mir_eval(estimate: Array, reference: Array) -> float:
    import warnings

    separation: Any = importlib.import_module("mir_eval.separation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return float(separation.bss_eval_sources(reference[None], estimate[None], False)[0][0])


def _fast_bss_eval(estimate: Array, reference: Array) -> float:
    library: Any = importlib.import_module("fast_bss_eval")
    return float(library.sdr(reference[None], estimate[None])[0])


def _pystoi(extended: bool) -> Callable[[Array, Array], float]:
    def score(estimate: Array, reference: Array) -> float:
        from pystoi import stoi

        return float(stoi(reference, estimate, RATE, extended=extended))

    return score


def _museval() -> Iterator[Case]:
    """Two stems of two channels; pads, gaps and stems in antiphase included."""
    from hive.metrics.museval import window_sdr

    museval: Any = importlib.import_module("museval")
    references = np.stack([_noise(seed) for seed in range(3, 7)]).reshape(2, 2, T).swapaxes(1, 2)
    estimates = references + 0.3 * references[::-1] + 0.1 * _noise(7)[:, None]
    gap, antiphase = references.copy(), estimates.copy()
    gap[0, 4000:8000] = 0
    antiphase[1, :4000, 1] = -antiphase[1, :4000, 0]
    for case, e, r in (
        ("stereo", estimates, references),
        ("one channel", estimates[..., :1], references[..., :1]),
        ("antiphase in an estimate", antiphase, references),
        ("gap in a reference", estimates[..., :1], gap[..., :1]),
        ("short estimate", estimates[:, :-700, :1], references[..., :1]),
        ("long estimate", estimates[..., :1], references[:, :-700, :1]),
    ):
        yield case, window_sdr(e, r, 4000), museval.evaluate(r, e, win=4000, hop=4000)[0]


def _fadtk(sizes: Sequence[tuple[int, int]]) -> Iterator[Case]:
    """Two sets of vectors for each (number of vectors, dimensions)."""
    from hive.metrics.frechet import distance, moments

    fad: Any = importlib.import_module("fadtk.fad")
    rng = np.random.default_rng(8)
    for count, size in sizes:
        mixing = rng.standard_normal((size, size)) / math.sqrt(size)
        first = rng.standard_normal((count, size)) @ mixing
        second = rng.standard_normal((count + 20, size)) @ mixing.T + 0.2
        statistics = (*fad.calc_embd_statistics(first), *fad.calc_embd_statistics(second))
        ours = distance(moments(first), moments(second))
        yield f"{count} vectors of {size}", ours, float(fad.calc_frechet_distance(*statistics))


def _torch_cosine() -> Iterator[Case]:
    import torch

    from hive.metrics.clap import cosine

    rng = np.random.default_rng(9)
    pairs = [rng.standard_normal((2, 512)).astype(np.float32) for _ in range(20)]
    pairs += [np.zeros((2, 512), np.float32), np.full((2, 512), 1e-6, np.float32)]
    for number, (a, b) in enumerate(pairs):
        first, second = (torch.from_numpy(each).double() for each in (a, b))
        theirs = float(torch.nn.functional.cosine_similarity(first, second, dim=0))
        yield f"pair {number}", cosine(a, b), theirs


_SDR, _SI = "signal_distortion_ratio", "scale_invariant_signal_distortion_ratio"
_SNR = "signal_noise_ratio"
_SHORT = {_SDR: "SDR", _SI: "SI-SDR", _SNR: "SNR"}
COMPARISONS = (
    *(
        Comparison(
            name,
            f"torchmetrics {_SHORT[function]}",
            "torchmetrics",
            tolerance,
            partial(_against, name, _torchmetrics(function), levels),
        )
        for name, function, tolerance, levels in (
            ("sdr_bss", _SDR, 1e-6, (-10, 0, 20, 39)),
            ("sdr_bss", _SDR, 1e-4, (60,)),
            ("si_sdr", _SI, 1e-6, (-10, 0, 20, 39)),
            ("sdr_plain", _SNR, 1e-6, (-10, 0, 20, 39)),
        )
    ),
    *(
        Comparison(
            name,
            "torchmetrics, odd cases in float32",
            "torchmetrics",
            tolerance,
            partial(_odd_cases, name, function),
        )
        for name, function, tolerance in (
            ("si_sdr_tm", _SI, 0.01),
            ("sdr_plain_tm", _SNR, 0.01),
        )
    ),
    Comparison(
        "sdr_bss",
        "mir_eval bss_eval_sources",
        "mir_eval",
        1e-6,
        partial(_against, "sdr_bss", _mir_eval),
    ),
    Comparison(
        "sdr_bss",
        "fast_bss_eval sdr",
        "fast_bss_eval",
        1e-6,
        partial(_against, "sdr_bss", _fast_bss_eval),
    ),
    Comparison(
        "stoi",
        "pystoi",
        "pystoi",
        1e-9,
        partial(_against, "stoi", _pystoi(False), sample_rate=RATE),
    ),
    Comparison(
        "estoi",
        "pystoi, extended",
        "pystoi",
        1e-6,
        partial(_against, "estoi", _pystoi(True), sample_rate=RATE),
    ),
    Comparison("sdr_museval", "museval evaluate, v4", "museval", 1e-9, _museval),
    Comparison(
        "fad",
        "fadtk calc_frechet_distance",
        "fadtk",
        1e-8,
        partial(_fadtk, ((300, 16), (200, 32), (150, 64))),
    ),
    Comparison(
        "fad",
        "fadtk, fewer vectors than dimensions",
        "fadtk",
        1e-5,
        partial(_fadtk, ((20, 32), (30, 64))),
    ),
    Comparison("clap_a", "torch cosine_similarity", "torch", 1e-12, _torch_cosine),
)
