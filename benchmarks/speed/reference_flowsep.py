"""FlowSep as it was published, restated: what ours is compared with, in speed and in output.

From the description of FlowSep (Yuan et al., 2024), of latent diffusion (Rombach et al., 2022) and
of BigVGAN (Lee et al., 2023), and the names and shapes of the published weights. Attention is
written out, kernels of the vocoder are normalised on the fly, the spectrogram is a convolution with
a Fourier matrix, activations pad zeros between samples. State dicts have the published keys.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import weight_norm


@dataclass(frozen=True)
class Sizes:
    """Sizes of the published network.

    Attributes:
        channels: Of the U-Net's levels.
        layers: Residual blocks of its levels.
        head: Channels of one of its attention heads.
        context: Size of a token.
        vae_channels: Of the autoencoder's levels.
        vae_layers: Residual blocks of its levels.
        latent: Channels of a latent.
        groups: Groups of all normalisations.
        rates: Factors of the vocoder.
        kernels: Its transposed convolutions.
        start: Its first channels.
        blocks: Kernels of its residual blocks.
        dilations: Their dilations.
        mels: Mel bands.
        n_fft: Samples of a window.
        hop: Samples between windows.
        rate: Sample rate, Hz.
    """

    channels: tuple[int, ...] = (128, 256, 384, 640)
    layers: int = 2
    head: int = 32
    context: int = 1024
    vae_channels: tuple[int, ...] = (128, 256, 512)
    vae_layers: int = 2
    latent: int = 8
    groups: int = 32
    rates: tuple[int, ...] = (5, 4, 2, 2, 2)
    kernels: tuple[int, ...] = (16, 16, 8, 4, 4)
    start: int = 512
    blocks: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[int, ...] = (1, 3, 5)
    mels: int = 64
    n_fft: int = 1024
    hop: int = 160
    rate: int = 16000


class TimedResidual(nn.Module):
    """Residual block of the U-Net."""

    def __init__(self, before: int, after: int, timed: int, groups: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(timed, after))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, after),
            nn.SiLU(),
            nn.Dropout(0.0),
            nn.Conv2d(after, after, 3, padding=1),
        )
        self.skip_connection = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Apply it at a time."""
        inner = self.in_layers(x) + self.emb_layers(time)[:, :, None, None]
        out: Tensor = self.skip_connection(x) + self.out_layers(inner)
        return out


class Attention(nn.Module):
    """Attention with all its products written out."""

    def __init__(self, width: int, context: int | None, head: int) -> None:
        super().__init__()
        self.heads, self.head = width // head, head
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context or width, width, bias=False)
        self.to_v = nn.Linear(context or width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.0))

    def forward(self, x: Tensor, tokens: Tensor | None, keep: Tensor | None) -> Tensor:
        """Attend, to itself where there are no tokens."""
        told = x if tokens is None else tokens
        split = (len(x), -1, self.heads, self.head)
        q = self.to_q(x).view(split).transpose(1, 2)
        k = self.to_k(told).view(split).transpose(1, 2)
        v = self.to_v(told).view(split).transpose(1, 2)
        score = q @ k.transpose(-1, -2) / math.sqrt(self.head)
        if keep is not None:
            score = score.masked_fill(keep[:, None, None] != 1, -torch.finfo(score.dtype).max)
        mixed = (score.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        out: Tensor = self.to_out(mixed)
        return out


class GatedUnit(nn.Module):
    """A linear map gated by another one."""

    def __init__(self, width: int, wide: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * wide)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        out: Tensor = value * functional.gelu(gate)
        return out


class FeedForward(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 4 * width
        self.net = nn.Sequential(GatedUnit(width, wide), nn.Dropout(0.0), nn.Linear(wide, width))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        out: Tensor = self.net(x)
        return out


class Block(nn.Module):
    """Attention over itself, over the tokens (or itself again), feed-forward layer."""

    def __init__(self, width: int, context: int | None, head: int) -> None:
        super().__init__()
        self.attn1 = Attention(width, None, head)
        self.ff = FeedForward(width)
        self.attn2 = Attention(width, context, head)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, tokens: Tensor | None, keep: Tensor | None) -> Tensor:
        """Apply it to rows of places."""
        x = x + self.attn1(self.norm1(x), None, None)
        x = x + self.attn2(self.norm2(x), tokens, keep)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class SpatialTransformer(nn.Module):
    """A transformer block over the places of an image."""

    def __init__(self, width: int, context: int | None, head: int, groups: int) -> None:
        super().__init__()
        self.crosses = context is not None
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([Block(width, context, head)])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, tokens: Tensor, keep: Tensor) -> Tensor:
        """Apply it to an image."""
        inner = self.proj_in(self.norm(x))
        rows = inner.flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            rows = block(rows, tokens, keep) if self.crosses else block(rows, None, None)
        out: Tensor = x + self.proj_out(rows.transpose(1, 2).view_as(inner))
        return out


