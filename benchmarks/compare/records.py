"""What a comparison of runs says, as records that print as strict JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from benchmarks.results import Count, Group, Number


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Needed(_Record):
    """How many items like these it takes to see a difference, and from how many recordings."""

    difference: float
    items: Count
    recordings: Count


class Outside(_Record):
    """Scores of one run, among the common items, that are not finite."""

    pos_inf: Count
    neg_inf: Count
    nan: Count


class Statistics(_Record):
    """The difference between a run and the baseline; see `hive.metrics.paired.Difference`.

    `difference` is run less baseline. `p_holm` allows for all tests of the comparison; that of an
    improvement is its metric's, where both are there and of the same differences. `better`
    names the better run, or is None if they cannot be told apart or there is no test; `verdict`
    says it in words.
    """

    n: Count
    num_recordings: Count
    mean_run: Number
    mean_baseline: Number
    difference: Number
    ci_low: Number
    ci_high: Number
    p_value: Number
    p_holm: Number
    std: Number
    error: Number
    design_effect: Number
    detectable: Number
    needed: list[Needed]
    left_out: Count
    better: str | None
    verdict: str


class Row(_Record):
    """One metric of one run against the baseline.

    `statistics` is over the items whose scores are finite in both runs; `clipped`, for decibels
    with infinite scores among them, takes these in after clipping all scores to [-30, 100] dB. Not
    `tested` are metrics with one value for a whole set: their two means are its values.
    """

    run: str
    baseline: str
    metric: str
    unit: str
    higher_is_better: bool
    standin: bool
    group: Group
    tested: bool
    statistics: Statistics
    clipped: Statistics | None
    outside_run: Outside | None
    outside_baseline: Outside | None


class RunRecord(_Record):
    """A run that was compared; the items that only it or only the baseline has are not used."""

    name: str
    folder: str
    oracle: bool
    generative: bool
    items: Count
    only_in_run: Count
    only_in_baseline: Count


class Comparison(_Record):
    """Several runs against a baseline.

    `family` is the number of tests that Holm allows for, `permutations` that of the random sign
    patterns behind a p-value where there are too many recordings to try all.
    """

    task: str
    dataset: str
    split: str
    fingerprint: str
    group: Group
    baseline: RunRecord
    runs: list[RunRecord]
    family: Count
    permutations: Count
    rows: list[Row]
    notes: list[str]
