"""One track for each event of a window, by a separation model of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hive.audio import Float
from hive.engine.events import Refusal
from hive.engine.windows import Window
from hive.errors import HiveError
from hive.inference import Item, Request, batch_limit, item_seed, reproducible, separate
from hive.models import AnySeparator, load
from hive.separator import Query
from hive.tables import SAMPLE_RATE


@dataclass(frozen=True)
class ModelChoice:
    """A separation model and how it is asked.

    Attributes:
        spec: What `--model` was given.
        options: Its options, as pairs of texts.
        device: Torch device.
        batch_size: Most tracks in one call.
        seed: Seed of what the model draws.
        negatives: Whether each event is told what to drop: the others (ClearSep, appendix A.2).
    """

    spec: str
    options: tuple[tuple[str, str], ...] = ()
    device: str = "cpu"
    batch_size: int = 8
    seed: int = 0
    negatives: bool = True


@lru_cache(maxsize=1)
def open_model(choice: ModelChoice) -> AnySeparator:
    """Return the model, loaded once in each process.

    Raises:
        HiveError: If it cannot be loaded, or is one that needs the truth.
    """
    model = load(choice.spec, device=choice.device, options=dict(choice.options))
    if getattr(model, "uses_reference", False):
        raise HiveError(
            f"model {choice.spec}: is shown the true sources, which natural recordings have not",
            "choose a separation model, see hive-bench models",
        )
    return model


def understood(model: AnySeparator, events: tuple[str, ...]) -> Refusal | None:
    """Return why a model cannot be asked for these events; None if it can.

    A model with a vocabulary may know one not at all, or take two for the same.
    """
    meaning = getattr(model, "meaning", None)
    if meaning is None:
        return None
    try:
        meanings = [meaning(event) for event in events]
    except HiveError as error:
        return Refusal("unknown_to_model", error.problem)
    if len(set(meanings)) < len(meanings):
        return Refusal("same_to_model", "; ".join(events))
    return None


def tracks_of(
    choice: ModelChoice, windows: Iterable[Window]
) -> Iterator[tuple[Window, list[Float]]]:
    """Separate windows; those of equal length share calls.

    Args:
        choice: The model.
        windows: Windows that are not refused.

    Yields:
        Each window, in order, with the tracks of its events, in their order, each as long as the
        window; zeros where the model gives silence.

    Raises:
        HiveError: If the model fails.
    """
    model = open_model(choice)
    waiting: list[Window] = []
    for window in windows:
        tracks = sum(len(each.events) for each in waiting)
        other = waiting and len(window.samples) != len(waiting[0].samples)
        if other or tracks + len(window.events) > max(choice.batch_size, len(window.events)):
            yield from _separated(model, choice, waiting)
            waiting = []
        waiting.append(window)
    yield from _separated(model, choice, waiting)


def _separated(
    model: AnySeparator, choice: ModelChoice, windows: list[Window]
) -> Iterator[tuple[Window, list[Float]]]:
    requests = [
        Request(window.samples, query, _item(choice, window, number))
        for window in windows
        for number, query in enumerate(_queries(choice, window))
    ]
    step = batch_limit(model, choice.batch_size)
    tracks: list[Float] = []
    with reproducible():
        for start in range(0, len(requests), step):
            batch = requests[start : start + step]
            try:
                found = separate(model, batch, SAMPLE_RATE, choice.device)
            except ValueError as error:
                raise HiveError(
                    f"model {choice.spec}: {error} (at {batch[0].item.mix_id})",
                    "mend the model, or choose another",
                ) from error
            tracks += [each.samples for each in found]
    rows = iter(tracks)
    for window in windows:
        yield window, [np.asarray(next(rows)) for _ in window.events]


def _queries(choice: ModelChoice, window: Window) -> list[Query]:
    return [
        Query(event, tuple(other for other in window.events if other != event))
        if choice.negatives
        else Query(event)
        for event in window.events
    ]


def _item(choice: ModelChoice, window: Window, number: int) -> Item:
    seed = item_seed(choice.seed, window.key, window.events[number])
    return Item(window.key, f"s{number + 1}", seed, SAMPLE_RATE)
