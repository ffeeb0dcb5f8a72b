"""The mask network: attention over the frames of the mixture's spectrum and the decoder's features.

CLAPSep (arXiv 2402.17455) section III: transformer layers that normalise after adding (Vaswani et
al., 2017), without positions, as the decoder's features tell them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.bands import band_weights
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.decoder import Film
from baselines.clearsep.swin import initialise
from baselines.spectra import LOG_FLOOR

_MOMENTUM = 0.01
_SPREAD = 0.7  # of scales and shifts, as the condition vector has length 1


class Layer(nn.Module):
    """Self-attention and a hidden layer with ReLU, each followed by a LayerNorm."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to frames, shape (B, frames, width)."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        out = functional.scaled_dot_product_attention(query, key, value)
        x = self.norm1(x + self.proj(out.transpose(1, 2).flatten(2)))
        hidden: Tensor = self.norm2(x + self.fc2(functional.relu(self.fc1(x))))
        return hidden


class MaskNet(nn.Module):
    """From magnitudes and features to the logits of a mask.

    Args:
        config: Configuration of the network.
        query_dim: Size of the condition vector.
    """

    band_weights: Tensor | None

    def __init__(self, config: ClearSepConfig, query_dim: int) -> None:
        super().__init__()
        self.compression = config.compression
        weights = None
        if config.mask_bands is not None:
            weights = band_weights(config.bins, config.mask_bands, config.sample_rate)
        # It follows from the configuration, so checkpoints do without it.
        self.register_buffer("band_weights", weights, persistent=False)
        self.spectrum_norm = nn.BatchNorm1d(config.mask_rows, momentum=_MOMENTUM)
        self.input = nn.Linear(config.mask_rows + config.mels, config.mask_width)
        self.input_norm = nn.LayerNorm(config.mask_width)
        self.layers = nn.ModuleList(
            Layer(config.mask_width, config.mask_heads, config.mask_ff)
            for _ in range(config.mask_layers)
        )
        self.output = nn.Linear(config.mask_width, config.mask_rows)
        self.apply(initialise)
        self.films = nn.ModuleList(
            _film(query_dim, config.mask_width)
            for _ in range(config.mask_layers if config.mask_query else 0)
        )

    def forward(self, magnitude: Tensor, features: Tensor, query: Tensor) -> Tensor:
        """Compute the logits.

        Args:
            magnitude: Of the mixture's spectrum, shape (B, frames, bins).
            features: From the decoder, shape (B, frames, mels).
            query: Condition vectors, shape (B, query_dim).

        Returns:
            Shape (B, frames, bins).
        """
        if self.band_weights is not None:
            means = functional.normalize(self.band_weights, p=1.0)
            with torch.autocast(magnitude.device.type, enabled=False):
                magnitude = functional.linear(magnitude, means)
        if self.compression == "log":
            magnitude = (magnitude + LOG_FLOOR).log()
        spectrum = self.spectrum_norm(magnitude.transpose(1, 2)).transpose(1, 2)
        x = self.input_norm(self.input(torch.cat([spectrum, features.to(spectrum.dtype)], dim=-1)))
        for number, layer in enumerate(self.layers):
            x = layer(self.films[number](x, query) if self.films else x)
        logits: Tensor = self.output(x)
        return logits if self.band_weights is None else logits @ self.band_weights


def _film(query_dim: int, width: int) -> Film:
    """Scale around 1 and shift around 0, at once far enough apart for different queries."""
    film = Film(query_dim, width)
    for linear, bias in ((film.gamma, 1.0), (film.beta, 0.0)):
        nn.init.normal_(linear.weight, std=_SPREAD)
        nn.init.constant_(linear.bias, bias)
    return film
