"""Flow matching along straight lines, and Euler's method (Lipman et al., ICLR 2023).

A latent x1 and noise e are joined by

    x(t) = (1 - (1 - s) t) e + t x1,    t from 0 to 1,

whose velocity is x1 - (1 - s) e, with s = 1e-4. The network learns the mean of the velocities of
all lines through a point; following it from noise ends in a latent.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def interpolate(clean: Tensor, noise: Tensor, time: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return points of the lines, and their velocities.

    Args:
        clean: Shape (B, C, T, F).
        noise: Likewise.
        time: Shape (B,).
        sigma: What of the noise is left at time 1.

    Returns:
        Both of shape (B, C, T, F).
    """
    when = time.view(-1, 1, 1, 1)
    noisy = (1.0 - (1.0 - sigma) * when) * noise + when * clean
    return noisy, clean - (1.0 - sigma) * noise


def follow(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Follow velocities from noise to latents.

    Args:
        velocity: Takes points, shape (B, C, T, F), and times, shape (B,).
        noise: Where to begin, shape (B, C, T, F).
        steps: How many steps of equal length to go.

    Returns:
        Shape (B, C, T, F).
    """
    point = noise
    for step in range(steps):
        time = torch.full((len(point),), step / steps, device=point.device)
        point = point + velocity(point, time) / steps
    return point
