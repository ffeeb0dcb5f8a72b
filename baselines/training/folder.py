"""The folder of a run: which run it belongs to, and its record.

config.yaml        the configuration, with all defaults written out
run.json           what must stay the same for the run to go on
checkpoints/       last.ckpt: the whole state; best.pt: the best weights so far
logs/              steps.csv, and event files of TensorBoard
failures/          batches whose loss was no number
training.json      the record: seed, steps, hours, hardware, versions, data, history of scores
model/             the trained network, once the run has ended
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from baselines.locations import RUN_MODEL
from baselines.training import checkpoints
from baselines.training.sections import TrainingConfig
from hive.claims import claim, describe
from hive.errors import HiveError
from hive.files import write_text

CONFIG = "config.yaml"
RUN = "run.json"
RECORD = "training.json"
MODEL = RUN_MODEL
LOCK = ".lock"

#: What may differ when a run goes on: it changes how long, where and with how many it trains.
_FREE = {
    "trainer": (
        "max_steps",
        "max_epochs",
        "accelerator",
        "devices",
        "num_nodes",
        "accumulate",
        "compile",
        "log_every_steps",
    ),
    "data": ("workers",),
}


def bind(folder: Path, config: TrainingConfig, data: dict[str, Any], go_on: bool) -> Path | None:
    """Bind a folder to a run.

    Args:
        folder: The run's folder.
        config: Its configuration.
        data: What its data depend on, see `TrainingData.identity`.
        go_on: Whether a run that is there may go on.

    Returns:
        The checkpoint to go on from, if there is one.

    Raises:
        HiveError: If the folder holds another run, naming what differs, or one that must not go on.
    """
    path = folder / RUN
    if path.exists() and not go_on:
        raise HiveError(
            f"{folder} holds a run already", "choose another folder, or --resume auto to go on"
        )
    if folder.exists() and not path.exists() and any(folder.glob("[!.]*")):
        raise HiveError(f"{folder} holds files that are no run", "choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if changed := claim(path, {"config": _pinned(config), "data": data}):
        raise HiveError(
            f"{folder} holds a run with other settings:\n{describe(changed)}",
            "train with those that are there, or into another folder; "
            "length, devices, batches for a step, workers and logging may change",
        )
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(folder / CONFIG, text)
    last = folder / checkpoints.LAST
    return last if last.is_file() else None


def _pinned(config: TrainingConfig) -> dict[str, Any]:
    value = config.model_dump(mode="json")
    for section, names in _FREE.items():
        for name in names:
            del value[section][name]
    return value
