"""What the network is trained on, and the faults of the published code beside it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.flowsep.pairs import NOTHING, bring_to_level, draw

SHAPE = (64, 2, 3, 4)


def _sounds(*levels: float) -> Tensor:
    drawn = torch.Generator().manual_seed(0)
    noise = torch.randn(len(levels), 400, generator=drawn)
    noise = noise / noise.abs().amax(dim=1, keepdim=True)
    return noise * torch.tensor(levels).unsqueeze(1)


def _draw(**changes: object):
    options = {
        "sampled": True,
        "text_dropout": 0.5,
        "empty": 0.0,
        "legacy": False,
        "device": torch.device("cpu"),
        "generator": torch.Generator().manual_seed(0),
    }
    return draw(SHAPE, **(options | changes))


def test_mixture_is_at_the_level_of_use_and_target_goes_along() -> None:
    target, other = _sounds(0.1, 0.9), _sounds(0.7, 0.2).flip(1)
    mixture = target + other
    pair = bring_to_level(mixture + 0.05, target + 0.02, legacy=False)
    torch.testing.assert_close(pair.mixture.abs().amax(1), torch.full((2,), 0.5))
    torch.testing.assert_close(pair.mixture.mean(1), torch.zeros(2), rtol=0.0, atol=1e-6)
    torch.testing.assert_close(pair.target.mean(1), torch.zeros(2), rtol=0.0, atol=1e-6)
    # What is left is the rest of the mixture, by the same factor.
    rest = pair.mixture - pair.target
    alike = torch.nn.functional.cosine_similarity(rest, other - other.mean(1, keepdim=True))
    torch.testing.assert_close(alike, torch.ones(2))
    ratio = pair.target.std(1) / pair.mixture.std(1)
    torch.testing.assert_close(ratio, target.std(1) / mixture.std(1))


def test_level_of_the_input_does_not_matter() -> None:
    target, mixture = _sounds(0.1), _sounds(0.1) + _sounds(0.3, 0.1)[1:]
    loud = bring_to_level(4.0 * mixture, 4.0 * target, legacy=False)
    quiet = bring_to_level(mixture, target, legacy=False)
    torch.testing.assert_close(loud.mixture, quiet.mixture)
    torch.testing.assert_close(loud.target, quiet.target)


def test_legacy_brings_the_target_to_level_and_scales_a_clipped_mixture_alone() -> None:
    target, other = _sounds(0.1, 0.1), _sounds(0.02, 0.9).flip(1)
    pair = bring_to_level(target + other, target, legacy=True)
    torch.testing.assert_close(pair.target.abs().amax(1), torch.full((2,), 0.5))
    quiet, clipped = pair.mixture.abs().amax(1).tolist()
    assert 0.4 < quiet < 1.0
    assert clipped == pytest.approx(0.9)
    # The first mixture is target and rest; of the second only the mixture has been scaled.
    rest = pair.mixture - pair.target
    centred = other - other.mean(1, keepdim=True)
    alike = torch.nn.functional.cosine_similarity(rest, centred)
    assert float(alike[0]) == pytest.approx(1.0, abs=1e-5)
    ratio = pair.target.std(1) / pair.mixture.std(1)
    true = target.std(1) / (target + other).std(1)
    assert float(ratio[0]) == pytest.approx(float(true[0]), rel=1e-4)
    assert float(ratio[1]) > 3.0 * float(true[1])


@pytest.mark.parametrize("legacy", [False, True])
def test_silent_target_stays_silent(legacy: bool) -> None:
    pair = bring_to_level(_sounds(0.3), torch.zeros(1, 400), legacy=legacy)
    assert float(pair.target.abs().max()) == 0.0
    assert float(pair.mixture.abs().max()) == pytest.approx(0.5)


def test_texts_are_dropped_for_each_example_and_in_legacy_for_the_batch() -> None:
    dropped = _draw().no_text
    assert 20 < int(dropped.sum()) < 44
    batches = [
        _draw(legacy=True, generator=torch.Generator().manual_seed(seed)).no_text
        for seed in range(40)
    ]
    assert all(bool(each.all()) or not bool(each.any()) for each in batches)
    assert 8 < sum(bool(each.any()) for each in batches) < 32
    assert not bool(_draw(text_dropout=0.0).no_text.any())


def test_what_else_is_drawn() -> None:
    drawn = _draw(empty=0.5)
    asked = drawn.nothing[drawn.nothing >= 0]
    assert 20 < len(asked) < 44
    assert set(asked.tolist()) == set(range(len(NOTHING)))
    assert 0.0 <= float(drawn.time.min()) < 0.1 < 0.9 < float(drawn.time.max()) < 1.0
    assert drawn.noise.shape == SHAPE
    assert drawn.posterior is not None
    assert drawn.posterior.shape == (2, *SHAPE)
    assert not torch.equal(drawn.posterior[0], drawn.posterior[1])
    assert _draw(sampled=False).posterior is None
    assert bool((_draw().nothing == -1).all())
    again = _draw(empty=0.5)
    assert torch.equal(again.noise, drawn.noise)
