from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks.speed.separation import disagreement, last_window, reference_windows

RATE = 100


class Counting(nn.Module):
    """Halves what it is given and notes the lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int] = []

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        self.lengths.append(mixture.shape[-1])
        return 0.5 * mixture


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (400, [400]),
        (500, [500]),
        (501, [500, 201]),
        (800, [500, 500]),
        (1000, [500, 500, 400]),
        (1100, [500, 500, 500]),
    ],
)
def test_published_windows_cover_the_sound_and_run_twice(samples: int, lengths: list[int]) -> None:
    network = Counting()
    mixture = torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
    estimate = reference_windows(network, mixture, torch.zeros(1, 1), RATE)
    assert network.lengths == [length for length in lengths for _ in range(2)]
    assert torch.equal(estimate, 0.5 * mixture.double())
    assert last_window(samples, RATE) == samples - lengths[-1]


def test_disagreement_is_relative() -> None:
    reference = torch.tensor([[3.0, 4.0]])
    assert disagreement(1.1 * reference, reference) == pytest.approx(0.1)
    assert disagreement(reference, reference) == 0.0
