"""The report of a run as files: JSON, tables, plots and a page."""

from __future__ import annotations

from pathlib import Path

from hive.engine.report import EDGES, Report
from hive.figures.page import Section, Table, write_page
from hive.figures.plots import Plot, histogram
from hive.files import write_text

FOLDER = "report"
YIELD_COLUMNS = ("subset", "Re-SDR and Re-SI-SDR", "recordings", "hours", "tracks", "track hours")
REMIX_COLUMNS = ("all that was separated", "windows", "mean, dB", "over 15 dB", "exact")
_REMIX = {"re_sdr": "Re-SDR", "re_si_sdr": "Re-SI-SDR"}
_TITLES = {
    "re_sdr": ("Re-SDR and Re-SI-SDR", "dB", ("re_sdr", "re_si_sdr")),
    "correlation": ("Likeness of two tracks", "0 to 1", ("correlation", "similarity")),
    "least_share": ("Least share of a track in the energy", "0 to 0.5", ("least_share",)),
}


def write_report(dataset: Path, report: Report) -> Path:
    """Write `report.json`, tables, plots and `index.html` below DATASET/report.

    Returns:
        The page.
    """
    folder = dataset / FOLDER
    write_text(folder / "report.json", report.model_dump_json(indent=2) + "\n")
    made, rules = report.made, report.made["rules"]
    facts = [
        ("recordings", str(made["source"])),
        ("model", f"{made['model']} {made['model_sha256'][:16]}".strip()),
        ("iteration", str(made["iteration"])),
        ("windows", f"{report.seen:,}, of which {report.separated:,} were separated"),
        ("limits", ", ".join(f"{name} {value:g}" for name, value in rules.items())),
    ]
    return write_page(
        folder, "Tracks of natural recordings", facts, [_yields(report), _values(report)]
    )[-1]


def yield_rows(report: Report) -> list[tuple[str | int | float, ...]]:
    """Return the rows of the table of yields (ClearSep, table 9)."""
    return [
        (
            one.subset,
            f"> {one.threshold:g} dB",
            one.recordings,
            round(one.hours, 3),
            one.tracks,
            round(one.track_hours, 3),
        )
        for one in report.subsets
    ]


def remix_rows(report: Report) -> list[tuple[str | int, ...]]:
    """Return the rows of the table of remix quality (ClearSep, table 4)."""
    return [
        (
            _REMIX[one.metric],
            one.windows,
            "-" if one.mean is None else f"{one.mean:.2f}",
            "-" if one.over_15 is None else f"{one.over_15:.0%}",
            one.exact,
        )
        for one in report.remixed
    ]


def _yields(report: Report) -> Section:
    refused = [(one.reason, one.count, round(one.hours, 3)) for one in report.refused]
    labels = [
        (rank, one.label, one.tracks, round(one.hours, 3))
        for rank, one in enumerate(report.labels, start=1)
    ]
    columns = ("rank", "event", "tracks", "hours")
    return Section(
        "What is kept",
        tables=[
            Table("yields", "Recordings and tracks", YIELD_COLUMNS, yield_rows(report)),
            Table("refused", "Why the rest is not", ("reason", "windows", "hours"), refused),
            Table("labels", "What the tracks are of", columns, labels, 2),
        ],
    )


def _values(report: Report) -> Section:
    return Section(
        "What was measured",
        tables=[Table("remix", "Do the tracks add up?", REMIX_COLUMNS, remix_rows(report))],
        plots=[
            Plot(
                name,
                title,
                "Of all windows that were separated, kept or not.",
                lambda name=name, label=label, series=series: histogram(  # type: ignore[misc]
                    EDGES[name].tolist(),
                    {one: report.histograms[one] for one in series},
                    label,
                    "windows",
                ),
            )
            for name, (title, label, series) in _TITLES.items()
        ],
    )
