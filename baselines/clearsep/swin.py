"""Blocks of Swin transformers (Liu et al., ICCV 2021, arXiv 2103.14030), for encoder and decoder.

Tokens stay a map, shape (B, H, W, C), from end to end. Attention within a window is one call of
`scaled_dot_product_attention`, whose mask is the bias by relative position plus, where windows are
shifted, what keeps apart tokens that only the shift brought together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_APART = -100.0  # the value that the published weights were trained with
_EXPANSION = 4


class DropPath(nn.Module):
    """Leaves out a residual branch in training, item by item (Huang et al., 2016)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch, zero for some items and larger for the others."""
        if not self.training or self.probability == 0.0:
            return branch
        keep = 1.0 - self.probability
        shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        return branch * branch.new_empty(shape).bernoulli_(keep).div_(keep)


class WindowAttention(nn.Module):
    """Attention among the tokens of a window, with a learnt bias by relative position."""

    relative_position_index: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        offsets = (2 * window - 1) ** 2
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, heads))
        self.register_buffer("relative_position_index", _offsets(window), persistent=False)

    def forward(self, windows: Tensor, apart: Tensor | None) -> Tensor:
        """Attend.

        Args:
            windows: Shape (B * W, N, C): the W windows of each item, of N tokens.
            apart: What is added to the scores, shape (W, N, N); None for nothing.

        Returns:
            Shape (B * W, N, C).
        """
        count, tokens, dim = windows.shape
        qkv = self.qkv(windows).view(count, tokens, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.relative_position_bias_table[self.relative_position_index]
        bias = bias.view(tokens, tokens, self.heads).permute(2, 0, 1).to(query.dtype).contiguous()
        if apart is None:
            scores = bias.unsqueeze(0)
        else:
            shifted = bias + apart.to(query.dtype).unsqueeze(1)
            repeats = count // apart.shape[0]
            scores = shifted.unsqueeze(0).expand(repeats, -1, -1, -1, -1).flatten(0, 1)
        out = functional.scaled_dot_product_attention(query, key, value, attn_mask=scores)
        mixed: Tensor = self.proj(out.transpose(1, 2).reshape(count, tokens, dim))
        return mixed


class Mlp(nn.Module):
    """Two linear layers with GELU in between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, _EXPANSION * dim)
        self.fc2 = nn.Linear(_EXPANSION * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to the last dimension."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class SwinBlock(nn.Module):
    """Attention in windows and an MLP, both residual and after a LayerNorm.

    Args:
        dim: Size of a token.
        grid: Tokens along the two sides of the map.
        heads: Attention heads.
        window: Edge of a window; a map no larger than that is not shifted.
        shifted: Whether windows are displaced by half their edge.
        drop_path: Probability of leaving out a residual branch in training.
    """

    apart: Tensor | None

    def __init__(
        self,
        dim: int,
        grid: tuple[int, int],
        heads: int,
        window: int,
        *,
        shifted: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.window = min(window, *grid)
        self.shift = self.window // 2 if shifted and min(grid) > window else 0
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, self.window)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)
        self.drop_path = DropPath(drop_path)
        apart = _apart(grid, self.window, self.shift) if self.shift else None
        self.register_buffer("apart", apart, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a map, shape (B, H, W, C)."""
        x = x + self.drop_path(self._attend(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        batch, height, width, dim = x.shape
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), dims=(1, 2))
        windows = self.attn(partition(x, self.window), self.apart)
        rows, columns = height // self.window, width // self.window
        x = windows.view(batch, rows, columns, self.window, self.window, dim)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, dim)
        return torch.roll(x, (self.shift, self.shift), dims=(1, 2)) if self.shift else x


def partition(x: Tensor, window: int) -> Tensor:
    """Cut maps, shape (B, H, W, C), into windows, shape (B * windows, window**2, C)."""
    batch, height, width, dim = x.shape
    x = x.view(batch, height // window, window, width // window, window, dim)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, dim)


def initialise(module: nn.Module) -> None:
    """Draw the weights of a linear layer or a table of biases, as Swin transformers do."""
    # Swin cuts the distribution at +-2, a hundred standard deviations away.
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.normal_(module.relative_position_bias_table, std=0.02)


def _offsets(window: int) -> Tensor:
    """Row of the table of biases for each pair of tokens of a window, flat: (window**4,)."""
    side = torch.arange(window, device="cpu")
    row, column = side.repeat_interleave(window), side.repeat(window)
    down = row.unsqueeze(1) - row + window - 1
    right = column.unsqueeze(1) - column + window - 1
    return (down * (2 * window - 1) + right).flatten()


def _apart(grid: tuple[int, int], window: int, shift: int) -> Tensor:
    """What to add to the scores of tokens that are no neighbours, shape (windows, N, N)."""
    # After rolling, the last `shift` rows and columns come from the other side of the map.
    rolled = [torch.arange(side, device="cpu") >= side - shift for side in grid]
    region = 2 * rolled[0].unsqueeze(1).int() + rolled[1].int()
    regions = partition(region.view(1, *grid, 1), window).squeeze(-1)
    different = regions.unsqueeze(1) != regions.unsqueeze(2)
    return different.float() * _APART
