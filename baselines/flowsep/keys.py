"""Names of the published weights, and what they are called here.

The published network is that of latent diffusion (Rombach et al., 2022), whose names diffusers
replaced by its own; the vocoder has BigVGAN's names. Each function goes from our name, without the
name of the part, to the published one. What a checkpoint holds beside is listed with the reason why
it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from baselines.flowsep.config import AutoencoderConfig, BigVGANConfig, FlowSepConfig, UNetConfig

UNET, AVERAGE, FIRST_STAGE = "model.diffusion_model.", "model_ema.", "first_stage_model."
SCALE = "scale_factor"

LAST_STEP = "weights of the last step, whose average is taken"
AVERAGING = "state of the averaging"
TEXT = "text encoder, a checkpoint of its own"
TRAINING = "loss of the autoencoder, which only its training uses"
SCHEDULE = "schedule of a diffusion, which the flow does not use"
FILTER = "fixed low-pass filters, which are computed"

Rules = tuple[tuple[re.Pattern[str], str], ...]

#: Of a tensor of a checkpoint that is left out, the start or all of its name, and the reason.
DROPPED: Rules = (
    (re.compile(r"model_ema\.(decay|num_updates)$"), AVERAGING),
    (re.compile(r"cond_stage_models\."), TEXT),
    (re.compile(r"first_stage_model\.loss\."), TRAINING),
    (
        re.compile(
            r"(logvar|betas|(sqrt_|log_one_minus_|sqrt_one_minus_|sqrt_recip_|sqrt_recipm1_)?"
            r"alphas_cumprod(_prev)?|posterior_(variance|log_variance_clipped|mean_coef[12])"
            r"|lvlb_weights)$"
        ),
        SCHEDULE,
    ),
)
#: Low-pass filters of the vocoder.
FILTERS = re.compile(r"(.+\.)?(upsample|downsample\.lowpass)\.filter$")

_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def unet_names(config: UNetConfig) -> Callable[[str], str]:
    """Return what tells the published name of a weight of the U-Net.

    Input and output blocks are counted through all levels: one for each residual block, with what
    follows it inside as .1, .2, ..., and one for each convolution that halves the resolution.
    """
    down, up = config.layers + 1, config.layers + 1

    def name(own: str) -> str:
        module, _, part = own.rpartition(".")
        if module in _ENDS:
            return f"{_ENDS[module]}.{part}"
        side, rest = module.split(".", 1)
        if side == "mid_block":
            kind, number, inner = _split(rest)
            if kind == "attentions":
                return f"middle_block.{1 + number}.{inner}.{part}"
            return f"middle_block.{3 * number}.{_RESIDUAL[inner]}.{part}"
        level_text, rest = rest.split(".", 1)
        level = int(level_text)
        kind, number, inner = _split(rest)
        blocks, first = ("input_blocks", 1 + level * down)
        if side == "up_blocks":
            blocks, first = "output_blocks", level * up
        if kind == "downsamplers":
            return f"{blocks}.{first + config.layers}.0.op.{part}"
        if kind == "upsamplers":  # after two transformers
            return f"{blocks}.{first + config.layers}.3.conv.{part}"
        if kind == "attentions":
            return f"{blocks}.{first + number // 2}.{1 + number % 2}.{inner}.{part}"
        return f"{blocks}.{first + number}.0.{_RESIDUAL[inner]}.{part}"

    return name


def autoencoder_names(config: AutoencoderConfig) -> Callable[[str], str]:
    """Return what tells the published name of a weight of the autoencoder.

    The decoder's levels are counted from the finest there, from the coarsest here.
    """
    last = len(config.channels) - 1

    def level(found: re.Match[str]) -> str:
        return f"decoder.up.{last - int(found[1])}"

    def middle(found: re.Match[str]) -> str:
        return f".mid.block_{int(found[1]) + 1}"

    def name(own: str) -> str:
        found = re.sub(r"^decoder\.up_blocks\.(\d+)", level, own)
        found = re.sub(r"^encoder\.down_blocks\.(\d+)", r"encoder.down.\1", found)
        found = re.sub(r"\.mid_block\.resnets\.(\d)", middle, found)
        for here, there in _ATTENTION.items():
            found = found.replace(f".mid_block.attentions.0.{here}.", f".mid.attn_1.{there}.")
        found = re.sub(r"\.resnets\.(\d)", r".block.\1", found)
        found = re.sub(r"\.(down|up)samplers\.0", r".\1sample", found)
        found = found.replace(".conv_shortcut.", ".nin_shortcut.")
        return found.replace(".conv_norm_out.", ".norm_out.")

    return name


def vocoder_names(config: BigVGANConfig) -> Callable[[str], str]:
    """Return what tells the published name of a weight of the vocoder.

    Residual blocks are counted through all stages; of a block, first convolutions, second ones and
    activations are lists of their own.
    """
    blocks = len(config.block_kernels)
    snakes = {"log_frequency": "act.alpha", "log_size": "act.beta"}

    def name(own: str) -> str:
        module, _, part = own.rpartition(".")
        if module in ("before", "after"):
            return f"conv_{'pre' if module == 'before' else 'post'}.{part}"
        if module == "snake":
            return f"activation_post.{snakes[part]}"
        if up := re.fullmatch(r"stages\.(\d+)\.up", module):
            return f"ups.{up[1]}.0.{part}"
        _, stage, _, block, _, pair, place = module.split(".")
        start = f"resblocks.{int(stage) * blocks + int(block)}"
        half = int(place) // 2
        if int(place) % 2 == 0:
            return f"{start}.activations.{2 * int(pair) + half}.{snakes[part]}"
        return f"{start}.convs{1 + half}.{pair}.{part}"

    return name


def averaged_name(published: str) -> str:
    """Return the name of the average of a weight of the U-Net: without any dots."""
    return AVERAGE + published.removeprefix("model.").replace(".", "")


def published_names(config: FlowSepConfig, own: Mapping[str, object]) -> dict[str, str]:
    """Return the published names of our weights, the U-Net's as if it were not averaged.

    Args:
        config: Sizes of the network, with autoencoder and vocoder.
        own: State dict of a `FlowSep`, without its query encoder.
    """
    if not isinstance(config.latent, AutoencoderConfig) or not isinstance(
        config.vocoder, BigVGANConfig
    ):
        raise ValueError("published networks have an autoencoder and a vocoder")
    parts = (
        ("unet.", UNET, unet_names(config.unet)),
        ("latents.vae.", FIRST_STAGE, autoencoder_names(config.latent)),
        ("vocoder.", f"{FIRST_STAGE}vocoder.", vocoder_names(config.vocoder)),
        ("latents.scale", "", lambda _: SCALE),
    )
    names: dict[str, str] = {}
    for key in own:
        start, prefix, name = next(part for part in parts if key.startswith(part[0]))
        names[key] = prefix + name(key.removeprefix(start))
    return names


def reason_to_drop(key: str, rules: Rules = DROPPED) -> str | None:
    """Return why a tensor is left out; None if it is not."""
    return next((reason for pattern, reason in rules if pattern.match(key)), None)


def _split(module: str) -> tuple[str, int, str]:
    """Split "resnets.0.conv1" into its three parts."""
    kind, number, inner = module.split(".", 2)
    return kind, int(number), inner
