"""The names of LAION-CLAP's weights: what is taken, passed over and refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hive.checkpoints.clap_keys import check_front_end, make_config, recognise, translate
from hive.errors import HiveError

State = dict[str, torch.Tensor]


@pytest.fixture
def state(published: Any) -> State:
    """Weights under LAION-CLAP's names."""
    return published.checkpoint("micro", wrapped=False)


def convert(state: State) -> State:
    return translate(state, make_config(recognise(state), state))


def test_the_architecture_shows_in_the_shapes(state: State) -> None:
    assert recognise(state).name == "HTSAT-micro"
    config = make_config(recognise(state), state)
    assert (config.audio_config.hidden_size, config.audio_config.depths) == (256, [1, 1, 2, 1])
    assert (config.text_config.num_hidden_layers, config.text_config.num_attention_heads) == (1, 12)
    assert config.text_config.layer_norm_eps == 1e-5


def test_every_weight_arrives_and_nothing_else(state: State) -> None:
    tensors = convert(state)
    taken = sum(value.numel() for key, value in state.items() if not passed_over(key))
    constants = 2 * 514  # position_ids and token_type_ids, which follow from the configuration
    assert sum(value.numel() for value in tensors.values()) == taken + constants
    fused = state["audio_branch.layers.2.blocks.1.attn.qkv.weight"]
    prefix = "audio_model.audio_encoder.layers.2.blocks.1.attention.self"
    split = [tensors[f"{prefix}.{role}.weight"] for role in ("query", "key", "value")]
    assert torch.equal(torch.cat(split), fused)
    assert torch.equal(tensors["audio_projection.linear2.bias"], state["audio_projection.2.bias"])
    assert tensors["logit_scale_t"] == state["logit_scale_t"]


def passed_over(key: str) -> bool:
    parts = ("extractor", "tscam_conv", "branch.head", "attn_mask", "_transform", "position_ids")
    return any(part in key for part in parts)


def test_without_position_ids_it_is_the_same(state: State) -> None:
    with_them = convert(state)
    del state["text_branch.embeddings.position_ids"]
    assert all(torch.equal(value, with_them[key]) for key, value in convert(state).items())


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("audio_branch.surprise", (1,)),
        ("attn_mask", (77, 77)),
        ("text_branch.embeddings.token_type_ids", (1, 514)),
        ("audio_branch.layers.0.blocks.0.attn.qkv.extra", (3,)),
        ("audio_branch.batch_norm.weight", (64,)),  # what bn0 is called on the other side
        ("audio_model.audio_encoder.norm.weight", (768,)),
        ("text_branch.encoder.layer.0.position_ids", (1,)),
    ],
)
def test_a_key_that_is_not_expected_is_named(
    state: State, key: str, shape: tuple[int, ...]
) -> None:
    state[key] = torch.ones(shape)
    with pytest.raises(HiveError, match="keys are not expected") as caught:
        convert(state)
    assert key in caught.value.problem or key.replace("_model.audio_encoder", "_branch") in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("audio_branch.layers.1.blocks.0.mlp.fc1.bias", "layers.1.blocks.0.intermediate.dense"),
        ("audio_branch.bn0.running_var", "batch_norm.running_var"),
        ("audio_branch.layers.3.blocks.0.attn.qkv.bias", "attention.self.key.bias"),
        ("text_branch.pooler.dense.weight", "text_model.pooler.dense.weight"),
        ("text_projection.2.weight", "text_projection.linear2.weight"),
        ("logit_scale_a", "logit_scale_a"),
        ("audio_projection.0.weight", "audio_projection.0.weight"),
    ],
)
def test_a_missing_key_is_named(state: State, key: str, told: str) -> None:
    del state[key]
    with pytest.raises(HiveError, match="missing") as caught:
        convert(state)
    assert told in caught.value.problem


def test_many_keys_are_counted(state: State) -> None:
    for key in [key for key in state if ".mlp." in key]:
        del state[key]
    with pytest.raises(HiveError, match=r"20 keys are missing .* and 14 more"):
        convert(state)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite(state: State, value: float) -> None:
    key = "audio_branch.layers.2.blocks.0.attn.proj.weight"
    state[key] = state[key].clone()
    state[key][3, 5] = value
    with pytest.raises(HiveError, match=f"1 weights are not finite: {key}"):
        convert(state)


def test_a_wrong_shape_is_named(state: State) -> None:
    state["audio_branch.norm.weight"] = torch.ones(7)
    with pytest.raises(HiveError, match=r"shapes are wrong: audio_branch\.norm\.weight \(7,\)"):
        convert(state)


def test_fusion_is_refused(state: State) -> None:
    state["audio_branch.patch_embed.fusion_model.local_att.0.weight"] = torch.ones(1)
    with pytest.raises(HiveError, match="feature fusion"):
        recognise(state)


def test_other_sizes_are_refused(state: State) -> None:
    narrow = {k: v for k, v in state.items() if "layers.2.blocks.1" not in k}
    with pytest.raises(HiveError, match=r"width 32 and depths \(1, 1, 1, 1\)"):
        recognise(narrow)
    with pytest.raises(HiveError, match="is no LAION-CLAP with HTSAT and RoBERTa"):
        recognise({"audio_branch.conv_block1.conv1.weight": torch.ones(1)})


def test_other_mel_bands_are_refused(state: State) -> None:
    check_front_end(state)
    key = "audio_branch.logmel_extractor.melW"
    with pytest.raises(HiveError, match="other mel bands"):
        check_front_end({key: state[key].roll(1, 0)})
    with pytest.raises(HiveError, match="a key is missing"):
        check_front_end({})
