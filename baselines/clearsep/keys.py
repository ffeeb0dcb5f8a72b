"""Names of the published weights, and what they are called here.

Three sources have tensors of this network: CLAPSep's checkpoints, LAION-CLAP's, whose names for the
audio encoder CLAPSep keeps, and transformers' `ClapModel`, as `hive.checkpoints` stores CLAP. What
a source holds beside the network is listed with the reason why it is left out.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

TOWER = "audio_model.audio_encoder."
"""Start of the names of the audio encoder in transformers' `ClapModel`."""

TRANSFORM = "fixed front end, which is computed"
SHAPES = "indices and masks that follow from the shapes"
CLASSIFIER = "CLAP's classifier and last normalisation, which separation does not use"
QUERY = "query encoder, a checkpoint of its own"

Rules = tuple[tuple[re.Pattern[str], str], ...]

#: Of a tensor that is left out, the start or all of its name, and the reason.
DROPPED: Rules = (
    (re.compile(r"clap_model\."), QUERY),
    (
        re.compile(r"(stft|istft|resampler)\.|audio_branch\.(spectrogram|logmel)_extractor\."),
        TRANSFORM,
    ),
    (re.compile(r".*\.(attn\.relative_position_index|attn_mask)$"), SHAPES),
    (re.compile(r"audio_branch\.(norm|tscam_conv|head)\."), CLASSIFIER),
)
#: The same for a checkpoint of LAION-CLAP.
DROPPED_OF_CLAP: Rules = (
    *DROPPED,
    (re.compile(r"text_branch\.|(audio|text)_(transform|projection)\.|logit_scale_[at]$"), QUERY),
)
_PUBLISHED = (
    (re.compile(r"^audio_branch\."), "htsat."),
    (re.compile(r"^decoder_model\.film\."), "decoder.start."),
    (re.compile(r"^decoder_model\.skip\.(\d+)\."), r"decoder.levels.\1.skip."),
    (re.compile(r"^decoder_model\.layers\.(\d+)\.blocks\.0\."), r"decoder.levels.\1.block."),
    (re.compile(r"^decoder_model\.layers\.(\d+)\.downsample\."), r"decoder.levels.\1.expand."),
    (re.compile(r"^decoder_model\.inverse_patch_embed\.(proj\.)?"), "decoder.unpatch."),
    (re.compile(r"^(decoder\.start|decoder\.levels\.\d+\.skip)\.skip_conv\."), r"\1.film."),
    (re.compile(r"^(decoder\.start|decoder\.levels\.\d+\.skip)\.feature_proj\."), r"\1.linear."),
    (re.compile(r"^decoder_model\.spec_norm\."), "mask_net.spectrum_norm."),
    (re.compile(r"^decoder_model\.mask_net\.0\."), "mask_net.input."),
    (re.compile(r"^decoder_model\.mask_net\.1\."), "mask_net.input_norm."),
    (re.compile(r"^decoder_model\.mask_net\.2\.layers\."), "mask_net.layers."),
    (re.compile(r"^decoder_model\.mask_net\.3\."), "mask_net.output."),
    (re.compile(r"^(mask_net\.layers\.\d+)\.self_attn\.in_proj_"), r"\1.qkv."),
    (re.compile(r"^(mask_net\.layers\.\d+)\.self_attn\.out_proj\."), r"\1.proj."),
    (re.compile(r"^(mask_net\.layers\.\d+)\.linear(\d)\."), r"\1.fc\2."),
)
_TRANSFORMERS = (
    (re.compile(rf"^{re.escape(TOWER)}"), "htsat."),
    (re.compile(r"^htsat\.batch_norm\."), "htsat.bn0."),
    (re.compile(r"\.layernorm_before\."), ".norm1."),
    (re.compile(r"\.layernorm_after\."), ".norm2."),
    (re.compile(r"\.intermediate\.dense\."), ".mlp.fc1."),
    (re.compile(r"\.attention\.output\.dense\."), ".attn.proj."),
    (re.compile(r"\.output\.dense\."), ".mlp.fc2."),
    (re.compile(r"\.attention\.self\."), ".attn."),
)
_TRANSFORMERS_DROPPED = re.compile(r"htsat\.norm\.|.*\.relative_position_index$")
_PATCHES = "decoder.unpatch.weight"


def reason(key: str, rules: Rules) -> str | None:
    """Return why a tensor is left out; None if it is not."""
    return next((why for pattern, why in rules if pattern.match(key)), None)


def ours(key: str) -> str:
    """Return what a published tensor is called here; a name of no rule stays as it is."""
    return _rename(key, _PUBLISHED)


def reshape(name: str, value: Tensor) -> Tensor:
    """Return the published tensor in the shape it has here."""
    if name == _PATCHES and value.ndim == 4:  # a transposed convolution there
        return value.flatten(1)
    return value


def from_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the audio encoder of transformers' `ClapModel` under our names.

    Args:
        state: The tensors of `ClapModel` whose names start with `TOWER`.

    Returns:
        State dict of `Htsat`, under "htsat."; queries, keys and values in one matrix. The last
        normalisation is left out, and so are indices.
    """
    renamed = {_rename(key, _TRANSFORMERS): value for key, value in state.items()}
    found = {key: value for key, value in renamed.items() if not _TRANSFORMERS_DROPPED.match(key)}
    for key in [key for key in found if ".attn.query." in key]:
        roles = [key.replace(".query.", f".{role}.") for role in ("query", "key", "value")]
        if all(role in found for role in roles):
            found[key.replace(".query.", ".qkv.")] = torch.cat([found.pop(role) for role in roles])
    return found


def _rename(key: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        key = pattern.sub(replacement, key)
    return key
