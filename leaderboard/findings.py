"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import RESULTS_NAME, SCORES_NAME

RESULTS, SCORES = RESULTS_NAME, SCORES_NAME
REDO = "make the run again with hive-bench evaluate; do not edit its files"


@dataclass(frozen=True)
class Finding:
    """Something about a run that keeps it from the leaderboard.

    Attributes:
        file: File of the run, relative to its folder.
        field: Field or column in it.
        problem: What is wrong.
        remedy: What to do about it.
    """

    file: str
    field: str
    problem: str
    remedy: str = REDO