class Halve(nn.Module):
    """Half the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)


class Double(nn.Module):
    """Twice the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)


class UNet(nn.Module):
    """The network that gives velocities."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        first, groups = sizes.channels[0], sizes.groups
        timed = 4 * first
        self.first = first
        self.time_embed = nn.Sequential(nn.Linear(first, timed), nn.SiLU(), nn.Linear(timed, timed))

        def residual(before: int, after: int, attends: bool) -> list[nn.Module]:
            layers: list[nn.Module] = [TimedResidual(before, after, timed, groups)]
            if attends:
                layers += [
                    SpatialTransformer(after, context, sizes.head, groups)
                    for context in (None, sizes.context)
                ]
            return layers

        self.input_blocks = nn.ModuleList(
            [nn.ModuleList([nn.Conv2d(2 * sizes.latent, first, 3, padding=1)])]
        )
        widths, width = [first], first
        for level, after in enumerate(sizes.channels):
            for _ in range(sizes.layers):
                self.input_blocks.append(nn.ModuleList(residual(width, after, level > 0)))
                width = after
                widths.append(width)
            if level < len(sizes.channels) - 1:
                self.input_blocks.append(nn.ModuleList([Halve(width)]))
                widths.append(width)
        middle = residual(width, width, True)
        self.middle_block = nn.ModuleList([*middle, TimedResidual(width, width, timed, groups)])
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(sizes.channels))):
            for number in range(sizes.layers + 1):
                after = sizes.channels[level]
                layers = residual(width + widths.pop(), after, level > 0)
                width = after
                if level and number == sizes.layers:
                    layers.append(Double(width))
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Sequential(
            nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, 2 * sizes.latent, 3, padding=1)
        )

    def forward(self, x: Tensor, t: Tensor, tokens: Tensor, keep: Tensor) -> Tensor:
        """Return velocities, and as many maps that nobody uses."""
        half = self.first // 2
        speeds = torch.exp(-math.log(10000.0) * torch.arange(half, device=x.device) / half)
        angles = t[:, None] * speeds
        time = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=1))

        def apply(layers: nn.Module, x: Tensor) -> Tensor:
            for layer in layers.children():
                if isinstance(layer, TimedResidual):
                    x = layer(x, time)
                elif isinstance(layer, SpatialTransformer):
                    x = layer(x, tokens, keep)
                elif isinstance(layer, Halve):
                    x = layer.op(x)
                elif isinstance(layer, Double):
                    x = layer.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
                else:
                    x = layer(x)
            return x

        kept = []
        for layers in self.input_blocks:
            x = apply(layers, x)
            kept.append(x)
        x = apply(self.middle_block, x)
        for layers in self.output_blocks:
            x = apply(layers, torch.cat([x, kept.pop()], dim=1))
        out: Tensor = self.out(x)
        return out


class ImageResidual(nn.Module):
    """Residual block of the autoencoder."""

    def __init__(self, before: int, after: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, eps=1e-6)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, after, eps=1e-6)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        if before != after:
            self.nin_shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        inner = self.conv1(functional.silu(self.norm1(x)))
        inner = self.conv2(functional.silu(self.norm2(inner)))
        shortcut = self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x
        out: Tensor = shortcut + inner
        return out


class ImageAttention(nn.Module):
    """Attention of the autoencoder: one head, convolutions of one pixel."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        normed = self.norm(x)
        q, k, v = (conv(normed).flatten(2) for conv in (self.q, self.k, self.v))
        weights = (q.transpose(1, 2) @ k / math.sqrt(x.shape[1])).softmax(dim=-1)
        out: Tensor = x + self.proj_out((v @ weights.transpose(1, 2)).view_as(x))
        return out


