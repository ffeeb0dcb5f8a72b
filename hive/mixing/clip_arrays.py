"""The clips of a split as flat arrays: what drawing needs to know of them, and nothing else.

A row of Python objects a clip, with its hundred levels, would take gigabytes for a million clips.
The arrays take about 130 bytes a clip, and can be mapped from files, so that worker processes share
one copy of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive.labels import index as label_index


@dataclass(frozen=True)
class ClipArrays:
    """N clips in the order of their names, in L classes.

    Attributes:
        seconds: Length of each clip, shape (N,).
        recording: Number of each clip's recording, shape (N,).
        labels: Place of each class in `hive.labels.all_labels`, rising, shape (L,).
        names: Names of the classes, as the clip table writes them, shape (L,).
        members: Numbers of the clips, class by class, shape (N,).
        member_starts: Where the classes begin in `members`, shape (L + 1,).
        levels: Levels of all clips one after another (`hive.audio.frame_levels`), shape (F,).
        level_starts: Where the clips begin in `levels`, shape (N + 1,).
    """

    seconds: NDArray[np.float64]
    recording: NDArray[np.int32]
    labels: NDArray[np.int32]
    names: NDArray[np.str_]
    members: NDArray[np.int32]
    member_starts: NDArray[np.int64]
    levels: NDArray[np.uint8]
    level_starts: NDArray[np.int64]

    @classmethod
    def of(cls, clips: pa.Table) -> ClipArrays:
        """Take the arrays from a clip table.

        Args:
            clips: Clip table of at least one row, sorted by clip_id.
        """
        numbers, texts = codes(clips["label"])
        places = np.array([label_index(text) for text in texts], dtype=np.int32)
        labels, ranks = np.unique(places[numbers], return_inverse=True)
        members = np.argsort(ranks, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(ranks))])
        levels, level_starts = _flat(clips["activity"])
        return cls(
            seconds=pc.subtract(clips["end_second"], clips["start_second"]).to_numpy(),
            recording=codes(clips["recording_id"])[0],
            labels=labels,
            names=np.array(texts)[numbers[members[starts[:-1]]]],
            members=members.astype(np.int32),
            member_starts=starts.astype(np.int64),
            levels=levels,
            level_starts=level_starts,
        )

    def save(self, folder: Path) -> None:
        """Write the arrays into a local folder, a file each."""
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> ClipArrays:
        """Map the arrays from the folder that `save` wrote."""
        return cls(
            **{
                field.name: np.asarray(np.load(folder / f"{field.name}.npy", mmap_mode="r"))
                for field in fields(cls)
            }
        )

    def sha256(self) -> str:
        """Return a hash of all that drawing depends on."""
        digest = hashlib.sha256()
        for field in fields(self):
            if field.name != "names":
                digest.update(np.ascontiguousarray(getattr(self, field.name)).data)
        return digest.hexdigest()

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of clips of each class, shape (L,)."""
        return np.diff(self.member_starts)


def codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Return a number for each text, the same for equal ones, and the texts."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _flat(activity: pa.ChunkedArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    lengths = pc.fill_null(pc.list_value_length(activity), 0).to_numpy()
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return pc.list_flatten(activity).to_numpy().astype(np.uint8, copy=False), starts
