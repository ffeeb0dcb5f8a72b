"""A packed pool: the samples of a clip pool in a few large files, so that a crop is one short read.

    PACK/clips.parquet        the pool's clip table: a pack is a pool for whatever plans mixtures
    PACK/duplicates.csv       the pool's list of near-duplicates, where it has one
    PACK/index.arrow          where each file of the pool is: part, first sample, length, levels
    PACK/audio/00000.pcm ...  parts: 16-bit PCM of one file after another, then their block levels
    PACK/pack.json            version, rate, sizes and checksums; written last

A block is 1,024 samples of a file; its level is its energy, the sum of its squared integers, and
its peak. With them the exact RMS of a crop costs two short sums at its ends instead of a pass over
all of it.

Samples are read with `pread`, not through a memory map: page tables of a mapped pool of 775 GB grow
to 1.5 GB a process, and a disk that fails would end the process instead of raising an error.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.files import sha256_file
from hive.pool.store import TABLE
from hive.storage import is_remote

PACK = "pack.json"
INDEX = "index.arrow"
FORMAT = 1
BLOCK = 1024
SAMPLE_BYTES = 2
LEVELS = np.dtype([("energy", "<u8"), ("peak", "<u2")])
INDEX_SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # as in the clip table; sorted
        ("part", pa.int32()),
        ("first", pa.int64()),  # sample of the part at which the file begins
        ("frames", pa.int64()),
        ("block", pa.int64()),  # block of the part at which the file's levels begin
    ]
)
_REMEDY = "pack the pool again: `hive-bench pool pack POOL --out PACK`"


def part_name(number: int) -> str:
    """Return the path of a part below the pack's folder."""
    return f"audio/{number:05d}.pcm"


def is_pack(folder: Path) -> bool:
    """Return whether a folder holds a finished pack."""
    return (folder / PACK).is_file()


