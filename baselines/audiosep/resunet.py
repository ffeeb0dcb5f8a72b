"""ResUNet30 with additive conditioning: the network of AudioSep.

Liu et al. (2023), "Separate anything you describe". Six stages down, one between, six up, of one
residual block each. Every batch normalisation but the first is followed by the addition of a vector
that a linear map makes of the condition. Differences from the published code change no output:

- All linear maps of the condition are one matrix, `film`, cut into one piece a normalisation.
- The published decoder has one more normalisation and linear map a stage that nothing uses, and the
  first normalisation one more bin, which is cut off right after it. They are not here.
- Pictures are stored channels last, and sums and activations overwrite what they are made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.audiosep.config import STAGES, TIME_FACTOR

_SLOPE = 0.01  # of the leaky rectifier
_MOMENTUM = 0.01  # of the running statistics


class ResidualBlock(nn.Module):
    """Normalise, condition, rectify and convolve, twice; add the input."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before, momentum=_MOMENTUM)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after, momentum=_MOMENTUM)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.widths = (before, after)

    def forward(self, x: Tensor, betas: Sequence[Tensor]) -> Tensor:
        """Map (B, before, F, K) to (B, after, F, K); a beta is (B, width, 1, 1)."""
        hidden = self.conv1(_activate(self.bn1(x), betas[0]))
        hidden = self.conv2(_activate(self.bn2(hidden), betas[1]))
        total: Tensor = hidden.add_(self.shortcut(x))
        return total


class UpBlock(nn.Module):
    """Normalise, condition, rectify and upsample; join the encoder's picture; a residual block."""

    def __init__(self, before: int, after: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(before, momentum=_MOMENTUM)
        self.up = nn.ConvTranspose2d(before, after, stride, stride, bias=False)
        self.block = ResidualBlock(2 * after, after)
        self.widths = (before, *self.block.widths)

    def forward(self, x: Tensor, skip: Tensor, betas: Sequence[Tensor]) -> Tensor:
        """Map (B, before, F, K) to the shape of `skip`."""
        upsampled = self.up(_activate(self.bn(x), betas[0]))
        joined: Tensor = self.block(torch.cat((upsampled, skip), dim=1), betas[1:])
        return joined


class ResUNet(nn.Module):
    """The network, from pictures of a mixture to maps of a mask.

    Args:
        heights: Bins or bands, a multiple of 64.
        channels: Channels of the six stages.
        condition: Size of a condition vector.
        starts: Bias of each map that it makes, at the start of training.
    """

    def __init__(
        self, heights: int, channels: Sequence[int], condition: int, starts: Sequence[float]
    ) -> None:
        super().__init__()
        first, last = channels[0], channels[-1]
        self.bn0 = nn.BatchNorm1d(heights, momentum=_MOMENTUM)
        self.before = nn.Conv2d(1, first, 1)
        down = [*map(ResidualBlock, (first, *channels[:-1]), channels)]
        self.down = nn.ModuleList(down)
        self.centre = ResidualBlock(last, last)
        upwards = tuple(reversed(channels))
        up = [
            UpBlock(before, after, (2, 2) if stage else (1, 2))
            for stage, (before, after) in enumerate(
                zip((last, *upwards[:-1]), upwards, strict=True)
            )
        ]
        self.up = nn.ModuleList(up)
        self.after = nn.Conv2d(first, len(starts), 1)
        blocks: tuple[ResidualBlock | UpBlock, ...] = (*down, self.centre, *up)
        self.widths = [width for block in blocks for width in block.widths]
        self.film = nn.Linear(condition, sum(self.widths))
        self._initialise()
        self.after.bias = nn.Parameter(torch.tensor(starts, dtype=torch.float32))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: Tensor, condition: Tensor) -> Tensor:
        """Return maps, shape (B, maps, F, K), of pictures (B, F, K) and conditions (B, D)."""
        frames = pictures.shape[1]
        betas = torch.split(self.film(condition)[:, :, None, None], self.widths, dim=1)
        x = self.bn0(pictures.flatten(0, 1)).view_as(pictures)
        x = functional.pad(x, (0, 0, 0, -frames % TIME_FACTOR))
        # A convolution that makes its channels last: one number times a vector.
        weight = self.before.weight.flatten(1)
        x = functional.linear(x[..., None], weight, self.before.bias).movedim(-1, 1)
        skips = []
        for stage, block in enumerate(self.down):
            skip = block(x, betas[2 * stage : 2 * stage + 2])
            skips.append(skip)
            x = functional.avg_pool2d(skip, (2, 2) if stage < STAGES - 1 else (1, 2))
        betas = betas[2 * STAGES :]
        x = self.centre(x, betas[:2])
        for stage, block in enumerate(self.up):
            x = block(x, skips.pop(), betas[2 + 3 * stage : 5 + 3 * stage])
        maps: Tensor = self.after(x)[:, :, :frames]
        return maps

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw weights as the published training does: Glorot and Bengio (2010), biases of 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.film.bias)
        for piece in torch.split(self.film.weight, self.widths):
            nn.init.xavier_uniform_(piece)


def _activate(x: Tensor, beta: Tensor) -> Tensor:
    """Add and rectify in place: the gradient of a normalisation needs its input, not its output."""
    return functional.leaky_relu_(x.add_(beta), _SLOPE)
