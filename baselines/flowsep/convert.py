"""Converting published FlowSep checkpoints: every tensor is accounted for.

The published files (`v2_100k.ckpt` of FlowSep's authors, `flowsep_hive.ckpt` of those of Hive) are
checkpoints of Lightning and hold all parts: the network with an average of its weights, the
autoencoder with its vocoder, the text encoder, the scale of the latents. The averages are taken, as
the published code does. A file that lacks the autoencoder or the vocoder is completed by
`vae.ckpt` and `g_01000000` beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from baselines.flowsep import keys
from baselines.flowsep.bigvgan import kaiser_sinc
from baselines.flowsep.config import FlowSepConfig
from baselines.flowsep.model import FlowSep
from baselines.queries.encoder import QueryEncoder
from hive.checkpoints.pickles import read_state_dict
from hive.errors import HiveError

VAE_FILE, VOCODER_FILE = "vae.ckpt", "g_01000000"
_VOCODER = f"{keys.FIRST_STAGE}vocoder."
_REMEDY = "take FlowSep's v2_100k.ckpt, or flowsep_hive.ckpt of AlayaLab/FlowSep-hive"
_SHOWN = 6


@dataclass(frozen=True)
class Report:
    """What became of the tensors of a file.

    Attributes:
        source: The file.
        kept: Tensors that were taken, of it and of the files beside it.
        dropped: Tensors that were left out, by reason.
        beside: Files that completed it.
    """

    source: Path
    kept: int
    dropped: dict[str, int]
    beside: tuple[Path, ...]


def convert(path: Path) -> tuple[FlowSepConfig, dict[str, Tensor], Report]:
    """Read a published checkpoint.

    Nothing in the files is run. The text encoder is a checkpoint of its own and is left out.

    Args:
        path: File of `torch.save`, such as `flowsep_hive.ckpt`.

    Returns:
        Configuration, state dict of `FlowSep`, and what was left out.

    Raises:
        HiveError: If a file is not there, is cut off, holds code, or is of another architecture; if
            a tensor is missing, unknown, of another shape or not finite, or a scale is not above 0.
    """
    config = FlowSepConfig.published()
    state, report = translate(path, config)
    return config, state, report


def translate(path: Path, config: FlowSepConfig) -> tuple[dict[str, Tensor], Report]:
    """Translate a published checkpoint of any size to ours; see `convert`.

    Args:
        path: The checkpoint.
        config: Sizes, with autoencoder and vocoder.
    """
    tensors, beside = _gather(path)
    with torch.device("meta"):
        own = FlowSep(config, encoder=_Nobody(config)).state_dict()
    names = keys.published_names(config, own)
    if not tensors.keys() & set(names.values()):
        raise HiveError(
            f"{path}: is a checkpoint of another architecture; it holds {_shorten(list(tensors))}",
            _REMEDY,
        )
    averaged = any(key.startswith(keys.AVERAGE) for key in tensors)
    dropped: Counter[str] = Counter()
    taken: dict[str, str] = {}  # by the name in the file
    for key, published in names.items():
        if averaged and published.startswith(keys.UNET):
            dropped[keys.LAST_STEP] += published in tensors
            tensors.pop(published, None)
            published = keys.averaged_name(published)
        taken[published] = key
    for key in list(tensors):
        if reason := keys.reason_to_drop(key):
            dropped[reason] += 1
            del tensors[key]
        elif keys.FILTERS.fullmatch(key):
            _check_filter(path, key, tensors.pop(key))
            dropped[keys.FILTER] += 1
    _refuse(path, "keys are not FlowSep's", [key for key in tensors if key not in taken])
    _refuse(path, "keys are missing", [key for key in taken if key not in tensors])
    # The autoencoder's attention has convolutions of one pixel where ours has matrices.
    state = {own_key: _shaped(tensors[key], own[own_key]) for key, own_key in taken.items()}
    shapes = [
        f"{key} {tuple(tensors[key].shape)}, not {tuple(own[own_key].shape)}"
        for key, own_key in taken.items()
        if state[own_key].shape != own[own_key].shape
    ]
    _refuse(path, "shapes are wrong", shapes)
    bad = [key for key, own_key in taken.items() if not bool(state[own_key].isfinite().all())]
    _refuse(path, "tensors are not finite", bad)
    if not float(state["latents.scale"]) > 0.0:
        raise HiveError(f"{path}: {keys.SCALE} is {float(state['latents.scale'])}", _REMEDY)
    return state, Report(path, len(taken), dict(dropped), beside)


def _gather(path: Path) -> tuple[dict[str, Tensor], tuple[Path, ...]]:
    """Return the tensors of a checkpoint and of the files beside that complete it."""
    tensors = dict(read_state_dict(path, _REMEDY))
    beside = []
    if not any(key.startswith(f"{keys.FIRST_STAGE}encoder.") for key in tensors):
        file = _beside(path, VAE_FILE, "autoencoder")
        found = read_state_dict(file, f"take FlowSep's {VAE_FILE}")
        tensors |= {f"{keys.FIRST_STAGE}{key}": value for key, value in found.items()}
        beside.append(file)
    if not any(key.startswith(_VOCODER) for key in tensors):
        file = _beside(path, VOCODER_FILE, "vocoder")
        found = read_state_dict(file, f"take FlowSep's {VOCODER_FILE}", within="generator")
        tensors |= {f"{_VOCODER}{key}": value for key, value in found.items()}
        beside.append(file)
    return _without_weight_norm(tensors), tuple(beside)


def _beside(path: Path, name: str, what: str) -> Path:
    file = path.with_name(name)
    if not file.is_file():
        raise HiveError(
            f"{path}: holds no {what}", f"put FlowSep's {name} into the same folder ({path.parent})"
        )
    return file


def _without_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join directions and lengths of the vocoder's kernels, as its training stores them."""
    plain: dict[str, Tensor] = {}
    for key, value in tensors.items():
        stem = key.removesuffix("_v")
        if key.startswith(_VOCODER) and key.endswith(".weight_v") and f"{stem}_g" in tensors:
            size = value.float().flatten(1).norm(dim=1).view(-1, *[1] * (value.ndim - 1))
            plain[stem] = value.float() * (tensors[f"{stem}_g"].float() / size)
        elif not (key.startswith(_VOCODER) and key.endswith(".weight_g")):
            plain[key] = value
    return plain


def _shaped(tensor: Tensor, own: Tensor) -> Tensor:
    """Return a tensor as float32 of its own, without trailing pixels that ours does not have."""
    value = tensor.detach().float().clone()
    if value.ndim == 4 and own.ndim == 2 and value.shape[2:] == (1, 1):
        return value[:, :, 0, 0]
    return value


def _check_filter(path: Path, key: str, published: Tensor) -> None:
    ours = kaiser_sinc()
    if published.numel() != ours.numel() or not torch.allclose(
        published.flatten().float(), ours, rtol=0.0, atol=1e-5
    ):
        raise HiveError(f"{path}: {key}: the low-pass filter is not BigVGAN's", _REMEDY)


def _refuse(path: Path, what: str, names: list[str]) -> None:
    if names:
        raise HiveError(f"{path}: {len(names)} {what}: {_shorten(names)}", _REMEDY)


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more


class _Nobody(QueryEncoder):
    """Asks nothing; has the size of a token, which is all that the network's shapes depend on."""

    kind = "none"

    def __init__(self, config: FlowSepConfig) -> None:
        super().__init__()
        self.dim = int(config.encoder["dim"])
