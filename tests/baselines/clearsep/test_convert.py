from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import ClapAudioConfig, ClapAudioModelWithProjection

from baselines.clearsep import keys
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.convert import CLAP_DIM, convert, translate
from baselines.clearsep.decoder import Decoder
from baselines.clearsep.frontend import mel_filters
from baselines.clearsep.htsat import Htsat
from baselines.clearsep.lora import adapt
from baselines.clearsep.masknet import MaskNet
from baselines.clearsep.model import ClearSep
from baselines.queries.encoder import QueryEncoder
from benchmarks.speed.reference_clearsep import ReferenceClearSep, Sizes
from hive.errors import HiveError

TUNED = ("lora", "attn.qkv.bias", "attn.proj.bias", "decoder_model")


@pytest.fixture
def whole(reference: ReferenceClearSep) -> dict[str, Tensor]:
    """What a checkpoint of the published training code holds."""
    state = dict(reference.state_dict())
    state["clap_model.model.audio_branch.layers.0.blocks.0.attn.qkv.bias"] = torch.zeros(24)
    state["clap_model.model.text_branch.pooler.dense.bias"] = torch.zeros(3)
    return state


@pytest.fixture
def tuned(whole: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `best_model.ckpt` holds: the tensors whose names say that they were trained."""
    return {key: value for key, value in whole.items() if any(name in key for name in TUNED)}


@pytest.fixture
def laion(whole: dict[str, Tensor]) -> dict[str, Tensor]:
    """What LAION-CLAP's file holds: its encoder's biases are not yet adapted."""
    tower = {
        key: value + 1.0 if key.endswith(TUNED[1:3]) else value
        for key, value in whole.items()
        if key.startswith("audio_branch.") and "lora_" not in key
    }
    rest = ("text_branch.pooler.dense.bias", "audio_projection.0.weight", "logit_scale_a")
    return {
        f"module.{key}": value
        for key, value in {**tower, **dict.fromkeys(rest, torch.ones(2))}.items()
    }


def write(path: Path, state: dict[str, Tensor]) -> Path:
    """Write a checkpoint as Lightning does, with more in it than weights."""
    torch.save({"state_dict": state, "epoch": 149, "global_step": 1, "lr_schedulers": []}, path)
    return path


def network(config: ClearSepConfig, encoder: QueryEncoder, state: dict[str, Tensor]) -> ClearSep:
    model = ClearSep(config, encoder=encoder)
    model.load_state_dict(state)
    return model.eval()


def test_trained_weights_and_clap_make_the_published_network(
    tmp_path: Path,
    small: ClearSepConfig,
    encoder: QueryEncoder,
    reference: ReferenceClearSep,
    tuned: dict[str, Tensor],
    laion: dict[str, Tensor],
    mixture: Tensor,
    condition: Tensor,
) -> None:
    path, clap = tmp_path / "best_model.ckpt", tmp_path / "clap.pt"
    torch.save(tuned, path)
    write(clap, laion)
    state, report = translate(path, clap, small, 12)
    with torch.no_grad():
        ours = network(small, encoder, state)(mixture, condition)
        torch.testing.assert_close(ours, reference(mixture, condition), rtol=0, atol=1e-5)
    assert (report.source, report.clap) == (path, clap)
    assert report.dropped == {keys.SHAPES: 4, keys.QUERY: 1}
    assert report.kept + sum(report.dropped.values()) == len(tuned)


def test_whole_checkpoint_needs_no_clap(
    tmp_path: Path,
    small: ClearSepConfig,
    encoder: QueryEncoder,
    reference: ReferenceClearSep,
    whole: dict[str, Tensor],
    mixture: Tensor,
    condition: Tensor,
) -> None:
    path = write(tmp_path / "epoch=149.ckpt", whole)
    state, report = translate(path, tmp_path / "not read.pt", small, 12)
    with torch.no_grad():
        ours = network(small, encoder, state)(mixture, condition)
        torch.testing.assert_close(ours, reference(mixture, condition), rtol=0, atol=1e-5)
    assert report.clap is None
    assert report.dropped == {
        keys.TRANSFORM: 8,
        keys.SHAPES: 14,
        keys.CLASSIFIER: 6,
        keys.QUERY: 2,
    }
    assert report.kept + sum(report.dropped.values()) == len(whole)


def test_converted_clap_serves_as_well(
    tmp_path: Path, small: ClearSepConfig, clap_size: ClapAudioConfig, tuned: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    clap = ClapAudioModelWithProjection(clap_size).state_dict()
    clap["text_model.pooler.dense.bias"] = torch.ones(1)
    save_file(clap, tmp_path / "model.safetensors")
    path = write(tmp_path / "best_model.ckpt", tuned)
    state, report = translate(path, tmp_path, small, 12)
    assert report.clap == tmp_path
    attention = "audio_model.audio_encoder.layers.1.blocks.0.attention.self."
    roles = [clap[f"{attention}{role}.weight"] for role in ("query", "key", "value")]
    name = "layers.1.blocks.0.attn.qkv"
    assert torch.equal(state[f"htsat.{name}.weight"], torch.cat(roles))
    for end in ("bias", "lora_A", "lora_B"):
        assert torch.equal(state[f"htsat.{name}.{end}"], tuned[f"audio_branch.{name}.{end}"])


def test_every_published_key_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the published size: names and shapes, without memory for the weights."""
    for name in ("ConvolutionalSTFT", "ConvolutionalISTFT"):
        monkeypatch.setattr(f"benchmarks.speed.reference_clearsep.{name}", lambda *_: nn.Identity())
    config = ClearSepConfig.published()
    with torch.device("meta"):
        htsat = Htsat(config)
        adapt(htsat, "fused", 16)
        parts = {
            "htsat": htsat,
            "decoder": Decoder(config, 1024),
            "mask_net": MaskNet(config, 1024),
        }
        published = ReferenceClearSep(Sizes(), mel_filters(config).to("meta")).state_dict()
    expected = {
        f"{part}.{key}": value.shape
        for part, module in parts.items()
        for key, value in module.state_dict().items()
    }
    kept = {key: value for key, value in published.items() if not keys.reason(key, keys.DROPPED)}
    found = {keys.ours(key): keys.reshape(keys.ours(key), each).shape for key, each in kept.items()}
    assert found == expected
    assert len(kept) == len(found)
    trained = sum(
        value.numel() for key, value in kept.items() if any(name in key for name in TUNED)
    )
    assert trained == 44_359_616 + 2 * 513 + 1  # the statistics of a normalisation
    assert CLAP_DIM == 512


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decoder_model.phase_net.0.weight": torch.ones(2)}, "1 keys are not known: decoder_mod"),
        ({"decoder_model.film.norm.bias": None}, "1 keys are missing, .*: decoder.start.norm.bias"),
        ({"audio_branch.bn0.weight": None}, "1 keys are missing, by our names: htsat.bn0.weight"),
        (
            {"decoder_model.film.norm.bias": torch.ones(3)},
            r"1 shapes are wrong: decoder_model.film.norm.bias \(3,\), not \(64,\)",
        ),
        (
            {"decoder_model.mask_net.3.bias": torch.full((513,), torch.nan)},
            "1 tensors are not finite: decoder_model.mask_net.3.bias",
        ),
        (
            {"audio_branch.logmel_extractor.melW": torch.ones(513, 16)},
            "audio_branch.logmel_extractor.melW: was trained on another front end",
        ),
        (
            {"stft.conv_real.weight": torch.ones(513, 1, 1024)},
            "stft.conv_real.weight: was trained on another front end",
        ),
    ],
)
def test_other_checkpoints_are_refused(
    tmp_path: Path,
    small: ClearSepConfig,
    whole: dict[str, Tensor],
    change: dict[str, Tensor | None],
    words: str,
) -> None:
    changed = {**whole, **change}
    state = {key: value for key, value in changed.items() if value is not None}
    path = write(tmp_path / "odd.ckpt", state)
    with pytest.raises(HiveError, match=words) as caught:
        translate(path, None, small, 12)
    assert caught.value.problem.startswith(str(path))
    assert "best_model.ckpt" in caught.value.remedy


