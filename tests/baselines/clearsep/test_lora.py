from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.htsat import Htsat
from baselines.clearsep.lora import LoRALinear, adapt, merge


def draw(module: nn.Module) -> None:
    torch.manual_seed(3)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if "lora_B" in name:
                value.normal_()


@pytest.mark.parametrize("parts", [1, 3])
def test_change_is_the_scaled_product(parts: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(5, 12)
    adapted = LoRALinear(linear, rank=2, parts=parts)
    x = torch.randn(4, 7, 5)
    assert torch.equal(adapted(x), linear(x))  # before training
    draw(adapted)
    low, high = adapted.lora_A.view(parts, 2, 5), adapted.lora_B.view(parts, 12 // parts, 2)
    weight = linear.weight + torch.cat([high[part] @ low[part] for part in range(parts)]) / 2
    expected = nn.functional.linear(x, weight, linear.bias)
    torch.testing.assert_close(adapted(x), expected)
    torch.testing.assert_close(adapted.merged()(x), expected)
    assert float((expected - linear(x)).detach().abs().max()) > 0.1


def test_one_of_three_adapters_changes_its_third_only() -> None:
    adapted = LoRALinear(nn.Linear(5, 12), rank=2, parts=3)
    draw(adapted)
    x = torch.randn(4, 5)
    before = adapted(x)
    with torch.no_grad():
        adapted.lora_A[2:4].zero_()
    after = adapted(x)
    same = (after == before).all(0)
    assert same.tolist() == [True] * 4 + [False] * 4 + [True] * 4


@pytest.mark.parametrize("kind", ["fused", "separate"])
def test_adapted_encoder(small: ClearSepConfig, kind: str) -> None:
    torch.manual_seed(0)
    encoder = Htsat(small).eval()
    mel = torch.randn(1, small.image_frames, small.mels)
    plain = encoder(mel)
    adapt(encoder, kind, 3)
    for one, other in zip(encoder(mel), plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    draw(encoder)
    trained = {key for key, value in encoder.named_parameters() if value.requires_grad}
    ends = {".".join(key.split(".")[4:]) for key in trained}
    tensors = ("lora_A", "lora_B", "bias")
    assert ends == {f"attn.{layer}.{name}" for layer in ("qkv", "proj") for name in tensors}
    adapted = encoder(mel)
    adapted[-1].sum().backward()
    moved = {key for key, value in encoder.named_parameters() if value.grad is not None}
    assert moved == trained
    assert float((adapted[-1] - plain[-1]).detach().abs().max()) > 1e-3
    merge(encoder)
    assert not any(isinstance(module, LoRALinear) for module in encoder.modules())
    assert not any(value.requires_grad for value in encoder.parameters())
    for one, other in zip(encoder(mel), adapted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
