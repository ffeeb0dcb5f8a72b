"""Reading a state dict from a file of `torch.save`, with no code in it run.

`torch.load(weights_only=True)` builds tensors and plain containers and calls nothing else.
Training scripts also leave numpy scalars (a loss, an accuracy) beside the weights; the few names
that these need are allowed here, and they build numbers only. Others leave their configuration
there as objects of OmegaConf, or a version of torch: in the place of each of these stands an object
that takes what it is given and does nothing with it.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hive.checkpoints.sniff import is_zip
from hive.errors import HiveError


class _Ignored:
    """Stands for an object that is not looked at."""

    def __init__(self, *_: object) -> None:
        """Take the arguments of any constructor."""

    def __setstate__(self, state: object) -> None:
        """Take any state."""


_SCALAR = np.float64(0.0).__reduce__()[0]  # the same function, whatever numpy calls its module
_ALLOWED: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float64)),
    type(np.dtype(np.float32)),
    type(np.dtype(np.int64)),
    *(
        (_Ignored, name)
        for name in (
            "omegaconf.dictconfig.DictConfig",
            "omegaconf.listconfig.ListConfig",
            "omegaconf.base.ContainerMetadata",
            "omegaconf.base.Metadata",
            "omegaconf.nodes.AnyNode",
            "torch.torch_version.TorchVersion",
            # What the metadata of a configuration refer to.
            "typing.Any",
            "collections.defaultdict",
            "builtins.dict",
            "builtins.list",
            "builtins.int",
        )
    ),
]
#: How torch words that a pickle names a function or class that is not allowed.
_CALL = re.compile(r"GLOBAL \S+|(Trying to|Can only) [^\n]{1,150}")
_MODULE = "module."  # the prefix of DistributedDataParallel


def read_state_dict(
    file: Path, remedy: str = "download it again", within: str = "state_dict"
) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint.

    Args:
        file: A file of `torch.save`: a state dict, or a dict that holds one.
        remedy: What to say to the user whose file is none.
        within: What the dict calls it.

    Returns:
        The tensors by name, without the prefix "module."; they may be views of the file.

    Raises:
        HiveError: If the file is not there, is cut off, is something else, or holds code.
    """
    content = _load(file, remedy)
    if isinstance(content, Mapping) and within in content:
        content = content[within]
    if not isinstance(content, Mapping) or not content:
        raise HiveError(f"{file}: holds {type(content).__name__}, not a state dict", remedy)
    state: dict[str, torch.Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise HiveError(
                f"{file}: the state dict holds {type(value).__name__} under {key!r}, not a tensor",
                remedy,
            )
        state[key] = value
    if all(key.startswith(_MODULE) for key in state):
        return {key.removeprefix(_MODULE): value for key, value in state.items()}
    return state


def _load(file: Path, remedy: str) -> Any:
    zipped = is_zip(file, remedy)
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            # Training state may be twice as large as the weights; mapped, it is never read.
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        call = _CALL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if call:
            raise HiveError(
                f"{file}: holds more than weights, and is not opened ({call[0]})",
                "take a file that holds a state dict only; files of unknown origin can run code",
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise HiveError(f"{file}: is damaged or no checkpoint ({reason[:200]})", remedy) from error
