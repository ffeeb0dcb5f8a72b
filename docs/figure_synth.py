"""Draw docs/images/synth.png: log-frequency spectrograms of the procedural sounds.

Also rewrites the table of classes in docs/synth.md from the recipes' own descriptions.

    python docs/figure_synth.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from hive.sources import synth

SEED, SECONDS, SPECIMENS, SAMPLE_RATE = 1, 4.0, 3, 44100
COLUMNS = 10
LOW, HIGH, BANDS = 40.0, 16000.0, 96  # Hz, Hz, rows of a picture
RANGE_DB = 70.0
HERE = Path(__file__).resolve().parent


def spectrogram(wave: np.ndarray) -> np.ndarray:
    """Return levels in dB below the loudest, shape (BANDS, frames): 46 ms windows, 23 ms apart."""
    frame, hop = 4096, 1024
    windows = np.lib.stride_tricks.sliding_window_view(wave, frame)[::hop] * np.hanning(frame)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    edges = LOW * (HIGH / LOW) ** (np.arange(BANDS + 1) / BANDS) * frame / SAMPLE_RATE
    total = np.concatenate((np.zeros((len(power), 1)), np.cumsum(power, axis=1)), axis=1)
    bins = np.arange(total.shape[1]) - 0.5
    bands = np.stack([np.interp(edges, bins, row) for row in total])
    density = np.diff(bands, axis=1) / np.sqrt(np.diff(edges))
    level = 10 * np.log10(density.T + 1e-12)
    return np.maximum(level - level.max(), -RANGE_DB)


def draw(labels: tuple[str, ...], path: Path, columns: int = COLUMNS, scale: float = 1.0) -> None:
    """Draw one panel a class, its specimens side by side."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    rows = -(-len(labels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.6 * columns * scale, 0.95 * rows * scale), squeeze=False
    )
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, label in zip(axes.ravel(), labels, strict=False):
        pictures = []
        for index in range(SPECIMENS):
            wave = synth.synthesise(label, SEED, index, SECONDS, SAMPLE_RATE)
            pictures += [spectrogram(wave), np.zeros((BANDS, 2))]
        axis.imshow(
            np.concatenate(pictures[:-1], axis=1),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-RANGE_DB,
            vmax=0,
            interpolation="nearest",
        )
        name = label if len(label) <= 28 else label[:27] + "…"
        axis.set_title(name, fontsize=6 * scale, pad=2)
    figure.subplots_adjust(
        left=0.005, right=0.995, bottom=0.005, top=0.985, wspace=0.04, hspace=0.2
    )
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    picture.quantize(48).save(path, optimize=True)
    plt.close(figure)


def table() -> str:
    """Return the table of classes in Markdown."""
    lines = ["| class | how it is made |", "|---|---|"]
    lines += [f"| {label} | {synth.describe(label)} |" for label in synth.classes()]
    return "\n".join(lines)


def main() -> None:
    """Write the picture and the table."""
    draw(synth.classes(), HERE / "images" / "synth.png")
    page = HERE / "synth.md"
    head, _, rest = page.read_text(encoding="utf-8").partition("<!-- classes -->\n")
    _, _, tail = rest.partition("<!-- end of classes -->\n")
    text = f"{head}<!-- classes -->\n{table()}\n<!-- end of classes -->\n{tail}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
