"""What there is to know about a metric: the record that each metric module gives of its metrics.

A module of this folder lists its metrics as `METRICS`, a tuple of `MetricInfo`;
`hive.metrics.registry` collects them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: "item": one value for each (mixture, query). "mixture": one for all tracks of a mixture. "set":
#: one for all items of a set. "share": a share of the values of another metric.
Scope: TypeAlias = Literal["item", "mixture", "set", "share"]
#: What an embedding must give for a metric, see `hive.embedding.base`.
Feature: TypeAlias = Literal["vector", "windows", "layers", "tail", "text"]


@dataclass(frozen=True)
class MetricInfo:
    """What a column of that name means, and what computing it takes.

    Attributes:
        name: Name in tables, settings and `get`.
        title: Heading for people.
        unit: "dB", or "" for plain numbers.
        higher_is_better: Direction.
        definition: One sentence.
        formula: The formula in plain text; e is the estimate, r the reference, x the mixture.
        source: Where the definition is from.
        target: Function that computes it, "module:attribute".
        requires: Inputs that must be given: "estimate", "reference", "mixture", "sample_rate";
            "estimates", "references" (all tracks of a mixture or song); "text" (the query);
            "values" (scores of items, one result for all).
        scope: What one value is about.
        share_of: For shares, the metric whose values are counted.
        features: What it takes of an embedding; empty if it needs none.
        judged: Whether the values come from a judge, a model in a process of its own.
        below: Node of the ontology; only items with a label below it are scored. Empty for all.
        waveform: Whether it takes the estimate for wrong where the waveform differs, which says
            little of a sound that is synthesised anew.
        options: Settings that may show as suffixes of the name.
        packages: Distributions whose versions the value may depend on.
        revision: Number of the definition; it grows when values change.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    definition: str
    formula: str
    source: str
    target: str
    requires: tuple[str, ...] = ("estimate", "reference")
    scope: Scope = "item"
    share_of: str = ""
    features: tuple[Feature, ...] = ()
    judged: bool = False
    below: str = ""
    waveform: bool = False
    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("numpy", "scipy")
    revision: int = 1

    @property
    def decibel(self) -> bool:
        """Whether values are in decibels, so that means are also given clipped to a range."""
        return self.unit == "dB"
