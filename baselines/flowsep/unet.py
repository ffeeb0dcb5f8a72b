"""The network that gives velocities: diffusers' U-Net of AudioLDM 2, at FlowSep's sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from baselines.flowsep.config import UNetConfig

if TYPE_CHECKING:
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2UNet2DConditionModel


def make_unet(
    config: UNetConfig, latent_channels: int, query_dim: int
) -> AudioLDM2UNet2DConditionModel:
    """Build the network.

    It takes a noisy target and a mixture, one above the other, and has as many outputs, of which
    the first half is used, as in the published network.

    Args:
        config: Sizes.
        latent_channels: Channels of a latent.
        query_dim: Size of a token of a query.
    """
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2UNet2DConditionModel

    coarser = len(config.channels) - 1
    unet: AudioLDM2UNet2DConditionModel = AudioLDM2UNet2DConditionModel(
        in_channels=2 * latent_channels,
        out_channels=2 * latent_channels,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * coarser),
        up_block_types=(*("CrossAttnUpBlock2D",) * coarser, "UpBlock2D"),
        block_out_channels=config.channels,
        layers_per_block=config.layers,
        norm_num_groups=config.groups,
        # At each place one transformer over the latent alone, and one over the query.
        cross_attention_dim=((None, query_dim),) * (coarser + 1),
        # The number of heads, in spite of its name.
        attention_head_dim=config.heads,
    )
    return unet


def velocity(
    unet: AudioLDM2UNet2DConditionModel,
    noisy: Tensor,
    mixture: Tensor,
    time: Tensor,
    condition: Tensor,
) -> Tensor:
    """Return where the flow goes.

    Args:
        unet: From `make_unet`.
        noisy: Latents at that time, shape (B, C, T, F).
        mixture: Latents of the mixture, likewise.
        time: From 0, noise, to 1, shape (B,); it goes into the time embedding as it is, not in
            thousands as samplers of diffusers have it.
        condition: Tokens of the query, with a last value of 1 where there is one, shape
            (B, L, E + 1).

    Returns:
        Float32, shape (B, C, T, F).
    """
    import torch

    output: Tensor = unet(
        torch.cat([noisy, mixture], dim=1),
        time,
        encoder_hidden_states=condition[..., :-1],
        encoder_attention_mask=condition[..., -1],
        return_dict=False,
    )[0]
    return output[:, : noisy.shape[1]].float()
