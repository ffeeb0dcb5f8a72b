"""How this package computes the cases of a file of test vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
#: Parameters of a case that do not change what is computed here, or are read elsewhere.
_DESCRIPTIVE = ("others", "dtype", "fs", "extended", "floor")


class Source(Protocol):
    """A file of test vectors."""

    cases: dict[str, Any]

    def signal(self, name: str) -> Array:
        """Return a signal, shape (T,)."""
        ...


def numbers(value: Any) -> Any:
    """Return a value, or lists of values, with texts as the numbers that they stand for."""
    return [numbers(each) for each in value] if isinstance(value, list) else float(value)


def signal_metric(vectors: Source, case: Mapping[str, Any]) -> Any:
    """Metrics of signals, by the package's own names."""
    from hive.metrics import get

    name, inputs, given = case["metric"], case["inputs"], case["params"]
    params = {key: value for key, value in given.items() if key not in _DESCRIPTIVE}
    if params.get("filter_length") == 512:
        del params["filter_length"]  # the default, and no setting of the derived metrics
    if "values" in inputs:
        return get(name)(numbers(inputs["values"]), **params)
    if given.get("floor") == 1e-10:
        params["compat"] = "audiosep"
    if given.get("extended"):
        name = "estoi"
    words = {"ref": "reference", "est": "estimate", "mix": "mixture", "pred": "estimate"}
    signals = {words[key]: vectors.signal(inputs[key]) for key in words if key in inputs}
    if "preds" in inputs:
        signals["estimate"] = np.stack([vectors.signal(each) for each in inputs["preds"]])
    if not all(np.isfinite(each).all() for each in signals.values()):
        params["on_bad"] = "nan"
    if given.get("dtype") == "float32":
        signals = {word: x.astype(np.float32) for word, x in signals.items()}
    return get(name)(**signals, sample_rate=given.get("fs"), **params)


def _museval_windows(vectors: Source, case: Mapping[str, Any]) -> Any:
    """Two stems; each estimate holds 0.3 of the other stem and 0.1 of one noise, `m5`."""
    from hive.metrics.museval import window_sdr

    references = np.stack(
        [
            np.stack([vectors.signal(channel) for channel in stem], axis=-1)
            for stem in case["inputs"]["refs"]
        ]
    )
    estimates = references + 0.3 * references[::-1] + 0.1 * vectors.signal("m5")[:, None]
    return window_sdr(estimates, references, case["params"]["win"], case["params"]["hop"])


def _museval_track(vectors: Source, case: Mapping[str, Any]) -> Any:
    from hive.metrics.museval import over_windows

    return over_windows(_museval_windows(vectors, vectors.cases[case["inputs"]["of"]]))


def _frechet(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.metrics.frechet import distance, moments

    first, second = _VECTOR_SETS[case["inputs"]["x"], case["inputs"]["y"]]()
    return distance(moments(first), moments(second))


def _frechet_gaussian(vectors: Source, case: Mapping[str, Any]) -> float:
    """Normal distributions given by mean and diagonal covariance."""
    from hive.metrics.frechet import Moments, distance

    sides = []
    for side in "12":
        mean = np.asarray(case["inputs"][f"mu{side}"], np.float64)
        variances = np.asarray(case["inputs"][f"cov{side}_diag"], np.float64)
        count = len(mean) + 1
        sides.append(Moments(count, mean, (count - 1) * np.diag(variances)))
    return distance(*sides)


def _cosine(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.metrics.clap import cosine

    first, second = _unit_vectors()
    return float(np.mean([cosine(a, b) for a, b in zip(first, second, strict=True)]))


def _pair_distance(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.embedding.extract import Features
    from hive.metrics.fad import fad_pair_value

    first, second = ([Features(False, row) for row in rows] for rows in _unit_vectors())
    return float(np.mean([fad_pair_value(a, b) for a, b in zip(first, second, strict=True)]))


def _layers(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.metrics.lpaps import CHANNELS, TOKENS, layer_distance

    sounds = [
        [_normal(seed + i, shape) for i, shape in enumerate(((32, 4), (16, 8), (8, 16), (8, 16)))]
        for seed in (50, 60)
    ]
    axes = {"tokens": TOKENS, "channels": CHANNELS}
    return layer_distance(sounds[0], sounds[1], axes[case["params"]["axis"]])


def _overall(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.metrics.statistics import summarise

    # As many items as sources: a mean over items would weigh the sizes differently.
    rows = [
        (value, int(size))
        for size, value in case["inputs"]["per_mix"].items()
        for _ in range(int(size))
    ]
    values, sizes = zip(*rows, strict=True)
    found = summarise(values, range(len(rows)), sizes, decibel=True, replicates=1)
    return next(each.mean for each in found if each.group == "overall")


def _spread(vectors: Source, case: Mapping[str, Any]) -> float:
    from hive.metrics.statistics import summarise

    values = case["inputs"]["values"]
    found = summarise(values, range(len(values)), [2] * len(values), decibel=True, replicates=1)
    return found[0].std


def _bound(vectors: Source, case: Mapping[str, Any]) -> float:
    """Whether SI-SDR keeps the bound that the plain ratio sets, on every pair of the file."""
    from hive.metrics import get

    checked = 0
    for each in vectors.cases.values():
        if {"ref", "est"} <= set(each["inputs"]):
            reference, estimate = (vectors.signal(each["inputs"][key]) for key in ("ref", "est"))
            pair = {"estimate": estimate, "reference": reference, "on_bad": "nan"}
            plain, scaled = float(get("sdr_plain")(**pair)), float(get("si_sdr")(**pair))
            if 0 < plain < math.inf:
                checked += 1
                if scaled < 10 * math.log10(10 ** (plain / 10) - 1) - 1e-9:
                    return 0.0
    return float(checked > 0)


def _normal(seed: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def _unit_vectors() -> tuple[Any, Any]:
    first = _normal(45, (50, 16))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = first + 0.2 * _normal(46, (50, 16))
    return first, second / np.linalg.norm(second, axis=1, keepdims=True)


#: Sets of vectors, which the file describes in numpy's own words.
_VECTOR_SETS: Mapping[tuple[str, str], Callable[[], tuple[Array, Array]]] = {
    (
        "default_rng(41).standard_normal((200,8))",
        "1.3*default_rng(42).standard_normal((150,8))+0.5",
    ): lambda: (_normal(41, (200, 8)), 1.3 * _normal(42, (150, 8)) + 0.5),
    (
        "default_rng(43).standard_normal((20,64))",
        "default_rng(44).standard_normal((20,64))+0.2",
    ): lambda: (_normal(43, (20, 64)), _normal(44, (20, 64)) + 0.2),
}
COMPUTE: Mapping[str, Callable[[Source, Mapping[str, Any]], Any]] = {
    "sdr_museval_frames": _museval_windows,
    "sdr_museval_track": _museval_track,
    "frechet_distance": _frechet,
    "frechet_distance_gaussian": _frechet_gaussian,
    "mean_cosine": _cosine,
    "mean_pair_distance": _pair_distance,
    "lpaps_from_features": _layers,
    "aggregate_overall": _overall,
    "aggregate_std": _spread,
    "inequality": _bound,
}
