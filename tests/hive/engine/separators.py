"""Separation models for the tests of the data engine, which load this file by its path."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import ClassVar

import torch

from hive.errors import HiveError
from hive.separator import Query

BANDS = {"Typing": (0.0, 1000.0), "Rain": (1000.0, 4000.0), "Cough": (4000.0, 9000.0)}


class Bands:
    """Each event has a band of the spectrum."""

    sample_rate, generative = 22_050, False
    name = "bands"
    checkpoint_sha256 = "ab" * 32

    def __init__(self, leak: float = 0.0) -> None:
        self._leak = leak

    def meaning(self, text: str) -> str:
        if text not in BANDS:
            raise HiveError(f"{text!r} is not known", "ask for another")
        return text

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        if os.environ.get("ENGINE_TEST_KILL") == queries[0].text:
            os.kill(os.getpid(), signal.SIGKILL)
        frequencies = torch.fft.rfftfreq(mixtures.shape[-1], 1 / self.sample_rate)
        spectrum = torch.fft.rfft(mixtures)
        masks = torch.stack(
            [
                (frequencies >= BANDS[query.text][0]) & (frequencies < BANDS[query.text][1])
                for query in queries
            ]
        )
        leak = self._leak * torch.fft.irfft(spectrum * ~masks, mixtures.shape[-1])
        return torch.fft.irfft(spectrum * masks, mixtures.shape[-1]) + leak


class Identity:
    """Gives the recording, whatever is asked for."""

    sample_rate, generative = 0, False

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        return mixtures.clone()


class First:
    """Gives everything to the first event in the alphabet, and silence to the others."""

    sample_rate, generative = 0, False

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        first = [all(query.text < other for other in query.negatives) for query in queries]
        return mixtures * torch.tensor(first)[:, None]


class Positive(Identity):
    """Remembers what it was asked."""

    asked: ClassVar[list[Query]] = []

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        self.asked.extend(queries)
        return mixtures.clone()


class Truth(Identity):
    """Needs the true sources."""

    uses_reference = True


class Broken(Identity):
    """Gives values that are no numbers."""

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        return mixtures * float("nan")
