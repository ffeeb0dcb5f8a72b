"""CLAPSep as it was published, restated: what our ClearSep is compared with, in speed and output.

From the description of CLAPSep (Ma et al., 2024, arXiv 2402.17455), that of HTSAT (Chen et al.,
2022), and the names and shapes of the published weights. Everything is done the published way:
Fourier transforms as convolutions with fixed kernels, attention as two products and a softmax, the
encoder's classifier computed and thrown away, single precision. The state dict has the published
keys, less the copy of CLAP that makes embeddings of queries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.speed.reference_audiosep import ConvolutionalISTFT, ConvolutionalSTFT

_CLASSES = 527
_EPS = 1e-10


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network; the defaults are the published ones."""

    sample_rate: int = 32_000
    encoder_rate: int = 48_000
    n_fft: int = 1024
    hop: int = 320
    encoder_hop: int = 480
    mels: int = 64
    chunks: int = 4
    chunk_frames: int = 256
    patch: int = 4
    embed_dim: int = 128
    depths: tuple[int, ...] = (2, 2, 12, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    decoder_heads: tuple[int, ...] = (4, 8, 16, 32)
    window_size: int = 8
    rank: int = 16
    query_dim: int = 1024
    mask_width: int = 640
    mask_heads: int = 8
    mask_ff: int = 2560
    mask_layers: int = 3

    def grid(self, stage: int) -> tuple[int, int]:
        """Return the tokens of a stage along frequency and time."""
        edge = self.patch * 2**stage
        return self.chunks * self.mels // edge, self.chunk_frames // edge


class _LoRALinear(nn.Module):
    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.lora_A = nn.Parameter(torch.empty(rank, inputs))
        self.lora_B = nn.Parameter(torch.zeros(outputs, rank))
        self.scaling = 1 / rank
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        result = functional.linear(x, self.weight, self.bias)
        return result + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


class _WindowAttention(nn.Module):
    relative_position_index: Tensor

    def __init__(self, dim: int, window: int, heads: int, rank: int | None) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads))
        places = torch.stack(
            torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        ).flatten(1)
        distance = places[:, :, None] - places[:, None, :] + window - 1
        index = distance[0] * (2 * window - 1) + distance[1]
        self.register_buffer("relative_position_index", index)
        self.qkv = nn.Linear(dim, 3 * dim) if rank is None else _LoRALinear(dim, 3 * dim, rank)
        self.proj = nn.Linear(dim, dim) if rank is None else _LoRALinear(dim, dim, rank)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        count, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(count, tokens, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        scores = (query * self.scale) @ key.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        scores = scores + bias.view(tokens, tokens, -1).permute(2, 0, 1).contiguous()[None]
        if mask is not None:
            windows = mask.shape[0]
            scores = scores.view(-1, windows, self.heads, tokens, tokens) + mask[None, :, None]
            scores = scores.view(-1, self.heads, tokens, tokens)
        x = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(count, tokens, dim)
        out: Tensor = self.proj(x)
        return out


class _Mlp(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class _Block(nn.Module):
    attn_mask: Tensor | None

    def __init__(
        self,
        dim: int,
        grid: tuple[int, int],
        heads: int,
        window: int,
        shift: int,
        rank: int | None,
    ) -> None:
        super().__init__()
        self.grid, self.window, self.shift = grid, window, shift
        if min(grid) <= window:
            self.window, self.shift = min(grid), 0
        self.norm1 = nn.LayerNorm(dim)
        self.attn = _WindowAttention(dim, self.window, heads, rank)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = _Mlp(dim)
        self.register_buffer("attn_mask", self._mask() if self.shift else None)

    def _mask(self) -> Tensor:
        image = torch.zeros(1, *self.grid, 1)
        bands = (
            slice(0, -self.window),
            slice(-self.window, -self.shift),
            slice(-self.shift, None),
        )
        for number, (rows, columns) in enumerate((a, b) for a in bands for b in bands):
            image[:, rows, columns] = number
        regions = _to_windows(image, self.window).squeeze(-1)
        difference = regions[:, None] - regions[:, :, None]
        return torch.where(difference == 0, 0.0, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.grid
        batch, _, dim = x.shape
        shortcut = x
        x = self.norm1(x).view(batch, height, width, dim)
        if self.shift:
            x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        x = self.attn(_to_windows(x, self.window), self.attn_mask)
        x = x.view(
            batch, height // self.window, width // self.window, self.window, self.window, dim
        )
        x = x.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, height, width, dim)
        if self.shift:
            x = torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2))
        x = shortcut + x.view(batch, height * width, dim)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _PatchMerging(nn.Module):
    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, dim = x.shape
        x = x.view(batch, *self.grid, dim)
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        x = torch.cat(corners, dim=-1).view(batch, -1, 4 * dim)
        out: Tensor = self.reduction(self.norm(x))
        return out


