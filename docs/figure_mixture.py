"""Draw a mixture of the embedded dataset and its sources: `python docs/figure_mixture.py`."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from hive.shards.read import Sample, find_shards, locate, read_shard

IMAGE = Path(__file__).parent / "images" / "mixture.png"
MIXTURE = "test-00000005"
_SIZE, _HOP = 2048, 512


def level(samples: np.ndarray) -> np.ndarray:
    """Spectrogram in dB re full scale, shape (bins, frames)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _SIZE)[::_HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_SIZE), axis=1)) / (_SIZE / 4)
    return 20 * np.log10(np.maximum(spectrum, 1e-6)).T


def draw(sample: Sample) -> None:
    """Draw the mixture above, its sources below, on one colour scale."""
    sources = sample.meta["sources"]
    panels = [("mixture", sample.mixture)]
    panels += [(source["label"], sample.sources[source["source_id"]]) for source in sources]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2.35 * len(panels), 2.7), sharey=True, layout="constrained"
    )
    for axis, (title, samples) in zip(axes, panels, strict=True):
        image = show(axis, samples, sample.sample_rate)
        axis.set_title(title, fontsize=9, fontweight="bold" if title == "mixture" else "normal")
        axis.set_xlabel("s", fontsize=8)
    axes[0].set_ylabel("kHz", fontsize=8)
    figure.colorbar(image, ax=axes, pad=0.01).ax.tick_params(labelsize=7)
    save(figure, IMAGE)


def show(axis: Axes, samples: np.ndarray, sample_rate: int) -> AxesImage:
    """Draw a spectrogram, in kHz over seconds."""
    image = axis.imshow(
        level(samples),
        origin="lower",
        aspect="auto",
        extent=(0, len(samples) / sample_rate, 0, sample_rate / 2000),
        vmin=-90,
        vmax=-20,
        cmap="magma",
    )
    axis.set_yscale("symlog", linthresh=0.5)
    axis.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axis.tick_params(labelsize=7)
    return image


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a small PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130)
    Image.open(buffer).convert("RGB").quantize(96).save(path, optimize=True)


def main() -> None:
    """Draw the picture of the README."""
    for path in find_shards(locate("mini"), "test"):
        for sample in read_shard(path):
            if sample.key == MIXTURE:
                draw(sample)


if __name__ == "__main__":
    main()
