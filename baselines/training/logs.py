"""Figures of a run over its steps: a CSV file and, where it is installed, TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hive.files import atomic_open

STEPS = "logs/steps.csv"
COLUMNS = (
    "step",
    "epoch",
    "loss",
    "gradient_norm",
    "learning_rate",
    "mixtures_per_second",
)


class Logs:
    """Writes figures to `steps.csv`, and to event files that TensorBoard shows.

    A run that goes on from step s has not done what was logged after s: those rows are taken away,
    and TensorBoard is told.

    Args:
        folder: The run's folder; figures go to `logs/`.
        step: Step that the run goes on from; 0 at its beginning.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / STEPS
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = []
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as handle:
                # A process that was killed may have left half a row at the end.
                rows = [row for row in csv.reader(handle) if len(row) == len(COLUMNS)][1:]
        with atomic_open(path) as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
            kept = [row for row in rows if row[0].isdigit() and int(row[0]) <= step]
            csv.writer(text).writerows([COLUMNS, *kept])
            text.detach()
        self._file = path.open("a", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._board: Any = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(path.parent), purge_step=step + 1)

    def log_step(self, figures: Mapping[str, float]) -> None:
        """Write the figures of a step: one row of `COLUMNS`."""
        self._csv.writerow([figures[name] for name in COLUMNS])
        self._file.flush()
        self._show("train", figures)

    def log_validation(self, figures: Mapping[str, float]) -> None:
        """Show the scores of a validation; the history in the checkpoint keeps them."""
        self._show("validation", figures)

    def close(self) -> None:
        """Finish the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()

    def _show(self, group: str, figures: Mapping[str, float]) -> None:
        if self._board is None:
            return
        for name, value in figures.items():
            if name != "step":
                self._board.add_scalar(f"{group}/{name}", value, int(figures["step"]))
        self._board.flush()
