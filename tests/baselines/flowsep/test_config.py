from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from transformers import T5Config, T5EncoderModel

from baselines.flowsep.config import BigVGANConfig, FlowSepConfig, UNetConfig
from baselines.flowsep.model import FlowSep


def test_published_sizes_to_the_digit() -> None:
    """Figures of the published network, of which Hive's table adds what trains the autoencoder."""
    config = FlowSepConfig.published()
    assert (config.frames, config.latent_shape, config.window_samples) == (
        1024,
        (8, 256, 16),
        163_840,
    )
    assert config.unet.heads == (4, 8, 12, 20)
    with torch.device("meta"):
        model = FlowSep(config)
        text = T5EncoderModel(
            T5Config(
                vocab_size=32_128,
                d_model=1024,
                d_kv=64,
                d_ff=2816,
                num_layers=24,
                num_heads=16,
                feed_forward_proj="gated-gelu",
                tie_word_embeddings=False,
            )
        )
    counts = {
        name: sum(weight.numel() for weight in part.parameters())
        for name, part in (*model.named_children(), ("text", text))
    }
    assert counts == {
        "encoder": 0,
        "mel": 0,
        "latents": 55_376_873,
        "unet": 265_549_456,
        "vocoder": 13_953_825,
        "text": 341_231_104,
    }
    assert sum(counts.values()) == 676_111_258
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert trained == counts["unet"]


def test_weights_of_the_vocoder_by_arithmetic() -> None:
    config = BigVGANConfig()

    def conv(before: int, after: int, kernel: int) -> int:
        return before * after * kernel + after

    total = conv(64, 512, 7)  # mel bands to the first channels
    width = 512
    for kernel in config.kernels:
        total += conv(width, width // 2, kernel)
        width //= 2
        # Of each kind of block: three pairs of convolutions, a snake with two values a channel
        # before each of the six.
        total += sum(6 * conv(width, width, k) + 6 * 2 * width for k in config.block_kernels)
    total += 2 * width + conv(width, 1, 7)
    assert width == 16
    assert total == 13_953_825


def test_mini_is_small_and_all_of_it_trains() -> None:
    model = FlowSep(FlowSepConfig.mini())
    weights = [weight.numel() for weight in model.parameters()]
    assert all(weight.requires_grad for weight in model.parameters())
    assert sum(weights) < 7e6


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"window_seconds": 10.0}, "no multiple of 0.32 s"),
        ({"hop": 100}, "their product is 160, hop is 100"),
        ({"mels": 66}, "mels: 66 is no multiple of 4"),
        ({"high_hz": 9000.0}, "high_hz"),
        ({"n_fft": 300}, "hop at most half"),
        ({"empty": 0.1, "encoder": {"kind": "labels", "dim": 8}}, "no label says"),
        ({"unet": {"channels": (64, 100)}}, "100 is no multiple of groups 32"),
        ({"unet": {"channels": (64, 96), "head_channels": 64}}, "96 is no multiple of head"),
        ({"latent": {"kind": "autoencoder", "channels": (8, 16)}}, "8 is no multiple of groups"),
        ({"vocoder": {"kind": "bigvgan", "rates": (160,)}}, "different lengths"),
        ({"vocoder": {"kind": "bigvgan", "kernels": (4, 16, 8, 4, 4)}}, "leaves gaps"),
        ({"vocoder": {"kind": "bigvgan", "channels": 100}}, "cannot be halved"),
        ({"vocoder": {"kind": "bigvgan", "block_kernels": (4,)}}, "odd"),
        ({"steps": 0}, "steps"),
        ({"posterior": "mean"}, "posterior"),
        ({"step": 3}, "step"),
    ],
)
def test_what_cannot_be_is_named(changes: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        FlowSepConfig(**changes)


def test_a_saved_configuration_is_the_same_again() -> None:
    for config in (FlowSepConfig.published(), FlowSepConfig.mini()):
        assert FlowSepConfig.model_validate_json(config.model_dump_json()) == config
    assert UNetConfig().stride == 8
