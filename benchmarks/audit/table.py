"""Our metrics against closed forms and against the libraries that define them.

Signals are made here: seeded noise, filtered, delayed, scaled, tonal, muted. A file of test vectors
adds its cases. A library that is not installed is listed as such and fails nothing.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audit.closed_forms import FORMS, Case
from benchmarks.audit.libraries import COMPARISONS, Comparison
from benchmarks.audit.vectors import Vectors, largest_difference


@dataclass(frozen=True)
class Row:
    """A metric against one reference.

    Attributes:
        metric: Name of the metric, or what else is compared.
        reference: What it is compared with.
        version: Version of the library; empty for closed forms and files.
        cases: Number of cases; 0 if the library is not installed.
        largest_difference: Of all cases; NaN without cases.
        tolerance: What may differ.
        worst: The case that differs most, or exceeds most.
        verdict: "agrees", "differs" or "not installed".
    """

    metric: str
    reference: str
    version: str
    cases: int
    largest_difference: float
    tolerance: float
    worst: str
    verdict: str


def audit(vectors: Path | None = None) -> list[Row]:
    """Compare all metrics with all references that are at hand.

    Args:
        vectors: File of test vectors, if there is one.

    Raises:
        HiveError: The file cannot be used.
    """
    forms = [
        _row(metric, "closed form", "", tolerance, cases()) for metric, tolerance, cases in FORMS
    ]
    found = Vectors(vectors) if vectors else None
    return [*forms, *map(_library_row, COMPARISONS), *(_vector_rows(found) if found else ())]


def _row(metric: str, reference: str, version: str, tolerance: float, cases: Iterable[Case]) -> Row:
    differences = {name: largest_difference(ours, theirs) for name, ours, theirs in cases}
    worst = max(differences, key=differences.__getitem__)
    return Row(
        metric=metric,
        reference=reference,
        version=version,
        cases=len(differences),
        largest_difference=differences[worst],
        tolerance=tolerance,
        worst=worst,
        verdict="agrees" if differences[worst] <= tolerance else "differs",
    )


def _library_row(each: Comparison) -> Row:
    try:
        version = importlib.metadata.version(each.package)
    except importlib.metadata.PackageNotFoundError:
        return Row(
            each.metric, each.reference, "", 0, math.nan, each.tolerance, "", "not installed"
        )
    return _row(each.metric, each.reference, version, each.tolerance, each.cases())


def _vector_rows(vectors: Vectors) -> Iterator[Row]:
    """One row for each metric; a case's difference counts as a share of its own tolerance."""
    verdicts = [vectors.verdict(case) for case in vectors.cases]
    for metric in dict.fromkeys(each.metric for each in verdicts):
        own = [each for each in verdicts if each.metric == metric]
        worst = max(own, key=lambda each: (not each.passed, each.difference))
        yield Row(
            metric=metric,
            reference="file of test vectors",
            version="",
            cases=len(own),
            largest_difference=worst.difference,
            tolerance=worst.tolerance,
            worst=worst.case,
            verdict="agrees" if all(each.passed for each in own) else "differs",
        )
