"""Crops from the files of a pool, or from a packed pool: the same samples, the same levels."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive import audio
from hive.errors import HiveError
from hive.mixing.roots import Find, PoolRoot
from hive.mixing.stream.recipe import Ingredient
from hive.pool.packed import BLOCK, Pack, is_pack
from hive.pool.store import TABLE
from hive.tables import CLIP_SCHEMA, open_table

_STEP = 2.0**-15


class Crop(NamedTuple):
    """Samples of an ingredient.

    Attributes:
        samples: Shape (T,), int16, or float32 of full scale 1.0; valid until the next crop is read.
        unit: What one step of `samples` is worth: 2^-15 or 1.
        rms: Their RMS, full scale 1.0.
        peak: Their largest magnitude, full scale 1.0.
    """

    samples: NDArray[np.int16] | NDArray[np.float32]
    unit: float
    rms: float
    peak: float


class Reader(Protocol):
    """Where the samples of ingredients come from; it can be sent to other processes."""

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Raise `HiveError` if clips (path and label) are known not to be there."""
        ...

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Be told what will be read soon."""
        ...

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a crop as `hive.audio.read_crop` does, cut or padded with zeros to `length` samples.

        Raises:
            HiveError: If it cannot be read.
        """
        ...


def open_reader(pool: Path) -> Reader:
    """Return what reads from a pool's folder or from a pack, whichever it is.

    Raises:
        HiveError: If it is a pack that is damaged.
    """
    return PackReader(Pack(pool)) if is_pack(pool) else FileReader(PoolRoot(pool))


class FileReader:
    """Reads any audio files, at any rate.

    Args:
        find: Gives the file of a path (`hive.mixing.roots`).
    """

    def __init__(self, find: Find) -> None:
        self._find = find

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Take it that the files are there: to look for a million takes too long."""

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Do nothing: most of the work is decoding."""

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a crop (see `Reader`)."""
        place = self._find(ingredient.path)
        samples = audio.read_crop(place, ingredient.chunk, ingredient.crop, sample_rate)
        samples = audio.fit(samples, length)
        rms = audio.rms(samples)
        if not np.isfinite(rms):
            raise HiveError(f"{place}: holds samples that are not finite", "replace the file")
        return Crop(samples, 1.0, rms, audio.peak(samples))


class PackReader:
    """Reads from a packed pool.

    Args:
        pack: The pack.
    """

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._buffer = np.zeros(0, np.int16)
        self._numbers: dict[str, int] = {}  # of the files of a batch

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Compare paths and labels with the pack's clip table.

        Raises:
            HiveError: If the pack is at another rate, or is not of the pool of these paths.
        """
        root = self._pack.root
        if sample_rate != self._pack.sample_rate:
            raise HiveError(
                f"{root}: is at {self._pack.sample_rate} Hz, the mixtures at {sample_rate} Hz",
                "stream from the pool itself, which is resampled",
            )
        with open_table(root / TABLE, CLIP_SCHEMA) as file:
            packed = file.read(columns=["path", "label"])
        places = pc.index_in(clips["path"], packed["path"].combine_chunks())
        held = pc.fill_null(pc.equal(packed["label"].take(places), clips["label"]), False)
        if not pc.all(held).as_py():
            other = clips.filter(pc.invert(held))
            raise HiveError(
                f"{root}: {other.num_rows} of the {clips.num_rows} clips of the mixtures are not "
                f"in this pack, or have other labels there, such as {other['path'][0]}",
                "use the pack of the pool that the mixtures were planned from",
            )

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Have the samples fetched from the disk while others are mixed."""
        self._numbers.clear()
        for ingredient in ingredients:
            with suppress(HiveError):  # reading it will tell
                number = self._find(ingredient.path)
                first, last = self._range(number, ingredient, self._pack.sample_rate)
                self._pack.expect(number, first, last - first)

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a crop (see `Reader`)."""
        number = self._find(ingredient.path)
        first, last = self._range(number, ingredient, sample_rate)
        last = min(last, first + length)
        if len(self._buffer) != length:
            self._buffer = np.zeros(length, np.int16)
        samples = self._buffer
        self._pack.read(number, first, samples[: last - first])
        samples[last - first :] = 0
        energy, peak = self._levels(number, first, last, samples)
        # The integers' energy is below 2^53, so this is what summing the scaled squares gives.
        return Crop(samples, _STEP, float(np.sqrt(energy * _STEP**2 / length)), peak * _STEP)

    def _find(self, path: str) -> int:
        if path not in self._numbers:
            self._numbers[path] = self._pack.find(path)
        return self._numbers[path]

    def _range(self, number: int, ingredient: Ingredient, rate: int) -> tuple[int, int]:
        """Return where the crop begins and ends in the file, samples."""
        frames = self._pack.frames(number)
        begin, end = (int(second * rate) for second in ingredient.chunk)
        if end > frames + audio.END_TOLERANCE or not 0 <= begin < min(end, frames):
            raise HiveError(
                f"{ingredient.path}: the chunk {ingredient.chunk[0]:g}-{ingredient.chunk[1]:g} s "
                f"does not lie inside the file of {frames / rate:.3f} s",
                "use the pack of the pool that the mixtures were planned from",
            )
        end = min(end, frames)
        start, stop = (int(second * rate) for second in ingredient.crop)
        if not 0 <= start <= stop:
            raise HiveError(
                f"{ingredient.path}: the crop {ingredient.crop} s is none", "plan again"
            )
        return min(begin + start, end), min(begin + stop, end)

    def _levels(
        self, number: int, first: int, last: int, samples: NDArray[np.int16]
    ) -> tuple[float, float]:
        """Return energy and peak, in integers, of samples that were read from [first, last)."""
        lower, upper = -(-first // BLOCK), last // BLOCK
        if lower >= upper:
            return _measured(samples[: last - first])
        levels = self._pack.levels(number, lower, upper)
        head, tail = lower * BLOCK - first, upper * BLOCK - first
        ends = (_measured(samples[:head]), _measured(samples[tail : last - first]))
        energy = float(levels["energy"].sum()) + sum(one for one, _ in ends)
        return energy, max(float(levels["peak"].max()), *(one for _, one in ends))


def _measured(samples: NDArray[np.int16]) -> tuple[float, float]:
    values = samples.astype(np.float64)
    return float(np.dot(values, values)), audio.peak(samples)