def block_levels(samples: NDArray[np.int16]) -> NDArray[np.void]:
    """Return energy and peak of each block, shape (ceil(T / BLOCK),), of samples of shape (T,)."""
    count = -(-len(samples) // BLOCK)
    padded = np.zeros((count, BLOCK))
    padded.ravel()[: len(samples)] = samples
    levels: NDArray[np.void] = np.zeros(count, LEVELS)
    # At most 1,024 * 2^30: float64 holds every such integer exactly.
    levels["energy"] = np.einsum("ij,ij->i", padded, padded)
    levels["peak"] = np.abs(padded).max(axis=1, initial=0)
    return levels


@dataclass(frozen=True)
class Part:
    """What is known of a part: its samples, its blocks, and the checksum of its bytes."""

    samples: int
    blocks: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """What pack.json says.

    Attributes:
        sample_rate: Rate of all samples, Hz.
        parts: The parts in their order.
        sha256: Checksums of the clip table and the index, by name.
    """

    sample_rate: int
    parts: tuple[Part, ...]
    sha256: dict[str, str]


class Pack:
    """A packed pool, open for reading; it can be sent to other processes.

    Args:
        root: The pack's folder, on a disk of this machine.

    Raises:
        HiveError: If it is no pack, is of another version, or is damaged: a checksum of its tables,
            the size of a part or an entry of its index is wrong.
    """

    def __init__(self, root: Path) -> None:
        if is_remote(root):
            raise HiveError(
                f"{root}: a pack is read at random places, many times a second",
                "copy it to a disk of this machine",
            )
        self.root = root
        #: What pack.json says.
        self.described = read_description(root)
        self.sample_rate = self.described.sample_rate
        self._parts = self.described.parts
        self._check_files()
        table = _read_index(root / INDEX)
        self._paths = table["path"].chunk(0)
        self._part, self._first, self._frames, self._block = (
            table[name].chunk(0).to_numpy() for name in INDEX_SCHEMA.names[1:]
        )
        self._check_index()
        self._descriptors: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of files."""
        return len(self._paths)

    def __reduce__(self) -> tuple[type[Pack], tuple[Path]]:
        return (Pack, (self.root,))

    def __del__(self) -> None:
        for descriptor in getattr(self, "_descriptors", {}).values():
            os.close(descriptor)

    def find(self, path: str) -> int:
        """Return the number of a file of the pool.

        Raises:
            HiveError: If the pack does not hold it.
        """
        number = bisect_left(range(len(self)), path, key=self.path)
        if number == len(self) or self.path(number) != path:
            raise HiveError(
                f"{path}: not in the pack {self.root}", "use the pack of the pool of this plan"
            )
        return number

    def path(self, number: int) -> str:
        """Return the path of a file in the pool."""
        return str(self._paths[number].as_py())

    def frames(self, number: int) -> int:
        """Return the length of a file in samples."""
        return int(self._frames[number])

    def read(self, number: int, first: int, out: NDArray[np.int16]) -> None:
        """Read samples of a file from `first` on into `out`, a contiguous array of shape (N,).

        Raises:
            HiveError: If the part cannot be read, or ends too soon.
            IndexError: If the file has not so many samples.
        """
        if not 0 <= first <= first + len(out) <= self._frames[number]:
            raise IndexError(f"samples {first} to {first + len(out)} of {self._frames[number]}")
        start = (int(self._first[number]) + first) * SAMPLE_BYTES
        self._fill(int(self._part[number]), out, start)

    def levels(self, number: int, first: int, last: int) -> NDArray[np.void]:
        """Return the levels (dtype `LEVELS`) of blocks `first` to `last` - 1 of a file.

        Raises:
            HiveError: If the part cannot be read.
            IndexError: If the file has not so many blocks.
        """
        if not 0 <= first <= last <= -(-self._frames[number] // BLOCK):
            raise IndexError(f"blocks {first} to {last} of a file of {self._frames[number]}")
        found: NDArray[np.void] = np.empty(last - first, LEVELS)
        part = int(self._part[number])
        start = self._parts[part].samples * SAMPLE_BYTES
        start += (int(self._block[number]) + first) * LEVELS.itemsize
        self._fill(part, found, start)
        return found

    def expect(self, number: int, first: int, count: int) -> None:
        """Tell the operating system that these samples will be read soon."""
        if hasattr(os, "posix_fadvise"):
            start = (int(self._first[number]) + first) * SAMPLE_BYTES
            with suppress(OSError):  # reading them will tell
                descriptor = self._open(int(self._part[number]))
                os.posix_fadvise(descriptor, start, count * SAMPLE_BYTES, os.POSIX_FADV_WILLNEED)

    def _fill(self, part: int, out: NDArray[Any], start: int) -> None:
        data = out.view(np.uint8).data
        try:
            while data.nbytes:
                count = os.preadv(self._open(part), [data], start)
                if count == 0:
                    raise HiveError(f"{self.root / part_name(part)}: ends too soon", _REMEDY)
                data, start = data[count:], start + count
        except OSError as error:
            raise HiveError(
                f"{self.root / part_name(part)}: cannot be read ({error.strerror})",
                "check the disk",
            ) from error

    def _open(self, part: int) -> int:
        if part not in self._descriptors:
            self._descriptors[part] = os.open(self.root / part_name(part), os.O_RDONLY)
        return self._descriptors[part]

    def _check_files(self) -> None:
        for name in (TABLE, INDEX):
            if _sha256(self.root / name) != self.described.sha256.get(name):
                raise HiveError(f"{self.root / name}: not the file that was packed", _REMEDY)
        for number, part in enumerate(self._parts):
            path = self.root / part_name(number)
            size = path.stat().st_size if path.is_file() else -1
            wanted = part.samples * SAMPLE_BYTES + part.blocks * LEVELS.itemsize
            if size != wanted:
                found = f"has {size} bytes, not {wanted}" if size >= 0 else "is missing"
                raise HiveError(f"{path}: {found}", _REMEDY)

    def _check_index(self) -> None:
        samples = np.array([part.samples for part in self._parts], np.int64)
        blocks = np.array([part.blocks for part in self._parts], np.int64)
        part = self._part
        good = (part >= 0) & (part < len(samples)) & (self._first >= 0) & (self._frames > 0)
        good &= self._block >= 0
        near = np.where(good, part, 0)
        # Not as sums, which may overflow.
        good &= self._first <= samples[near] - self._frames
        good &= self._block <= blocks[near] - -(-self._frames // BLOCK)
        if not good.all():
            path = self.path(int(np.flatnonzero(~good)[0]))
            raise HiveError(f"{self.root / INDEX}: {path} lies outside its part", _REMEDY)


def _read_index(path: Path) -> pa.Table:
    """Map the index into memory; it is checked whole, since Arrow trusts the offsets in a file."""
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise HiveError(f"{path}: not the index of a pack ({error})", _REMEDY) from error
    nulls = any(column.null_count for column in table.columns)
    if table.schema != INDEX_SCHEMA or table["path"].num_chunks != 1 or nulls:
        raise HiveError(f"{path}: not the index of a pack", _REMEDY)
    return table


def read_description(root: Path) -> Description:
    """Read pack.json.

    Raises:
        HiveError: If there is none, it cannot be read, or it is of another version.
    """
    path = root / PACK
    if not path.is_file():
        raise HiveError(f"{root}: not a finished pack ({PACK} is missing)", _REMEDY)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise HiveError(
                f"{path}: format {told['format']}, this version reads {FORMAT}", _REMEDY
            )
        return Description(
            int(told["sample_rate"]),
            tuple(
                Part(int(part["samples"]), int(part["blocks"]), str(part["sha256"]))
                for part in told["parts"]
            ),
            {str(name): str(value) for name, value in told["sha256"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HiveError(f"{path}: cannot be read ({error!r})", _REMEDY) from error


def verify_pack(root: Path) -> list[str]:
    """Read all parts of a pack and compare them with its checksums.

    Returns:
        The parts whose bytes are not those that were written.

    Raises:
        HiveError: As `Pack`.
    """
    return [
        part_name(number)
        for number, part in enumerate(Pack(root).described.parts)
        if sha256_file(root / part_name(number)) != part.sha256
    ]


def _sha256(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