class _PatchExpand(nn.Module):
    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.expand = nn.Linear(dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(dim // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)
        batch, _, dim = x.shape
        x = x.view(batch, *self.grid, dim)
        first, third, second, fourth = x.chunk(4, dim=-1)
        # Channel by channel the four corners, the order of pixel_shuffle.
        x = torch.stack((first, second, third, fourth), dim=-1).flatten(3)
        x = functional.pixel_shuffle(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
        out: Tensor = self.norm(x.reshape(batch, -1, dim // 4))
        return out


class _EncoderStage(nn.Module):
    def __init__(self, sizes: Sizes, stage: int) -> None:
        super().__init__()
        dim, grid, window = sizes.embed_dim * 2**stage, sizes.grid(stage), sizes.window_size
        self.blocks = nn.ModuleList(
            _Block(dim, grid, sizes.heads[stage], window, (window // 2) * (number % 2), sizes.rank)
            for number in range(sizes.depths[stage])
        )
        last = stage == len(sizes.depths) - 1
        self.downsample = None if last else _PatchMerging(dim, grid)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class _DecoderStage(nn.Module):
    def __init__(self, sizes: Sizes, stage: int) -> None:
        super().__init__()
        dim, grid = sizes.embed_dim * 2**stage, sizes.grid(stage)
        first = stage == len(sizes.depths) - 1
        self.blocks = nn.ModuleList(
            [_Block(dim, grid, sizes.decoder_heads[stage], sizes.window_size, 0, None)]
        )
        self.downsample = None if first else _PatchExpand(2 * dim, sizes.grid(stage + 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.downsample is not None:
            x = self.downsample(x)
        for block in self.blocks:
            x = block(x)
        return x


class _Spectrogram(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.stft = ConvolutionalSTFT(sizes.n_fft, sizes.encoder_hop)

    def forward(self, waveform: Tensor) -> Tensor:
        real, imag = self.stft(waveform)
        power: Tensor = real**2 + imag**2
        return power


class _LogMel(nn.Module):
    def __init__(self, sizes: Sizes, filters: Tensor) -> None:
        super().__init__()
        self.melW = nn.Parameter(filters, requires_grad=False)

    def forward(self, power: Tensor) -> Tensor:
        return 10.0 * torch.log10(torch.clamp(torch.matmul(power, self.melW), min=_EPS))


class _PatchEmbed(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, sizes.embed_dim, sizes.patch, sizes.patch)
        self.norm = nn.LayerNorm(sizes.embed_dim)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.norm(self.proj(image).flatten(2).transpose(1, 2))
        return out


class _Encoder(nn.Module):
    def __init__(self, sizes: Sizes, filters: Tensor) -> None:
        super().__init__()
        self.sizes = sizes
        self.spectrogram_extractor = _Spectrogram(sizes)
        self.logmel_extractor = _LogMel(sizes, filters)
        self.bn0 = nn.BatchNorm2d(sizes.mels)
        self.patch_embed = _PatchEmbed(sizes)
        self.layers = nn.ModuleList(_EncoderStage(sizes, stage) for stage in range(4))
        dim = sizes.embed_dim * 8
        self.norm = nn.LayerNorm(dim)
        bands = sizes.grid(3)[0] // sizes.chunks
        self.tscam_conv = nn.Conv2d(dim, _CLASSES, (bands, 3), padding=(0, 1))
        self.head = nn.Linear(_CLASSES, _CLASSES)  # nothing uses it
        for name, parameter in self.named_parameters():
            adapted = "lora_" in name or name.endswith(("attn.qkv.bias", "attn.proj.bias"))
            parameter.requires_grad_(adapted)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        sizes = self.sizes
        power = self.spectrogram_extractor(waveform)
        total = sizes.chunks * sizes.chunk_frames
        x = self.logmel_extractor(functional.pad(power, (0, 0, 0, total - power.shape[2])))
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        batch = x.shape[0]
        x = x.permute(0, 1, 3, 2).reshape(batch, 1, sizes.mels, sizes.chunks, sizes.chunk_frames)
        x = x.permute(0, 1, 3, 2, 4).reshape(batch, 1, -1, sizes.chunk_frames)
        taps = [self.patch_embed(x)]
        for layer in self.layers:
            taps.append(layer(taps[-1]))
        self._classify(taps[-1])
        return taps

    def _classify(self, x: Tensor) -> Tensor:
        rows, columns = self.sizes.grid(3)
        chunks, batch = self.sizes.chunks, x.shape[0]
        x = self.norm(x).transpose(1, 2).reshape(batch, -1, chunks, rows // chunks, columns)
        x = x.permute(0, 1, 3, 2, 4).reshape(batch, x.shape[1], rows // chunks, chunks * columns)
        return torch.sigmoid(self.tscam_conv(x).flatten(2).mean(dim=-1))


class _Film(nn.Module):
    def __init__(self, query_dim: int, dim: int) -> None:
        super().__init__()
        self.beta = nn.Linear(query_dim, dim)
        self.gamma = nn.Linear(query_dim, dim)

    def forward(self, x: Tensor, embed: Tensor) -> Tensor:
        embed = embed[:, None]
        out: Tensor = self.gamma(embed) * x + self.beta(embed)
        return out


class _Skip(nn.Module):
    def __init__(self, query_dim: int, dim: int) -> None:
        super().__init__()
        self.skip_conv = _Film(query_dim, dim)
        self.feature_proj = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, skip: Tensor, embed: Tensor, x: Tensor | None = None) -> Tensor:
        out = self.skip_conv(self.feature_proj(skip), embed)
        normalised: Tensor = self.norm(out if x is None else out + x)
        return normalised


class _InversePatchEmbed(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.grid = sizes.grid(0)
        self.proj = nn.ConvTranspose2d(sizes.embed_dim, 1, sizes.patch, sizes.patch)
        self.norm = nn.LayerNorm(sizes.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(self.norm(x).transpose(1, 2).unflatten(2, self.grid).contiguous())
        return out


class _Decoder(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        bins = sizes.n_fft // 2 + 1
        stages = range(3, -1, -1)
        self.inverse_patch_embed = _InversePatchEmbed(sizes)
        self.layers = nn.ModuleList(_DecoderStage(sizes, stage) for stage in stages)
        self.skip = nn.ModuleList(
            _Skip(sizes.query_dim, sizes.embed_dim * 2**stage) for stage in stages
        )
        self.film = _Skip(sizes.query_dim, sizes.embed_dim * 8)
        self.spec_norm = nn.BatchNorm2d(bins, momentum=0.01)
        layer = nn.TransformerEncoderLayer(
            sizes.mask_width, sizes.mask_heads, sizes.mask_ff, dropout=0.0, batch_first=True
        )
        self.mask_net = nn.Sequential(
            nn.Linear(sizes.mels + bins, sizes.mask_width),
            nn.LayerNorm(sizes.mask_width),
            nn.TransformerEncoder(layer, sizes.mask_layers),
            nn.Linear(sizes.mask_width, bins),
        )

    def forward(self, taps: list[Tensor], magnitude: Tensor, embed: Tensor) -> Tensor:
        *skips, deepest = taps
        h = self.film(deepest, embed)
        for layer, skip, module in zip(self.layers, skips[::-1], self.skip, strict=True):
            h = module(skip, embed, layer(h))
        image = self.inverse_patch_embed(h)
        batch, chunks = image.shape[0], self.sizes.chunks
        h = image.reshape(batch, chunks, self.sizes.mels, -1).permute(0, 2, 1, 3)
        h = h.reshape(batch, self.sizes.mels, -1).transpose(1, 2)[:, : magnitude.shape[2]]
        spectrum = self.spec_norm(magnitude.transpose(1, 3)).transpose(1, 3).squeeze(1)
        mask: Tensor = torch.sigmoid(self.mask_net(torch.cat((spectrum, h), dim=-1)))
        return mask[:, None]


def _to_windows(x: Tensor, window: int) -> Tensor:
    batch, height, width, dim = x.shape
    x = x.view(batch, height // window, window, width // window, window, dim)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window * window, dim)


class ReferenceClearSep(nn.Module):
    """The whole network: mixtures of one window and condition vectors to estimates.

    Args:
        sizes: Sizes.
        filters: Weights of the mel bands, shape (bins, mels).
    """

    def __init__(self, sizes: Sizes, filters: Tensor) -> None:
        super().__init__()
        self.sizes = sizes
        self.audio_branch = _Encoder(sizes, filters)
        self.decoder_model = _Decoder(sizes)
        self.stft = ConvolutionalSTFT(sizes.n_fft, sizes.hop)
        self.istft = ConvolutionalISTFT(sizes.n_fft, sizes.hop)

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate mixtures, shape (B, T), under conditions, shape (B, query_dim)."""
        from torchaudio.functional import resample  # type: ignore[import-untyped]

        real, imag = self.stft(mixture)
        magnitude = (real**2 + imag**2) ** 0.5
        cos, sin = real / magnitude.clamp_min(_EPS), imag / magnitude.clamp_min(_EPS)
        heard = resample(mixture, self.sizes.sample_rate, self.sizes.encoder_rate)
        mask = self.decoder_model(self.audio_branch(heard), magnitude, condition)
        masked = functional.relu(magnitude * mask)
        out: Tensor = self.istft(masked * cos, masked * sin, mixture.shape[-1])
        return out
