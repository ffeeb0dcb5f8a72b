"""BigVGAN: from log-mel spectrograms to sound (Lee et al., "BigVGAN", ICLR 2023).

Transposed convolutions raise the rate step by step. After each, residual blocks of several kernel
lengths work side by side and are averaged. Their activation, snake, adds a squared sine of learned
frequency and size; it is applied at twice the rate, between two low-pass filters, so that the
harmonics that it makes do not fold back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.flowsep.config import BigVGANConfig

_TAPS = 12
_TRANSITION = 1.2  # width of the low-pass filter's transition, in the units of Kaiser's formula
_TINY = 1e-9  # against a division by zero


class Snake(nn.Module):
    """x + sin^2(a x) / b for each channel, at twice the rate; a and b are learned as logarithms."""

    lowpass: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_frequency = nn.Parameter(torch.zeros(channels))
        self.log_size = nn.Parameter(torch.zeros(channels))
        self.register_buffer("lowpass", kaiser_sinc(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return activations, shape (B, C, T) like `x`."""
        frequency = self.log_frequency.exp().unsqueeze(-1)
        size = self.log_size.exp().unsqueeze(-1) + _TINY
        raised = double_rate(x, self.lowpass)
        raised = raised + (raised * frequency).sin().square() / size
        return halve_rate(raised, self.lowpass)


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each after a snake, added to what goes in."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def half(dilation: int) -> nn.Sequential:
            same = dilation * (kernel - 1) // 2
            conv = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=same)
            return nn.Sequential(Snake(channels), conv)

        self.pairs = nn.ModuleList(
            nn.Sequential(*half(dilation), *half(1)) for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, C, T) like `x`."""
        for pair in self.pairs:
            x = x + pair(x)
        return x


class Stage(nn.Module):
    """One raise of the rate and the residual blocks after it."""

    def __init__(self, config: BigVGANConfig, number: int) -> None:
        super().__init__()
        rate, kernel = config.rates[number], config.kernels[number]
        before = config.channels // 2**number
        self.up = nn.ConvTranspose1d(
            before, before // 2, kernel, stride=rate, padding=(kernel - rate) // 2
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(before // 2, length, config.dilations) for length in config.block_kernels
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, C / 2, about T times the rate)."""
        x = self.up(x)
        return torch.stack([block(x) for block in self.blocks]).mean(dim=0)


class BigVGAN(nn.Module):
    """The vocoder, frozen, its convolutions without weight normalisation.

    Args:
        config: Sizes.
        mels: Mel bands of its input.
    """

    def __init__(self, config: BigVGANConfig, mels: int) -> None:
        super().__init__()
        self.hop = math.prod(config.rates)
        self.before = nn.Conv1d(mels, config.channels, 7, padding=3)
        self.stages = nn.ModuleList(Stage(config, number) for number in range(len(config.rates)))
        last = config.channels // 2 ** len(config.rates)
        self.snake = Snake(last)
        self.after = nn.Conv1d(last, 1, 7, padding=3)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, mel: Tensor, mixture: Tensor) -> Tensor:
        """Make sound.

        Args:
            mel: Log-mel spectrograms, shape (B, frames, mels).
            mixture: Not used: the phase is made up.

        Returns:
            Shape (B, frames * hop), within full scale. The few samples that transposed convolutions
            give beyond are cut off.
        """
        x = self.before(mel.transpose(1, 2))
        for stage in self.stages:
            x = stage(x)
        sound: Tensor = self.after(self.snake(x)).tanh()
        return sound[:, 0, : mel.shape[1] * self.hop]


def kaiser_sinc() -> Tensor:
    """Return the low-pass filter at half the Nyquist rate, shape (12,), float32, with sum 1.

    A sinc under a Kaiser window, whose shape follows from length and transition by Kaiser's
    formulas (attenuation 2.285 (n - 1) w + 7.95 dB, here 51 dB).
    """
    with torch.device("cpu"):  # also where the network itself is built on "meta"
        attenuation = 2.285 * (_TAPS // 2 - 1) * math.pi * _TRANSITION + 7.95
        window = torch.kaiser_window(
            _TAPS, periodic=False, beta=0.1102 * (attenuation - 8.7), dtype=torch.float64
        )
        time = torch.arange(_TAPS, dtype=torch.float64) - (_TAPS - 1) / 2
        taps = torch.sinc(time / 2) * window
        return (taps / taps.sum()).float()


def double_rate(x: Tensor, lowpass: Tensor) -> Tensor:
    """Put a sample between each two, shape (B, C, T) to (B, C, 2 T)."""
    edge = _TAPS // 2 - 1
    padded = functional.pad(x, (edge, edge), mode="replicate")
    kernels = 2.0 * lowpass.expand(x.shape[1], 1, -1)
    # What the padding leaves at both ends is cut off.
    return functional.conv_transpose1d(
        padded, kernels, stride=2, padding=3 * edge, groups=x.shape[1]
    )


def halve_rate(x: Tensor, lowpass: Tensor) -> Tensor:
    """Filter and leave out every second sample, shape (B, C, 2 T) to (B, C, T)."""
    padded = functional.pad(x, (_TAPS // 2 - 1, _TAPS // 2), mode="replicate")
    kernels = lowpass.expand(x.shape[1], 1, -1)
    return functional.conv1d(padded, kernels, stride=2, groups=x.shape[1])
