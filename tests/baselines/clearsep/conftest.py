"""A ClearSep of every part at a small size, and the published network of the same size."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from transformers import ClapAudioConfig

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.frontend import mel_filters
from baselines.queries.encoder import QueryEncoder
from benchmarks.speed.reference_clearsep import ReferenceClearSep, Sizes

DIM = 6


class Vectors(QueryEncoder):
    """Queries that are embeddings already."""

    kind, dim = "vectors", DIM

    def forward(self, prepared: Tensor) -> Tensor:
        return prepared


@pytest.fixture
def encoder() -> QueryEncoder:
    return Vectors()


@pytest.fixture(scope="session")
def small() -> ClearSepConfig:
    """Two rates, shifted windows in the first two stages, LoRA: nothing of the network is left."""
    return ClearSepConfig(
        mels=16,
        chunks=4,
        chunk_frames=64,
        patch=2,
        embed_dim=8,
        depths=(2, 2, 2, 1),
        heads=(1, 2, 4, 4),
        decoder_heads=(2, 1, 4, 2),
        window_size=4,
        rank=3,
        mask_width=24,
        mask_heads=4,
        mask_ff=40,
        mask_layers=2,
        normalise_query="none",
        window_seconds=2.5,
    )


@pytest.fixture(scope="session")
def reference(small: ClearSepConfig) -> ReferenceClearSep:
    """The published network with every weight away from where it starts."""
    names = {field.name for field in dataclasses.fields(Sizes)} & ClearSepConfig.model_fields.keys()
    sizes = Sizes(**{name: getattr(small, name) for name in names}, query_dim=2 * DIM)
    torch.manual_seed(0)
    network = ReferenceClearSep(sizes, mel_filters(small))
    fixed = ("melW", "conv_real", "conv_imag", "num_batches", "index", "mask", "ola_window")
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif name.endswith("bn0.running_mean"):
                value.uniform_(-60.0, -40.0)
            elif value.is_floating_point() and not any(part in name for part in fixed):
                scale = 0.3 if value.ndim > 1 else 0.2
                value.add_(scale * torch.randn_like(value))
    return network.eval()


@pytest.fixture(scope="session")
def mixture(small: ClearSepConfig) -> Tensor:
    """Two windows of noise with some level in every band."""
    drawn = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(2, small.window_samples, generator=drawn)


@pytest.fixture(scope="session")
def condition() -> Tensor:
    return torch.randn(2, 2 * DIM, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="session")
def clap_size(small: ClearSepConfig) -> ClapAudioConfig:
    """CLAP's audio encoder of the same size, as transformers configures it."""
    return ClapAudioConfig(
        spec_size=small.chunk_frames,
        num_mel_bins=small.mels,
        patch_size=small.patch,
        patch_stride=[small.patch, small.patch],
        patch_embeds_hidden_size=small.embed_dim,
        hidden_size=8 * small.embed_dim,
        depths=list(small.depths),
        num_attention_heads=list(small.heads),
        window_size=small.window_size,
        enable_fusion=False,
    )
