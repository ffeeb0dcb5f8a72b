"""The list of metrics on the console."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hive.console import out, print_table

_NEEDS = {
    "estimate": "estimate",
    "reference": "true source",
    "mixture": "mixture",
    "sample_rate": "rate",
    "estimates": "all tracks",
    "references": "all true tracks",
    "text": "query",
    "values": "scores of a run",
}


def show_metrics(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the metrics of `benchmarks.catalogue.listing`."""
    print_table(
        ["metric", "title", "better", "formula", "source", "needs", "suffixes", "tasks", "here"],
        [
            (
                each["name"],
                each["title"] + (f", {each['unit']}" if each["unit"] else ""),
                "higher" if each["higher_is_better"] else "lower",
                each["formula"],
                each["source"],
                _needs(each),
                " ".join(each["suffixes"]),
                ", ".join(each["tasks"]) or "as a function",
                "yes" if each["available"] else "no",
            )
            for each in found
        ],
    )
    missing = [each for each in found if not each["available"]]
    for line in unavailable_lines(
        [(each["name"], each["reason"], each["remedy"]) for each in missing]
    ):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def unavailable_lines(missing: Sequence[tuple[str, str, str]]) -> list[str]:
    """Say which metrics are not available and why, once for each reason.

    Args:
        missing: Metric, reason and remedy.
    """
    lines = []
    by_reason = sorted(missing, key=lambda one: one[1:])
    for (reason, remedy), group in itertools.groupby(by_reason, key=lambda one: one[1:]):
        names = ", ".join(name for name, *_ in group)
        lines.append(f"Not available here: {names}: {reason}. Remedy: {remedy}")
    return lines


def _needs(each: Mapping[str, Any]) -> str:
    needs = [_NEEDS[name] for name in each["requires"]]
    needs += [f"embedding {each['embedding']}"] if each["embedding"] else []
    needs += ["a judge"] if each["judged"] else []
    return ", ".join(needs)
