from __future__ import annotations

import torch
from torch import Tensor

from baselines.bands import band_weights
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.masknet import MaskNet


def nets(small: ClearSepConfig) -> tuple[MaskNet, MaskNet]:
    """One that hears of the query by the decoder's features only, one that has it as well."""
    torch.manual_seed(0)
    with_query = MaskNet(small.model_copy(update={"mask_query": True}), 12).eval()
    without = MaskNet(small, 12).eval()
    state = {key: value for key, value in with_query.state_dict().items() if "films" not in key}
    without.load_state_dict(state)
    return without, with_query


def inputs(small: ClearSepConfig) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    magnitude = torch.rand(2, 9, small.bins, generator=generator)
    features = torch.randn(2, 9, small.mels, generator=generator)
    query = torch.nn.functional.normalize(torch.randn(2, 12, generator=generator), dim=-1)
    return magnitude, features, query


@torch.no_grad()
def test_mask_hears_the_query_itself_only_where_it_is_told_to(small: ClearSepConfig) -> None:
    without, with_query = nets(small)
    magnitude, features, query = inputs(small)
    assert torch.equal(without(magnitude, features, query), without(magnitude, features, -query))
    change = with_query(magnitude, features, query) - with_query(magnitude, features, -query)
    assert float(change.abs().mean()) > 0.01


@torch.no_grad()
def test_scale_of_1_and_shift_of_0_change_nothing(small: ClearSepConfig) -> None:
    without, with_query = nets(small)
    for film in with_query.films:
        assert torch.equal(film.gamma.bias, torch.ones(small.mask_width))
        for linear in (film.gamma, film.beta):
            linear.weight.zero_()
    magnitude, features, query = inputs(small)
    expected = without(magnitude, features, query)
    assert torch.equal(with_query(magnitude, features, query), expected)


@torch.no_grad()
def test_scales_start_apart_for_conditions_of_length_1(small: ClearSepConfig) -> None:
    film = MaskNet(ClearSepConfig.mini(), 256).films[0]
    query = torch.nn.functional.normalize(torch.randn(64, 256), dim=-1)
    for linear, mean in ((film.gamma, 1.0), (film.beta, 0.0)):
        values = linear(query)
        assert abs(float(values.mean()) - mean) < 0.1
        assert 0.6 < float(values.std()) < 0.8


@torch.no_grad()
def test_bands_are_means_of_bins_and_the_mask_lies_between_those_of_bands(
    small: ClearSepConfig,
) -> None:
    config = small.model_copy(update={"mask_bands": 5})
    net = MaskNet(config, 12).eval()
    magnitude, features, query = inputs(config)
    seen: list[Tensor] = []
    masked: list[Tensor] = []
    net.spectrum_norm.register_forward_hook(lambda _, given, out: seen.append(given[0]))
    net.output.register_forward_hook(lambda _, given, out: masked.append(out))
    logits = net(magnitude, features, query)
    weights = band_weights(config.bins, 5, config.sample_rate)
    expected = magnitude @ (weights / weights.sum(dim=1, keepdim=True)).T
    torch.testing.assert_close(seen[0].transpose(1, 2), expected)
    torch.testing.assert_close(logits, masked[0] @ weights)
    assert bool((logits.amax(-1) <= masked[0].amax(-1) + 1e-6).all())
    assert "band_weights" not in net.state_dict()
