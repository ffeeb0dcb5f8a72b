"""The table of scores: its columns, its identity, its counts and the ranges of its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.checks import check_run as recheck
from benchmarks.results import ROW_SCHEMA, MetricRecord, Results
from hive.errors import HiveError
from hive.metrics.identity import Identity
from hive.metrics.registry import OF_MODEL, resolve
from leaderboard.findings import RESULTS, SCORES, Finding

KEY = re.compile(r"[a-z0-9_-]+")
IDENTITY = ("task", "mix_id", "source_id", "num_sources", "label", "query", "recording_id")
RANGES = {
    "stoi": (-1.0, 1.0),
    "stoi_speech": (-1.0, 1.0),
    "re_corr": (0.0, 1.0),
    "re_share": (0.0, 1.0),
    "estoi": (-1.0, 1.0),
    "clap_a": (-1.0, 1.0),
    "clap_t": (-1.0, 1.0),
    "fad_pair": (0.0, 2.0),
    "clap_t_win": (-1.0, 1.0),
    "lpaps_channel": (0.0, np.inf),
    "lpaps_win": (0.0, 16.0),
    "fad_pair_sq": (0.0, 4.0),
    "fad_file": (0.0, np.inf),
    "lpaps": (0.0, 16.0),
}
DECIBELS = (-400.0, 400.0)  # float64 resolves about 310 dB
SHOWN = 3  # items named in a finding
ORACLES = frozenset({"irm", "ibm", "psm"})  # the ideal masks that come with the package
PERFECT_DB = 60.0


def read(path: Path, results: Results) -> tuple[pa.Table | None, list[Finding]]:
    """Read the scores and check their columns.

    Returns:
        The table, or None if it cannot be used for further checks, and the findings.
    """
    if not path.is_file():
        return None, [Finding(SCORES, "", "no such file", "name the --out folder of a run")]
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        return None, [Finding(SCORES, "", f"not a Parquet table ({error})")]
    metrics = [metric.name for metric in results.metrics if metric.scope != "set"]
    expected = {field.name: field.type for field in ROW_SCHEMA}
    expected |= dict.fromkeys(metrics, pa.float64())
    findings = [
        Finding(RESULTS, "metrics", f"{name!r} is there twice")
        for name, count in Counter([*ROW_SCHEMA.names, *metrics]).items()
        if count > 1
    ]
    for name, kind in expected.items():
        if name not in table.column_names:
            findings.append(Finding(SCORES, name, "the column is missing"))
        elif table.schema.field(name).type != kind:
            there = table.schema.field(name).type
            findings.append(Finding(SCORES, name, f"the column is of type {there}, not {kind}"))
    for name in table.column_names:
        if name not in expected:
            findings.append(Finding(SCORES, name, f"{RESULTS} knows no such metric"))
    if table.num_columns > len(set(table.column_names)):
        findings.append(Finding(SCORES, "", "two columns have the same name"))
    for name in IDENTITY:
        if name in table.column_names and table[name].null_count:
            findings.append(Finding(SCORES, name, f"{table[name].null_count} rows have no value"))
    return (None if findings else table), findings


def check(results: Results, table: pa.Table) -> Iterator[Finding]:
    """Check identity, counts, ranges and inequalities of rows whose columns are right."""
    yield from _identity(results, table)
    yield from _counts(results, table)
    yield from _ranges(results, table)
    yield from _oracle(results, table)
    yield from _metrics(results)
    yield from _coverage(results)
    for one in recheck(
        table,
        results.aggregates,
        {},  # the rows are not here either
        residual=0.0,  # the sound is not here; the run's own check of it is read below
        expected=results.counts.items,
        failed=results.counts.failed,
    ):
        if not one["passed"]:
            yield Finding(SCORES, one["name"], one["detail"])
    for index, stated in enumerate(results.checks):
        if not stated.passed:
            yield Finding(
                RESULTS,
                f"checks[{index}]",
                f"{stated.name} failed: {stated.detail}",
                "find out why: data, metrics or bookkeeping are at fault",
            )


def _identity(results: Results, table: pa.Table) -> Iterator[Finding]:
    tasks = set(table["task"].to_pylist())
    if tasks - {results.task}:
        yield Finding(SCORES, "task", f"has {_some(tasks)}, {RESULTS} says {results.task!r}")
    odd = [name for name in set(table["mix_id"].to_pylist()) if not KEY.fullmatch(name)]
    if odd:
        yield Finding(SCORES, "mix_id", f"not made of a-z, 0-9, _ and -: {_some(odd)}")
    pairs = _pairs(table)
    twice = [pair for pair, count in Counter(pairs).items() if count > 1]
    if twice:
        yield Finding(SCORES, "mix_id, source_id", f"there more than once: {_some(twice)}")
    failed = [(one.mix_id, one.source_id) for one in results.failures if one.metric is None]
    both = set(failed) & set(pairs)
    if both:
        yield Finding(RESULTS, "failures", f"have scores all the same: {_some(both)}")
    if len(set(failed)) < len(failed):
        yield Finding(RESULTS, "failures", "an item is there twice")
    sizes = table.group_by("mix_id").aggregate([("num_sources", "count_distinct")])
    several = sizes.filter(pc.greater(sizes["num_sources_count_distinct"], 1))["mix_id"]
    if len(several):
        problem = f"differs inside a mixture: {_some(several.to_pylist())}"
        yield Finding(SCORES, "num_sources", problem)
    if table.num_rows and pc.min(table["num_sources"]).as_py() < 1:
        yield Finding(SCORES, "num_sources", "is less than 1")


def _counts(results: Results, table: pa.Table) -> Iterator[Finding]:
    counts, dataset = results.counts, results.dataset
    flags = Counter(flag for row in table["flags"].to_pylist() for flag in row or ())
    mixtures = {pair[0] for pair in _pairs(table)} | {one.mix_id for one in results.failures}
    for field, stated, found, what in [
        (
            "counts.failed",
            counts.failed,
            sum(one.metric is None for one in results.failures),
            "failures are listed",
        ),
        ("counts.items", counts.items, dataset.num_items, "is dataset.num_items"),
        ("dataset.num_mixtures", dataset.num_mixtures, len(mixtures), "mixtures are in the rows"),
        ("counts.length_fixed", counts.length_fixed, flags["length_fixed"], "rows have the flag"),
        (
            "counts.silent_estimates",
            counts.silent_estimates,
            flags["silent_estimate"],
            "rows have the flag",
        ),
        (
            "counts.silent_references",
            counts.silent_references,
            flags["silent_reference"],
            "rows have the flag",
        ),
    ]:
        if stated != found:
            yield Finding(RESULTS, field, f"is {stated}, but {found} {what}")


def _ranges(results: Results, table: pa.Table) -> Iterator[Finding]:
    seconds = table["seconds"].to_numpy()
    if not np.all(seconds >= 0) or np.isinf(seconds).any():
        yield Finding(SCORES, "seconds", "holds times that are negative or not finite")
    for metric in results.metrics:
        if metric.scope == "set":
            continue
        values = table[metric.name].to_numpy()
        usual = DECIBELS if metric.unit == "dB" else (-np.inf, np.inf)
        low, high = RANGES.get(metric.identity.definition, usual)
        outside = np.isfinite(values) & ((values < low - 1e-9) | (values > high + 1e-9))
        if metric.unit != "dB":
            outside |= np.isinf(values)
        if outside.any():
            rows = np.flatnonzero(outside)[:SHOWN]
            problem = f"{np.count_nonzero(outside)} values outside {low:g} to {high:g}, in rows "
            yield Finding(SCORES, metric.name, problem + ", ".join(map(str, rows)))


def _oracle(results: Results, table: pa.Table) -> Iterator[Finding]:
    """A model that was shown the true sources must say so."""
    if results.model.uses_reference:
        return
    remedy = "set uses_reference in the model's class and evaluate again"
    if results.model.spec in ORACLES:
        problem = f"is false, but {results.model.spec} is an ideal mask"
        yield Finding(RESULTS, "model.uses_reference", problem, remedy)
    elif "si_sdr" in table.column_names:
        values = table["si_sdr"].drop_null().to_numpy()
        perfect = np.count_nonzero(values > PERFECT_DB)
        if perfect > len(values) / 2:
            problem = (
                f"is false, but {perfect} of {len(values)} estimates are the true source to more "
                f"than {PERFECT_DB:g} dB"
            )
            yield Finding(RESULTS, "model.uses_reference", problem, remedy)


def _coverage(results: Results) -> Iterator[Finding]:
    """A mean must not leave out what a model cannot do."""
    counts = results.counts
    if counts.failed:
        problem = f"{counts.failed} of {counts.items} items have no scores"
        yield Finding(RESULTS, "counts.failed", problem, "run the same command again")
    missing = Counter(one.metric for one in results.failures if one.metric is not None)
    for metric, count in missing.items():
        problem = f"{count} of {counts.items} items lack {metric}"
        yield Finding(RESULTS, "failures", problem, "run the same command again")


def _metrics(results: Results) -> Iterator[Finding]:
    """Metrics must be what their ids say, and come from trained models where they need one."""
    for index, metric in enumerate(results.metrics):
        field = f"metrics[{index}]"
        yield from _definition(field, metric)
        expected = Identity(**metric.identity.model_dump()).id
        if metric.id != expected:
            problem = f"is {metric.id!r}, but the identity of {metric.name} gives {expected!r}"
            yield Finding(RESULTS, f"{field}.id", problem)
        identity = metric.identity
        names = (metric.name, identity.embedding, identity.judge)
        if metric.standin or any("standin:" in (name or "") for name in names):
            yield Finding(
                RESULTS,
                field,
                f"{metric.name} comes from a stand-in, whose values compare with nothing",
                "leave the metric out, or evaluate with the trained model",
            )
        if not metric.published:
            yield Finding(
                RESULTS,
                field,
                f"{metric.name} comes from other weights than the published ones",
                "fetch the checkpoint and evaluate again",
            )


def _definition(field: str, metric: MetricRecord) -> Iterator[Finding]:
    """A metric must be what its name says, as this version knows it."""
    try:
        known = resolve(metric.name)
    except HiveError as error:
        yield Finding(RESULTS, f"{field}.name", error.problem)
        return
    identity, info = metric.identity, known.info
    rate = known.rate or identity.sample_rate
    settings = {key: value for key, value in identity.settings.items() if key != "of"}
    band = known.band if known.band != OF_MODEL else identity.band
    for name, stated, right in [
        ("identity.definition", identity.definition, info.name),
        ("identity.settings", settings, known.options),
        ("identity.sample_rate", identity.sample_rate, rate),
        ("identity.embedding", identity.embedding, known.embedding),
        ("unit", metric.unit, info.unit),
        ("higher_is_better", metric.higher_is_better, info.higher_is_better),
        ("scope", metric.scope, info.scope),
    ]:
        if stated != right:
            problem = f"is {stated!r}, but {metric.name} means {right!r}"
            yield Finding(RESULTS, f"{field}.{name}", problem)
    if identity.band not in (band, None):
        problem = f"is {identity.band}, but {metric.name} means {band}"
        yield Finding(RESULTS, f"{field}.identity.band", problem)
    if (info.features or info.judged) and not metric.standin and not identity.checkpoint_sha256:
        yield Finding(
            RESULTS,
            f"{field}.identity.checkpoint_sha256",
            f"is missing; without it {metric.name} compares with nothing",
            "let the judge's worker say the hash of its weights",
        )


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["mix_id"].to_pylist(), table["source_id"].to_pylist(), strict=True))


def _some(values: object) -> str:
    names = sorted(map(str, values))  # type: ignore[call-overload]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
