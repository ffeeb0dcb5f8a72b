"""Several kinds of mixtures in one stream, each with its share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hive.mixing.stream.readers import Crop, Reader
from hive.mixing.stream.recipe import Ingredient, Mixtures, Recipe
from hive.seeding import Stream


class Part(NamedTuple):
    """A kind of mixtures.

    Attributes:
        share: Probability that a mixture is one of these.
        mixtures: Recipes; endless.
    """

    share: float
    mixtures: Mixtures


class Blend:
    """Mixtures of several kinds; which one mixture i is of is drawn by seed and i.

    Args:
        parts: The kinds, all of one length and rate.
        seed: Seed.
    """

    endless = True

    def __init__(self, parts: Sequence[Part], seed: int) -> None:
        self._parts = [part for part in parts if part.share > 0.0]
        self._bounds = list(accumulate(part.share for part in self._parts))
        self._seed = seed
        first = self._parts[0].mixtures
        self.seconds, self.sample_rate = first.seconds, first.sample_rate
        self.largest = max(part.mixtures.largest for part in self._parts)

    @property
    def clips(self) -> pa.Table:
        """Path and label of all clips."""
        tables = [part.mixtures.clips for part in self._parts]
        return pa.concat_tables(
            [
                table.cast(pa.schema([("path", pa.string()), ("label", pa.string())]))
                for table in tables
            ]
        )

    def __len__(self) -> int:
        """Mixtures of an epoch."""
        return len(self._parts[0].mixtures)

    def identity(self) -> dict[str, Any]:
        """Return the identities of the kinds, with their shares."""
        return {
            "blend": [[part.share, part.mixtures.identity()] for part in self._parts],
            "mixtures": len(self),
        }

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices, in their order."""
        kinds = [self._kind(index) for index in indices]
        found: dict[int, Recipe] = {}
        for number, part in enumerate(self._parts):
            mine = [index for index, kind in zip(indices, kinds, strict=True) if kind == number]
            found.update(zip(mine, part.mixtures.recipes(mine) if mine else [], strict=True))
        return [found[index] for index in indices]

    def _kind(self, index: int) -> int:
        drawn = Stream(self._seed, "train", index, "blend").uniform() * self._bounds[-1]
        return next(n for n, bound in enumerate(self._bounds) if drawn < bound)


class BlendReader:
    """Reads what begins with a prefix in one way, and the rest in another.

    Args:
        prefix: Of paths.
        first: Reads what begins with it.
        other: Reads the rest.
    """

    def __init__(self, prefix: str, first: Reader, other: Reader) -> None:
        self._prefix = prefix
        self._first, self._other = first, other

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Raise `HiveError` if clips are known not to be there."""
        first = pc.starts_with(clips["path"], self._prefix)
        self._first.check(clips.filter(first), sample_rate)
        self._other.check(clips.filter(pc.invert(first)), sample_rate)

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Be told what will be read soon."""
        both: tuple[list[Ingredient], list[Ingredient]] = ([], [])
        for ingredient in ingredients:
            both[not ingredient.path.startswith(self._prefix)].append(ingredient)
        self._first.expect(both[0])
        self._other.expect(both[1])

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a crop (see `Reader`)."""
        reader = self._first if ingredient.path.startswith(self._prefix) else self._other
        return reader.read(ingredient, sample_rate, length)
