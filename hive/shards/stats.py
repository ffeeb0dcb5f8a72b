"""What is in a dataset: counts, and tables and plots like figures 3, 4 and A4 of the Hive paper."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.figures.page import Section, Table, write_page
from hive.figures.plots import Plot, bars, columns, ends, histogram, rank_frequency
from hive.mixing.plan import SNR_RANGE_DB
from hive.shards.layout import MIXTURES
from hive.shards.licences import DatasetLicences, dataset_licences
from hive.storage import folder_name
from hive.tables import MIXTURE_SCHEMA, SPLITS, open_table

_BATCH = 20_000
_EXPRESSIONS = 15  # bars of inherited licences
_EDGES = np.linspace(*SNR_RANGE_DB, 41)


@dataclass
class MixtureCounts:
    """Counts over the mixtures of a dataset.

    Attributes:
        sizes: Mixtures by split and number of sources.
        seconds: Seconds of mixtures by split.
        labels: Mixtures by class.
        levels: Sources by relative level in bins of 0.25 dB from -5 to 5 dB; the first source of
            a mixture is 0 dB by definition and left out.
    """

    sizes: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    levels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(_EDGES) - 1, dtype=np.int64)
    )

    @property
    def mixtures(self) -> int:
        """Number of mixtures."""
        return sum(self.sizes.values())

    @property
    def splits(self) -> list[str]:
        """Splits that have mixtures, in their order."""
        return [split for split in SPLITS if any(split == mine for mine, _ in self.sizes)]


def count_mixtures(dataset: Path) -> MixtureCounts:
    """Count over the mixture table, batch by batch.

    Args:
        dataset: Folder of the dataset.

    Raises:
        HiveError: If there is no mixture table.
    """
    path = dataset / MIXTURES
    if not path.is_file():
        raise HiveError(
            f"{path}: no such table", "give the folder of a dataset that `hive-bench build` made"
        )
    found = MixtureCounts()
    names = ["split", "num_sources", "target_duration", "sources"]
    with open_table(path, MIXTURE_SCHEMA) as table:
        for batch in table.iter_batches(_BATCH, columns=names):
            _count(found, batch)
    return found


def _count(found: MixtureCounts, batch: pa.RecordBatch) -> None:
    splits = batch["split"].to_pylist()
    found.sizes.update(zip(splits, batch["num_sources"].to_pylist(), strict=True))
    for split, seconds in zip(splits, batch["target_duration"].to_pylist(), strict=True):
        found.seconds[split] += seconds
    sources = pc.list_flatten(batch["sources"])
    found.labels.update(pc.struct_field(sources, "label").to_pylist())
    first = pc.equal(pc.struct_field(sources, "source_id"), "s1")
    levels = pc.struct_field(sources, "snr_db").filter(pc.invert(first)).to_numpy()
    found.levels += np.histogram(levels.clip(*SNR_RANGE_DB), _EDGES)[0]


def dataset_statistics(dataset: Path) -> dict[str, Any]:
    """Return the statistics of a dataset as JSON values.

    Args:
        dataset: Folder of the dataset.

    Raises:
        HiveError: If there is no mixture table.
    """
    counts, licences = count_mixtures(dataset), dataset_licences(dataset)
    return {
        "mixtures": counts.mixtures,
        "hours": sum(counts.seconds.values()) / 3600,
        "clips": len(licences.clips),
        "sizes": [
            {"split": split, "num_sources": size, "mixtures": counts.sizes[split, size]}
            for split, size in _ordered_sizes(counts)
        ],
        "labels": [{"label": name, "mixtures": n} for name, n in _labels(counts)],
        "licences": [{"licence": name, "mixtures": n} for name, n in licences.expressions()],
        "in_conflict": licences.in_conflict(),
        "conflicts": [{"conflict": text, "mixtures": n} for text, n in licences.conflicts()],
    }


def write_dataset_page(dataset: Path, out: Path) -> list[Path]:
    """Write the statistics of a dataset: CSV tables, PNG and SVG plots and a page.

    Args:
        dataset: Folder of the dataset.
        out: Folder to write to.

    Returns:
        The files written, the page last.

    Raises:
        HiveError: If there is no mixture table.
    """
    counts, licences = count_mixtures(dataset), dataset_licences(dataset)
    facts = [
        ("mixtures", f"{counts.mixtures:,}"),
        ("hours", f"{sum(counts.seconds.values()) / 3600:,.2f}"),
        ("clips", f"{len(licences.clips):,}"),
        ("classes", f"{len(counts.labels)}"),
        ("mixtures with licences in conflict", f"{licences.in_conflict():,}"),
    ]
    sections = [_sizes(counts), _classes(counts), _levels(counts), _licences(licences)]
    return write_page(out, f"Dataset {folder_name(dataset)}", facts, sections)


def _sizes(counts: MixtureCounts) -> Section:
    numbers = sorted({size for _, size in counts.sizes})
    shares = {
        split: [100.0 * counts.sizes[split, n] / _of(counts, split) for n in numbers]
        for split in counts.splits
    }
    plot = Plot(
        "sizes",
        "Sources in a mixture",
        "Percent of the mixtures of each split.",
        lambda: columns([f"{number} sources" for number in numbers], shares, "percent"),
    )
    rows = [
        (split, size, counts.sizes[split, size], 100.0 * counts.sizes[split, size] / whole)
        for split, size in _ordered_sizes(counts)
        for whole in [_of(counts, split)]
    ]
    header = ("split", "sources", "mixtures", "percent of the split")
    return Section("Sources", [plot], [Table("sizes", "Sources in a mixture", header, rows)])


def _classes(counts: MixtureCounts) -> Section:
    labels = _labels(counts)
    plots = [
        Plot(
            "label_ends",
            "Most and least frequent classes",
            "Mixtures that hold the class: the ten with the most and the ten with the fewest.",
            lambda: ends(labels, "mixtures"),
        ),
        Plot(
            "label_ranks",
            "Mixtures of a class by its rank",
            "Logarithmic; shaded and in the inset, where they differ: the last 20 classes.",
            lambda: rank_frequency([count for _, count in labels], "mixtures"),
        ),
    ]
    rows = [
        (rank, name, count, 100.0 * count / counts.mixtures)
        for rank, (name, count) in enumerate(labels, start=1)
    ]
    header = ("rank", "class", "mixtures", "percent of mixtures")
    title = "All classes by rank, with the mixtures that hold them"
    return Section("Classes", plots, [Table("labels", title, header, rows, ranked=2)])


def _levels(counts: MixtureCounts) -> Section:
    plot = Plot(
        "levels",
        "Level relative to the first source",
        "All sources but the first of each mixture, which is 0 dB by definition.",
        lambda: histogram(_EDGES.tolist(), {"": counts.levels.tolist()}, "dB", "sources"),
    )
    rows = [
        (float(low), float(high), int(count))
        for low, high, count in zip(_EDGES[:-1], _EDGES[1:], counts.levels, strict=True)
    ]
    header = ("from (dB)", "to (dB)", "sources")
    return Section(
        "Levels", [plot], [Table("levels", "Level, in bins", header, rows, listed=False)]
    )


def _licences(licences: DatasetLicences) -> Section:
    expressions = licences.expressions()
    shown = expressions[:_EXPRESSIONS]
    plot = Plot(
        "licences",
        "Licences that mixtures inherit",
        f"The {_EXPRESSIONS} most frequent combinations of the licences of the parts.",
        lambda: bars(
            [name for name, _ in shown],
            {"mixtures": [count for _, count in shown]},
            "mixtures",
            "{:,.0f}",
        ),
    )
    tables = [
        Table("terms", "What they ask for together", ("terms", "mixtures"), licences.terms()),
        Table("licences", "Licences that mixtures inherit", ("licence", "mixtures"), expressions),
    ]
    note = "No licence of a part contradicts that of another."
    conflicts = licences.conflicts()
    if conflicts:
        tables.insert(0, Table("conflicts", "Conflicts", ("why", "mixtures"), conflicts))
        note = (
            f"{licences.in_conflict():,} mixtures cannot be passed on under all licences of "
            "their parts, for the reasons below. A build with --allow-licence leaves such parts "
            "out."
        )
    return Section("Licences", [plot], tables, note)


def _of(counts: MixtureCounts, split: str) -> int:
    return sum(count for (mine, _), count in counts.sizes.items() if mine == split)


def _ordered_sizes(counts: MixtureCounts) -> list[tuple[str, int]]:
    return sorted(counts.sizes, key=lambda pair: (SPLITS.index(pair[0]), pair[1]))


def _labels(counts: MixtureCounts) -> list[tuple[str, int]]:
    return sorted(counts.labels.items(), key=lambda item: (-item[1], item[0]))
