"""The average of weights against its closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.training.ema import Ema, averaged


def network() -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[0].bias.requires_grad_(False)
    model.register_buffer("constant", torch.ones(1), persistent=False)
    return model


def test_what_is_averaged() -> None:
    assert sorted(averaged(network())) == [
        "0.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.weight",
    ]


def test_average_of_a_weight() -> None:
    model = network()
    ema = Ema(model, decay=0.25)
    expected = model[0].weight.detach().clone()
    for step, value in enumerate((1.0, -2.0, 5.0, 3.0)):
        with torch.no_grad():
            model[0].weight.fill_(value)
        ema.update(model)
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    with ema.swapped(model):
        torch.testing.assert_close(model[0].weight.detach(), expected)
    assert (model[0].weight == 3.0).all()


def test_weights_come_back_after_an_error() -> None:
    model = network()
    ema = Ema(model, 0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model[0].weight += 1
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), ema.swapped(model):
        model(torch.zeros(2, 3))
    torch.testing.assert_close(model[0].weight, before["0.weight"] + 1)


def test_goes_on_from_its_state() -> None:
    model = network()
    whole = Ema(model, 0.9)
    for _ in range(2):
        with torch.no_grad():
            model[0].weight += 1
        whole.update(model)
    later = Ema(model, 0.9)
    later.load_state_dict(whole.state_dict())
    with torch.no_grad():
        model[0].weight *= -3
    whole.update(model)
    later.update(model)
    states = whole.state_dict(), later.state_dict()
    assert states[0]["updates"] == states[1]["updates"] == 3
    for name, value in states[0]["average"].items():
        assert torch.equal(value, states[1]["average"][name])
