"""Estimates that are already on disk, as a model: `files:FOLDER`.

For source s1 of mixture M the first of these is taken: FOLDER/M/s1.wav, FOLDER/M/s1.flac,
FOLDER/M.s1.wav, FOLDER/M.s1.flac. Files are mono; one whose rate is not that of the data set is
resampled, which the record says ("resampled"). A missing file is a failure of its item.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hive.audio import Float, fit, read, resample
from hive.errors import HiveError
from hive.inference import Item
from hive.separator import Query

if TYPE_CHECKING:
    from torch import Tensor

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class FilesSeparator:
    """Estimates on disk.

    Args:
        folder: Where they lie.

    Raises:
        HiveError: If the folder does not exist.
    """

    sample_rate = 0
    generative = False
    takes_negatives = True  # what made the files may have used them
    max_batch = 1
    name = "files"

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).expanduser()
        if not self._folder.is_dir():
            raise HiveError(f"model files:{folder}: no such folder", "name the folder of estimates")

    def separate(self, mixtures: Tensor, queries: Sequence[Query], items: Sequence[Item]) -> Tensor:
        """Read the estimates of a batch, shape (B, T); the longest file sets T.

        Raises:
            HiveError: If a file is missing, cannot be read or is not mono.
        """
        import torch

        estimates = [self._read(item) for item in items]
        length = max(len(each) for each in estimates)
        stacked = np.stack([fit(each, length) for each in estimates])
        return torch.from_numpy(stacked).to(mixtures.device)

    def _read(self, item: Item) -> Float:
        path = self._find(item)
        samples, rate = read(path)
        if samples.shape[1] != 1:
            raise HiveError(
                f"{path}: holds {samples.shape[1]} channels, not one", "write mono estimates"
            )
        if rate != item.sample_rate:
            item.notes.append("resampled")
        return resample(samples[:, 0], rate, item.sample_rate)

    def _find(self, item: Item) -> Path:
        for name in (item.mix_id, item.source_id):
            if not _SAFE.fullmatch(name):
                raise HiveError(f"{name!r} cannot name a file of estimates", "check the data set")
        folder, stem = self._folder / item.mix_id, f"{item.mix_id}.{item.source_id}"
        candidates = [
            parent / f"{name}.{suffix}"
            for parent, name in ((folder, item.source_id), (self._folder, stem))
            for suffix in ("wav", "flac")
        ]
        for path in candidates:
            if path.is_file():
                return path
        raise HiveError(
            f"{candidates[0]}: no estimate here, nor as {candidates[-1].name} in {self._folder}",
            "write one file for each source of each mixture",
        )
