"""AudioSep as it was published, restated: what ours is compared with, in speed and in output.

From the description of ResUNet30 (Liu et al., 2023) and the names and shapes of the published
weights. Everything is done the published way: Fourier transforms as convolutions with fixed
kernels, one linear map for each normalisation, layers that nothing uses, pictures stored channels
first, single precision. State dicts have the published keys, arrows included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (32, 64, 128, 256, 384, 384)
_EPS = 1e-10
_MOMENTUM = 0.01
_SLOPE = 0.01
_ARROW = "->"
Betas = dict[str, Tensor]


class ConvolutionalSTFT(nn.Module):
    """The transform as two convolutions over the padded waveform."""

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        bins = n_fft // 2 + 1
        kernels = _fourier(n_fft)[:bins] * _hann(n_fft)
        self.conv_real = nn.Conv1d(1, bins, n_fft, stride=hop, bias=False)
        self.conv_imag = nn.Conv1d(1, bins, n_fft, stride=hop, bias=False)
        _fix(self.conv_real, kernels.real[:, None])
        _fix(self.conv_imag, kernels.imag[:, None])

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and imaginary part, (B, 1, F, bins), of waveforms (B, T)."""
        half = self.n_fft // 2
        padded = functional.pad(waveform[:, None], (half, half), mode="reflect")
        real, imag = self.conv_real(padded), self.conv_imag(padded)
        return real[:, None].transpose(2, 3), imag[:, None].transpose(2, 3)


class ConvolutionalISTFT(nn.Module):
    """The inverse as two convolutions over the frames of the whole, mirrored spectrum."""

    ola_window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        kernels = _fourier(n_fft).conj() / n_fft * _hann(n_fft)
        self.conv_real = nn.Conv1d(n_fft, n_fft, 1, bias=False)
        self.conv_imag = nn.Conv1d(n_fft, n_fft, 1, bias=False)
        _fix(self.conv_real, kernels.real.T[:, :, None])
        _fix(self.conv_imag, kernels.imag.T[:, :, None])
        self.register_buffer("ola_window", torch.from_numpy(_hann(n_fft) ** 2).float())

    def forward(self, real: Tensor, imag: Tensor, length: int) -> Tensor:
        """Return waveforms (B, length) of real and imaginary parts (B, 1, F, bins)."""
        real, imag = real[:, 0].transpose(1, 2), imag[:, 0].transpose(1, 2)
        real = torch.cat((real, real[:, 1:-1].flip(1)), dim=1)
        imag = torch.cat((imag, -imag[:, 1:-1].flip(1)), dim=1)
        frames = self.conv_real(real) - self.conv_imag(imag)
        window = self.ola_window[None, :, None].expand(1, -1, frames.shape[-1])
        waveform = self._fold(frames) / self._fold(window).clamp_min(1e-11)
        return waveform[:, self.n_fft // 2 :][:, :length]

    def _fold(self, frames: Tensor) -> Tensor:
        samples = (frames.shape[-1] - 1) * self.hop + self.n_fft
        return functional.fold(
            frames, output_size=(1, samples), kernel_size=(1, self.n_fft), stride=(1, self.hop)
        )[:, 0, 0]


class _Residual(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before, momentum=_MOMENTUM)
        self.bn2 = nn.BatchNorm2d(after, momentum=_MOMENTUM)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.has_shortcut = before != after
        if self.has_shortcut:
            self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, betas: Betas, name: str) -> Tensor:
        beta1, beta2 = betas[name + "beta1"], betas[name + "beta2"]
        hidden = self.conv1(functional.leaky_relu_(self.bn1(x) + beta1, _SLOPE))
        hidden = self.conv2(functional.leaky_relu_(self.bn2(hidden) + beta2, _SLOPE))
        total: Tensor = hidden + (self.shortcut(x) if self.has_shortcut else x)
        return total


