"""Plots as inline SVG that takes its colours from the page, so it follows light and dark mode.

Figures hold numbers only; titles, legends and descriptions are text of the page. Runs are told
apart by colour and by marker.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.runs import Run
from benchmarks.results import MetricRecord
from hive.metrics.statistics import FLAT, OVERALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLOURS = 6
FEW = 10  # values below which a density says more than is known
MARKERS = "osD^vP"
# Matplotlib wants colours; these stand for the page's variables until the SVG is written.
INK, MUTED, GRID, PAPER = "#010201", "#010202", "#010203", "#010204"
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--rule", PAPER: "--paper"}
SERIES = [f"#0103{index:02x}" for index in range(1, NUM_COLOURS + 1)]
VARIABLES |= {colour: f"--series-{index}" for index, colour in enumerate(SERIES, start=1)}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hive",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.left": False,
}


def curves(runs: Sequence[Run], metric: MetricRecord, figure_id: str) -> str | None:
    """Plot a metric over the number of sources, with its interval as a band.

    Returns:
        SVG text, or None if no run has a finite mean for this metric.
    """
    figure, axes = _figure(3.6, 2.4)
    ticks: set[int] = set()
    for index, run in enumerate(runs):
        points = sorted(
            (int(group), one)
            for (name, group), one in run.aggregates.items()
            if name == metric.name and group not in (OVERALL, FLAT) and np.isfinite(one.mean)
        )
        if not points:
            continue
        x = np.array([size for size, _ in points])
        mean, low, high = np.array([(one.mean, one.ci_low, one.ci_high) for _, one in points]).T
        ticks.update(x.tolist())
        colour = SERIES[index % NUM_COLOURS]
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(x, low, high, color=colour, linewidth=1.2)
        axes.plot(
            x,
            mean,
            color=colour,
            linewidth=1.8,
            linestyle="-" if index < NUM_COLOURS else "--",
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
        )
    if not ticks:
        return None
    axes.set_xticks(sorted(ticks))
    axes.set_xlim(min(ticks) - 0.3, max(ticks) + 0.3)
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlabel("sources in the mixture")
    return _svg(figure, figure_id)


def distribution(runs: Sequence[Run], metric: MetricRecord, figure_id: str) -> str | None:
    """Plot how the items of each mixture size are spread: density, quartiles and median.

    The axis covers the central 99 % of the finite values of all runs.

    Returns:
        SVG text, or None if there is no finite value.
    """
    columns = [
        (index, run.scores["num_sources"].to_numpy(), run.scores[metric.name].to_numpy(float))
        for index, run in enumerate(runs)
        if metric.name in run.scores
    ]
    pooled = np.concatenate([values[np.isfinite(values)] for _, _, values in columns])
    if not len(pooled):
        return None
    low, high = np.quantile(pooled, [0.005, 0.995])
    margin = 0.05 * (high - low) or 1.0
    sizes = np.unique(np.concatenate([of_row for _, of_row, _ in columns]))
    figure, axes = _figure(9.6, 3.6)
    width = 0.8 / len(runs)
    for index, of_row, values in columns:
        for place, size in enumerate(sizes):
            group = values[(of_row == size) & np.isfinite(values)]
            if len(group):
                x = place + (index - (len(runs) - 1) / 2) * width
                _violin(axes, x, 0.9 * width, np.clip(group, low - margin, high + margin), index)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    axes.set_xticks(range(len(sizes)), [f"{size} sources" for size in sizes])
    axes.tick_params(axis="x", length=0)
    if low < 0 < high:
        axes.axhline(0, color=MUTED, linewidth=0.9)
    return _svg(figure, figure_id)


def _violin(axes: Axes, x: float, width: float, values: NDArray[np.float64], index: int) -> None:
    colour = SERIES[index % NUM_COLOURS]
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    if len(values) < FEW:
        axes.plot(np.full(len(values), x), values, ".", color=colour, alpha=0.5, markersize=7)
    elif np.ptp(values) > 0:
        parts: dict[str, Any] = axes.violinplot([values], [x], widths=width, showextrema=False)
        for body in parts["bodies"]:
            body.set(facecolor=colour, edgecolor=colour, alpha=0.35, linewidth=1)
        axes.vlines(x, lower, upper, color=colour, linewidth=4)
    axes.plot(
        [x],
        [median],
        marker=MARKERS[index % len(MARKERS)],
        markersize=6,
        color=colour,
        markeredgecolor=PAPER,
        markeredgewidth=1,
    )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        return figure, figure.add_subplot()


def _svg(figure: Figure, figure_id: str) -> str:
    """Write a figure as SVG that fits its place, uses the page's colours and has ids of its own."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    text = re.sub(r'\bid="', f'id="{figure_id}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{figure_id}-", text)
    # Fonts come from the page.
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
