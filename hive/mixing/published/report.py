"""Coverage as tables on the console."""

from __future__ import annotations

from hive import console
from hive.mixing.published.coverage import NO_FOLDER, Coverage
from hive.tables import SAMPLE_RATE

_SHOWN = 5


def show_coverage(coverage: Coverage) -> None:
    """Print which corpora are here, and what can be made."""
    console.print_table(
        ["corpus", "state", "files", "clips", "mixtures"],
        [
            (
                *(name, one.state, _of(one.files_here, one.files)),
                *(_of(one.clips_here, one.clips), f"{one.mixtures:,}"),
            )
            for name, one in sorted(coverage.corpora.items())
        ],
        title="What is here of the corpora",
    )
    rows: list[tuple[object, ...]] = [
        (split, size, f"{total:,}", f"{can:,}", _percent(can, total))
        for split, size, total, can in coverage.sizes()
    ]
    total, can = coverage.mixtures.total(), coverage.possible.total()
    console.print_table(
        ["split", "sources", "mixtures", "can be made", "%"],
        [*rows, ("all", "", f"{total:,}", f"{can:,}", _percent(can, total))],
        title="What can be made",
    )
    for sentence in _notes(coverage):
        console.say(sentence)


def _notes(coverage: Coverage) -> list[str]:
    notes = [
        f"{name}: {one.folder} is not there"
        for name, one in sorted(coverage.corpora.items())
        if one.state == NO_FOLDER
    ]
    if coverage.unusable:
        shown = "; ".join(f"{reject.path}: {reject.reason}" for reject in coverage.rejects[:_SHOWN])
        rows = "row" if coverage.unusable == 1 else "rows"
        notes.append(f"{coverage.unusable:,} {rows} cannot be used: {shown}")
    if coverage.unknown_labels:
        names = coverage.unknown_labels.most_common(_SHOWN)
        shown = ", ".join(f"{name!r} ({count})" for name, count in names)
        notes.append(f"labels that are none of Hive's classes and stay as they are: {shown}")
    if coverage.other_rates:
        shown = ", ".join(f"{count} of {rate}" for rate, count in coverage.other_rates.items())
        notes.append(f"mixtures not of {SAMPLE_RATE} Hz: {shown} Hz")
    return notes


def _percent(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.1f}" if whole else "0.0"


def _of(here: int, all_of_it: int) -> str:
    return f"{here:,} of {all_of_it:,}"
