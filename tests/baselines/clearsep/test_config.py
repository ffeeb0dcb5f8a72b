from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.model import ClearSep


def count(module: nn.Module, *, trained: bool = False) -> int:
    return sum(each.numel() for each in module.parameters() if each.requires_grad or not trained)


def build(config: ClearSepConfig, dim: int) -> ClearSep:
    """Return the network without memory for its weights."""
    encoder = nn.Module()
    encoder.dim = dim
    with torch.device("meta"):
        return ClearSep(config, encoder=encoder)


def test_parts_of_the_published_decoder_have_the_published_sizes() -> None:
    model = build(ClearSepConfig.published(), 512)
    levels = model.decoder.levels
    assert count(model.decoder.unpatch) == 2_305
    assert sum(count(part) for level in levels for part in (level.block, level.expand) if part) == (
        19_504_444
    )
    assert sum(count(level.skip) for level in levels) == 5_334_400
    assert count(model.decoder.start) == 3_150_848
    assert count(model.mask_net.spectrum_norm) == 1_026
    assert count(model.mask_net) == 1_026 + 15_470_593
    assert count(model.decoder) + count(model.mask_net) == 43_463_616


@pytest.mark.parametrize(("kind", "matrices"), [("fused", 860_160), ("separate", 1_146_880)])
def test_published_adaptation_has_the_published_size(kind: str, matrices: int) -> None:
    config = ClearSepConfig.model_validate(
        {**ClearSepConfig.published().model_dump(), "lora": kind}
    )
    model = build(config, 512)
    parameters = dict(model.htsat.named_parameters())
    low_rank = {key for key in parameters if "lora_" in key}
    biases = {key for key, each in parameters.items() if each.requires_grad} - low_rank
    assert sum(parameters[key].numel() for key in low_rank) == matrices
    assert {key.split(".", 4)[-1] for key in biases} == {"attn.qkv.bias", "attn.proj.bias"}
    assert sum(parameters[key].numel() for key in biases) == 35_840
    assert count(model, trained=True) == 43_463_616 + matrices + 35_840
    assert count(model, trained=True) == (44_359_616 if kind == "fused" else 44_646_336)
    # What CLAP has besides: a last normalisation, the classifier of AudioSet's 527 classes; and the
    # fixed kernels of its mel front end.
    norm, classifier = 2 * 1024, (1024 * 2 * 3 + 1) * 527 + (527 + 1) * 527
    kernels = 2 * 513 * 1024 + 513 * 64
    encoder = count(model.htsat) - matrices
    assert encoder + norm + classifier == 71_341_079
    assert encoder + norm + classifier + kernels == 72_424_535


def test_mini_trains_all_its_weights() -> None:
    model = build(ClearSepConfig.mini(), 128)
    assert count(model) == count(model, trained=True) == 5_604_741


def test_configuration_survives_json() -> None:
    for config in (ClearSepConfig.published(), ClearSepConfig.mini()):
        assert ClearSepConfig.model_validate(json.loads(config.model_dump_json())) == config
    # The published weights were trained with joined queries of length 1.
    assert ClearSepConfig.published().normalise_query == "concat"
    # Classes are put as in CLAPSep's lists for evaluation.
    encoder = ClearSepConfig.published().encoder
    assert (encoder["template"], encoder["several"]) == ("The sound of {}", "sentence")


def test_grids_are_those_of_the_paper() -> None:
    config = ClearSepConfig.published()
    assert [config.grid(stage) for stage in range(4)] == [(64, 64), (32, 32), (16, 16), (8, 8)]
    assert [config.dim(stage) for stage in range(4)] == [128, 256, 512, 1024]
    assert (config.bins, config.image_frames, config.window_samples) == (513, 1024, 320_000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder_hop": 320}, "hop 320 at 32000 Hz and encoder_hop 320 at 48000 Hz"),
        ({"window_seconds": 10.24}, "1025 frames, the image holds .* 1024: at most 10.2400 s"),
        ({"chunk_frames": 264}, "chunk_frames is 264; it must be a multiple of 32"),
        ({"mels": 60}, r"chunks \* mels is 240; it must be a multiple of 32"),
        ({"window_size": 6}, "stage 1 has 64 x 64 tokens, which windows of 6 x 6 do not fill"),
        ({"heads": (3, 8, 16, 32)}, r"heads\[0\]: 3 does not divide 128"),
        ({"decoder_heads": (4, 8, 16, 30)}, r"decoder_heads\[3\]: 30 does not divide 1024"),
        ({"mask_heads": 7}, "mask_heads 7 does not divide 640"),
        ({"mask_bands": 1}, "mask_bands 1 must be 2 to 513, the bins"),
        ({"mask_bands": 514}, "mask_bands 514 must be 2 to 513, the bins"),
        ({"hop": 640, "encoder_hop": 960}, "n_fft 1024 must be even and at least twice hop 640"),
        (
            {"sample_rate": 16_000, "hop": 160, "encoder_rate": 16_000, "encoder_hop": 160},
            "encoder_rate is under 28000",
        ),
        ({"lora": "half"}, "'fused' or 'separate'"),
        ({"drop_path": 1.0}, "less than 1"),
        ({"windowsize": 8}, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_told(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClearSepConfig.model_validate({**ClearSepConfig().model_dump(), **change})


def test_longest_window_fills_the_image() -> None:
    longest = (1024 * 320 - 1) / 32_000
    assert ClearSepConfig(window_seconds=longest).window_samples == 1024 * 320 - 1
