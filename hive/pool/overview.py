"""The statistics of a pool as tables and plots, like figures 2, 4 and A4 of the Hive paper."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive.figures.page import Section, Table, write_page
from hive.figures.plots import Plot, bars, ends, histogram, rank_frequency
from hive.licences import normalise, terms
from hive.pool.store import clip_hours, read_pool, read_quarantine
from hive.storage import folder_name
from hive.tables import SAMPLE_RATE

_LICENCES = 15  # bars of licences
_SHORTEST, _LONGEST = 0.0, 10.0
_Row = tuple[str, int, int, float]  # name, clips, recordings, hours


def write_pool_page(pool: Path, out: Path) -> list[Path]:
    """Write the statistics of a pool: CSV tables, PNG and SVG plots and a page.

    Args:
        pool: The pool's folder.
        out: Folder to write to.

    Returns:
        The files written, the page last.

    Raises:
        HiveError: If there is no pool.
    """
    clips, _ = read_pool(pool)
    hours = clip_hours(clips)
    classes = _grouped(clips["label"].to_pylist(), clips, hours)
    facts = [
        ("clips", f"{clips.num_rows:,}"),
        ("recordings", f"{len(set(clips['recording_id'].to_pylist())):,}"),
        ("hours", f"{sum(hours):,.2f}"),
        ("classes", f"{len(classes)}"),
        ("in quarantine", f"{len(read_quarantine(pool)):,}"),
    ]
    sections = [
        _corpora(clips, hours),
        _classes(classes),
        _licences(clips, hours),
        _lengths(clips),
        _bandwidths(clips),
    ]
    splits = [split or "not bound" for split in clips["split"].to_pylist()]
    if set(splits) != {"not bound"}:
        rows = _grouped(splits, clips, hours)
        sections.insert(1, Section("Splits", tables=[_table("splits", "Splits", "split", rows)]))
    return write_page(out, f"Clip pool {folder_name(pool)}", facts, sections)


def _corpora(clips: pa.Table, hours: Sequence[float]) -> Section:
    rows = _grouped(clips["source"].to_pylist(), clips, hours)
    rows.sort(key=lambda row: (-row[3], row[0]))
    whole, count = sum(hours), clips.num_rows
    shares = {
        "of the hours": [100.0 * row[3] / whole for row in rows],
        "of the clips": [100.0 * row[1] / count for row in rows],
    }
    names = [row[0] for row in rows]
    plot = Plot(
        "corpora",
        "Share of each corpus",
        "Percent of the hours and of the clips.",
        lambda: bars(names, shares, "percent"),
    )
    return Section("Corpora", [plot], [_table("corpora", "Corpora", "corpus", rows)])


def _classes(rows: list[_Row]) -> Section:
    counts = [(row[0], row[1]) for row in rows]
    plots = [
        Plot(
            "class_ends",
            "Most and least frequent classes",
            "Clips of the ten classes with the most and of the ten with the fewest.",
            lambda: ends(counts, "clips"),
        ),
        Plot(
            "class_ranks",
            "Clips of a class by its rank",
            "Logarithmic; shaded and in the inset, where they differ: the last 20 classes.",
            lambda: rank_frequency([count for _, count in counts], "clips"),
        ),
    ]
    ranked = [(rank, *row) for rank, row in enumerate(rows, start=1)]
    columns = ("rank", "class", "clips", "recordings", "hours")
    index = Table("classes", "All classes by rank, with their clips", columns, ranked, ranked=2)
    return Section("Classes", plots, [index])


def _licences(clips: pa.Table, hours: Sequence[float]) -> Section:
    names = [normalise(licence or "") for licence in clips["licence"].to_pylist()]
    rows = _grouped(names, clips, hours)
    shown = rows[:_LICENCES]
    plot = Plot(
        "licences",
        "Licences",
        f"Clips under each licence, the {_LICENCES} most frequent.",
        lambda: bars(
            [row[0] for row in shown], {"clips": [row[1] for row in shown]}, "clips", "{:,.0f}"
        ),
    )
    columns = ("licence", "asks for", "clips", "recordings", "hours")
    table = Table(
        "licences", "Licences", columns, [(r[0], terms(r[0]).describe(), *r[1:]) for r in rows]
    )
    return Section("Licences", [plot], [table])


def _lengths(clips: pa.Table) -> Section:
    """Lengths of the sounds before they were laid out over a clip."""
    lengths = np.array(
        [
            next((step["score"] for step in steps if step["stage"] == "layout"), end - start)
            for steps, start, end in zip(
                *(clips[name].to_pylist() for name in ("provenance", "start_second", "end_second")),
                strict=True,
            )
        ]
    )
    edges = np.linspace(_SHORTEST, _LONGEST, 41)
    counts = np.histogram(lengths.clip(_SHORTEST, _LONGEST), edges)[0]
    plot = Plot(
        "lengths",
        "Length of the sounds",
        "Length of what a clip was made of, before it was repeated or padded to 10 s.",
        lambda: histogram(edges.tolist(), {"": counts.tolist()}, "seconds", "clips"),
    )
    return Section(
        "Lengths", [plot], [_bins("lengths", "Length of the sounds", "seconds", edges, counts)]
    )


def _bandwidths(clips: pa.Table) -> Section:
    values = np.array(clips["bandwidth_hz"].to_pylist(), dtype=float) / 1000.0
    restored = np.array(clips["restored"].to_pylist(), dtype=bool)
    edges = np.linspace(0.0, SAMPLE_RATE / 2000.0, 46)
    counts = {
        name: np.histogram(values[mask].clip(0.0, edges[-1]), edges)[0].tolist()
        for name, mask in (("recorded", ~restored), ("restored above it", restored))
        if mask.any()
    }
    plot = Plot(
        "bandwidths",
        "Bandwidth",
        "Where the spectrum of the recording ends; restored clips got their upper band from a "
        "super-resolution model.",
        lambda: histogram(edges.tolist(), counts, "kHz", "clips"),
    )
    total = np.sum(list(counts.values()), axis=0)
    return Section("Bandwidths", [plot], [_bins("bandwidths", "Bandwidth", "kHz", edges, total)])


def _grouped(names: Iterable[str], clips: pa.Table, hours: Sequence[float]) -> list[_Row]:
    """Count clips, recordings and hours by name, most clips first."""
    counts: Counter[str] = Counter()
    length: dict[str, float] = defaultdict(float)
    recordings: dict[str, set[str]] = defaultdict(set)
    columns = zip(names, clips["recording_id"].to_pylist(), hours, strict=True)
    for name, recording, hour in columns:
        counts[name] += 1
        length[name] += hour
        recordings[name].add(recording)
    rows = [(name, counts[name], len(recordings[name]), length[name]) for name in counts]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _table(name: str, title: str, column: str, rows: list[_Row]) -> Table:
    return Table(name, title, (column, "clips", "recordings", "hours"), rows)


def _bins(
    name: str, title: str, unit: str, edges: NDArray[np.float64], counts: NDArray[np.int64]
) -> Table:
    rows = [
        (round(float(low), 3), round(float(high), 3), int(count))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    header = (f"from ({unit})", f"to ({unit})", "clips")
    return Table(name, f"{title}, in bins", header, rows, listed=False)
