"""Draw `docs/images/cooccurrence.png`: the matrix M by ontology branch, and its degrees.

python docs/figure_cooccurrence.py
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from PIL import Image

from hive.cooccurrence import density, matrix
from hive.data import read_table
from hive.labels import all_labels, ancestors

OUTPUT = Path(__file__).parent / "images" / "cooccurrence.png"
INK, ACCENT, GRID = "#1f2933", "#1f5f8b", "#9aa5b1"


def branches() -> tuple[list[int], list[tuple[str, int]]]:
    """Return the rows of M sorted by root of the ontology, and each root with its count."""
    roots = [row["name"] for row in read_table("nodes.tsv") if not row["parents"]]
    rows: list[int] = []
    counts = []
    for root in roots:
        # Of several roots the first in the file counts.
        found = [
            row
            for row, label in enumerate(all_labels())
            if row not in rows and root in ancestors(label.name)
        ]
        rows += found
        counts.append((root, len(found)))
    return rows, counts


def main() -> None:
    """Write the picture."""
    m = matrix()
    rows, counts = branches()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11.5, 6.4), width_ratios=(1.75, 1), layout="constrained"
    )
    left.imshow(m[np.ix_(rows, rows)], cmap=ListedColormap(["#ffffff", ACCENT]), rasterized=True)
    edges = np.cumsum([0, *(count for _, count in counts)])
    for edge in edges[1:-1]:
        left.axhline(edge - 0.5, color=GRID, linewidth=0.7)
        left.axvline(edge - 0.5, color=GRID, linewidth=0.7)
    centres = (edges[1:] + edges[:-1] - 1) / 2
    names = [f"{name} ({count})" for name, count in counts]
    left.set_yticks(centres, names)
    left.set_xticks(centres, [name for name, _ in counts], rotation=35, ha="right")
    left.tick_params(length=0, labelcolor=INK)
    left.set_title(f"M: {density(m):.1%} of the pairs may be mixed", loc="left", color=INK)

    degrees = m.sum(axis=1)
    bins = np.geomspace(8, 320, 17)
    right.hist(degrees, bins=bins.tolist(), color=ACCENT, edgecolor="white")
    right.set_xscale("log")
    right.set_xticks([8, 16, 32, 64, 128, 256], ["8", "16", "32", "64", "128", "256"])
    right.minorticks_off()
    middle = float(np.median(degrees))
    right.axvline(middle, color=INK, linestyle="--", linewidth=1)
    right.annotate(
        f"median {middle:g}",
        (middle, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
        va="top",
        color=INK,
    )
    right.set_xlabel("compatible classes")
    right.set_ylabel("classes")
    right.set_title("Degrees", loc="left", color=INK)
    right.spines[["top", "right"]].set_visible(False)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    # Sixteen colours are enough, and the file is a quarter of the size.
    Image.open(buffer).convert("RGB").quantize(16).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main()
