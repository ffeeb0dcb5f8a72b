"""Recipes from a plan file, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.mixing.stream.compact import (
    CLIPS,
    CLIPS_SCHEMA,
    MIXTURES,
    SOURCE,
    SOURCES,
    compact,
    described,
    mixture_type,
)
from hive.mixing.stream.recipe import Ingredient, Recipe
from hive.storage import is_remote


class Planned:
    """Recipes from a plan.

    Args:
        plan: Mixture table of one split.
        num: Take only the first mixtures; None for all. A prefix of a plan is a plan.
        cache: Folder for the plan's compact copy (`hive.mixing.stream.compact`), which is made
            when it is not there; by default a hidden folder beside the plan.

    Raises:
        HiveError: If there is no such plan, it has fewer mixtures, it cannot be streamed (see
            `compact`), or the copy cannot be written.
    """

    endless = False

    def __init__(self, plan: Path, num: int | None = None, cache: Path | None = None) -> None:
        if cache is None and is_remote(plan):
            raise HiveError(f"{plan}: is not on this machine", "name a local folder as cache")
        self.folder = plan.parent / f".{plan.name}.compact" if cache is None else cache
        self._told = compact(plan, self.folder)
        if num is not None and not 1 <= num <= self._told["mixtures"]:
            raise HiveError(
                f"{plan}: has {self._told['mixtures']} mixtures, not {num}", "plan more mixtures"
            )
        self._num = self._told["mixtures"] if num is None else num
        self.largest = int(self._told["largest"])
        self.seconds = float(self._told["seconds"])
        self.sample_rate = int(self._told["sample_rate"])

    def __len__(self) -> int:
        """Number of mixtures."""
        return self._num

    def __getstate__(self) -> dict[str, Any]:
        # What is mapped into memory is mapped anew by the process that gets this.
        mapped = ("_mixtures", "_sources", "clips")
        return {name: value for name, value in self.__dict__.items() if name not in mapped}

    def identity(self) -> dict[str, Any]:
        """Return the plan's fingerprint and the number of its mixtures that are used."""
        return {"plan": self._told["plan"], "mixtures": self._num}

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices: these rows of the plan.

        Raises:
            IndexError: If one is outside the plan.
        """
        return [self._recipe(index) for index in indices]

    def _recipe(self, index: int) -> Recipe:
        if not 0 <= index < self._num:
            raise IndexError(f"mixture {index} of {self._num}")
        (first, factor, name), (last, *_) = self._mixtures[index : index + 2].tolist()
        paths, labels = (self.clips[name].chunk(0) for name in ("path", "label"))
        ingredients = [
            Ingredient(
                paths[clip].as_py(),
                labels[clip].as_py(),
                (chunk_start, chunk_end),
                (crop_start, crop_end),
                snr_db,
                None if isnan(weight) else weight,
            )
            for clip, chunk_start, chunk_end, crop_start, crop_end, snr_db, weight in (
                self._sources[first:last].tolist()
            )
        ]
        given = None if isnan(factor) else factor
        return Recipe(index, name.decode("utf-8"), self.sample_rate, given, ingredients)

    @cached_property
    def clips(self) -> pa.Table:
        """Path and label of the clips that the plan names."""
        with pa.memory_map(str(self.folder / CLIPS)) as source:
            table = pa.ipc.open_file(source).read_all()
        if table.schema != CLIPS_SCHEMA or table["path"].num_chunks != 1:
            raise HiveError(f"{self.folder}: is damaged", "delete this folder, it is made again")
        return table

    @cached_property
    def _mixtures(self) -> NDArray[np.void]:
        # A process that begins later must not read what has been made of another plan since.
        if described(self.folder) != self._told:
            raise HiveError(
                f"{self.folder}: its plan was replaced while it was being read",
                "begin anew, and write other plans into other files",
            )
        record = mixture_type(self._told["id_bytes"])
        return np.memmap(self.folder / MIXTURES, record, "r")

    @cached_property
    def _sources(self) -> NDArray[np.void]:
        return np.memmap(self.folder / SOURCES, SOURCE, "r")
