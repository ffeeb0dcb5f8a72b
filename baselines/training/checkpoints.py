"""Files that a run goes on from: the whole state, and the best weights so far."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hive.errors import HiveError

if TYPE_CHECKING:
    import lightning as pl

    from baselines.model import SeparationModel

LAST = "checkpoints/last.ckpt"
BEST = "checkpoints/best.pt"


def save_last(trainer: pl.Trainer, folder: Path) -> None:
    """Save the whole state; the file before stays until the new one is whole.

    To be called on all ranks.
    """
    path = folder / LAST
    part = path.with_name(f".{path.name}.part")
    with _writing(part, path):
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            _put(part, path)
    trainer.strategy.barrier("checkpoint")


def save_best(model: SeparationModel, folder: Path, step: int, score: float) -> None:
    """Save the weights that a model has now as the best ones."""
    import torch

    path = folder / BEST
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with _writing(part, path):
        torch.save({"step": step, "score": score, "weights": model.state_dict()}, part)
        _put(part, path)


def load(path: Path) -> dict[str, Any]:
    """Read a file of `save_last` or `save_best`: tensors and plain values, no code.

    Raises:
        HiveError: If it is damaged, or holds anything else.
    """
    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError as error:
        raise HiveError(f"{path} is missing", "begin anew in another folder") from error
    except pickle.UnpicklingError as error:
        raise HiveError(
            f"{path}: this holds code, or is none of our checkpoints", "do not use it"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise HiveError(
            f"{path}: this checkpoint is damaged ({str(error).splitlines()[0]})",
            "put back a copy of it, or begin anew in another folder",
        ) from error
    if not isinstance(value, dict):
        raise HiveError(f"{path}: this is none of our checkpoints", "begin anew in another folder")
    return value


@contextmanager
def _writing(part: Path, path: Path) -> Iterator[None]:
    """Tell the user where there is no room, or no right to write; torch speaks of archives."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise HiveError(
            f"{path}: the checkpoint could not be written ({str(error).splitlines()[0]}); the one "
            "before is as it was",
            "make room on the disk, then run the command again",
        ) from error


def _put(part: Path, path: Path) -> None:
    """Give a written file its name, once its data is on the disk."""
    with part.open("rb+") as handle:
        os.fsync(handle.fileno())
    part.replace(path)
