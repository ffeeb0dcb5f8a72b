"""What a state dict of LAION-CLAP holds, and how transformers' `ClapModel` calls it.

Both have the same network, HTSAT and RoBERTa-base. Names differ, and LAION-CLAP keeps queries, keys
and values of the audio tower in one fused projection, which is cut into three here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hive.embedding.frontend import MELS, N_FFT, mel_filters
from hive.errors import HiveError

if TYPE_CHECKING:
    from transformers import ClapConfig


@dataclass(frozen=True)
class Architecture:
    """A size of HTSAT.

    Attributes:
        name: Name in LAION-CLAP's configurations.
        width: Channels of the patch embedding; they double at each of three mergings.
        depths: Blocks of each stage.
    """

    name: str
    width: int
    depths: tuple[int, int, int, int]


ARCHITECTURES = (
    Architecture("HTSAT-base", 128, (2, 2, 12, 2)),
    Architecture("HTSAT-tiny", 96, (2, 2, 6, 2)),
)
_HEADS = (4, 8, 16, 32)
_TEXT_HEAD_SIZE = 64  # of RoBERTa

_AUDIO, _TEXT = "audio_branch.", "text_branch."
_FUSION = ("patch_embed.mel_conv2d.", "patch_embed.fusion_model.", "mel_conv1d.", "fusion_model.")
_MEL = _AUDIO + "logmel_extractor.melW"
_POSITIONS = _TEXT + "embeddings.position_ids"  # saved by transformers before 4.31, a constant
#: Not part of an embedding: the front end (`hive.embedding.frontend`), masks that follow from the
#: shapes, the tagging heads, and the transforms that only the training loss used.
_DROPPED = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."
    r"|audio_branch\.layers\.\d+\.blocks\.\d+\.attn_mask$"
    r"|(audio|text)_transform\."
)
_RENAMED = (
    (re.compile(r"^audio_branch\.bn0\."), "audio_branch.batch_norm."),
    (re.compile(r"\.norm1\."), ".layernorm_before."),
    (re.compile(r"\.norm2\."), ".layernorm_after."),
    (re.compile(r"\.mlp\.fc1\."), ".intermediate.dense."),
    (re.compile(r"\.mlp\.fc2\."), ".output.dense."),
    (re.compile(r"\.attn\.proj\."), ".attention.output.dense."),
    (re.compile(r"\.attn\.(qkv\.|relative_position_)"), r".attention.self.\1"),
    (re.compile(r"^audio_branch\."), "audio_model.audio_encoder."),
    (re.compile(r"^text_branch\."), "text_model."),
    (re.compile(r"^(audio|text)_projection\.0\."), r"\1_projection.linear1."),
    (re.compile(r"^(audio|text)_projection\.2\."), r"\1_projection.linear2."),
)
_SHOWN = 6


def recognise(published: dict[str, torch.Tensor]) -> Architecture:
    """Return the architecture that a state dict of LAION-CLAP has, by its shapes.

    Raises:
        HiveError: If it has fusion, or is no HTSAT of a known size.
    """
    if any(key.startswith(_AUDIO + name) for key in published for name in _FUSION):
        raise HiveError("is a CLAP with feature fusion, another network", "take one without fusion")
    patches = published.get(_AUDIO + "patch_embed.proj.weight")
    words = published.get(_TEXT + "embeddings.word_embeddings.weight")
    if patches is None or words is None:
        raise HiveError(
            "is no LAION-CLAP with HTSAT and RoBERTa: audio_branch.patch_embed.proj.weight or "
            "text_branch.embeddings.word_embeddings.weight is missing"
        )
    blocks = [_count(published, rf"audio_branch\.layers\.{stage}\.blocks") for stage in range(4)]
    for architecture in ARCHITECTURES:
        if patches.shape[0] == architecture.width and tuple(blocks) == architecture.depths:
            return architecture
    known = " and ".join(f"{one.width} and {one.depths}" for one in ARCHITECTURES)
    raise HiveError(
        f"is an HTSAT of width {patches.shape[0]} and depths {tuple(blocks)}; known are {known}"
    )


def translate(published: dict[str, torch.Tensor], config: ClapConfig) -> dict[str, torch.Tensor]:
    """Return the state dict of `ClapModel(config)` that holds the published weights.

    Raises:
        HiveError: If a key is missing or not expected, a shape is wrong, or a weight not finite.
    """
    expected = build("ClapModel", config).state_dict()
    positions = torch.arange(config.text_config.max_position_embeddings).unsqueeze(0)
    found = {
        "text_model.embeddings.position_ids": positions,
        "text_model.embeddings.token_type_ids": torch.zeros_like(positions),
    }
    origin: dict[str, str] = {}
    twice: set[str] = set()
    for key, value in published.items():
        if key == _POSITIONS or _DROPPED.match(key):
            continue
        for name, part in _parts(key, value):
            if name in found:
                twice.add(key)
            found[name], origin[name] = part, key
    unknown = {origin[name] for name in found.keys() - expected.keys()}
    _refuse("keys are not expected", unknown | twice)
    _refuse("keys are missing (in transformers' names)", expected.keys() - found.keys())
    _refuse(
        "shapes are wrong",
        {
            f"{origin[name]} {tuple(published[origin[name]].shape)}"
            for name, value in expected.items()
            if found[name].shape != value.shape
        },
    )
    _refuse("weights are not finite", {origin.get(name, name) for name in not_finite(found)})
    return {
        name: found[name].to(value.dtype).contiguous().clone() for name, value in expected.items()
    }


def make_config(architecture: Architecture, published: dict[str, torch.Tensor]) -> ClapConfig:
    """Return the configuration: audio by the architecture, text by the shapes.

    Raises:
        HiveError: If a tensor that tells a size is missing.
    """
    from transformers import ClapConfig

    text = _TEXT + "embeddings."
    try:
        vocabulary, width = published[text + "word_embeddings.weight"].shape
        positions = published[text + "position_embeddings.weight"].shape[0]
        inner = published[_TEXT + "encoder.layer.0.intermediate.dense.weight"].shape[0]
        joint = published["audio_projection.0.weight"].shape[0]
    except KeyError as error:
        raise HiveError(f"a key is missing: {error.args[0]}") from error
    audio_config = {
        "hidden_size": 8 * architecture.width,
        "patch_embeds_hidden_size": architecture.width,
        "depths": list(architecture.depths),
        "num_attention_heads": list(_HEADS),
        "num_mel_bins": MELS,
        "projection_dim": joint,
        "enable_fusion": False,
    }
    text_config = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": _count(published, r"text_branch\.encoder\.layer"),
        "num_attention_heads": width // _TEXT_HEAD_SIZE,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "projection_dim": joint,
        # RoBERTa-base's; the default of transformers' CLAP is 1e-12.
        "layer_norm_eps": 1e-5,
    }
    config: ClapConfig = ClapConfig.from_dict(
        {"audio_config": audio_config, "text_config": text_config, "projection_dim": joint}
    )
    return config


def check_front_end(published: dict[str, torch.Tensor]) -> None:
    """Compare the mel bands that the file says it was trained on with those of our front end.

    Raises:
        HiveError: If they are not there, or others.
    """
    theirs = published.get(_MEL)
    if theirs is None:
        raise HiveError(f"a key is missing: {_MEL}")
    ours = torch.from_numpy(mel_filters().T.astype(np.float32))
    if theirs.shape != (N_FFT // 2 + 1, MELS) or not torch.allclose(theirs, ours, 0.0, 1e-6):
        raise HiveError(f"{_MEL}: was trained on other mel bands than 64 from 50 to 14,000 Hz")


def build(name: str, config: Any) -> Any:
    """Return a model of transformers without weights: shapes only, nothing drawn or allocated."""
    import transformers

    with torch.device("meta"):
        return getattr(transformers, name)(config)


def _parts(key: str, value: torch.Tensor) -> Iterable[tuple[str, torch.Tensor]]:
    """The tensors that a published one becomes, under transformers' names."""
    name = key
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    if ".qkv." not in name:
        return [(name, value)]
    thirds = value.tensor_split(3)
    return [
        (name.replace(".qkv.", f".{role}."), third)
        for role, third in zip(("query", "key", "value"), thirds, strict=True)
    ]


def _count(published: dict[str, torch.Tensor], prefix: str) -> int:
    pattern = re.compile(prefix + r"\.(\d+)\.")
    return len({match[1] for key in published if (match := pattern.match(key))})


def not_finite(tensors: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the tensors that hold NaN or infinity."""
    return {
        name
        for name, value in tensors.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    }


def _refuse(what: str, names: set[str]) -> None:
    if names:
        raise HiveError(f"{len(names)} {what}: {shorten(names)}")


def shorten(names: Iterable[str]) -> str:
    """Return the first few names in order, and how many more there are."""
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
