"""Published checkpoints, written by the test in the published layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from baselines.adapter import normal
from baselines.flowsep import keys
from baselines.flowsep.config import FlowSepConfig, UNetConfig
from baselines.flowsep.convert import translate
from baselines.flowsep.model import FlowSep
from baselines.flowsep.unet import make_unet, velocity
from baselines.queries.encoder import QueryEncoder
from benchmarks.speed.reference_flowsep import ReferenceFlowSep, Sizes
from hive.errors import HiveError

TOLERANCE = 1e-5


def write(path: Path, state: dict[str, Tensor], within: str = "state_dict") -> Path:
    """Write a checkpoint as Lightning does, with more in it than weights."""
    torch.save({within: state, "epoch": 3, "optimizer_states": [{"state": {}}]}, path)
    return path


def network(config: FlowSepConfig, encoder: QueryEncoder, state: dict[str, Tensor]) -> FlowSep:
    model = FlowSep(config, encoder=encoder)
    model.load_state_dict(state)
    return model.eval()


def generators(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.fixture
def whole(reference: ReferenceFlowSep) -> dict[str, Tensor]:
    return reference.published_state()


@pytest.fixture
def condition(encoder: QueryEncoder) -> Tensor:
    return encoder.prepare([("dog",), ("a cat",)])


def test_a_whole_checkpoint_separates_as_the_published_network(
    tmp_path: Path,
    small: FlowSepConfig,
    encoder: QueryEncoder,
    reference: ReferenceFlowSep,
    whole: dict[str, Tensor],
    condition: Tensor,
    mixture: Tensor,
) -> None:
    state, report = translate(write(tmp_path / "v2_100k.ckpt", whole), small)
    model = network(small, encoder, state)
    posterior = normal(generators([3, 4]), small.latent_shape, "cpu")
    both = generators([3, 4])
    normal(both, small.latent_shape, "cpu")
    start = normal(both, small.latent_shape, "cpu")

    found = model.generate(mixture, condition, generators([3, 4]))
    wanted = reference.separate(
        mixture, condition[..., :-1], condition[..., -1], posterior, start, small.steps
    )
    assert wanted.shape[-1] > found.shape[-1] == small.window_samples  # surplus is cut off
    torch.testing.assert_close(found, wanted[:, : small.window_samples], rtol=0.0, atol=TOLERANCE)
    assert float(found.std()) > 1e-3

    unet_weights = len(reference.unet.state_dict())
    assert report.kept == len(model.state_dict())
    assert report.beside == ()
    assert report.dropped == {
        keys.LAST_STEP: unet_weights,
        keys.AVERAGING: 2,
        keys.TEXT: 1,
        keys.TRAINING: 1,
        keys.SCHEDULE: 5,
        keys.FILTER: 2 * (3 * 2 * 6 + 1),
    }


def test_parts_agree_with_the_published_ones(
    tmp_path: Path,
    small: FlowSepConfig,
    encoder: QueryEncoder,
    reference: ReferenceFlowSep,
    whole: dict[str, Tensor],
    condition: Tensor,
    mixture: Tensor,
) -> None:
    state, _ = translate(write(tmp_path / "v2_100k.ckpt", whole), small)
    model = network(small, encoder, state)
    noise = normal(generators([5, 6]), small.latent_shape, "cpu")
    with torch.no_grad():
        mel = reference.log_mel(mixture)
        torch.testing.assert_close(model.mel(mixture), mel, rtol=0.0, atol=1e-4)
        latent = reference.encode(mel, noise)
        torch.testing.assert_close(
            model.latents.encode(mel, noise), latent, rtol=0.0, atol=TOLERANCE
        )
        torch.testing.assert_close(
            model.latents.decode(latent), reference.decode(latent), rtol=0.0, atol=TOLERANCE
        )
        time = torch.tensor([0.15, 0.85])
        wanted = reference.unet(
            torch.cat([noise, latent], 1), time, condition[..., :-1], condition[..., -1]
        )[:, :3]
        found = velocity(model.unet, noise, latent, time, condition)
        torch.testing.assert_close(found, wanted, rtol=0.0, atol=TOLERANCE)
        # Time is not in thousands, and the query and its mask are heard.
        far = velocity(model.unet, noise, latent, 1000.0 * time, condition)
        assert float((far - wanted).abs().max()) > 1e-2
        whole_mask = torch.cat([condition[..., :-1], torch.ones(2, 4, 1)], dim=-1)
        unmasked = velocity(model.unet, noise, latent, time, whole_mask)
        assert float((unmasked - wanted).abs().max()) > 1e-3


def test_the_number_of_heads_is_no_matter_of_shapes(
    tmp_path: Path, small: FlowSepConfig, reference: ReferenceFlowSep, whole: dict[str, Tensor]
) -> None:
    state, _ = translate(write(tmp_path / "v2_100k.ckpt", whole), small)
    weights = {
        key.removeprefix("unet."): value for key, value in state.items() if key.startswith("unet.")
    }
    sizes = small.unet.model_dump() | {"head_channels": 8}
    other = make_unet(UNetConfig(**sizes), 3, 6).eval()
    other.load_state_dict(weights)  # every shape fits
    x = torch.randn(1, 3, 16, 4, generator=torch.Generator().manual_seed(0))
    tokens = torch.ones(1, 2, 7)
    with torch.no_grad():
        found = velocity(other, x, x, torch.tensor([0.5]), tokens)
        wanted = reference.unet(
            torch.cat([x, x], 1), torch.tensor([0.5]), tokens[..., :-1], tokens[..., -1]
        )
    assert float((found - wanted[:, :3]).abs().max()) > 1e-3


def test_files_beside_complete_a_checkpoint(
    tmp_path: Path,
    small: FlowSepConfig,
    whole: dict[str, Tensor],
    encoder: QueryEncoder,
    condition: Tensor,
    mixture: Tensor,
) -> None:
    expected, _ = translate(write(tmp_path / "whole.ckpt", whole), small)
    stage = {
        key.removeprefix("first_stage_model."): value
        for key, value in whole.items()
        if key.startswith("first_stage_model.")
    }
    vocoder = {
        key.removeprefix("vocoder."): value for key, value in stage.items() if "vocoder." in key
    }
    vae = {key: value for key, value in stage.items() if "vocoder." not in key}
    bare = {key: value for key, value in whole.items() if "first_stage_model." not in key}

    path = write(tmp_path / "v2_100k.ckpt", bare)
    with pytest.raises(HiveError, match="holds no autoencoder"):
        translate(path, small)
    write(tmp_path / "vae.ckpt", vae)
    with pytest.raises(HiveError, match="holds no vocoder") as caught:
        translate(path, small)
    assert "g_01000000" in caught.value.remedy
    write(tmp_path / "g_01000000", vocoder, within="generator")
    state, report = translate(path, small)
    assert [file.name for file in report.beside] == ["vae.ckpt", "g_01000000"]
    assert state.keys() == expected.keys()
    for key, value in state.items():
        torch.testing.assert_close(value, expected[key])


def test_a_vocoder_without_weight_normalisation_is_the_same(
    tmp_path: Path, small: FlowSepConfig, reference: ReferenceFlowSep, whole: dict[str, Tensor]
) -> None:
    expected, _ = translate(write(tmp_path / "normed.ckpt", whole), small)
    plain = dict(whole)
    for name, module in reference.first_stage_model.named_modules():
        if hasattr(module, "weight_g"):
            key = f"first_stage_model.{name}.weight"
            del plain[f"{key}_g"], plain[f"{key}_v"]
            plain[key] = module.weight.detach()
    assert len(plain) < len(whole)
    state, _ = translate(write(tmp_path / "plain.ckpt", plain), small)
    for key, value in state.items():
        torch.testing.assert_close(value, expected[key])


def test_without_averages_the_weights_of_the_last_step_are_taken(
    tmp_path: Path, small: FlowSepConfig, whole: dict[str, Tensor]
) -> None:
    averaged, _ = translate(write(tmp_path / "whole.ckpt", whole), small)
    bare = {key: value for key, value in whole.items() if not key.startswith("model_ema.")}
    state, report = translate(write(tmp_path / "bare.ckpt", bare), small)
    assert keys.LAST_STEP not in report.dropped
    for key, value in state.items():
        shift = 1.0 if key.startswith("unet.") else 0.0
        torch.testing.assert_close(value, averaged[key] + shift)


def _remove(state: dict[str, Tensor]) -> None:
    del state["model_ema.diffusion_modelout2bias"]


def _add(state: dict[str, Tensor]) -> None:
    state["clap.logit_scale"] = torch.zeros(1)


def _reshape(state: dict[str, Tensor]) -> None:
    state["first_stage_model.quant_conv.bias"] = torch.zeros(3)


def _break(state: dict[str, Tensor]) -> None:
    state["first_stage_model.decoder.conv_in.bias"] = torch.full((24,), torch.nan)


def _unscale(state: dict[str, Tensor]) -> None:
    state["scale_factor"] = torch.tensor(0.0)


def _refilter(state: dict[str, Tensor]) -> None:
    state["first_stage_model.vocoder.activation_post.upsample.filter"] = torch.ones(1, 1, 12)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_remove, "1 keys are missing: model_ema.diffusion_modelout2bias"),
        (_add, "1 keys are not FlowSep's: clap.logit_scale"),
        (_reshape, r"quant_conv.bias \(3,\), not \(6,\)"),
        (_break, "1 tensors are not finite: first_stage_model.decoder.conv_in.bias"),
        (_unscale, "scale_factor is 0.0"),
        (_refilter, "low-pass filter is not BigVGAN's"),
    ],
)
def test_what_differs_is_an_error(
    tmp_path: Path, small: FlowSepConfig, whole: dict[str, Tensor], change, told: str
) -> None:
    change(whole)
    with pytest.raises(HiveError, match=told):
        translate(write(tmp_path / "v2_100k.ckpt", whole), small)


def test_another_architecture_is_told(tmp_path: Path, small: FlowSepConfig) -> None:
    with pytest.raises(HiveError, match="holds no autoencoder"):
        translate(write(tmp_path / "a.ckpt", {"ss_model.bias": torch.zeros(2)}), small)
    other = {
        "first_stage_model.encoder.a": torch.zeros(1),
        "first_stage_model.vocoder.b": torch.zeros(1),
    }
    with pytest.raises(HiveError, match="another architecture"):
        translate(write(tmp_path / "b.ckpt", other), small)


def test_published_names_of_the_published_size() -> None:
    """Each name is that of the restated network, which has the published layout."""
    config = FlowSepConfig.published()
    with torch.device("meta"):
        ours = FlowSep(config).state_dict()
        theirs = ReferenceFlowSep(Sizes(), torch.zeros(1))
    names = keys.published_names(config, ours)
    assert len(set(names.values())) == len(names)
    unet = {f"model.diffusion_model.{key}" for key in theirs.unet.state_dict()}
    assert {name for name in names.values() if name.startswith(keys.UNET)} == unet
    stage = {
        key.removesuffix("_g").removesuffix("_v")
        for key in theirs.first_stage_model.state_dict()
        if not key.endswith(".filter") and not key.startswith("loss.")
    }
    assert {
        name.removeprefix(keys.FIRST_STAGE)
        for name in names.values()
        if name.startswith(keys.FIRST_STAGE)
    } == stage
    # The names without dots, too, are each of one weight.
    assert len({keys.averaged_name(name) for name in unet}) == len(unet)
