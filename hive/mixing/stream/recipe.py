"""What a stream is made of: recipes of mixtures, from a plan or drawn when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from hive.errors import HiveError
from hive.mixing.plan import Planner
from hive.mixing.render import weight_at
from hive.tables import SAMPLE_RATE


class Ingredient(NamedTuple):
    """One source of a mixture; the fields mean what they mean in the mixture table."""

    path: str
    label: str
    chunk: tuple[float, float]
    crop: tuple[float, float]
    snr_db: float
    weight: float | None


@dataclass(frozen=True)
class Recipe:
    """How a mixture is made.

    Attributes:
        index: Its index.
        mix_id: Its name.
        sample_rate: Rate, Hz.
        factor: Normalisation factor; None to have it computed.
        ingredients: Its sources in order.
    """

    index: int
    mix_id: str
    sample_rate: int
    factor: float | None
    ingredients: list[Ingredient]


class Mixtures(Protocol):
    """Where recipes come from.

    Attributes:
        endless: Whether there are recipes beyond `len()`, so that each epoch may have its own.
        largest: The largest number of sources.
        seconds: Length of every mixture.
        sample_rate: Rate of every mixture, Hz.
        clips: Path and label of the clips that mixtures may be made of.
    """

    endless: bool
    largest: int
    seconds: float
    sample_rate: int

    @property
    def clips(self) -> pa.Table:
        """See above."""
        ...

    def __len__(self) -> int:
        """Number of mixtures of an epoch."""
        ...

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices, in their order."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return what tells these recipes from others, as JSON values."""
        ...


class Drawn:
    """Recipes that a planner draws when they are needed: no plan is stored, and there is no end.

    Recipe i is row i of the plan that `mix plan` writes of the same clips by the same settings.

    Args:
        planner: Draws the mixtures.
        num: Mixtures of an epoch.
        fresh: Whether each epoch has mixtures of its own: epoch e goes on at index e * num. If not,
            every epoch has the first `num`.

    Raises:
        HiveError: If `num` is not positive.
    """

    def __init__(self, planner: Planner, num: int, fresh: bool = True) -> None:
        if num < 1:
            raise HiveError(f"an epoch of {num} mixtures", "take at least one")
        self._planner = planner
        self._num = num
        self.endless = fresh
        self._identity = {
            "drawn_sha256": planner.settings_hash,
            "drawn_from_sha256": planner.clips.sha256(),
            "mixtures": num,
            "fresh": fresh,
        }
        self.settings = planner.settings
        self.seconds = self.settings.seconds
        self.largest = max(self.settings.sizes)
        self.sample_rate = SAMPLE_RATE

    @property
    def clips(self) -> pa.Table:
        """Path and label of the clips that are drawn from."""
        return self._planner.sources.select(["path", "label"])

    def __len__(self) -> int:
        """Number of mixtures of an epoch."""
        return self._num

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Draw the recipes of some indices."""
        rows = self._planner.rows(indices)
        return [from_row(index, row) for index, row in zip(indices, rows, strict=True)]

    def identity(self) -> dict[str, Any]:
        """Return hashes of what the mixtures are drawn by, their number, and if they are fresh."""
        return self._identity


def from_row(index: int, row: dict[str, Any]) -> Recipe:
    """Return the recipe that a row of the mixture table tells."""
    return Recipe(
        index,
        row["mix_id"],
        row["sample_rate"],
        row.get("global_normalization_factor"),
        [
            Ingredient(
                source["path"],
                source["label"],
                (source["chunk_start_second"], source["chunk_end_second"]),
                (source["crop_start_second"], source["crop_end_second"]),
                source["snr_db"],
                _weight(source),
            )
            for source in row["sources"]
        ],
    )


def _weight(source: dict[str, Any]) -> float | None:
    weight: float | None = source.get("applied_weight")
    if weight is None and source.get("rms_gain") is not None:
        weight = weight_at(source["rms_gain"], source["snr_db"])
    return weight