class Coder(nn.Module):
    """Encoder or decoder of the autoencoder."""

    def __init__(self, sizes: Sizes, *, encodes: bool) -> None:
        super().__init__()
        groups, self.encodes = sizes.groups, encodes
        order = sizes.vae_channels if encodes else sizes.vae_channels[::-1]
        width = order[0]
        self.conv_in = nn.Conv2d(1 if encodes else sizes.latent, width, 3, padding=1)
        levels = []
        if not encodes:
            self.mid = self._middle(width, groups)
        for number, after in enumerate(order):
            level = nn.Module()
            blocks = []
            for _ in range(sizes.vae_layers + (not encodes)):
                blocks.append(ImageResidual(width, after, groups))
                width = after
            level.block = nn.ModuleList(blocks)
            if number < len(order) - 1:
                scaled = nn.Module()
                scaled.conv = (
                    nn.Conv2d(width, width, 3, stride=2)
                    if encodes
                    else nn.Conv2d(width, width, 3, padding=1)
                )
                setattr(level, "downsample" if encodes else "upsample", scaled)
            levels.append(level)
        if encodes:
            self.down = nn.ModuleList(levels)
            self.mid = self._middle(width, groups)
        else:  # counted from the finest
            self.up = nn.ModuleList(levels[::-1])
        self.norm_out = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv_out = nn.Conv2d(width, 2 * sizes.latent if encodes else 1, 3, padding=1)

    @staticmethod
    def _middle(width: int, groups: int) -> nn.Module:
        middle = nn.Module()
        middle.block_1 = ImageResidual(width, width, groups)
        middle.attn_1 = ImageAttention(width, groups)
        middle.block_2 = ImageResidual(width, width, groups)
        return middle

    def forward(self, x: Tensor) -> Tensor:
        """Encode or decode."""
        x = self.conv_in(x)
        if self.encodes:
            x = self._through(self.mid, self._levels(x, list(self.down), "downsample"))
        else:
            x = self._levels(self._through(self.mid, x), list(self.up)[::-1], "upsample")
        out: Tensor = self.conv_out(functional.silu(self.norm_out(x)))
        return out

    @staticmethod
    def _through(middle: nn.Module, x: Tensor) -> Tensor:
        for part in middle.children():
            x = part(x)
        return x

    @staticmethod
    def _levels(x: Tensor, levels: list[nn.Module], scaling: str) -> Tensor:
        for level in levels:
            for block in level.get_submodule("block").children():
                x = block(x)
            if hasattr(level, scaling):
                if scaling == "upsample":
                    x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
                else:
                    x = functional.pad(x, (0, 1, 0, 1))
                x = level.get_submodule(f"{scaling}.conv")(x)
        return x


class SnakeBeta(nn.Module):
    """x + sin^2(exp(alpha) x) / exp(beta)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        alpha, beta = self.alpha.exp()[:, None], self.beta.exp()[:, None]
        return x + torch.sin(alpha * x) ** 2 / (beta + 1e-9)


class Resampler(nn.Module):
    """Holds the fixed low-pass filter of twelve taps under the published name."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        attenuation = 2.285 * 5 * math.pi * 1.2 + 7.95
        window = torch.kaiser_window(12, periodic=False, beta=0.1102 * (attenuation - 8.7))
        taps = window * torch.sinc(0.5 * (torch.arange(-6, 6) + 0.5))
        self.register_buffer("filter", (taps / taps.sum()).view(1, 1, 12))


class Aliasless(nn.Module):
    """An activation at twice the rate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.act = SnakeBeta(width)
        self.upsample = Resampler()
        self.downsample = nn.Module()
        self.downsample.lowpass = Resampler()

    def forward(self, x: Tensor) -> Tensor:
        """Double the rate, apply it, halve the rate."""
        batch, width, length = x.shape
        padded = functional.pad(x, (5, 5), mode="replicate")
        sparse = torch.zeros(batch, width, 2 * padded.shape[-1], dtype=x.dtype, device=x.device)
        sparse[..., ::2] = padded
        kernel = self.upsample.filter.expand(width, 1, 12)
        spread = 2.0 * functional.conv1d(sparse, kernel.flip(-1), padding=11, groups=width)
        active = self.act(spread[..., 15 : 15 + 2 * length])
        padded = functional.pad(active, (5, 6), mode="replicate")
        kernel = self.downsample.get_submodule("lowpass").filter.expand(width, 1, 12)  # type: ignore[operator]
        return functional.conv1d(padded, kernel, stride=2, groups=width)


class VocoderBlock(nn.Module):
    """Residual block of the vocoder."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def convs(spread: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                weight_norm(
                    nn.Conv1d(width, width, kernel, dilation=d, padding=d * (kernel - 1) // 2)
                )
                for d in spread
            )

        self.convs1 = convs(dilations)
        self.convs2 = convs((1,) * len(dilations))
        self.activations = nn.ModuleList(Aliasless(width) for _ in range(2 * len(dilations)))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        for number, (first, second) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inner = first(self.activations[2 * number](x))
            x = x + second(self.activations[2 * number + 1](inner))
        return x


