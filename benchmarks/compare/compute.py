"""The comparison of runs with a baseline, from their files to its records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.compare.family import adjust, bases, permutations
from benchmarks.compare.notes import not_compared, notes
from benchmarks.compare.records import Comparison, Needed, Outside, Row, RunRecord, Statistics
from benchmarks.compare.runs import Joined, Run, check, column, common_metrics, join, load
from benchmarks.results import MetricRecord
from hive.console import progress
from hive.errors import HiveError
from hive.metrics import paired
from hive.metrics.power import ALPHA, clusters_needed

NOTICEABLE_DB = (0.1, 0.5, 1.0)
ROUNDING_DB = 1e-9
SAME = "cannot be told apart"


@dataclass(frozen=True)
class _Measured:
    """A metric of a run before the tests are put together; `difference` is None without a test."""

    run: Run
    metric: MetricRecord
    difference: paired.Difference | None
    clipped: paired.Difference | None


def compare_runs(
    folders: Sequence[Path],
    *,
    metrics: Sequence[str] = (),
    baseline: Path | None = None,
    group: str = "overall",
) -> Comparison:
    """Compare runs with a baseline, metric by metric, on the items that both have.

    Args:
        folders: Folders of finished runs, at least two.
        metrics: Names of the metrics; none for all that every run has.
        baseline: One of `folders`; None for the first.
        group: "overall" (mean of the mixture sizes), "flat" (all items) or a number of sources.

    Raises:
        HiveError: If a folder is no run, the runs are not of the same task, data and metrics, or
            there is nothing to compare.
    """
    base, *others = _baseline_first(load(folders), baseline)
    for run in others:
        check(run, base)
    names = common_metrics([base, *others], metrics)
    joins = [join(run, base) for run in others]
    compared = [base.metrics[name] for name in names]
    base_of = bases(compared)
    tested = [one.name for one in compared if one.scope != "set" and one.name not in base_of]
    patterns = permutations(len(others) * len(tested))
    measured = []
    with progress() as bar:
        task = bar.add_task("Compare", total=len(others) * len(compared))
        for run, joined in zip(others, joins, strict=True):
            for metric in compared:
                measured.append(_measure(run, base, joined, metric, group, patterns))
                bar.advance(task)
    rows, family = _rows(measured, base, base_of, group)
    return Comparison(
        task=base.results.task,
        dataset=base.results.dataset.name,
        split=base.results.dataset.split,
        fingerprint=base.results.dataset.fingerprint,
        group=group,
        baseline=_run_record(base, None),
        runs=[_run_record(run, joined) for run, joined in zip(others, joins, strict=True)],
        family=family,
        permutations=patterns,
        rows=rows,
        notes=notes(base, others, joins, rows) + ([] if metrics else not_compared([base, *others])),
    )


def _baseline_first(runs: list[Run], baseline: Path | None) -> list[Run]:
    if baseline is None:
        return runs
    chosen = [run for run in runs if run.folder.resolve() == baseline.resolve()]
    if not chosen:
        given = ", ".join(str(run.folder) for run in runs)
        raise HiveError(f"--baseline {baseline} is none of the runs", f"choose from {given}")
    return [chosen[0], *(run for run in runs if run is not chosen[0])]


def _measure(
    run: Run, base: Run, joined: Joined, metric: MetricRecord, group: str, patterns: int
) -> _Measured:
    if metric.scope == "set":
        return _Measured(run, metric, None, None)
    here, applies_here = column(run, metric.name, joined.rows_run)
    there, applies_there = column(base, metric.name, joined.rows_baseline)
    used = applies_here | applies_there  # a value that only one lacks is undefined
    arrays = here[used], there[used], joined.recordings[used], joined.sizes[used]

    def difference(clip: bool) -> paired.Difference:
        every = paired.compare(*arrays, clip=clip, permutations=patterns)
        found = {one.group: one for one in every}
        if group not in found:
            raise HiveError(
                f"--group {group}: {metric.name} has no items of {group} sources",
                f"choose from {', '.join(found)}",
            )
        return found[group]

    finite = difference(clip=False)
    infinite = sum(one.pos_inf + one.neg_inf for one in (finite.outside_a, finite.outside_b))
    clipped = difference(clip=True) if metric.unit == "dB" and infinite else None
    return _Measured(run, metric, finite, clipped)


def _rows(
    measured: Sequence[_Measured], base: Run, base_of: Mapping[str, str], group: str
) -> tuple[list[Row], int]:
    """Adjust the p-values and make the records; return them and the number of tests that count.

    Clipped values make the same family once more: a test without clipped values stands for itself.
    """
    keys = [(one.run.name, one.metric.name) for one in measured]
    finite = {key: one.difference for key, one in zip(keys, measured, strict=True)}
    clipped = {key: one.clipped or one.difference for key, one in zip(keys, measured, strict=True)}
    adjusted, family = adjust(finite, base_of)
    adjusted_clipped, _ = adjust(clipped, base_of)
    rows = []
    for key, one in zip(keys, measured, strict=True):
        there = one.difference
        rows.append(
            Row(
                run=one.run.name,
                baseline=base.name,
                metric=one.metric.name,
                unit=one.metric.unit,
                higher_is_better=one.metric.higher_is_better,
                standin=one.metric.standin,
                group=group,
                tested=there is not None,
                statistics=_statistics(one, base, there, adjusted[key])
                if there
                else _of_sets(one, base, group),
                clipped=_statistics(one, base, one.clipped, adjusted_clipped[key])
                if one.clipped
                else None,
                outside_run=Outside(**asdict(there.outside_a)) if there else None,
                outside_baseline=Outside(**asdict(there.outside_b)) if there else None,
            )
        )
    return rows, family


def _statistics(
    measured: _Measured, base: Run, found: paired.Difference, p_holm: float
) -> Statistics:
    better = None
    if p_holm <= ALPHA:
        higher = found.difference > 0
        better = measured.run if higher == measured.metric.higher_is_better else base
    verdict = f"{better.name} better" if better else SAME
    return Statistics(
        n=found.n,
        num_recordings=found.num_clusters,
        mean_run=found.mean_a,
        mean_baseline=found.mean_b,
        difference=found.difference,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
        p_holm=p_holm,
        std=found.std,
        error=found.error,
        design_effect=found.design_effect,
        detectable=found.detectable,
        needed=_needed(found) if measured.metric.unit == "dB" else [],
        left_out=found.left_out,
        better=better.name if better else None,
        verdict="not defined" if math.isnan(found.p_value) else verdict,
    )


def _needed(found: paired.Difference) -> list[Needed]:
    if not found.error > ROUNDING_DB:  # the same difference everywhere says nothing of spread
        return []
    needed = []
    for difference in NOTICEABLE_DB:
        recordings = clusters_needed(difference, found.error, found.num_clusters)
        if recordings is not None:
            items = math.ceil(recordings * found.n / found.num_clusters)
            needed.append(Needed(difference=difference, items=items, recordings=recordings))
    return needed


def _of_sets(measured: _Measured, base: Run, group: str) -> Statistics:
    """Return the two values of a metric of a whole set, and nothing that needs its items."""
    nan = math.nan
    key = measured.metric.name, group
    pair = [
        {(one.metric, one.group): one for one in run.results.aggregates}.get(key)
        for run in (measured.run, base)
    ]
    here, there = (one.mean if one else nan for one in pair)
    counts = [one.n if one else 0 for one in pair]
    alike = counts[0] == counts[1]
    return Statistics(
        n=min(counts),
        num_recordings=0,
        mean_run=here,
        mean_baseline=there,
        difference=here - there if alike else nan,
        ci_low=nan,
        ci_high=nan,
        p_value=nan,
        p_holm=nan,
        std=nan,
        error=nan,
        design_effect=nan,
        detectable=nan,
        needed=[],
        left_out=0,
        better=None,
        verdict="not tested: one value for the whole set"
        if alike
        else f"not comparable: sets of {counts[0]} and {counts[1]} items",
    )


def _run_record(run: Run, joined: Joined | None) -> RunRecord:
    return RunRecord(
        name=run.name,
        folder=str(run.folder),
        oracle=run.results.model.uses_reference,
        generative=run.results.model.generative,
        items=run.scores.num_rows,
        only_in_run=len(joined.only_in_run) if joined else 0,
        only_in_baseline=len(joined.only_in_baseline) if joined else 0,
    )
