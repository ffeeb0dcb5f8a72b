"""What a published AudioSep checkpoint holds: each tensor, its shape, and where it goes.

The table is made from the configuration. The converter checks a file against it, and the published
numbers of parameters follow from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

from baselines.audiosep.config import AudioSepConfig

Shape: TypeAlias = tuple[int, ...]

CLAP_PARAMETERS = 199_564_633
"""Parameters of the CLAP that the published model carries: HTSAT-base and RoBERTa-base with their
projections as transformers has them (193,913,882), the audio tower's fixed mel front end
(2 * 513 * 1024 + 513 * 64), its tagging heads (1024 * 527 * 2 * 3 + 527 and 527 * 527 + 527), and
the transforms of both towers that only the training loss used (2 * 2 * (512 * 512 + 512))."""
TRANSFORM = "fixed Fourier transform, which torch computes"
UNUSED = "decoder's second normalisation and its condition, which nothing uses"
QUERY = "query encoder, a checkpoint of its own"
_STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


@dataclass(frozen=True)
class Entry:
    """A tensor of the published network.

    Attributes:
        shape: Its shape.
        target: Name in our network; empty if it is dropped.
        dropped: Why it is dropped; empty if it is kept.
        rows: Rows of the published tensor that are kept; None for all of them.
        offset: Row of ours where it goes; None if it is a whole tensor there.
        optional: Whether files may do without it.
    """

    shape: Shape
    target: str = ""
    dropped: str = ""
    rows: int | None = None
    offset: int | None = None
    optional: bool = False


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters of the published model.

    Attributes:
        base: The U-Net, unused layers included, without the Fourier transforms.
        film: The linear maps of the condition, unused ones included.
        transform: The kernels of the Fourier transforms, which never change.
        clap: The query encoder.
    """

    base: int
    film: int
    transform: int
    clap: int = field(default=CLAP_PARAMETERS)

    @property
    def trainable(self) -> int:
        """What the published training changes."""
        return self.base + self.film

    @property
    def network(self) -> int:
        """The published network without the query encoder."""
        return self.trainable + self.transform

    @property
    def total(self) -> int:
        """Everything, as the tables of the papers have it."""
        return self.network + self.clap


def count_published(config: AudioSepConfig, condition: int = 512) -> Counts:
    """Count the parameters that the published code has for a configuration without bands."""
    base = film = transform = 0
    for key, entry in published_table(config, condition).items():
        size = math.prod(entry.shape)
        if key.rpartition(".")[2] in {*_STATISTICS, "ola_window"}:
            continue
        if entry.dropped == TRANSFORM:
            transform += size
        elif key.startswith("film."):
            film += size
        else:
            base += size
    return Counts(base, film, transform)


def published_table(config: AudioSepConfig, condition: int = 512) -> dict[str, Entry]:
    """Return the published keys, from "base." and "film." on, with what becomes of each."""
    table: dict[str, Entry] = {}
    _add_transforms(table, config)
    _add_norm(table, "base.bn0", "bn0", config.bins + 1, rows=config.bins)
    first, *_, last = channels = config.channels
    _add_conv(table, "base.pre_conv", "before", (first, 1, 1, 1), bias=True)
    _add_conv(table, "base.after_conv", "after", (3, first, 1, 1), bias=True)
    films: list[tuple[str, int]] = []  # in the order of the pieces of our matrix
    for number, sizes in enumerate(zip((first, *channels), channels, strict=False)):
        path = f"encoder_block{number + 1}.conv_block1"
        films += _add_block(table, path, f"down.{number}", *sizes)
    films += _add_block(table, "conv_block7a.conv_block1", "centre", last, last)
    unused: list[tuple[str, int]] = []
    upwards = channels[::-1]
    for number, (before, after) in enumerate(zip((last, *upwards), upwards, strict=False)):
        path, target = f"decoder_block{number + 1}", f"up.{number}"
        stride = (2, 2) if number else (1, 2)
        _add_norm(table, f"base.{path}.bn1", f"{target}.bn", before)
        _add_norm(table, f"base.{path}.bn2", "", before)
        _add_conv(table, f"base.{path}.conv1", f"{target}.up", (before, after, *stride))
        films.append((f"{path}.beta1", before))
        films += _add_block(table, f"{path}.conv_block2", f"{target}.block", 2 * after, after)
        unused.append((f"{path}.beta2", before))
    offset = 0
    for path, width in films:
        for part, shape in (("weight", (width, condition)), ("bias", (width,))):
            table[f"{_film(path)}.{part}"] = Entry(shape, f"film.{part}", offset=offset)
        offset += width
    for path, width in unused:
        table[f"{_film(path)}.weight"] = Entry((width, condition), dropped=UNUSED)
        table[f"{_film(path)}.bias"] = Entry((width,), dropped=UNUSED)
    return table


def _add_transforms(table: dict[str, Entry], config: AudioSepConfig) -> None:
    for part in ("real", "imag"):
        forward, backward = (config.bins + 1, 1, config.n_fft), (config.n_fft, config.n_fft, 1)
        table[f"base.stft.conv_{part}.weight"] = Entry(forward, dropped=TRANSFORM)
        table[f"base.istft.conv_{part}.weight"] = Entry(backward, dropped=TRANSFORM)
    # Early versions of torchlibrosa did not store it.
    table["base.istft.ola_window"] = Entry((config.n_fft,), dropped=TRANSFORM, optional=True)


def _add_block(
    table: dict[str, Entry], path: str, target: str, before: int, after: int
) -> list[tuple[str, int]]:
    """Add a residual block; return names and widths of its conditions."""
    key = f"base.{path}"
    _add_norm(table, f"{key}.bn1", f"{target}.bn1", before)
    _add_norm(table, f"{key}.bn2", f"{target}.bn2", after)
    _add_conv(table, f"{key}.conv1", f"{target}.conv1", (after, before, 3, 3))
    _add_conv(table, f"{key}.conv2", f"{target}.conv2", (after, after, 3, 3))
    if before != after:
        _add_conv(table, f"{key}.shortcut", f"{target}.shortcut", (after, before, 1, 1), bias=True)
    return [(f"{path}.beta1", before), (f"{path}.beta2", after)]


def _add_norm(
    table: dict[str, Entry], key: str, target: str, width: int, rows: int | None = None
) -> None:
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        shape: Shape = () if part == "num_batches_tracked" else (width,)
        if target:
            kept = rows if shape else None
            table[f"{key}.{part}"] = Entry(shape, f"{target}.{part}", rows=kept)
        else:
            table[f"{key}.{part}"] = Entry(shape, dropped=UNUSED)


def _add_conv(
    table: dict[str, Entry], key: str, target: str, shape: Shape, bias: bool = False
) -> None:
    table[f"{key}.weight"] = Entry(shape, f"{target}.weight")
    if bias:
        table[f"{key}.bias"] = Entry((shape[0],), f"{target}.bias")


def _film(path: str) -> str:
    return "film." + path.replace(".", "->")
