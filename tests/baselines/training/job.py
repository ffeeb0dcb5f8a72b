"""A run in a process of its own: `job.py ARCHITECTURE POOL FOLDER OVERRIDE...`.

Beside the folder it notes what each step saw (`.seen`), and for each rank the mixtures of its
batches (`.ids-RANK`) and a hash of the weights at the end (`.weights-RANK`).
"""

from __future__ import annotations

import hashlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import lightning as pl
import torch

from baselines.training.config import load_config
from baselines.training.run import train


class Notes(pl.Callback):
    """Writes what a rank sees and ends with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _note(self, suffix: str, text: str) -> None:
        with self._folder.with_suffix(suffix).open("a") as handle:
            handle.write(text + "\n")

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        digest = hashlib.sha256(batch.mixture.numpy().tobytes() + batch.target.numpy().tobytes())
        digest.update(torch.rand(4).numpy().tobytes())
        self._note(".seen", f"{trainer.global_step} {batch_idx} {digest.hexdigest()}")
        self._note(f".ids-{trainer.global_rank}", " ".join(pl_module.examples.mix_id))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        digest = hashlib.sha256()
        for value in pl_module.model.parameters():
            digest.update(value.detach().numpy().tobytes())
        self._note(f".weights-{trainer.global_rank}", digest.hexdigest())


def main() -> None:
    name = sys.argv[1]
    pool, folder = map(Path, sys.argv[2:4])
    world = runpy.run_path(str(Path(__file__).with_name("world.py")))
    settings = [world["SMALL"][name], *world["TINY"][1:], *sys.argv[4:]]
    config = load_config(f"{name}-mini", settings)
    train(config, pool, folder, callbacks=[Notes(folder)])


if __name__ == "__main__":
    main()
