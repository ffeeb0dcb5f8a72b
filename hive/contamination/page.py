"""The page of a report: tables and plots, like the other pages."""

from __future__ import annotations

from pathlib import Path

from hive.contamination.judge import COPY_ERROR_RATE
from hive.contamination.report import Report, Share
from hive.figures.page import Cell, Section, Table, write_page
from hive.figures.plots import Plot, bars, columns
from hive.storage import folder_name, place

_CLASSES = 20  # with bars
_KIND_TITLES = {
    "recording": "same recording (id)",
    "samples": "same samples (hash)",
    "sound": "same sound (fingerprint)",
    "any": "any",
}
_CAN = (
    "A fingerprint finds the same recording as a crop, inside a longer file, at another level or "
    "rate, encoded anew or with a little noise. It misses sounds of less than about a second, "
    "steady ones such as hum and wind, copies at another speed or pitch, and copies under other "
    "sounds of the same level. So the shares are lower bounds, as sure as the training "
    "sets are declared in full."
)


def write_contamination_page(out: Path, report: Report) -> list[Path]:
    """Write the tables, plots and page of a report.

    Args:
        out: Folder to write to.
        report: The report.

    Returns:
        The files written, the page last.
    """
    over = report.overall
    facts = [("clips in a training set", _told(over.clips.any))]
    facts.append(("recordings", _told(over.recordings)))
    if report.test.mixtures:
        facts.append(("mixtures with 1+ such source", _told(over.mixtures)))
        facts.append(("mixtures with such sources only", _told(over.whole_mixtures)))
    sections = [_sets(report), *([_sizes(report)] if report.sizes else []), _classes(report)]
    title = f"Contamination of {folder_name(place(report.test.name))}, split {report.test.split}"
    return write_page(out, title, facts, [*sections, _limits(report)])


def _sets(report: Report) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (
            *(one.declared, one.kind, one.items, one.hours, one.unread),
            *(getattr(one.clips, kind).found for kind in _KIND_TITLES),
            *(_percent(one.clips.any), one.mixtures.found),
        )
        for one in report.training_sets
    ]
    header = (
        *("training set", "kind", "items", "hours", "unread"),
        *("id", "samples", "sound", "any", "percent", "mixtures with 1+"),
    )
    names = [one.declared for one in report.training_sets]
    series = {
        title: [_percent(getattr(one.clips, kind)) for one in report.training_sets]
        for kind, title in _KIND_TITLES.items()
        if kind != "any"
    }
    plot = Plot(
        "sets",
        "Clips of the test in each training set",
        "Percent of the test's clips, by kind of evidence; a clip may have all three.",
        lambda: bars(names, series, "percent of the test's clips"),
    )
    table = Table(
        "training_sets",
        "Declared training sets, with the test's clips that each holds",
        header,
        rows,
    )
    return Section("Training sets", [plot], [table], "Each match is a row of matches.csv.")


def _sizes(report: Report) -> Section:
    names = [f"{row.num_sources} sources" for row in report.sizes]
    series = {
        "at least one source": [_percent(row.mixtures) for row in report.sizes],
        "every source": [_percent(row.whole_mixtures) for row in report.sizes],
    }
    plot = Plot(
        "sizes",
        "Mixtures whose sources are in a training set",
        "Percent of the mixtures of each size.",
        lambda: columns(names, series, "percent of mixtures"),
    )
    rows = [
        (
            *(row.num_sources, row.mixtures.of, row.mixtures.found, _percent(row.mixtures)),
            *(row.whole_mixtures.found, _percent(row.whole_mixtures), _percent(row.stems)),
        )
        for row in report.sizes
    ]
    header = (
        *("sources", "mixtures", "with 1+", "percent", "with all"),
        *("percent with all", "percent of sources"),
    )
    return Section(
        "Mixtures",
        [plot],
        [Table("sizes", "By number of sources", header, rows)],
        "clean.txt names the mixtures without such a source.",
    )


def _classes(report: Report) -> Section:
    rows = sorted(
        report.classes, key=lambda row: (-(row.clips.share or 0.0), -row.clips.of, row.label)
    )
    worst = [row for row in rows if row.clips.found][:_CLASSES]
    plots = []
    if worst:
        plots.append(
            Plot(
                "classes",
                "Classes with the largest share",
                f"Percent of the clips of the class; at most {_CLASSES} classes.",
                lambda: bars(
                    [f"{row.label} ({row.clips.of})" for row in worst],
                    {"clips": [_percent(row.clips) for row in worst]},
                    "percent of the clips (number of clips in brackets)",
                ),
            )
        )
    cells = [
        (
            *(row.label, row.clips.of, row.clips.found, _percent(row.clips)),
            *(row.stems.of, row.stems.found),
        )
        for row in rows
    ]
    header = ("class", "clips", "found", "percent", "sources of mixtures", "found among them")
    return Section("Classes", plots, [Table("classes", "By class", header, cells)])


def _limits(report: Report) -> Section:
    limits = report.limits
    rows: list[tuple[Cell, ...]] = [
        ("could not be read", limits.unread),
        ("silent", limits.silent),
        (
            "too short or too steady: a copy with "
            f"{100 * COPY_ERROR_RATE:.0f} % wrong bits would be missed",
            limits.short_or_steady,
        ),
        ("clean mixtures (or clips) that hold any of these", limits.clean_unjudged),
    ]
    note = _CAN
    if limits.backwards.of:
        note += (
            f" As a control {limits.backwards.of} pieces of the test were also sought played "
            f"backwards, where nothing should be found: {limits.backwards.found} were."
        )
    table = Table("limits", "What no fingerprint can judge", ("clips of the test", "number"), rows)
    return Section("What this can and cannot find", [], [table], note)


def _percent(share: Share) -> float:
    return 100.0 * (share.share or 0.0)


def _told(share: Share) -> str:
    return f"{share.found:,} of {share.of:,} ({_percent(share):.1f} %)" if share.of else "none"