class _Down(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv_block1 = _Residual(before, after)

    def forward(self, x: Tensor, betas: Betas, name: str) -> Tensor:
        result: Tensor = self.conv_block1(x, betas, f"{name}{_ARROW}conv_block1{_ARROW}")
        return result


class _Up(nn.Module):
    def __init__(self, before: int, after: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(before, after, stride, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(before, momentum=_MOMENTUM)
        self.conv_block2 = _Residual(2 * after, after)
        self.bn2 = nn.BatchNorm2d(before, momentum=_MOMENTUM)  # nothing uses it

    def forward(self, x: Tensor, skip: Tensor, betas: Betas, name: str) -> Tensor:
        x = self.conv1(functional.leaky_relu_(self.bn1(x) + betas[f"{name}{_ARROW}beta1"], _SLOPE))
        x = torch.cat((x, skip), dim=1)
        result: Tensor = self.conv_block2(x, betas, f"{name}{_ARROW}conv_block2{_ARROW}")
        return result


class _Base(nn.Module):
    def __init__(self, channels: Sequence[int], n_fft: int, hop: int) -> None:
        super().__init__()
        self.stft = ConvolutionalSTFT(n_fft, hop)
        self.istft = ConvolutionalISTFT(n_fft, hop)
        self.bn0 = nn.BatchNorm2d(n_fft // 2 + 1, momentum=_MOMENTUM)
        self.pre_conv = nn.Conv2d(1, channels[0], 1)
        down = zip((channels[0], *channels), channels, strict=False)
        for number, (before, after) in enumerate(down, start=1):
            self.add_module(f"encoder_block{number}", _Down(before, after))
        self.conv_block7a = _Down(channels[-1], channels[-1])
        up = zip((channels[-1], *reversed(channels)), reversed(channels), strict=False)
        for number, (before, after) in enumerate(up, start=1):
            stride = (1, 2) if number == 1 else (2, 2)
            self.add_module(f"decoder_block{number}", _Up(before, after, stride))
        self.after_conv = nn.Conv2d(channels[0], 3, 1)

    def forward(self, mixture: Tensor, betas: Betas) -> Tensor:
        real, imag = self.stft(mixture)
        magnitude, cosine, sine = _polar(real, imag)
        frames = magnitude.shape[2]
        # Stored like this because torch 2.11, on a CPU, gives wrong gradients of a normalisation of
        # contiguous pictures one pixel wide whose gradient arrives transposed.
        columns = magnitude.transpose(1, 3).contiguous(memory_format=torch.channels_last)
        x = self.bn0(columns).transpose(1, 3)
        x = functional.pad(x, (0, 0, 0, -frames % 32))[..., :-1]
        x = self.pre_conv(x)
        skips = []
        for number in range(1, 7):
            name = f"encoder_block{number}"
            skips.append(self.get_submodule(name)(x, betas, name))
            x = functional.avg_pool2d(skips[-1], (2, 2) if number < 6 else (1, 2))
        x = self.conv_block7a(x, betas, "conv_block7a")
        for number in range(1, 7):
            name = f"decoder_block{number}"
            x = self.get_submodule(name)(x, skips.pop(), betas, name)
        maps = functional.pad(self.after_conv(x), (0, 1))[:, :, :frames]
        gain = torch.sigmoid(maps[:, :1])
        _, mask_cosine, mask_sine = _polar(torch.tanh(maps[:, 1:2]), torch.tanh(maps[:, 2:]))
        out_cosine = cosine * mask_cosine - sine * mask_sine
        out_sine = sine * mask_cosine + cosine * mask_sine
        out_magnitude = functional.relu_(magnitude * gain)
        estimate: Tensor = self.istft(
            out_magnitude * out_cosine, out_magnitude * out_sine, mixture.shape[-1]
        )
        return estimate


class ReferenceAudioSep(nn.Module):
    """The published network without its query encoder.

    Args:
        channels: Channels of the six stages.
        n_fft: Samples of a window.
        hop: Samples between frames.
        condition: Size of a condition vector.
    """

    def __init__(
        self,
        channels: Sequence[int] = CHANNELS,
        n_fft: int = 2048,
        hop: int = 320,
        condition: int = 512,
    ) -> None:
        super().__init__()
        self.base = _Base(channels, n_fft, hop)
        self.film = nn.Module()
        for name, width in _conditioned(self.base):
            self.film.add_module(name, nn.Linear(condition, width))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Return estimates (B, T) of mixtures (B, T) and conditions (B, D)."""
        betas = {
            name: linear(condition)[:, :, None, None] for name, linear in self.film.named_children()
        }
        estimate: Tensor = self.base(mixture, betas)
        return estimate


def _conditioned(module: nn.Module, path: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """Names and widths of the maps of a condition, two for each block with normalisations."""
    for number in (1, 2):
        norm = getattr(module, f"bn{number}", None)
        if norm is not None:
            yield _ARROW.join((*path, f"beta{number}")), norm.num_features
    for name, child in module.named_children():
        yield from _conditioned(child, (*path, name))


def _polar(real: Tensor, imag: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    magnitude = (real**2 + imag**2).clamp_min(_EPS) ** 0.5
    return magnitude, real / magnitude, imag / magnitude


def _fourier(size: int) -> npt.NDArray[np.complex128]:
    numbers = np.arange(size)
    # Reduced before it is multiplied: whole turns would cost precision.
    kernels: npt.NDArray[np.complex128] = np.exp(
        -2j * np.pi / size * (np.outer(numbers, numbers) % size)
    )
    return kernels


def _hann(size: int) -> npt.NDArray[np.float64]:
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    return window


def _fix(layer: nn.Conv1d, kernels: npt.NDArray[np.float64]) -> None:
    layer.weight.data = torch.from_numpy(np.ascontiguousarray(kernels)).float()
    layer.weight.requires_grad = False
