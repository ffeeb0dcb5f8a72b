"""The decoder: from the encoder's maps and the query to 64 features of every frame.

CLAPSep (Ma et al., 2024, arXiv 2402.17455) section III, and ClearSep's equation 2: at each
resolution the query scales and shifts the encoder's map, which is added to the decoder's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.clearsep.config import STAGES, ClearSepConfig
from baselines.clearsep.swin import SwinBlock, initialise


class Film(nn.Module):
    """Scale and shift by the query (Perez et al., AAAI 2018)."""

    def __init__(self, query_dim: int, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(query_dim, dim)
        self.beta = nn.Linear(query_dim, dim)

    def forward(self, x: Tensor, query: Tensor) -> Tensor:
        """Return gamma(query) * x + beta(query) for x (B, ..., C) and queries (B, D)."""
        shape = (len(x), *(1,) * (x.ndim - 2), -1)
        return torch.addcmul(self.beta(query).view(shape), self.gamma(query).view(shape), x)


class Skip(nn.Module):
    """Brings one of the encoder's maps, conditioned by the query, into the decoder."""

    def __init__(self, query_dim: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.film = Film(query_dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, skip: Tensor, query: Tensor, state: Tensor | None = None) -> Tensor:
        """Return the normalised sum of the conditioned map and the decoder's state, if any."""
        out = self.film(self.linear(skip), query)
        normalised: Tensor = self.norm(out if state is None else out + state)
        return normalised


class PatchExpand(nn.Module):
    """Splits each token into a square of four, undoing `PatchMerging`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(dim // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, H, W, C) into (B, 2 H, 2 W, C / 2)."""
        batch, height, width, dim = x.shape
        # Quarters lie column by column, as merging left them: (0, 0), (1, 0), (0, 1), (1, 1).
        x = self.expand(x).view(batch, height, width, 2, 2, dim // 2)
        x = x.permute(0, 1, 4, 2, 3, 5).reshape(batch, 2 * height, 2 * width, dim // 2)
        out: Tensor = self.norm(x)
        return out


class Level(nn.Module):
    """One resolution of the decoder."""

    def __init__(
        self, config: ClearSepConfig, stage: int, query_dim: int, drop_path: float
    ) -> None:
        super().__init__()
        dim = config.dim(stage)
        self.expand = PatchExpand(2 * dim) if stage < STAGES - 1 else None
        self.block = SwinBlock(
            dim,
            config.grid(stage),
            config.decoder_heads[stage],
            config.window_size,
            drop_path=drop_path,
        )
        self.skip = Skip(query_dim, dim)

    def forward(self, state: Tensor, skip: Tensor, query: Tensor) -> Tensor:
        """Go on from the state of the coarser level with the encoder's map of this one."""
        if self.expand is not None:
            state = self.expand(state)
        out: Tensor = self.skip(skip, query, self.block(state))
        return out


class Unpatch(nn.Module):
    """Turns tokens back into an image, and unfolds that into frames.

    It is a transposed convolution; its patches do not overlap, so it is a product with a matrix.
    """

    def __init__(self, config: ClearSepConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(config.embed_dim)
        pixels = config.patch**2
        bound = 1.0 / config.patch  # that of torch's transposed convolution
        self.weight = nn.Parameter(torch.empty(config.embed_dim, pixels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(1).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, H, W, C) into (B, image_frames, mels)."""
        patch, chunks = self.config.patch, self.config.chunks
        batch, height, width, _ = x.shape
        pixels = torch.matmul(self.norm(x), self.weight) + self.bias
        pixels = pixels.view(batch, chunks, height // chunks, width, patch, patch)
        return pixels.permute(0, 1, 3, 5, 2, 4).reshape(
            batch, self.config.image_frames, self.config.mels
        )


class Decoder(nn.Module):
    """The decoder.

    Args:
        config: Configuration of the network.
        query_dim: Size of the condition vector.
    """

    def __init__(self, config: ClearSepConfig, query_dim: int) -> None:
        super().__init__()
        self.start = Skip(query_dim, config.dim(STAGES - 1))
        rates = torch.linspace(0, config.drop_path, STAGES, device="cpu").tolist()
        self.levels = nn.ModuleList(
            Level(config, stage, query_dim, rates[stage]) for stage in reversed(range(STAGES))
        )
        self.unpatch = Unpatch(config)
        self.apply(initialise)

    def forward(self, maps: list[Tensor], query: Tensor) -> Tensor:
        """Decode.

        Args:
            maps: The encoder's five maps; see `Htsat`.
            query: Condition vectors, shape (B, query_dim).

        Returns:
            Features, shape (B, image_frames, mels).
        """
        *skips, deepest = maps
        state = self.start(deepest, query)
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            state = level(state, skip, query)
        features: Tensor = self.unpatch(state)
        return features
