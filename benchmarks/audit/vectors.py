"""Test vectors: a file of signals described by recipes, and what metrics should make of them.

The file is JSON: `signals` gives each signal a recipe (an operation and its numbers, noise by the
seed of `numpy.random.default_rng`), `cases` name a metric, its inputs and parameters, the expected
value and a tolerance in absolute terms. Infinite and undefined numbers are written as the texts
"inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.audit.vector_cases import COMPUTE, numbers, signal_metric
from hive.errors import HiveError

Array = npt.NDArray[np.float64]
_MAX_SAMPLES = 10_000_000


@dataclass(frozen=True)
class Verdict:
    """What came of a case.

    Attributes:
        case: Its id.
        metric: What it is about, in the words of the file.
        difference: Largest difference from the expected value; 0 for equal infinities, inf where
            one side only is finite.
        tolerance: What may differ.
    """

    case: str
    metric: str
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the case is met."""
        return self.difference <= self.tolerance


class Vectors:
    """A file of test vectors.

    Args:
        path: The file.

    Raises:
        HiveError: The file cannot be read or is not of this form.
    """

    def __init__(self, path: Path) -> None:
        remedy = "give a file of test vectors: JSON with signals and cases"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self.recipes = {name: each["recipe"] for name, each in data["signals"].items()}
            self.checks = {name: each.get("check", {}) for name, each in data["signals"].items()}
            self.cases: dict[str, Any] = {case["id"]: case for case in data["cases"]}
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise HiveError(f"{path}: cannot be read as JSON: {error}", remedy) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise HiveError(f"{path}: is no file of test vectors ({error!r})", remedy) from error
        self._path = path
        self._built: dict[str, Array] = {}

    def signal(self, name: str) -> Array:
        """Return a signal, shape (T,).

        Raises:
            HiveError: There is no such signal, or its recipe cannot be followed.
        """
        if name not in self._built:
            try:
                self._built[name] = _follow(self.recipes[name], self.signal)
            except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
                raise HiveError(
                    f"{self._path}: signal {name!r} cannot be made ({error!r})",
                    "correct its recipe",
                ) from error
        return self._built[name]

    def verdict(self, case_id: str) -> Verdict:
        """Compute a case and compare.

        Raises:
            HiveError: The case's metric is not known here, or its fields do not fit.
        """
        case = self.cases[case_id]
        try:
            compute = COMPUTE.get(case["metric"], signal_metric)
            value = np.asarray(compute(self, case), np.float64)
            expected = np.asarray(numbers(case["expected"]), np.float64)
            tolerance = float(case["tol"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HiveError(
                f"{self._path}: case {case_id!r} cannot be computed ({error!r})",
                "correct the case, or use a version of the package that knows it",
            ) from error
        return Verdict(case_id, str(case["metric"]), largest_difference(value, expected), tolerance)


def largest_difference(values: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Largest absolute difference; equal infinities and two NaN do not differ."""
    a, b = np.asarray(values, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        return math.inf
    with np.errstate(invalid="ignore"):
        differences = np.abs(a - b)
    differences = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, differences)
    return float(np.nan_to_num(differences, nan=math.inf, posinf=math.inf).max(initial=0.0))


def _follow(recipe: Mapping[str, Any], signal: Callable[[str], Array]) -> Array:
    """Make a signal by its recipe."""
    op = recipe["op"]
    if op == "sum":
        return np.asarray(np.sum([weight * signal(name) for name, weight in recipe["terms"]], 0))
    source = signal(recipe["of"]) if "of" in recipe else np.zeros(0)
    n = int(recipe.get("n", len(source)))
    if not 0 < n <= _MAX_SAMPLES:
        raise ValueError(f"{n} samples")
    if op == "noise":
        return np.asarray(
            recipe["scale"] * np.random.default_rng(recipe["seed"]).standard_normal(n)
        )
    if op == "tone":
        phase = 2 * np.pi * recipe["cycles"] * np.arange(n) / n + recipe.get("phase", 0.0)
        return np.asarray(recipe["amp"] * np.cos(phase))
    if op == "zeros":
        return np.zeros(n)
    if op == "const":
        return np.full(n, float(recipe["value"]))
    if op == "fir":
        return np.asarray(np.convolve(source, np.asarray(recipe["taps"], np.float64))[:n])
    if op == "smooth":
        mean = np.full(recipe["m"], 1 / recipe["m"])
        for _ in range(recipe["times"]):
            source = np.asarray(np.convolve(source, mean)[:n])
        return source
    if op == "delay":
        return np.concatenate([np.zeros(recipe["samples"]), source])[:n]
    if op == "am":
        cycle = 0.5 - 0.5 * np.cos(2 * np.pi * recipe["cycles"] * np.arange(n) / n)
        return np.asarray(source * cycle ** recipe["power"])
    changed = source.copy()
    if op == "mute":
        changed[recipe["start"] : recipe["stop"]] = 0
    elif op == "setitem":
        changed[recipe["index"]] = float(recipe["value"])
    else:
        raise ValueError(f"no operation {op!r}")
    return changed
