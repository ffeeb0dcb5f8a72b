"""Draw separations: `python docs/draw_separation.py DATASET MIX_ID:SOURCE_ID ... [--model NAME]`.

A row an item: the mixture, the source that is asked for, what the network gives, and what it gives
when it is asked for another source of the same mixture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from figure_mixture import save, show

from hive import metrics
from hive.inference import Item, Request, reproducible, separate
from hive.models import load
from hive.separator import Query
from hive.shards.read import Sample, find_shards, read_shard

IMAGE = Path(__file__).parent / "images" / "separation.png"


def draw(rows: list[tuple[Sample, str]], model_name: str) -> None:
    """Draw items on one colour scale."""
    model = load(model_name)
    figure, axes = plt.subplots(
        len(rows), 4, figsize=(10, 2.3 * len(rows)), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for row, (sample, asked) in zip(axes, rows, strict=True):
        labels = {one["source_id"]: one["label"] for one in sample.meta["sources"]}
        other = next(name for name in labels if name != asked)
        found = [ask(model, sample, labels[name]) for name in (asked, other)]
        panels = [
            (f"mixture of {len(labels)}", sample.mixture),
            (f"the source:\n{labels[asked]}", sample.sources[asked]),
            (f'asked for "{labels[asked]}":\n{gain(sample, asked, found[0])}', found[0]),
            (f'asked for "{labels[other]}":\n{gain(sample, other, found[1])}', found[1]),
        ]
        for axis, (title, samples) in zip(row, panels, strict=True):
            image = show(axis, samples, sample.sample_rate)
            axis.set_title(title, fontsize=8)
        row[0].set_ylabel("kHz", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("s", fontsize=8)
    figure.colorbar(image, ax=axes, pad=0.01).ax.tick_params(labelsize=7)
    save(figure, IMAGE)


def ask(model: object, sample: Sample, label: str) -> np.ndarray:
    """Return what the network gives for a label."""
    item = Item(sample.key, label, 0, sample.sample_rate)
    request = Request(sample.mixture, Query(label), item)
    with reproducible():
        return separate(model, [request], sample.sample_rate)[0].samples


def gain(sample: Sample, source_id: str, estimate: np.ndarray) -> str:
    """Return the improvement of SI-SDR as text."""
    value = metrics.get("si_sdr_i")(
        estimate=estimate,
        reference=sample.sources[source_id],
        mixture=sample.mixture,
        sample_rate=sample.sample_rate,
    )
    return f"{float(value):+.1f} dB"


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("items", nargs="+", metavar="MIX_ID:SOURCE_ID")
    parser.add_argument("--model", default="audiosep-mini")
    told = parser.parse_args()
    wanted = [tuple(item.split(":")) for item in told.items]
    names = {name for name, _ in wanted}
    samples = {
        sample.key: sample
        for path in find_shards(told.dataset, "test")
        for sample in read_shard(path)
        if sample.key in names
    }
    draw([(samples[name], source) for name, source in wanted], told.model)


if __name__ == "__main__":
    main()
