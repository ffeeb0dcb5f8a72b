"""HTSAT, the audio encoder of CLAP, as the source of five maps of features.

Chen et al., "HTS-AT: A hierarchical token-semantic audio transformer" (ICASSP 2022, arXiv
2202.00874), in the size "HTSAT-base" of LAION-CLAP (Wu et al., ICASSP 2023, arXiv 2211.06687). What
turns the last map into an embedding is not here: separation needs the maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.clearsep.config import STAGES, ClearSepConfig
from baselines.clearsep.swin import SwinBlock, initialise


class PatchEmbed(nn.Module):
    """Folds a log-mel spectrogram into an image, and cuts that into tokens."""

    def __init__(self, config: ClearSepConfig) -> None:
        super().__init__()
        self.chunks = config.chunks
        self.proj = nn.Conv2d(1, config.embed_dim, config.patch, config.patch)
        self.norm = nn.LayerNorm(config.embed_dim)

    def forward(self, mel: Tensor) -> Tensor:
        """Turn (B, mels, frames) into tokens, shape (B, H, W, C)."""
        batch, mels, frames = mel.shape
        chunks = mel.view(batch, mels, self.chunks, frames // self.chunks).transpose(1, 2)
        image = chunks.reshape(batch, 1, self.chunks * mels, frames // self.chunks)
        tokens: Tensor = self.norm(self.proj(image).permute(0, 2, 3, 1))
        return tokens


class PatchMerging(nn.Module):
    """Joins squares of four tokens: half the side, twice the channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, H, W, C) into (B, H / 2, W / 2, 2 C)."""
        batch, height, width, dim = x.shape
        x = x.view(batch, height // 2, 2, width // 2, 2, dim)
        # The four are joined column by column: (0, 0), (1, 0), (0, 1), (1, 1).
        x = x.permute(0, 1, 3, 4, 2, 5).reshape(batch, height // 2, width // 2, 4 * dim)
        out: Tensor = self.reduction(self.norm(x))
        return out


class Stage(nn.Module):
    """Blocks of one resolution, then the merging of patches unless it is the last stage."""

    def __init__(self, config: ClearSepConfig, stage: int, drop_path: list[float]) -> None:
        super().__init__()
        dim = config.dim(stage)
        self.blocks = nn.ModuleList(
            SwinBlock(
                dim,
                config.grid(stage),
                config.heads[stage],
                config.window_size,
                shifted=number % 2 == 1,
                drop_path=probability,
            )
            for number, probability in enumerate(drop_path)
        )
        self.downsample = PatchMerging(dim) if stage < STAGES - 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, H, W, C) into (B, H / 2, W / 2, 2 C), or keep the shape in the last stage."""
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class Htsat(nn.Module):
    """The encoder; its parameters have the names of LAION-CLAP's `audio_branch`."""

    def __init__(self, config: ClearSepConfig) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm1d(config.mels)
        self.patch_embed = PatchEmbed(config)
        rates = iter(torch.linspace(0, config.drop_path, sum(config.depths), device="cpu").tolist())
        self.layers = nn.ModuleList(
            Stage(config, stage, [next(rates) for _ in range(depth)])
            for stage, depth in enumerate(config.depths)
        )
        self.apply(initialise)

    def forward(self, mel: Tensor) -> list[Tensor]:
        """Encode.

        Args:
            mel: Log-mel spectrogram in decibels, shape (B, image_frames, mels).

        Returns:
            Five maps, shape (B, H, W, C): the tokens of the patches, the output of each of the
            first three stages after merging, and that of the fourth.
        """
        maps = [self.patch_embed(self.bn0(mel.transpose(1, 2)))]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return maps