class Vocoder(nn.Module):
    """BigVGAN."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.kinds = len(sizes.blocks)
        width = sizes.start
        self.conv_pre = weight_norm(nn.Conv1d(sizes.mels, width, 7, padding=3))
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(sizes.rates, sizes.kernels, strict=True):
            up = nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([weight_norm(up)]))
            width //= 2
            for size in sizes.blocks:
                self.resblocks.append(VocoderBlock(width, size, sizes.dilations))
        self.activation_post = Aliasless(width)
        self.conv_post = weight_norm(nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        """Return sound, shape (B, 1, T)."""
        x = self.conv_pre(mel)
        for number, up in enumerate(self.ups):
            x = next(up.children())(x)
            total = torch.zeros_like(x)
            for block in self.resblocks[number * self.kinds : (number + 1) * self.kinds]:
                total = total + block(x)
            x = total / self.kinds
        return torch.tanh(self.conv_post(self.activation_post(x)))


class FirstStage(nn.Module):
    """Autoencoder and vocoder, with something in the place of the autoencoder's loss."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder, self.decoder = Coder(sizes, encodes=True), Coder(sizes, encodes=False)
        self.loss = nn.ParameterDict({"logvar": nn.Parameter(torch.zeros(()))})
        self.quant_conv = nn.Conv2d(2 * sizes.latent, 2 * sizes.latent, 1)
        self.post_quant_conv = nn.Conv2d(sizes.latent, sizes.latent, 1)
        self.vocoder = Vocoder(sizes)


class ReferenceFlowSep(nn.Module):
    """The network whose averaged weights separate.

    Args:
        sizes: Its sizes.
        filters: Mel filters, shape (mels, bins).
    """

    def __init__(self, sizes: Sizes, filters: Tensor) -> None:
        super().__init__()
        self.sizes, self.filters = sizes, filters
        self.unet = UNet(sizes)
        self.first_stage_model = FirstStage(sizes)
        self.scale_factor = 1.0

    def published_state(self) -> dict[str, Tensor]:
        """Return a state dict in the published layout, with weights of a last step beside."""
        state: dict[str, Tensor] = {
            "betas": torch.zeros(10),
            "alphas_cumprod_prev": torch.zeros(10),
            "sqrt_one_minus_alphas_cumprod": torch.zeros(10),
            "posterior_mean_coef1": torch.zeros(10),
            "logvar": torch.zeros(10),
            "scale_factor": torch.tensor(self.scale_factor),
            "model_ema.decay": torch.tensor(0.9999),
            "model_ema.num_updates": torch.tensor(7, dtype=torch.int32),
            "cond_stage_models.0.model.shared.weight": torch.zeros(3, 2),
        }
        for key, value in self.unet.state_dict().items():
            state[f"model.diffusion_model.{key}"] = value + 1.0
            state["model_ema.diffusion_model" + key.replace(".", "")] = value
        for key, value in self.first_stage_model.state_dict().items():
            state[f"first_stage_model.{key}"] = value
        return state

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Log-mel spectrograms, shape (B, frames, mels), one frame cut off at the end."""
        n_fft, hop = self.sizes.n_fft, self.sizes.hop
        padded = functional.pad(waveform[:, None], (n_fft // 2, n_fft // 2), mode="reflect")[:, 0]
        frames = padded.unfold(-1, n_fft, hop)
        device = waveform.device
        window = torch.hann_window(n_fft, dtype=torch.float64, device=device)
        place = torch.arange(n_fft, dtype=torch.float64, device=device)
        angles = 2 * math.pi * place[: n_fft // 2 + 1, None] * place / n_fft
        real = frames.double() @ (window * angles.cos()).T
        imag = frames.double() @ (window * angles.sin()).T
        magnitude = (real.square() + imag.square()).sqrt().float()
        return (magnitude @ self.filters.T).clamp(min=1e-5).log()[:, :-1]

    def encode(self, mel: Tensor, noise: Tensor) -> Tensor:
        """Latents, drawn with the given noise."""
        stage = self.first_stage_model
        mean, logvar = stage.quant_conv(stage.encoder(mel[:, None])).chunk(2, dim=1)
        drawn: Tensor = mean + torch.exp(0.5 * logvar.clamp(-30.0, 20.0)) * noise
        return self.scale_factor * drawn

    def decode(self, latent: Tensor) -> Tensor:
        """Log-mel spectrograms."""
        stage = self.first_stage_model
        mel: Tensor = stage.decoder(stage.post_quant_conv(latent / self.scale_factor))
        return mel[:, 0]

    @torch.no_grad()
    def separate(
        self,
        waveform: Tensor,
        tokens: Tensor,
        keep: Tensor,
        posterior: Tensor,
        start: Tensor,
        steps: int,
    ) -> Tensor:
        """Separate windows at the network's level, with the given noises."""
        heard = self.encode(self.log_mel(waveform), posterior)
        x, channels = start, self.sizes.latent
        times = torch.linspace(0.0, 1.0, steps + 1, device=x.device)
        for now, then in itertools.pairwise(times):
            told = self.unet(torch.cat([x, heard], 1), now.expand(len(x)), tokens, keep)
            x = x + (then - now) * told[:, :channels]
        sound: Tensor = self.first_stage_model.vocoder(self.decode(x).transpose(1, 2))
        return sound[:, 0]
