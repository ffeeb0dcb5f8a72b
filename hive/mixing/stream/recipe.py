"""What a stream is made of: recipes of mixtures, from a plan or drawn when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from hive.files import sha256_json
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
    """

    endless: bool
    largest: int
    seconds: float
    sample_rate: int

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
    """

    def __init__(self, planner: Planner, num: int, fresh: bool = True) -> None:
        self._planner = planner
        self._num = num
        self.endless = fresh
        settings = planner.settings
        self.seconds = settings.seconds
        self.largest = max(settings.sizes)
        self.sample_rate = SAMPLE_RATE

    def __len__(self) -> int:
        """Number of mixtures of an epoch."""
        return self._num

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Draw the recipes of some indices."""
        rows = self._planner.rows(indices)
        return [from_row(index, row) for index, row in zip(indices, rows, strict=True)]

    def identity(self) -> dict[str, Any]:
        """Return the hash of what the mixtures are drawn by, and their number."""
        return {"drawn_sha256": sha256_json(self._planner.described), "mixtures": self._num}


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
