"""What stands around a network, the same for all models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from baselines.adapter import Adapter, normal
from baselines.contract import heard_frequency, violations
from baselines.facts import Facts, Weights
from baselines.levels import Level
from baselines.windows import Windows
from hive.errors import HiveError
from hive.inference import Item, Request, batch_limit, item_seed
from hive.inference import separate as run_model
from hive.separator import Query

RATE = 1000


def _facts(**changes) -> Facts:
    given = {"name": "toy", "native_rate": RATE, "windows": Windows(1.0, fade=0.1)}
    return Facts(**{**given, "negatives": "refused", **changes})


class Toy(Adapter):
    """Halves what it hears and remembers it."""

    def __init__(self, windows_at_once: int = 4, **changes) -> None:
        super().__init__(_facts(**changes), windows_at_once=windows_at_once)
        self.heard: list[torch.Tensor] = []
        self.asked: list[Query] = []

    def call(self, windows, queries, generators):
        assert torch.is_inference_mode_enabled()
        self.heard.append(windows.clone())
        self.asked += queries
        return 0.5 * windows


class Noisy(Toy):
    """Adds noise, in two draws."""

    def __init__(self, **changes) -> None:
        super().__init__(**{"deterministic": False, **changes})

    def call(self, windows, queries, generators):
        shape = windows.shape[1:]
        first, second = normal(generators, shape, "cpu"), normal(generators, shape, "cpu")
        return windows + 0.1 * first * second


def _item(name: str = "mix") -> Item:
    return Item(name, "s1", item_seed(0, name, "Dog"), RATE)


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


DOG = Query("Dog")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Toy, {}),
        (Toy, {"windows": Windows(None)}),
        (Toy, {"windows": Windows(0.5, context=0.1, shortest=0.2), "native_rate": 16000}),
        (Toy, {"level": Level("peak", 0.5), "removes_dc": True}),
        (Toy, {"level": Level("rms", 0.1)}),
        (Toy, {"negatives": "native"}),
        (Toy, {"negatives": "emulated"}),
        (Noisy, {}),
        (Noisy, {"is_waveform_aligned": False, "level": Level("peak", 0.5)}),
    ],
)
def test_the_contract_holds(kind: type[Adapter], changes: dict) -> None:
    assert violations(kind(**{"native_rate": 8000, **changes}), sample_rate=11025) == []


class _Global(Toy):
    def call(self, windows, queries, generators):
        return windows + torch.randn_like(windows)


class _Peak(Toy):
    def call(self, windows, queries, generators):
        return windows / windows.abs().amax()


class _Absolute(Toy):
    def separate(self, mixtures, queries, items=None):
        return super().separate(mixtures, queries, items).clamp(-0.01, 0.01)


class _Hiss(Toy):
    def separate(self, mixtures, queries, items=None):
        return super().separate(mixtures, queries, items) + 1e-3


class _Unwritable(Toy):
    def __init__(self, **changes) -> None:
        super().__init__(**changes)
        self.details["worst"] = float("nan")


class _Short(Toy):
    def call(self, windows, queries, generators):
        return windows[:, :-3]


class _WrongRate(Toy):
    def separate(self, mixtures, queries, items=None):
        return super().separate(mixtures.repeat_interleave(2, -1), queries, items)[:, ::2]


class _Swallows(Toy):
    def _admit(self, query, item):
        pass


@pytest.mark.parametrize(
    ("kind", "changes", "word"),
    [
        (_Global, {}, "batches"),
        (_Peak, {"level": Level("rms", 0.1)}, "batches"),
        (_Absolute, {"level": Level("rms", 0.1)}, "level"),
        (_Hiss, {}, "silence"),
        (_Short, {}, "length"),
        (_WrongRate, {"windows": Windows(3.0, fade=0.1)}, "rate"),
        (_Swallows, {}, "negatives"),
        (_Unwritable, {}, "details"),
    ],
)
def test_what_breaks_the_contract_is_told(kind: type[Adapter], changes: dict, word: str) -> None:
    found = violations(kind(**{"native_rate": 8000, **changes}), sample_rate=8000)
    assert [each.split(":")[0] for each in found] == [word] * len(found) != []


def test_a_tone_keeps_its_frequency() -> None:
    assert heard_frequency(Toy(native_rate=32000)) == pytest.approx(1000, abs=1)
    assert heard_frequency(_WrongRate(native_rate=32000)) == pytest.approx(500, abs=1)


def test_emulated_negatives_cannot_stand_alone() -> None:
    adapter = Toy(negatives="emulated")
    with pytest.raises(HiveError, match="told what to keep"):
        adapter.separate(_noise(1, 800), [Query("", ("Dog",))])


@pytest.mark.parametrize("kind", ["peak", "rms"])
def test_the_level_is_what_the_network_expects_and_is_undone(kind: str) -> None:
    adapter = Toy(level=Level(kind, 0.25), removes_dc=True)  # type: ignore[arg-type]
    mixture = 3.0 * _noise(2, 800) + 0.7
    mixture[1] *= 1e-3
    estimate = adapter.separate(mixture, [DOG, DOG])
    heard = adapter.heard[0]
    assert heard.mean(-1).abs().max() < 1e-6
    measured = heard.abs().amax(-1) if kind == "peak" else heard.square().mean(-1).sqrt()
    torch.testing.assert_close(measured, torch.full((2,), 0.25))
    mean = mixture.mean(-1, keepdim=True)
    expected = 0.5 * (mixture - mean) + mean
    torch.testing.assert_close(estimate, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["preserved", "peak", "rms"])
def test_silence_never_reaches_the_network(kind: str) -> None:
    adapter = Toy(level=Level(kind, 0.25), removes_dc=True)  # type: ignore[arg-type]
    mixture = torch.zeros(3, 2500)
    mixture[1] = 0.5  # nothing but an offset
    mixture[2, 2400:] = _noise(100)
    estimate = adapter.separate(mixture, [DOG] * 3)
    assert estimate[:2].eq(0).all()
    assert len(adapter.asked) == 1  # one window of the third mixture has sound
    assert estimate[2, :1500].eq(0).all()
    assert estimate[2, 2400:].abs().max() > 0.01


@pytest.mark.parametrize("length", [0, 1, 10, 999, 1000, 1001, 3456])
def test_every_length(length: int) -> None:
    adapter = Toy(windows=Windows(1.0, context=0.2, shortest=0.5))
    mixture = _noise(2, length)
    estimate = adapter.separate(mixture, [DOG, DOG])
    torch.testing.assert_close(estimate, 0.5 * mixture)
    assert all(500 <= each.shape[-1] <= 1000 for each in adapter.heard)


def test_short_sound_is_padded_at_its_end() -> None:
    adapter = Toy(windows=Windows(1.0, fade=0.1, shortest=1.0))
    mixture = _noise(1, 10)
    adapter.separate(mixture, [DOG])
    assert torch.equal(adapter.heard[0][:, :10], mixture)
    assert adapter.heard[0][:, 10:].eq(0).all()
    assert adapter.heard[0].shape == (1, 1000)


def test_random_numbers_belong_to_item_query_and_window() -> None:
    mixture = torch.full((1, 2500), 0.1)
    items = [_item(name) for name in "abc"]
    together = Noisy(windows_at_once=5).separate(mixture.repeat(3, 1), [DOG] * 3, items)
    backwards = Noisy(windows_at_once=2).separate(mixture.repeat(3, 1), [DOG] * 3, items[::-1])
    alone = Noisy(windows_at_once=1).separate(mixture, [DOG], items[:1])
    assert torch.equal(together, backwards.flip(0))
    assert torch.equal(together[:1], alone)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(alone[:, :800], alone[:, 900:1700])  # windows draw their own
    torch.manual_seed(1)
    assert torch.equal(alone, Noisy().separate(mixture, [DOG], items[:1]))


def test_the_runner_gives_a_drawing_model_whole_batches() -> None:
    assert batch_limit(Noisy(), 8) == 8


def test_without_items_seeds_follow_from_the_query() -> None:
    mixture = torch.full((2, 500), 0.1)
    found = Noisy().separate(mixture, [DOG, DOG])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found, Noisy().separate(mixture, [Query("Cat")] * 2))


def test_negatives_are_refused() -> None:
    with pytest.raises(HiveError, match="toy takes no negative queries"):
        Toy().separate(_noise(1, 100), [Query("Dog", ("Cat",))])


def test_negatives_reach_a_network_that_takes_them() -> None:
    adapter, item = Toy(negatives="native"), _item()
    adapter.separate(_noise(1, 100), [Query("Dog", ("Cat", "Rain"))], [item])
    assert adapter.asked == [Query("Dog", ("Cat", "Rain"))]
    assert item.notes == ["negatives_native"]


def test_emulated_negatives_are_taken_out_first() -> None:
    adapter, items = Toy(negatives="emulated"), [_item("a"), _item("b")]
    queries = [Query("Dog", ("Cat", "Rain")), Query("Dog")]
    mixture = _noise(2, 100)
    estimate = adapter.separate(mixture, queries, items)
    assert adapter.asked == [Query("Cat"), Query("Rain"), DOG, DOG]
    # Each call takes half of what it hears: half of a quarter is left for the dog.
    torch.testing.assert_close(estimate, mixture * torch.tensor([[0.125], [0.5]]))
    assert [item.notes for item in items] == [["negatives_emulated"], []]


def test_what_is_synthesised_cannot_be_subtracted() -> None:
    with pytest.raises(ValueError, match="toy: what is synthesised"):
        _facts(negatives="emulated", is_waveform_aligned=False)


def test_what_a_query_was_taken_for_is_noted() -> None:
    class Fuzzy(Toy):
        def meaning(self, text: str) -> str:
            return text.title()

    item = _item()
    request = Request(_noise(100).numpy(), Query("dog"), item)
    estimate = run_model(Fuzzy(), [request], RATE)[0]
    assert estimate.flags == ("taken_for:Dog",)


def test_an_output_of_another_length_is_noted() -> None:
    item = _item()
    estimate = _Short().separate(torch.ones(1, 100), [DOG], [item])
    assert estimate[0].tolist() == [1.0] * 97 + [0.0] * 3
    assert item.notes == ["length_fixed"]


class _Bad(Toy):
    def __init__(self, output) -> None:
        super().__init__()
        self.output = output

    def call(self, windows, queries, generators):
        return self.output(windows)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (lambda windows: windows * float("nan"), "the estimate holds NaN"),
        (lambda windows: windows / 0, "the estimate holds NaN or infinity"),
        (lambda windows: windows[0], r"returned shape \(100,\), not \(2, 100\)"),
        (lambda windows: windows[:1], r"returned shape \(1, 100\), not \(2, 100\)"),
    ],
)
def test_nonsense_of_a_network(output, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _Bad(output).separate(_noise(2, 100), [DOG, DOG])


def test_mixtures_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="the mixture holds NaN"):
        Toy().separate(torch.full((1, 10), float("nan")), [DOG])


def test_a_network_in_training_mode_is_refused() -> None:
    adapter = Toy()
    adapter.network = torch.nn.Sequential(torch.nn.BatchNorm1d(3)).eval()
    adapter.separate(_noise(1, 10), [DOG])
    adapter.network[0].train()  # as hooks of trainers do
    with pytest.raises(RuntimeError, match="training mode"):
        adapter.separate(_noise(1, 10), [DOG])


def test_results_can_be_changed_and_differentiated_afterwards() -> None:
    estimate = Toy().separate(_noise(1, 1500), [DOG])
    estimate.requires_grad_().sum().backward()
    assert estimate.grad is not None


def test_what_is_declared_is_recorded() -> None:
    weights = Weights("owner/name", "model.safetensors", "abc", "00" * 32, "MIT")
    adapter = Toy(weights=weights, windows=Windows(5.0, context=1.0))
    record = json.loads(json.dumps(adapter.details))["facts"]
    assert record["windows"] == {
        "seconds": 5.0,
        "context": 1.0,
        "fade": 0.0,
        "shortest": 0.0,
        "hop": 3.0,
    }
    assert record["band_limit"] == RATE / 2
    assert record["negatives"] == "refused"
    assert record["level"] == {"kind": "preserved", "value": 1.0}
    assert record["weights"]["licence"] == "MIT"
    assert adapter.facts.max_seconds == 5.0
    assert adapter.checkpoint_sha256 == "00" * 32
    assert adapter.generative is False


def test_the_number_of_windows_is_checked() -> None:
    with pytest.raises(HiveError, match="0 windows at once"):
        Toy(windows_at_once=0)


def test_blocks_give_what_the_whole_gives() -> None:
    mixture = _noise(2, 4321)
    items = [_item("a"), _item("b")]
    whole = Noisy().separate(mixture, [DOG, DOG], items)
    parts = Noisy(windows_at_once=3).separate_blocks(
        mixture.split([1, 1000, 77, 3000, 243], dim=-1), [DOG, DOG], items
    )
    assert torch.equal(torch.cat(list(parts), dim=-1), whole)


def test_normal_draws_row_by_row() -> None:
    def generators(*seeds: int) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    found = normal(generators(1, 2), (3, 4), "cpu")
    assert found.shape == (2, 3, 4)
    assert torch.equal(found[1:], normal(generators(2), (3, 4), "cpu"))
    expected = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(found[0], expected)
