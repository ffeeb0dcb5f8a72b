"""Checks that the numbers of a run must pass to be believed.

They follow from the definitions, so a failed one points at a fault in the data, the metrics or the
bookkeeping, not at a weak model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.results import Aggregate

#: Up to 40 dB; above, rounding in the projections grows with the ratio (1e-4 at 60 dB).
TOLERANCE_DB = 1e-6
#: For cosines and distances of unit vectors in float32.
UNIT_TOLERANCE = 2e-3
_EXACT_TO_DB = 40.0
_HIGHEST_DB = 130.0
_NEPER = np.log(10.0) / 10.0
Floats = NDArray[np.float64]


def check_run(
    scores: pa.Table,
    aggregates: Sequence[Aggregate],
    sanity: Mapping[str, pa.Table],
    *,
    residual: float,
    expected: int,
    failed: int,
) -> list[dict[str, Any]]:
    """Return the checks that apply, as records with name, passed and detail.

    Args:
        scores: One row an item.
        aggregates: What was made of them.
        sanity: Rows of what the reference itself, silence and others score, by their name; empty
            where these rows are not at hand.
        residual: Largest difference of a stored mixture from the sum of its stored sources.
        expected: Number of items asked for.
        failed: Number of items without scores.
    """
    checks = [
        _record(
            "sources_add_up",
            residual == 0.0,
            f"largest difference of a mixture from the sum of its sources: {residual:g}",
        ),
        _record(
            "items_accounted_for",
            scores.num_rows + failed == expected,
            f"{scores.num_rows} scored and {failed} failed of {expected}",
        ),
    ]
    columns = set(scores.column_names)
    if {"sdr_bss", "si_sdr"} <= columns:
        # One tap is among the 512, so the longer filter can only fit better.
        checks.append(
            _inequality(
                "sdr_bss_at_least_si_sdr", _values(scores, "si_sdr"), _values(scores, "sdr_bss")
            )
        )
    if {"sdr_plain", "si_sdr"} <= columns:
        plain = _values(scores, "sdr_plain")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # With S = 10^(plain / 10) > 1, the best scaling leaves at least S - 1.
            bound = np.where(plain > 0, plain + 10 * np.log10(-np.expm1(-plain * _NEPER)), -np.inf)
        checks.append(_inequality("si_sdr_bounded_by_sdr_plain", bound, _values(scores, "si_sdr")))
    checks += _embedded(scores)
    checks += _sanity(sanity)
    checks.append(_overall(aggregates))
    return checks


def _embedded(scores: pa.Table) -> list[dict[str, Any]]:
    """Check that the distance and the cosine of two unit vectors agree, item by item."""
    checks = []
    for name in scores.column_names:
        base, at, embedding = name.partition("@")
        cosine = f"clap_a{at}{embedding}"
        if base != "fad_pair" or cosine not in scores.column_names:
            continue
        with np.errstate(invalid="ignore"):
            expected = np.sqrt(np.maximum(0.0, 2 - 2 * _values(scores, cosine)))
            # Near 0, the square root magnifies the rounding of the cosine.
            off = np.abs(_values(scores, name) - expected) > UNIT_TOLERANCE
        checks.append(
            _record(
                f"{name}_agrees_with_{cosine}",
                not off.any(),
                f"{np.count_nonzero(off)} of {len(off)} items differ by more than {UNIT_TOLERANCE}",
            )
        )
    return checks


_BAND = re.compile(r"_bl[\d.]+k$")
#: What a metric must say of the true source itself, and of silence, by definition.
_EXPECTED = {
    "reference": {
        "sdr_bss": np.inf,
        "sdr_plain": np.inf,
        "si_sdr": np.inf,
        "stoi": 1.0,
        "estoi": 1.0,
        "clap_a": 1.0,
        "fad_pair": 0.0,
        "lpaps": 0.0,
    },
    "silence": {
        "sdr_bss": -np.inf,
        "si_sdr": -np.inf,
        "sdr_plain": 0.0,
        "stoi": 0.0,
        "silence_sdr": np.inf,
        "silence_si_sdr": np.inf,
    },
}


def _sanity(sanity: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Check, item by item, what is known beforehand of the true source and of silence."""
    checks = []
    for row, expected in _EXPECTED.items():
        table = sanity.get(row)
        names = [] if table is None else table.column_names
        found, wrong = [], []
        for name in names:
            definition = _BAND.sub("", name.partition("@")[0])
            if definition not in expected or table is None:
                continue
            values = table[name].drop_null().to_numpy()
            values = values[~np.isnan(values)]
            right = expected[definition]
            with np.errstate(invalid="ignore"):
                off = (values != right) & ~(np.abs(values - right) <= UNIT_TOLERANCE)
            found += [name] if len(values) else []
            if off.any():
                wrong.append(
                    f"{name} is {values[off][0]:g} and not {right:g} for "
                    f"{np.count_nonzero(off)} of {len(values)} items"
                )
        if found:
            detail = "; ".join(wrong) or f"{', '.join(found)} are as they must be"
            checks.append(_record(f"{row}_scores_as_defined", not wrong, detail))
    return checks


def _values(scores: pa.Table, name: str) -> Floats:
    values: Floats = scores[name].to_numpy().astype(np.float64)
    return values


def _inequality(name: str, lower: Floats, upper: Floats) -> dict[str, Any]:
    """Check `lower` <= `upper`, item by item, within rounding; undefined values are left out.

    Infinite means no more than that the rest is lost in rounding, so `lower` is taken for the
    highest finite value then. Rounding is as large as the lesser of the two allows.
    """
    lower = np.minimum(lower, _HIGHEST_DB)
    with np.errstate(invalid="ignore"):
        excess = np.where(lower == upper, 0.0, lower - upper)  # also at -inf
    level = np.clip(np.nan_to_num(np.minimum(lower, upper)), _EXACT_TO_DB, _HIGHEST_DB)
    broken = excess > TOLERANCE_DB * 10.0 ** ((level - _EXACT_TO_DB) / 10.0)
    worst = float(excess[broken].max(initial=0.0))
    return _record(
        name,
        not broken.any(),
        f"broken by {np.count_nonzero(broken)} of {len(lower)} items, at most by {worst:.2g} dB",
    )


def _overall(aggregates: Sequence[Aggregate]) -> dict[str, Any]:
    levels: dict[str, list[float]] = {}
    worst = 0.0
    for each in aggregates:
        if each.group == "flat":
            continue
        if each.group != "overall":
            levels.setdefault(each.metric, []).append(each.mean)
            continue
        expected = float(np.mean(levels.get(each.metric, [np.nan])))
        if np.isnan(expected) and np.isnan(each.mean):
            continue
        difference = abs(each.mean - expected)
        worst = max(worst, np.inf if np.isnan(difference) else difference)
    return _record("overall_is_mean_of_levels", worst <= 1e-9, f"largest difference: {worst:.2g}")


def _record(name: str, passed: bool, detail: str) -> dict[str, Any]:
    return {"name": name, "passed": bool(passed), "detail": detail}
