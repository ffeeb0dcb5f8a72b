"""A FlowSep of every part at a small size, and the published network of the same size."""

from __future__ import annotations

import librosa
import pytest
import torch
from torch import Tensor

from baselines.flowsep.config import (
    AutoencoderConfig,
    BigVGANConfig,
    FlowSepConfig,
    UNetConfig,
)
from baselines.queries.encoder import QueryEncoder
from benchmarks.speed.flowsep import sizes_of
from benchmarks.speed.reference_flowsep import ReferenceFlowSep

DIM = 6


class Tokens(QueryEncoder):
    """Queries that are states of tokens already; texts have as many tokens as letters, up to 4."""

    kind, dim = "tokens", DIM

    def prepare(self, queries: list[tuple[str, ...]]) -> Tensor:  # type: ignore[override]
        rows = torch.zeros(len(queries), 4, DIM + 1)
        for row, query in zip(rows, queries, strict=True):
            text = query[0] if query else ""
            drawn = torch.Generator().manual_seed(sum(map(ord, text)))
            length = max(1, min(4, len(text)))
            row[:length] = torch.randn(length, DIM + 1, generator=drawn)
            row[:length, -1] = 1.0
        return rows

    def forward(self, prepared: Tensor) -> Tensor:
        return prepared

    def config(self) -> dict[str, object]:
        return {"kind": "tokens"}


@pytest.fixture
def encoder() -> QueryEncoder:
    return Tokens()


@pytest.fixture(scope="session")
def small() -> FlowSepConfig:
    """Two residual blocks a level, levels of one to three heads, three stages of the vocoder."""
    return FlowSepConfig(
        sample_rate=4000,
        n_fft=128,
        hop=20,
        mels=16,
        high_hz=2000.0,
        latent=AutoencoderConfig(channels=(8, 16, 24), layers=2, latent_channels=3, groups=4),
        unet=UNetConfig(channels=(16, 32, 48), layers=2, head_channels=16, groups=4),
        vocoder=BigVGANConfig(
            rates=(5, 2, 2), kernels=(16, 8, 4), channels=32, block_kernels=(3, 7)
        ),
        steps=4,
        validation_steps=2,
        window_seconds=0.32,
        encoder={"kind": "t5", "dim": DIM},
    )


@pytest.fixture(scope="session")
def reference(small: FlowSepConfig) -> ReferenceFlowSep:
    """The published network with every weight away from where it starts."""
    filters = librosa.filters.mel(
        sr=small.sample_rate, n_fft=small.n_fft, n_mels=small.mels, fmin=0.0, fmax=small.high_hz
    )
    sizes = sizes_of(small, DIM)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = ReferenceFlowSep(sizes, torch.from_numpy(filters))
        for value in network.parameters():
            value.data += 0.1 * torch.randn_like(value)
    network.scale_factor = 0.7
    return network.eval()


@pytest.fixture
def mixture(small: FlowSepConfig) -> Tensor:
    drawn = torch.Generator().manual_seed(2)
    noise = torch.randn(2, small.window_samples, generator=drawn)
    return 0.5 * noise / noise.abs().amax(dim=1, keepdim=True)
