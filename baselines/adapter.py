"""The base class of wrapped models: everything around the bare call of a network.

A model is wrapped by a subclass that declares its `Facts` and implements `call`: mono windows at
the network's own rate in, estimates out. What the reference scripts get wrong is done here and in
two other places, once each, in this order:

1. channels: `baselines.channels`, for recordings of one's own; the benchmark's mixtures are mono;
2. band-limited resampling to the native rate: `hive.inference`, or, as the sound arrives,
   `baselines.recording`, with equal results;
3. windows of the trained length: `baselines.windows`;
4. offset and level, with the gain stored, silence, zero padding of short sound;
5. the call, in inference mode, with one generator for each window of each item;
6. padding and 7. level undone, windows joined;
8. resampling back and 9. exact length: where 2 is done.

Steps 3 to 7 are this module's. The benchmark passes items, which carry seeds; their notes say what
was done to a query.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from baselines.facts import Facts
from baselines.levels import to_level
from baselines.windows import Cut, Overlap
from hive.errors import HiveError
from hive.inference import Item, item_seed
from hive.separator import Query

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor, nn


class _Row(NamedTuple):
    """One window of one item."""

    samples: Tensor
    query: Query
    item: Item
    generator: Generator


class Adapter(ABC):
    """A wrapped model, a `hive.separator.Separator`.

    Args:
        facts: What is to be known of it.
        device: Torch device of the network.
        windows_at_once: Most windows in one call. Results do not depend on it.

    Attributes:
        facts: See above.
        network: The network, to assert that it is in evaluation mode; None if there is none.
    """

    network: nn.Module | None = None

    def __init__(self, facts: Facts, *, device: str = "cpu", windows_at_once: int = 4) -> None:
        if windows_at_once < 1:
            raise HiveError(
                f"model {facts.name}: {windows_at_once} windows at once", "give a number above 0"
            )
        self.facts = facts
        self.name = facts.name
        self.sample_rate = facts.native_rate
        self.generative = not facts.is_waveform_aligned
        self.deterministic = facts.deterministic
        self.takes_negatives = facts.negatives != "refused"
        self.checkpoint_sha256 = facts.weights.sha256 if facts.weights else None
        self.details: dict[str, Any] = {"facts": facts.record()}
        self._device = device
        self._at_once = windows_at_once

    @abstractmethod
    def call(
        self, windows: Tensor, queries: Sequence[Query], generators: Sequence[Generator]
    ) -> Tensor:
        """Run the network.

        Args:
            windows: Float32 on the network's device, shape (N, L), at the native rate and level;
                none of them is silent.
            queries: One a window. They have negatives only if the facts say "native".
            generators: One a window, on the CPU; the only source of random numbers (`normal`).

        Returns:
            Estimates, shape (N, L), at the level of the windows.
        """

    def meaning(self, text: str) -> str:
        """Return what a text of a query is taken for: itself, or the class it is matched to.

        Raises:
            HiveError: If the model can make nothing of it.
        """
        return text

    def separate(
        self,
        mixtures: Tensor,
        queries: Sequence[Query],
        items: Sequence[Item] | None = None,
    ) -> Tensor:
        """Separate a batch.

        Args:
            mixtures: Mono mixtures at the native rate, shape (B, T), float32.
            queries: One a row.
            items: One a row; where there are none, seeds follow from the queries alone.

        Returns:
            Estimates, shape (B, T), at the level of the mixtures.

        Raises:
            HiveError: If a query has negatives and the model refuses them, or cannot be understood.
            ValueError: If the network gives NaN, infinity or another number of rows.
        """
        import torch

        if items is None:
            items = [Item("", "", item_seed(0, "", q.text), self.sample_rate) for q in queries]
        parts = list(self.separate_blocks([mixtures], queries, items))
        return torch.cat(parts, dim=-1) if parts else torch.zeros_like(mixtures)

    def separate_blocks(
        self, blocks: Iterable[Tensor], queries: Sequence[Query], items: Sequence[Item]
    ) -> Iterator[Tensor]:
        """Separate mixtures that arrive in blocks; the result is that of `separate` on the whole.

        Args:
            blocks: Consecutive parts of the mixtures, shapes (B, n).
            queries: One a row.
            items: One a row.

        Yields:
            Consecutive parts of the estimates, shapes (B, m), on the device of the blocks.
        """
        for query, item in zip(queries, items, strict=True):
            self._admit(query, item)
        overlap = Overlap(self.facts.windows, self.sample_rate)
        cuts: list[Cut] = []
        for block in blocks:
            yield from self._join(overlap, cuts, queries, items)
            cuts = overlap.cut(block)
        yield from self._join(overlap, [*cuts, *overlap.end()], queries, items)

    def _admit(self, query: Query, item: Item) -> None:
        if query.negatives:
            if not self.takes_negatives:
                raise HiveError(
                    f"model {self.name} takes no negative queries",
                    "leave them out, or use a model that takes them, see hive-bench models",
                )
            if not query.text and self.facts.negatives == "emulated":
                raise HiveError(
                    f"model {self.name} has to be told what to keep: negative queries are emulated",
                    "name the sound to keep as well",
                )
            _note(item, f"negatives_{self.facts.negatives}")
        for text in (query.text, *query.negatives):
            if text and (meaning := self.meaning(text)) != text:
                _note(item, f"taken_for:{meaning}")

    def _join(
        self,
        overlap: Overlap,
        cuts: Sequence[Cut],
        queries: Sequence[Query],
        items: Sequence[Item],
    ) -> Iterator[Tensor]:
        import torch

        rows = [
            _Row(samples, query, item, _generator(item, cut.index))
            for cut in cuts
            for samples, query, item in zip(cut.samples, queries, items, strict=True)
        ]
        estimates = self._estimates(rows)
        for cut in cuts:
            estimate = torch.stack(list(itertools.islice(estimates, len(queries))))
            yield overlap.join(cut, estimate)

    def _estimates(self, rows: Sequence[_Row]) -> Iterator[Tensor]:
        for _, group in itertools.groupby(rows, key=lambda row: row.samples.shape[-1]):
            equal = list(group)  # of one length
            for start in range(0, len(equal), self._at_once):
                yield from self._estimate(equal[start : start + self._at_once])

    def _estimate(self, rows: Sequence[_Row]) -> Tensor:
        """Steps 4 to 7 for windows of one length; shape (N, L)."""
        import torch

        given = torch.stack([row.samples for row in rows])
        windows = given.to(self._device, torch.float32)
        if not bool(torch.isfinite(windows).all()):
            raise ValueError("the mixture holds NaN or infinity")
        length = windows.shape[-1]
        ready = to_level(windows, self.facts.level, removes_dc=self.facts.removes_dc)
        result = torch.zeros_like(windows)
        sounding = (~ready.silent).nonzero()[:, 0]
        if len(sounding):
            shortest = round(self.facts.windows.shortest * self.sample_rate)
            padding = (0, max(0, shortest - length))
            padded = torch.nn.functional.pad(ready.samples[sounding], padding)
            estimate = self._ask(padded, [rows[index] for index in sounding.tolist()])
            result[sounding] = estimate[:, :length]
        return ready.undo(result).to(given.device)

    def _ask(self, windows: Tensor, rows: Sequence[_Row]) -> Tensor:
        """Ask for the queries, after what is emulated of their negatives."""
        queries = [row.query for row in rows]
        if self.facts.negatives == "emulated":
            windows = windows.clone()
            for depth in range(max(len(query.negatives) for query in queries)):
                some = [i for i, query in enumerate(queries) if len(query.negatives) > depth]
                unwanted = [Query(queries[i].negatives[depth]) for i in some]
                windows[some] -= self._call(windows[some], unwanted, [rows[i] for i in some])
            queries = [Query(query.text, audio=query.audio) for query in queries]
        return self._call(windows, queries, rows)

    def _call(self, windows: Tensor, queries: Sequence[Query], rows: Sequence[_Row]) -> Tensor:
        import torch

        network = self.network
        if network is not None and any(module.training for module in network.modules()):
            raise RuntimeError(f"{self.name}: the network is in training mode, call eval() first")
        with torch.inference_mode():
            estimate = self.call(windows, queries, [row.generator for row in rows])
            if estimate.ndim != 2 or len(estimate) != len(windows):
                raise ValueError(
                    f"the network returned shape {tuple(estimate.shape)}, not "
                    f"{tuple(windows.shape)}"
                )
            surplus = estimate.shape[-1] - windows.shape[-1]
            if surplus:
                for row in rows:
                    _note(row.item, "length_fixed")
                estimate = torch.nn.functional.pad(estimate, (0, -surplus))
            estimate = estimate.float()
        if not bool(torch.isfinite(estimate).all()):
            raise ValueError("the estimate holds NaN or infinity")
        return estimate.clone()  # an ordinary tensor again


def normal(
    generators: Sequence[Generator], shape: Sequence[int], device: torch.device | str
) -> Tensor:
    """Draw standard normal numbers, shape (N, *shape), row n from generator n.

    They are drawn on the CPU: the same on all devices, whatever else is in the batch.
    """
    import torch

    rows = [torch.randn(*shape, generator=generator) for generator in generators]
    return torch.stack(rows).to(device)


def _generator(item: Item, index: int) -> Generator:
    import torch

    # Its own for each window: what one window draws does not depend on the others of its batch.
    return torch.Generator().manual_seed(item_seed(item.seed, "window", str(index)))


def _note(item: Item, text: str) -> None:
    if text not in item.notes:
        item.notes.append(text)
