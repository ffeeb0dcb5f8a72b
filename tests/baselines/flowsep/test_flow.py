from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.flowsep.flow import follow, interpolate


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_lines_begin_in_noise_and_end_in_the_latent() -> None:
    clean, noise = _normal(2, 3, 4, 5), _normal(2, 3, 4, 5).flip(0)
    for sigma in (0.0, 1e-4, 0.1):
        start, velocity = interpolate(clean, noise, torch.zeros(2), sigma)
        end, same = interpolate(clean, noise, torch.ones(2), sigma)
        torch.testing.assert_close(start, noise)
        torch.testing.assert_close(end, clean + sigma * noise)
        torch.testing.assert_close(velocity, same)
        torch.testing.assert_close(end - start, velocity)


def test_velocity_is_the_derivative_of_the_line() -> None:
    clean, noise = _normal(1, 1, 2, 2), _normal(1, 1, 2, 2) + 1.0
    early, velocity = interpolate(clean, noise, torch.tensor([0.3]), 1e-4)
    late, _ = interpolate(clean, noise, torch.tensor([0.55]), 1e-4)
    torch.testing.assert_close((late - early) / 0.25, velocity)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_a_straight_flow_is_followed_exactly(steps: int) -> None:
    clean, noise = _normal(2, 1, 3, 2), _normal(2, 1, 3, 2) - 2.0
    found = follow(lambda point, time: clean - noise, noise, steps)
    torch.testing.assert_close(found, clean)


def test_euler_of_a_known_equation() -> None:
    # dx/dt = x: n steps give (1 + 1/n)^n.
    start = torch.ones(1, 1, 1, 1)
    found = follow(lambda point, time: point, start, 10)
    assert float(found) == pytest.approx(1.1**10, rel=1e-6)
    # dx/dt = t: the times are 0, 1/n, ...
    found = follow(lambda point, time: time.view(-1, 1, 1, 1), torch.zeros(1, 1, 1, 1), 4)
    assert float(found) == pytest.approx((0 + 1 + 2 + 3) / 16)


def test_the_mean_velocity_leads_noise_to_a_distribution() -> None:
    """With the exact field of a Gaussian target, samples have its mean and deviation."""
    mean, std = 3.0, 0.5

    def field(point: Tensor, time: Tensor) -> Tensor:
        t = time.view(-1, 1, 1, 1)
        spread = (1 - t) ** 2 + (t * std) ** 2
        # Expectation of x1 - e given x(t) = (1 - t) e + t x1, all of them normal.
        return mean + (t * std**2 - (1 - t)) / spread * (point - t * mean)

    noise = _normal(20_000, 1, 1, 1)
    found = follow(field, noise, 100)
    assert float(found.mean()) == pytest.approx(mean, abs=0.02)
    assert float(found.std()) == pytest.approx(std, abs=0.02)
