"""What takes the place of a mixture that cannot be made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from hive.errors import HiveError, UnreachableError
from hive.mixing.stream.recipe import Mixtures, Recipe
from hive.seeding import Stream

_LOG = logging.getLogger(__name__)
#: Tried in place of a mixture; if none of them can be made either, it is not one clip's fault.
_TRIES = 8


class Spares:
    """Puts other mixtures of the epoch in the place of those that cannot be made.

    Args:
        mixtures: All mixtures.
        seed: Seed of the choice, which depends on it, the epoch and the mixture's index alone.
        replace: Whether to do so at all.
    """

    def __init__(self, mixtures: Mixtures, seed: int, replace: bool) -> None:
        self._mixtures = mixtures
        self._seed = seed
        self._replace = replace

    def make(
        self, recipe: Recipe, row: int, epoch: int, make: Callable[[Recipe, int], None]
    ) -> Recipe:
        """Make a mixture, or another where it cannot be made.

        Args:
            recipe: The mixture.
            row: Its row in the batch.
            epoch: The epoch.
            make: Makes a mixture in a row.

        Returns:
            The mixture that was made.

        Raises:
            HiveError: If neither it nor its spares can be made, or the storage cannot be reached.
        """
        try:
            make(recipe, row)
        except UnreachableError:
            raise
        except HiveError as error:
            if not self._replace:
                raise
            for spare in self._of(recipe, epoch):
                try:
                    make(spare, row)
                except UnreachableError:
                    raise
                except HiveError:
                    continue
                _LOG.warning("%s: replaced by %s: %s", recipe.mix_id, spare.mix_id, error)
                return spare
            raise
        return recipe

    def _of(self, recipe: Recipe, epoch: int) -> Iterator[Recipe]:
        count = len(self._mixtures)
        stream = Stream(self._seed, "stream", f"{epoch}/{recipe.index}", "spare")
        first = epoch * count if self._mixtures.endless else 0
        for _ in range(_TRIES):
            yield self._mixtures.recipes([first + stream.integer(count)])[0]
