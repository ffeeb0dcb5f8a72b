"""The page: gathers tables, plots and examples and fills the template.

The page refers to nothing outside itself, and its content security policy forbids it to. All text
that comes from files is escaped; the one script is allowed by its hash, so that nothing else runs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import examples, plots, tables, text
from benchmarks.report.runs import Run, all_metrics, differences, headline, load_runs
from hive.files import write_text
from hive.pages import csp_hash, source, template

NUM_FAILURES = 20
_PACKAGE = "benchmarks.report"


def write_report(folders: Sequence[Path], out: Path, title: str) -> None:
    """Write the report of one or several runs.

    Args:
        folders: Folders that `evaluate` made, in the order in which to show them.
        out: The HTML file.
        title: Title of the page.

    Raises:
        HiveError: If a folder is no run, or names files outside itself.
    """
    write_text(out, render(load_runs(folders), title))


def render(runs: Sequence[Run], title: str) -> str:
    """Return the page as HTML."""
    script = source(_PACKAGE, "script.js")
    metrics = all_metrics(runs)
    main = headline(metrics)
    differing = differences(runs)
    return template(_PACKAGE, "page.html").render(
        title=title,
        style=source(_PACKAGE, "style.css"),
        script=script,
        script_hash=csp_hash(script),
        runs=runs,
        metrics=metrics,
        headline=main,
        cards=[_card(run, main) for run in runs],
        differences=differing,
        facts=_facts(runs),
        anchors=tables.anchor_blocks(runs[0], metrics),
        blocks=tables.score_blocks(runs, metrics, comparable=not differing),
        spreads=[(run.name, tables.spread_rows(run)) for run in runs],
        curves=_curves(runs, metrics),
        distribution=_svg(plots.distribution(runs, main, "spread")) if main else None,
        labels=_labels(runs) if main else [],
        examples=examples.collect(runs),
        commands=[(run.name, evaluate_command(run)) for run in runs],
        report_command=shlex.join(
            ["hive-bench", "report", *(str(run.folder) for run in runs), "--out", "report.html"]
        ),
        num_failures=NUM_FAILURES,
        missing=_missing(runs),
        markers=plots.MARKERS,
        num_colours=plots.NUM_COLOURS,
    )


def _missing(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Return metrics that no run has, gathered by reason and remedy."""
    there = {metric.name for run in runs for metric in run.results.metrics}
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for one in run.results.unavailable:
            names = found.setdefault((one.reason, one.remedy), [])
            if one.metric not in there and one.metric not in names:
                names.append(one.metric)
    return [(", ".join(names), *why) for why, names in found.items() if names]


@dataclass(frozen=True)
class Card:
    """A run at a glance."""

    name: str
    value: str
    interval: str
    left_out: str
    notes: list[str]


def _card(run: Run, main: Any) -> Card:
    results = run.results
    overall = run.aggregates.get((main.name, "overall")) if main else None
    notes = []
    if results.model.uses_reference:
        notes.append("Oracle: it is shown the true sources. An upper bound, not a system.")
    if results.model.generative:
        notes.append(
            "Generative: its output is synthesised, so metrics that compare waveforms say little."
        )
    if results.dataset.limit is not None:
        notes.append(f"Partial: only {results.dataset.num_mixtures:,} mixtures were scored.")
    if results.counts.failed:
        notes.append(f"{results.counts.failed:,} of {results.counts.items:,} items failed.")
    failed_checks = sum(not check.passed for check in results.checks)
    if failed_checks:
        notes.append(f"{failed_checks} of {len(results.checks)} checks failed.")
    return Card(
        name=run.name,
        value=text.number(overall.mean, main.unit) if overall else text.NONE,
        interval=text.interval(overall.ci_low, overall.ci_high, main.unit) if overall else "",
        left_out=text.left_out(overall.n_pos_inf, overall.n_neg_inf, overall.n_nan)
        if overall
        else "",
        notes=notes,
    )


def _facts(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return what was scored and how: sections of rows, one value a run."""

    def rows(pairs: Sequence[dict[str, Any]]) -> list[tuple[str, list[str]]]:
        names = list(dict.fromkeys(name for one in pairs for name in one))
        return [(name, [_plain(one.get(name)) for one in pairs]) for name in names]

    found = [run.results for run in runs]
    data = [
        {
            "name": one.dataset.name,
            "split": one.dataset.split,
            "task": one.task,
            "mixtures": f"{one.dataset.num_mixtures:,}",
            "items (mixture and query)": f"{one.dataset.num_items:,}",
            "limit": one.dataset.limit if one.dataset.limit is not None else "none",
            "rate": f"{one.dataset.sample_rate:,} Hz",
            "fingerprint": one.dataset.fingerprint,
        }
        for one in found
    ]
    model = [
        {
            "given as": one.model.spec,
            "rate": f"{one.model.sample_rate:,} Hz" if one.model.sample_rate else "any",
            "generative": one.model.generative,
            "is shown the sources": one.model.uses_reference,
            "checkpoint SHA-256": one.model.checkpoint_sha256,
            **dict(_flat(one.model.details)),
        }
        for one in found
    ]
    settings = [
        {
            **{
                name.replace("_", " "): value
                for name, value in one.settings.model_dump().items()
                if name != "metrics"
            },
            "settings hash": one.settings_hash,
        }
        for one in found
    ]
    place = [{"created": one.created, **one.machine.model_dump(), **one.versions} for one in found]
    return [
        ("Dataset", rows(data)),
        ("Model", rows(model)),
        ("Settings", rows(settings)),
        ("Machine and versions", rows(place)),
    ]


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested dictionaries hold, by dotted names."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: Any) -> str:
    if value is None:
        return text.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False) if value else "none"
    return str(value)


def _svg(drawing: str | None) -> Any:
    from markupsafe import Markup

    return Markup(drawing) if drawing else None  # noqa: S704 - made here, and holds numbers only


def _curves(runs: Sequence[Run], metrics: Sequence[Any]) -> list[tuple[Any, Any]]:
    drawn = [
        (metric, _svg(plots.curves(runs, metric, f"curve-{index}")))
        for index, metric in enumerate(metrics)
    ]
    return [(metric, drawing) for metric, drawing in drawn if drawing]


def _labels(runs: Sequence[Run]) -> list[tuple[str, Any, tables.LabelTable]]:
    found = []
    for run in runs:
        metric = headline(run.results.metrics)
        table = tables.label_table(run, metric) if metric else None
        if metric and table:
            found.append((run.name, metric, table))
    return found


def evaluate_command(run: Run) -> str:
    """Return the command that repeats a run."""
    results = run.results
    settings, dataset = results.settings, results.dataset
    words = ["hive-bench", "evaluate", "--model", results.model.spec]
    words += ["--benchmark", dataset.name if dataset.name == "mini" else dataset.path]
    words += ["--task", results.task, "--split", dataset.split]
    words += ["--metrics", ",".join(settings.metrics)]
    if dataset.limit is not None:
        words += ["--limit", str(dataset.limit)]
    words += ["--device", settings.device, "--batch-size", str(settings.batch_size)]
    words += ["--seed", str(settings.seed)]
    if any(metric.identity.embedding == settings.embedding for metric in results.metrics):
        words += ["--embedding", settings.embedding]
    if results.judge is not None:
        words += ["--judge", settings.judge or ""]
    if settings.queries != "positive":
        words += ["--queries", settings.queries]
    for name, value in settings.options.items():
        words += ["--option", f"{name}={value}"]
    return shlex.join([*words, "--examples", str(settings.examples), "--out", "RUN"])