def test_encoder_is_asked_for(
    tmp_path: Path, small: ClearSepConfig, tuned: dict[str, Tensor], laion: dict[str, Tensor]
) -> None:
    path = write(tmp_path / "best_model.ckpt", tuned)
    with pytest.raises(HiveError, match="not the encoder itself") as caught:
        translate(path, None, small, 12)
    assert "music_audioset_epoch_15_esc_90.14.pt" in caught.value.remedy
    clap = tmp_path / "clap.pt"
    del laion["module.audio_branch.layers.2.downsample.norm.weight"]
    write(clap, laion)
    missing = "clap.pt: 1 keys are missing, by our names: htsat.layers.2.downsample.norm.weight"
    with pytest.raises(HiveError, match=missing):
        translate(path, clap, small, 12)
    fused = {**laion, "module.audio_branch.patch_embed.mel_conv2d.bias": torch.ones(8)}
    write(clap, fused)
    with pytest.raises(HiveError, match=r"not known: audio_branch.patch_embed.mel_conv2d.bias"):
        translate(path, clap, small, 12)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiveError, match="is no converted CLAP"):
        translate(path, tmp_path / "empty", small, 12)


def test_other_architectures_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "audiosep.ckpt", {"ss_model.base.bn0.weight": torch.ones(3)})
    with pytest.raises(HiveError, match=r"another architecture; it holds ss_model.base.bn0.weight"):
        convert(path)
    with pytest.raises(HiveError, match=r"absent\.ckpt"):
        convert(tmp_path / "absent.ckpt")


def test_small_checkpoint_is_not_taken_for_the_published_one(
    tmp_path: Path, tuned: dict[str, Tensor]
) -> None:
    with pytest.raises(HiveError, match=r"keys are not known|shapes are wrong"):
        convert(write(tmp_path / "best_model.ckpt", tuned))
