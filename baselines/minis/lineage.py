"""What a shipped network owes to other runs than its own.

`before` is the run whose best weights it began with (`model.start`); `beside` began with the same
weights, was trained otherwise, and its best weights are averaged with those of the run (Wortsman et
al., "Model soups", ICML 2022). Both must have been trained on the same clips, or the attributions
would be wrong, and their configurations, records and logs are shipped as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.model import SeparationModel
from baselines.training import checkpoints
from baselines.training.folder import CONFIG, RECORD
from baselines.training.logs import STEPS
from hive.errors import HiveError
from hive.files import write_bytes


@dataclass(frozen=True)
class Lineage:
    """Other runs.

    Attributes:
        before: The run that was begun with; None for weights drawn at random.
        beside: The run that is averaged with; None for none.
        share: Its share in the average, 0 to 1.
    """

    before: Path | None = None
    beside: Path | None = None
    share: float = 0.5

    @property
    def runs(self) -> dict[str, Path]:
        """The runs by name."""
        both = {"before": self.before, "beside": self.beside}
        return {name: run for name, run in both.items() if run is not None}

    def check(self, run: Path, record: dict[str, Any]) -> None:
        """Raise `HiveError` if a run has nothing to do with the one that is shipped."""
        if (record["config"]["model"]["start"] is None) != (self.before is None):
            raise HiveError(
                f"{run}: model.start and --before do not fit together",
                "name the run whose weights it began with, if it did",
            )
        for other in self.runs.values():
            clips = [_clips(one) for one in (read_record(other), record)]
            if clips[0] != clips[1]:
                raise HiveError(
                    f"{other}: it was trained on other clips than {run}",
                    "the attributions would be wrong: train both on one pool",
                )
        if self.beside is not None:
            models = [one["config"]["model"] for one in (read_record(self.beside), record)]
            if models[0] != models[1]:
                raise HiveError(
                    f"{self.beside}: its section model is not that of {run}",
                    "average networks of one size that began with the same weights",
                )

    def average(self, model: SeparationModel) -> None:
        """Average the weights of a network with those beside it; buffers of integers stay."""
        if self.beside is None:
            return
        others = checkpoints.load(self.beside / checkpoints.BEST)["weights"]
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.lerp_(others[name], self.share)

    def told(self) -> dict[str, str]:
        """Return what the card says."""
        found = {}
        for name, run in self.runs.items():
            record = read_record(run)
            seen = record["best_step"] * record["config"]["data"]["batch_size"]
            told = f"step {record['best_step']}, after {seen:,} mixtures ({name}-{RECORD})"
            if name == "before":
                found["begun with"] = f"a run before: {told}"
            else:
                found["averaged with"] = f"a run beside it, share {self.share:g}: {told}"
        return found

    def files(self, folder: Path) -> Iterator[Path]:
        """Copy configurations, records and logs into a folder, by names of their own."""
        for name, run in self.runs.items():
            for file in (CONFIG, RECORD, STEPS):
                path = folder / f"{name}-{Path(file).name}"
                write_bytes(path, (run / file).read_bytes())
                yield path


def read_record(run: Path) -> dict[str, Any]:
    """Read the record of a run.

    Raises:
        HiveError: If the folder holds none.
    """
    path = run / RECORD
    if not path.is_file():
        raise HiveError(f"{run}: no run of hive-bench train ({RECORD} is missing)", "train first")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def _clips(record: dict[str, Any]) -> str:
    return str(record["data"]["mixtures"]["drawn_from_sha256"])
