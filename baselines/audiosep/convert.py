"""Converting published AudioSep checkpoints: every tensor is accounted for.

The published files (AudioSep at 4 M steps, AudioSep-Hive) are checkpoints of Lightning: the network
under "ss_model.", the query encoder under "query_encoder.", and the state of the optimiser. A bare
state dict of the network is taken as well. What is left out is listed, with the reason, in
`baselines.audiosep.published`; anything else that differs is an error.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.published import QUERY, Entry, published_table
from hive.checkpoints.pickles import read_state_dict
from hive.errors import HiveError

_NETWORK, _QUERY = "ss_model.", "query_encoder."
_PREFIX = "network."  # of the U-Net in our model
_FIXED = "base.stft.conv_real.weight"
_REMEDY = "take a checkpoint of AudioSep, such as audiosep_base_4M_steps.ckpt"
_SHOWN = 6


@dataclass(frozen=True)
class Report:
    """What became of the tensors of a file.

    Attributes:
        source: The file.
        kept: Tensors that were taken, whole or in part.
        dropped: Tensors that were left out, by reason.
    """

    source: Path
    kept: int
    dropped: dict[str, int]


def convert(path: Path) -> tuple[AudioSepConfig, dict[str, Tensor], Report]:
    """Read a published checkpoint.

    Nothing in the file is run. The query encoder is a checkpoint of its own and is left out, so
    the state dict lacks the keys of `AudioSep.encoder` and no others.

    Args:
        path: File of `torch.save`, such as `audiosep_base_4M_steps.ckpt`.

    Returns:
        Configuration, state dict of `AudioSep` without its encoder, and what was left out.

    Raises:
        HiveError: If the file is not there, is cut off, holds code, or is of another architecture;
            if a tensor is missing, unknown, of another shape or not finite.
    """
    config = AudioSepConfig.published()
    published = read_state_dict(path, _REMEDY)
    state, report = translate(path, published, config)
    return config, state, report


def translate(
    source: Path, published: dict[str, Tensor], config: AudioSepConfig, condition: int = 512
) -> tuple[dict[str, Tensor], Report]:
    """Translate a published state dict to ours; see `convert`.

    Args:
        source: Where it is from, for messages.
        published: The published tensors.
        config: Sizes; without bands.
        condition: Size of a condition vector.

    Raises:
        HiveError: If a tensor is missing, unknown, of another shape or not finite.
    """
    table = published_table(config, condition)
    tensors, dropped = _network_of(source, published)
    _check(source, tensors, table)
    _check_transform(source, tensors[_FIXED])
    pieces: dict[str, list[tuple[int, Tensor]]] = {}
    for key, entry in table.items():
        if entry.target:
            value = tensors[key] if entry.rows is None else tensors[key][: entry.rows]
            pieces.setdefault(_PREFIX + entry.target, []).append((entry.offset or 0, value))
        elif key in tensors:
            dropped[entry.dropped] += 1
    state = {
        name: torch.cat([part for _, part in sorted(parts, key=lambda piece: piece[0])])
        if len(parts) > 1
        else parts[0][1].clone()
        for name, parts in pieces.items()
    }
    state = {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }
    kept = sum(bool(entry.target) for entry in table.values())
    return state, Report(source, kept, dict(dropped))


def _network_of(
    source: Path, published: dict[str, Tensor]
) -> tuple[dict[str, Tensor], Counter[str]]:
    """Return the network's tensors without their prefix, and how many others there are."""
    if not any(key.startswith(_NETWORK) for key in published):
        return published, Counter()
    tensors: dict[str, Tensor] = {}
    dropped: Counter[str] = Counter()
    unknown = []
    for key, value in published.items():
        if key.startswith(_NETWORK):
            tensors[key.removeprefix(_NETWORK)] = value
        elif key.startswith(_QUERY):
            dropped[QUERY] += 1
        else:
            unknown.append(key)
    _refuse(source, "keys are not AudioSep's", unknown)
    return tensors, dropped


def _check(source: Path, tensors: dict[str, Tensor], table: dict[str, Entry]) -> None:
    if not tensors.keys() & table.keys():
        raise HiveError(
            f"{source}: is a checkpoint of another architecture; it holds {_shorten(tensors)}",
            _REMEDY,
        )
    _refuse(source, "keys are not AudioSep's", [key for key in tensors if key not in table])
    missing = [key for key, entry in table.items() if key not in tensors and not entry.optional]
    _refuse(source, "keys are missing", missing)
    shapes = [
        f"{key} {tuple(value.shape)}, not {table[key].shape}"
        for key, value in tensors.items()
        if tuple(value.shape) != table[key].shape
    ]
    _refuse(source, "shapes are wrong", shapes)
    bad = [
        key
        for key, value in tensors.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    _refuse(source, "tensors are not finite", bad)


def _check_transform(source: Path, kernels: Tensor) -> None:
    """Compare the fixed kernels' row of frequency 0, which is the window, with our window."""
    window = torch.hann_window(kernels.shape[-1])
    if not torch.allclose(kernels[0, 0].float(), window, rtol=0.0, atol=1e-5):
        raise HiveError(f"{source}: {_FIXED}: the window is not Hann's", _REMEDY)


def _refuse(source: Path, what: str, names: list[str]) -> None:
    if names:
        raise HiveError(f"{source}: {len(names)} {what}: {_shorten(names)}", _REMEDY)


def _shorten(names: list[str] | dict[str, Tensor]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
