"""Rates, lengths, seeds and batches around a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hive.errors import HiveError
from hive.inference import Item, Request, batch_limit, item_seed, resolve_device, separate
from hive.separator import Query


class Recorder:
    """Returns its input, cut or lengthened by `extra` samples, and remembers its shape."""

    generative = False

    def __init__(self, sample_rate: int = 0, extra: int = 0) -> None:
        self.sample_rate, self.extra = sample_rate, extra

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        self.shape = tuple(mixtures.shape)
        if self.extra > 0:
            return torch.nn.functional.pad(mixtures, (0, self.extra), value=9.0)
        return mixtures[:, : mixtures.shape[1] + self.extra]


class Noise:
    """Draws from torch's generator."""

    sample_rate = 0
    generative = True

    def separate(self, mixtures: torch.Tensor, queries: Sequence[Query]) -> torch.Tensor:
        return torch.randn_like(mixtures)


class Oracle:
    sample_rate = 8000
    generative = False
    uses_reference = True

    def separate(
        self, mixtures: torch.Tensor, queries: Sequence[Query], references: torch.Tensor
    ) -> torch.Tensor:
        return references


class Noting:
    sample_rate = 0
    generative = False

    def separate(
        self, mixtures: torch.Tensor, queries: Sequence[Query], items: Sequence[Item]
    ) -> torch.Tensor:
        for item in items:
            item.notes.append(f"seen-{item.source_id}")
        return mixtures


def _request(samples: np.ndarray, source_id: str = "s1", seed: int = 1) -> Request:
    return Request(samples, Query("Dog"), Item("mix", source_id, seed, 44100), reference=samples)


def _tone(length: int, rate: int = 44100) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(length) / rate).astype(np.float32)


def test_any_rate_passes_samples_through_untouched() -> None:
    tone = _tone(5000)
    (estimate,) = separate(Recorder(), [_request(tone)], 44100)
    assert np.array_equal(estimate.samples, tone)
    assert estimate.flags == ()


@pytest.mark.parametrize("length", [44100, 44101, 12345])
@pytest.mark.parametrize("rate", [16000, 32000, 48000])
def test_resampling_there_and_back_keeps_length_and_sound(rate: int, length: int) -> None:
    tone, model = _tone(length), Recorder(rate)
    (estimate,) = separate(model, [_request(tone)], 44100)
    assert model.shape[1] == pytest.approx(length * rate / 44100, abs=1)
    assert estimate.samples.shape == tone.shape
    assert estimate.flags == ()  # rounding of the rates is no fault of the model
    middle = slice(2000, -2000)
    assert np.abs(estimate.samples[middle] - tone[middle]).max() < 1e-3


@pytest.mark.parametrize("extra", [-100, 100])
def test_a_wrong_length_is_mended_and_flagged(extra: int) -> None:
    tone = _tone(5000)
    (estimate,) = separate(Recorder(extra=extra), [_request(tone)], 44100)
    assert estimate.flags == ("length_fixed",)
    kept = min(5000, 5000 + extra)
    assert np.array_equal(estimate.samples[:kept], tone[:kept])
    assert not estimate.samples[kept:].any()


def test_oracles_get_the_references_at_their_rate() -> None:
    tone = _tone(4410)
    (estimate,) = separate(Oracle(), [_request(tone)], 44100)
    assert np.abs(estimate.samples[800:-800] - tone[800:-800]).max() < 1e-2


def test_notes_of_a_model_become_flags_of_its_items() -> None:
    requests = [_request(_tone(100), "s1"), _request(_tone(100), "s2")]
    estimates = separate(Noting(), requests, 44100)
    assert [each.flags for each in estimates] == [("seen-s1",), ("seen-s2",)]


def test_a_model_that_draws_is_seeded_by_the_item_and_leaves_torch_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    first, again, other = (
        separate(Noise(), [_request(_tone(100), seed=seed)], 44100)[0].samples for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.randn(3), expected)


def test_batches() -> None:
    assert batch_limit(Recorder(), 8) == 8
    assert batch_limit(Noise(), 8) == 1  # its draws would depend on its neighbours
    limited = Recorder()
    limited.max_batch = 3  # type: ignore[attr-defined]
    assert batch_limit(limited, 8) == 3


@pytest.mark.parametrize(
    "output",
    [torch.zeros(100), torch.zeros(2, 100), torch.zeros(1, 1, 100), torch.full((1, 100), np.nan)],
)
def test_outputs_that_cannot_be_scored_are_refused(output: torch.Tensor) -> None:
    model = Recorder()
    model.separate = lambda mixtures, queries: output  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"shape|NaN"):
        separate(model, [_request(_tone(100))], 44100)


def test_item_seeds_differ_by_every_part() -> None:
    seeds = {
        item_seed(*parts) for parts in [(0, "m", "q"), (1, "m", "q"), (0, "n", "q"), (0, "m", "r")]
    }
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert item_seed(0, "m", "q") == item_seed(0, "m", "q")


@pytest.mark.parametrize("name", ["tpu", "cpu:1", "cuda:x", "cuda:99"])
def test_devices_that_do_not_exist(name: str) -> None:
    with pytest.raises(HiveError, match="--device"):
        resolve_device(name)
