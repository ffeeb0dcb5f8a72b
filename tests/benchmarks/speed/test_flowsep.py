"""Speed of FlowSep: both sides of the comparison give the same sound."""

from __future__ import annotations

import pytest

from baselines.flowsep.config import (
    AutoencoderConfig,
    BigVGANConfig,
    FlowSepConfig,
    UNetConfig,
)
from benchmarks.speed.flowsep import Networks, measure, sizes_of

SMALL = FlowSepConfig(
    sample_rate=4000,
    n_fft=128,
    hop=20,
    mels=16,
    high_hz=2000.0,
    latent=AutoencoderConfig(channels=(8, 16), layers=1, latent_channels=3, groups=4),
    unet=UNetConfig(channels=(16, 32), layers=1, head_channels=16, groups=4),
    vocoder=BigVGANConfig(rates=(5, 4), kernels=(16, 8), channels=16, block_kernels=(3,)),
    window_seconds=0.32,
    encoder={"kind": "t5", "dim": 6},
)


def test_both_sides_draw_the_same() -> None:
    networks = Networks(SMALL, "cpu")
    rows = measure(networks, steps=3, batches=[1, 2], precision="bf16", rounds=1)
    assert [(row["contender"], row["windows"]) for row in rows] == [
        ("published, fp32, 1 at once", 1),
        ("ours, fp32, 1 at once", 1),
        ("ours, bf16, 1 at once", 1),
        ("published, fp32, 1 at once", 2),
        ("ours, fp32, 2 at once", 2),
        ("ours, bf16, 2 at once", 2),
    ]
    for row in rows:
        assert row["agrees"]
        assert row["seconds_a_second"] > 0.0
        if "ours, fp32" in row["contender"]:
            assert row["disagreement"] < 1e-4
        if "bf16" in row["contender"]:
            assert 1e-4 < row["disagreement"] < 0.5
    more = measure(networks, steps=6, batches=[1], precision="fp32", rounds=1)
    assert [row["steps"] for row in more] == [6, 6]


def test_the_mini_is_measured_alone() -> None:
    networks = Networks(FlowSepConfig.mini(), "cpu")
    assert networks.reference is None
    with pytest.raises(TypeError, match="an autoencoder and BigVGAN"):
        sizes_of(networks.config, 6)
