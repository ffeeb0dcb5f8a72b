"""Low-rank adaptation (Hu et al., ICLR 2022, arXiv 2106.09685) of the encoder's attention.

As CLAPSep has it: queries, keys, values and output of every window's attention, rank 16, the
product scaled by 1 / rank (a "lora_alpha" of 1), no dropout, and the biases of the adapted layers
train as well.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.clearsep.swin import WindowAttention


class LoRALinear(nn.Module):
    """A linear layer with a frozen weight, a trained bias and a trained low-rank change.

    Args:
        linear: The layer to adapt; its tensors are used, not copied.
        rank: Rank of the change, r.
        parts: Parts of the output that have a pair of matrices each: 3 for queries, keys and values
            adapted separately.
    """

    def __init__(self, linear: nn.Linear, rank: int, parts: int = 1) -> None:
        super().__init__()
        inputs, outputs = linear.in_features, linear.out_features
        self.rank, self.parts = rank, parts
        self.weight, self.bias = linear.weight, linear.bias
        self.weight.requires_grad_(False)
        self.bias.requires_grad_()
        self.lora_A = nn.Parameter(self.weight.new_empty(parts * rank, inputs))
        self.lora_B = nn.Parameter(self.weight.new_zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the adapted layer to the last dimension."""
        out = functional.linear(x, self.weight, self.bias)
        # Two thin products: the gradient of a full weight is never formed.
        low = functional.linear(x, self.lora_A)
        if self.parts == 1:
            change = functional.linear(low, self.lora_B)
        else:
            low = low.view(*low.shape[:-1], self.parts, self.rank)
            matrices = self.lora_B.view(self.parts, -1, self.rank)
            change = torch.einsum("...pr,por->...po", low, matrices).flatten(-2)
        return out + change / self.rank

    def merged(self) -> nn.Linear:
        """Return a plain linear layer that does the same."""
        lora_a = self.lora_A.view(self.parts, self.rank, -1)
        lora_b = self.lora_B.view(self.parts, -1, self.rank)
        linear = nn.Linear(self.weight.shape[1], self.weight.shape[0], device="meta")
        change = torch.bmm(lora_b, lora_a).flatten(0, 1) / self.rank
        linear.weight = nn.Parameter((self.weight + change).detach(), requires_grad=False)
        linear.bias = nn.Parameter(self.bias.detach().clone(), requires_grad=False)
        return linear


def adapt(encoder: nn.Module, kind: Literal["fused", "separate"], rank: int) -> None:
    """Freeze an encoder and adapt the attention of all its windows, in place.

    Args:
        encoder: Any network with `WindowAttention` in it.
        kind: "fused" for one pair of matrices for queries, keys and values, "separate" for three.
        rank: Their rank.
    """
    encoder.requires_grad_(requires_grad=False)
    parts = {"qkv": 3 if kind == "separate" else 1, "proj": 1}
    for attention in _attentions(encoder):
        for name, number in parts.items():
            setattr(attention, name, LoRALinear(getattr(attention, name), rank, number))


def merge(encoder: nn.Module) -> None:
    """Put plain linear layers in the place of adapted ones, in place; outputs stay the same.

    Inference gets quicker; to be trained further, the network is needed as it was.
    """
    for attention in _attentions(encoder):
        for name in ("qkv", "proj"):
            layer = getattr(attention, name)
            if isinstance(layer, LoRALinear):
                setattr(attention, name, layer.merged())


def _attentions(encoder: nn.Module) -> list[WindowAttention]:
    return [module for module in encoder.modules() if isinstance(module, WindowAttention)]
