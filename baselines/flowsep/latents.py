"""From log-mel spectrograms to the latents that noise is added to, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.flowsep.config import AutoencoderConfig, PatchesConfig


class Autoencoder(nn.Module):
    """The encoder and decoder of a variational autoencoder, frozen; diffusers' `AutoencoderKL`.

    Attributes:
        scale: What latents are multiplied by: one over the standard deviation of the latents of
            the first training batch, which published checkpoints carry.
        vae: The autoencoder.
    """

    scale: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        levels = len(config.channels)
        self.register_buffer("scale", torch.ones(()))
        self.vae = AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=config.channels,
            layers_per_block=config.layers,
            latent_channels=config.latent_channels,
            norm_num_groups=config.groups,
        )
        self.vae.requires_grad_(False)

    @torch.no_grad()
    def encode(self, mel: Tensor, noise: Tensor | None) -> Tensor:
        """Return latents.

        Args:
            mel: Shape (B, frames, mels).
            noise: Standard normal numbers of the shape of the latents, for values drawn from the
                posterior; None for its mode.

        Returns:
            Shape (B, C, T, F).
        """
        posterior: Any = self.vae.encode(mel.unsqueeze(1)).latent_dist
        drawn = posterior.mean if noise is None else posterior.mean + posterior.std * noise
        latent: Tensor = self.scale * drawn.float()
        return latent

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Return log-mel spectrograms, shape (B, frames, mels)."""
        decoded: Tensor = self.vae.decode(latent / self.scale, return_dict=False)[0]
        return decoded.squeeze(1).float()


class Patches(nn.Module):
    """Patches of the log-mel spectrogram as they are; `decode` is the exact inverse of `encode`."""

    def __init__(self, config: PatchesConfig) -> None:
        super().__init__()
        self.config = config

    def encode(self, mel: Tensor, noise: Tensor | None) -> Tensor:
        """Return latents, shape (B, C, T, F); nothing is drawn."""
        scaled = (mel.unsqueeze(1) - self.config.mean) / self.config.std
        return nn.functional.pixel_unshuffle(scaled, self.config.stride)

    def decode(self, latent: Tensor) -> Tensor:
        """Return log-mel spectrograms, shape (B, frames, mels)."""
        spread = nn.functional.pixel_shuffle(latent, self.config.stride).squeeze(1)
        return spread * self.config.std + self.config.mean


def make_latents(config: AutoencoderConfig | PatchesConfig) -> Autoencoder | Patches:
    """Return what a configuration describes."""
    return Patches(config) if isinstance(config, PatchesConfig) else Autoencoder(config)
