"""Rows that every table is read against: what doing nothing, silence and an oracle would score.

- mixture: the unprocessed mixture in place of the estimate;
- silence: zeros;
- ideal_mask: the ideal ratio mask, an upper bound of masking (the registered model `irm`);
- reference: the true source itself, the best that each metric can say.

They depend on the data alone, so the first mixtures of each size are enough; each value comes
with its number of items. What falls out of the model's own scores (the mixture's) covers all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.dataset import Entry, select
from benchmarks.results import SanityRow

if TYPE_CHECKING:
    from benchmarks.separation import Attempt
    from benchmarks.tasks import Float

ROWS: tuple[SanityRow, ...] = ("mixture", "silence", "ideal_mask", "reference")
SUBSET = 60
"""Mixtures that the rows are computed on, in equal shares of each number of sources."""


class SanityRows:
    """Estimates for the rows.

    Args:
        entries: Mixtures of the run.
        rows: Which of `ROWS` the task has.
    """

    def __init__(self, entries: Sequence[Entry], rows: Sequence[str]) -> None:
        from hive.models import load

        self._chosen = {entry.mix_id for entry in select(entries, SUBSET)}
        self._rows = rows
        self._mask = load("irm", device="cpu") if "ideal_mask" in rows else None

    def estimates(self, attempt: Attempt, sample_rate: int) -> dict[str, dict[str, Float]]:
        """Return estimates by row and source_id; none for mixtures outside the subset."""
        sample = attempt.sample
        if sample.key not in self._chosen:
            return {}
        asked = {target.source_id: attempt.reference(target) for target in attempt.targets}
        made: dict[str, Callable[[], dict[str, Float]]] = {
            "mixture": lambda: dict.fromkeys(asked, sample.mixture),
            "silence": lambda: dict.fromkeys(asked, np.zeros_like(sample.mixture)),
            "ideal_mask": lambda: self._masked(attempt, sample_rate),
            "reference": lambda: asked,
        }
        return {row: made[row]() for row in self._rows}

    def _masked(self, attempt: Attempt, sample_rate: int) -> dict[str, Float]:
        from hive.inference import Item, Request, separate
        from hive.separator import Query

        sample = attempt.sample
        requests = [
            Request(
                mixture=sample.mixture,
                query=Query(target.query),
                item=Item(sample.key, target.source_id, 0, sample_rate),
                reference=attempt.reference(target),
            )
            for target in attempt.targets
        ]
        if self._mask is None:
            return {}
        estimates = separate(self._mask, requests, sample_rate, "cpu")
        return {
            target.source_id: estimate.samples
            for target, estimate in zip(attempt.targets, estimates, strict=True)
        }
