"""What a reader of a comparison must know beside its numbers, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.compare.records import Row
from benchmarks.compare.runs import Joined, Key, Run

FEW_RECORDINGS = 20
SHOWN = 3  # items named in a note


def notes(
    base: Run, others: Sequence[Run], joins: Sequence[Joined], rows: Sequence[Row]
) -> list[str]:
    """Return the notes on a comparison; none if there is nothing to beware of."""
    found = [*_of_runs([base, *others])]
    for run, joined in zip(others, joins, strict=True):
        found += _of_items(run, base, joined)
        found += _of_sets(run, base, joined, rows)
        found += _of_versions(run, base)
    found += _of_metrics(rows)
    return [*dict.fromkeys(found)]


def _of_runs(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        results = run.results
        if results.model.uses_reference:
            yield f"{run.name} is an oracle: it is shown the true sources"
        if results.model.generative:
            yield f"{run.name} is generative: metrics that compare waveforms say little of it"
        facts = results.model.details.get("facts")
        policy = facts.get("negatives") if isinstance(facts, dict) else None
        if results.settings.queries != "positive" and policy == "emulated":
            yield (
                f"{run.name} emulates negative queries: what it finds for them is taken out of the "
                "mixture first"
            )
        for one in results.checks:
            if not one.passed:
                yield f"{run.name}: check {one.name} failed: {one.detail}"
    asked = {run.name: run.results.settings.queries for run in runs}
    if len({*asked.values()}) > 1:
        told = ", ".join(f"{name} {queries}" for name, queries in asked.items())
        yield f"the runs were asked by different queries: {told}"


def _of_items(run: Run, base: Run, joined: Joined) -> Iterator[str]:
    for one, other, items in (
        (run, base, joined.only_in_run),
        (base, run, joined.only_in_baseline),
    ):
        if items:
            failed = {(each.mix_id, each.source_id) for each in other.results.failures}
            reason = len(failed.intersection(items))
            because = f", of which {reason:,} failed in {other.name}" if reason else ""
            yield (
                f"{len(items):,} items are only in {one.name}{because}, and are left out: "
                f"{_some(items)}"
            )


def _of_sets(run: Run, base: Run, joined: Joined, rows: Sequence[Row]) -> Iterator[str]:
    """Say so if the values of whole sets are not of the same items: nothing can be left out."""
    names = [row.metric for row in rows if row.run == run.name and not row.tested]
    if names and (joined.only_in_run or joined.only_in_baseline):
        yield (
            f"{', '.join(names)}: one value for all items of a run, and the items of {run.name} "
            f"and {base.name} are not the same ({run.scores.num_rows:,} and "
            f"{base.scores.num_rows:,}, {len(joined.rows_run):,} in common)"
        )


def not_compared(runs: Sequence[Run]) -> list[str]:
    """Return a note on every metric that some run lacks."""
    found = []
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        lacking = [run.name for run in runs if name not in run.metrics]
        if lacking:
            found.append(f"{name} is not compared: it is not in {', '.join(lacking)}")
    return found


def _some(items: Sequence[Key]) -> str:
    shown = ", ".join(" ".join(key) for key in items[:SHOWN])
    return f"{shown} ..." if len(items) > SHOWN else shown


def _of_versions(run: Run, base: Run) -> Iterator[str]:
    here, there = _versions(run), _versions(base)
    differing = [
        f"{name} {here[name]} and {there[name]}"
        for name in here
        if name in there and here[name] != there[name]
    ]
    if differing:
        yield (
            f"{run.name} and {base.name} were scored with different versions, which may differ by "
            f"rounding: {', '.join(differing)}"
        )


def _versions(run: Run) -> dict[str, str]:
    of_metrics = [metric.versions for metric in run.results.metrics]
    merged = {name: version for one in of_metrics for name, version in one.items()}
    return {"hive-bench": run.results.hive_version, **merged, **run.results.versions}


def _of_metrics(rows: Sequence[Row]) -> Iterator[str]:
    standins = [*dict.fromkeys(row.metric for row in rows if row.standin)]
    if standins:
        yield (
            f"stand-ins, no trained model: {', '.join(standins)} say nothing of the "
            "quality of sounds"
        )
    for row in rows:
        statistics = row.statistics
        if row.clipped and row.clipped.better != statistics.better:
            yield (
                f"{row.metric}, {row.run}: the verdict hangs on infinite scores. Without them: "
                f"{statistics.verdict}; clipped: {row.clipped.verdict}"
            )
    few = [
        row.statistics.num_recordings
        for row in rows
        if row.tested and 0 < row.statistics.num_recordings < FEW_RECORDINGS
    ]
    if few:
        yield (
            f"only {min(few)} recordings: intervals from fewer than {FEW_RECORDINGS} are too narrow"
        )
