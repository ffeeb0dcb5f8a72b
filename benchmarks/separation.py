"""Separating mixtures in batches of queries, so that a failing item costs only itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hive.errors import HiveError
from hive.inference import Estimate, Item, Request, batch_limit, item_seed, separate
from hive.models import AnySeparator
from hive.separator import Query

if TYPE_CHECKING:
    from benchmarks.tasks import Float, Target
    from hive.shards.read import Sample

PATIENCE = 32  # items that may fail before the first one succeeds
_ERROR_LENGTH = 2000  # characters of an error that are kept for each failed item


@dataclass
class Attempt:
    """A mixture under way.

    Attributes:
        sample: The mixture.
        targets: What it is asked for.
        estimates: Estimates so far, by source_id.
        errors: Why the others failed, by source_id.
    """

    sample: Sample
    targets: list[Target]
    estimates: dict[str, Estimate] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every target has been tried."""
        return len(self.estimates) + len(self.errors) == len(self.targets)

    def reference(self, target: Target) -> Float:
        """Return the true source of a target; that of an absent label is silence."""
        if target.has_reference:
            return self.sample.sources[target.source_id]
        return np.zeros_like(self.sample.mixture)


class Separation:
    """A model at work.

    Args:
        model: The model, on `device`.
        device: Torch device.
        sample_rate: Rate of the mixtures, Hz.
        seed: Seed of the run.
        batch_size: Most queries at once.
        positive: Whether the model is told what to keep.
        trusted: Says whether the model has separated something before, here or elsewhere; otherwise
            the run is stopped when its first items all fail.
    """

    def __init__(
        self,
        model: AnySeparator,
        *,
        device: str,
        sample_rate: int,
        seed: int,
        batch_size: int,
        positive: bool,
        trusted: Callable[[], bool],
    ) -> None:
        self._model, self._device, self._rate, self._seed = model, device, sample_rate, seed
        self._limit = batch_limit(model, batch_size)
        self._positive = positive
        self._ask, self._trusted, self._failed = trusted, False, 0

    def run(self, attempts: Sequence[Attempt]) -> Iterator[list[Attempt]]:
        """Try all targets of some mixtures.

        Yields:
            After each batch, the mixture of each of its items.

        Raises:
            HiveError: If the first items all fail.
        """
        pairs = [(attempt, target) for attempt in attempts for target in attempt.targets]
        for _, group in itertools.groupby(pairs, key=lambda pair: len(pair[0].sample.mixture)):
            equal = list(group)  # of one length
            for start in range(0, len(equal), self._limit):
                batch = equal[start : start + self._limit]
                self._separate(batch)
                yield [attempt for attempt, _ in batch]

    def _separate(self, batch: list[tuple[Attempt, Target]]) -> None:
        try:
            estimates = separate(
                self._model, [self._request(*pair) for pair in batch], self._rate, self._device
            )
        except Exception as error:
            if len(batch) == 1:
                self._note_failure(*batch[0], error)
                return
            for pair in batch:  # one by one, to find the culprits
                self._separate([pair])
            return
        self._trusted = True
        for (attempt, target), estimate in zip(batch, estimates, strict=True):
            attempt.estimates[target.source_id] = estimate

    def _request(self, attempt: Attempt, target: Target) -> Request:
        mix_id = attempt.sample.key
        seed = item_seed(self._seed, mix_id, target.query)
        return Request(
            mixture=attempt.sample.mixture,
            query=Query(target.query if self._positive else "", target.negatives),
            item=Item(mix_id, target.source_id, seed, self._rate),
            reference=attempt.reference(target),
        )

    def _note_failure(self, attempt: Attempt, target: Target, error: Exception) -> None:
        told = _tell(error)
        attempt.errors[target.source_id] = told
        self._failed += 1
        if self._trusted or self._failed < PATIENCE:
            return
        self._trusted = self._ask()
        if not self._trusted:
            raise HiveError(
                f"the first {self._failed} items all failed, the last one with: {told}",
                "mend the model and run the same command again",
            ) from error


def _tell(error: Exception) -> str:
    text = str(error).strip()[:_ERROR_LENGTH] or "no message"
    return text if isinstance(error, HiveError) else f"{type(error).__name__}: {text}"
