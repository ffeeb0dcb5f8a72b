"""Converting CLAPSep's published checkpoints: every tensor is accounted for.

The published `best_model.ckpt` holds what was trained: the low-rank matrices and biases of the
adapted layers, the decoder and the mask network, under "audio_branch." and "decoder_model.". The
encoder that they adapt is that of CLAP, `music_audioset_epoch_15_esc_90.14.pt`. A checkpoint of
CLAPSep's training code holds both. Anything that `baselines.clearsep.keys` does not list is an
error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from baselines.clearsep import keys
from baselines.clearsep.config import ClearSepConfig
from baselines.clearsep.decoder import Decoder
from baselines.clearsep.frontend import mel_filters
from baselines.clearsep.htsat import Htsat
from baselines.clearsep.lora import adapt
from baselines.clearsep.masknet import MaskNet
from hive.checkpoints.clap_keys import not_finite, shorten
from hive.checkpoints.pickles import read_state_dict
from hive.errors import HiveError

CLAP_DIM = 512
"""Size of an embedding of CLAP."""
_CLAP_FILE = "music_audioset_epoch_15_esc_90.14.pt"
_REMEDY = "take CLAPSep's best_model.ckpt, or a checkpoint of its training code"
_CLAP_REMEDY = (
    f"give {_CLAP_FILE}, or the folder that `hive-bench checkpoints fetch clap-music-audioset` made"
)
_MEL = "audio_branch.logmel_extractor.melW"
_TRANSFORM = "stft.conv_real.weight"
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Report:
    """What became of the tensors of a file.

    Attributes:
        source: The file.
        kept: Tensors of it that were taken.
        dropped: Tensors that were left out, by reason.
        clap: Where the encoder came from; None if it is in the file.
    """

    source: Path
    kept: int
    dropped: dict[str, int]
    clap: Path | None


def convert(
    path: Path, clap: Path | None = None
) -> tuple[ClearSepConfig, dict[str, Tensor], Report]:
    """Read a published checkpoint.

    Nothing in the files is run. The query encoder is a checkpoint of its own and is left out, so
    the state dict lacks the keys of `ClearSep.encoder` and no others.

    Args:
        path: File of `torch.save`, such as `best_model.ckpt`.
        clap: The CLAP whose encoder is adapted: LAION-CLAP's file, or the folder of the converted
            one. Not needed, and not read, if the checkpoint holds the encoder itself.

    Returns:
        Configuration, state dict of `ClearSep` without its query encoder, and what was left out.

    Raises:
        HiveError: If a file is not there, is cut off, holds code, or is of another architecture; if
            a tensor is missing, unknown, of another shape or not finite.
    """
    config = ClearSepConfig.published()
    state, report = translate(path, clap, config, 2 * CLAP_DIM)
    return config, state, report


def translate(
    path: Path, clap: Path | None, config: ClearSepConfig, query_dim: int
) -> tuple[dict[str, Tensor], Report]:
    """Translate a published checkpoint of any size; see `convert`.

    Args:
        path: The checkpoint.
        clap: The CLAP whose encoder is adapted.
        config: Sizes.
        query_dim: Size of a condition vector.

    Raises:
        HiveError: See `convert`.
    """
    expected = _shapes(config, query_dim)
    source = _read(path, keys.DROPPED, config, _REMEDY)
    if not source.tensors.keys() & expected.keys():
        raise HiveError(
            f"{path}: is a checkpoint of another architecture; it holds {shorten(source.tensors)}",
            _REMEDY,
        )
    source.check(expected)
    found, origin = source.tensors, None
    frozen = {key: shape for key, shape in expected.items() if _is_frozen(key)}
    if expected.keys() - found.keys() == frozen.keys():
        if clap is None:
            raise HiveError(
                f"{path}: holds what adapts CLAP's audio encoder, not the encoder itself",
                _CLAP_REMEDY,
            )
        tower, origin = _read_clap(clap, config), clap
        tower.check({key: expected[key] for key in expected if _is_encoders(key)})
        tower.require(frozen)
        found = tower.tensors | found
    else:
        source.require(expected)
    state = {key: _single(found[key]) for key in expected}
    return state, Report(path, len(source.tensors), dict(source.dropped), origin)


@dataclass(frozen=True)
class _Source:
    """Tensors of a file under our names.

    Attributes:
        path: The file.
        remedy: What to tell the user whose file is another.
        tensors: What is kept.
        names: What each of these is called in the file.
        dropped: Number of tensors that are left out, by reason.
    """

    path: Path
    remedy: str
    tensors: dict[str, Tensor]
    names: dict[str, str]
    dropped: Counter[str] = field(default_factory=Counter)

    def check(self, expected: Mapping[str, torch.Size]) -> None:
        """Raise an error if a tensor is not expected, has another shape or is not finite."""
        self._refuse("keys are not known", self.tensors.keys() - expected.keys())
        shapes = {
            key: f" {tuple(value.shape)}, not {tuple(expected[key])}"
            for key, value in self.tensors.items()
            if value.shape != expected[key]
        }
        self._refuse("shapes are wrong", shapes.keys(), shapes)
        self._refuse("tensors are not finite", not_finite(self.tensors))

    def require(self, expected: Mapping[str, torch.Size]) -> None:
        """Raise an error if a tensor is missing."""
        self._refuse("keys are missing, by our names", expected.keys() - self.tensors.keys())

    def _refuse(self, what: str, keys: Set[str], more: Mapping[str, str] | None = None) -> None:
        if keys:
            shown = shorten(self.names.get(key, key) + (more or {}).get(key, "") for key in keys)
            raise HiveError(f"{self.path}: {len(keys)} {what}: {shown}", self.remedy)


def _read(path: Path, rules: keys.Rules, config: ClearSepConfig, remedy: str) -> _Source:
    """Read a file that uses the published names, and check the front end that it was trained on."""
    published = read_state_dict(path, remedy)
    source = _Source(path, remedy, {}, {})
    for key, value in published.items():
        why = keys.reason(key, rules)
        if why is None:
            name = keys.ours(key)
            source.tensors[name], source.names[name] = keys.reshape(name, value), key
        else:
            source.dropped[why] += 1
    for key, ours in ((_MEL, mel_filters(config)), (_TRANSFORM, torch.hann_window(config.n_fft))):
        theirs = published.get(key, ours).float()
        if key == _TRANSFORM and key in published:
            theirs = theirs.flatten(1)[0]  # at frequency 0 a kernel is the window
        if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=0.0, atol=1e-6):
            raise HiveError(f"{path}: {key}: was trained on another front end than ours", remedy)
    return source


def _read_clap(clap: Path, config: ClearSepConfig) -> _Source:
    """Read the audio encoder of a CLAP."""
    if not clap.is_dir():
        return _read(clap, keys.DROPPED_OF_CLAP, config, _CLAP_REMEDY)
    from safetensors import SafetensorError, safe_open

    file = clap / _WEIGHTS
    try:
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if name.startswith(keys.TOWER)]  # noqa: SIM118
            state = {name: opened.get_tensor(name) for name in names}
        return _Source(file, _CLAP_REMEDY, keys.from_transformers(state), {})
    except (OSError, SafetensorError) as error:
        raise HiveError(f"{file}: is no converted CLAP ({error})", _CLAP_REMEDY) from error


def _shapes(config: ClearSepConfig, query_dim: int) -> dict[str, torch.Size]:
    """Return name and shape of each tensor of the network, nothing of which is allocated."""
    with torch.device("meta"):
        encoder = Htsat(config)
        if config.lora is not None:
            adapt(encoder, config.lora, config.rank)
        parts: dict[str, nn.Module] = {
            "htsat": encoder,
            "decoder": Decoder(config, query_dim),
            "mask_net": MaskNet(config, query_dim),
        }
    return {
        f"{part}.{key}": value.shape
        for part, module in parts.items()
        for key, value in module.state_dict().items()
    }


def _is_encoders(key: str) -> bool:
    """Whether CLAP has a tensor."""
    return key.startswith("htsat.") and ".lora_" not in key


def _is_frozen(key: str) -> bool:
    """Whether CLAP has a tensor, and it stays as it is there."""
    return _is_encoders(key) and not key.endswith((".attn.qkv.bias", ".attn.proj.bias"))


def _single(value: Tensor) -> Tensor:
    """Return a copy in single precision, of whole numbers as they are."""
    return value.to(torch.float32 if value.is_floating_point() else value.dtype, copy=True)
