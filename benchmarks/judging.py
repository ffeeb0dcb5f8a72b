"""Asking the judge about the estimates of a run, while the model works on the next ones.

There is one judge: it is a large model in a process of its own. Scores that it could not give are
NaN and listed, and starting the same run again asks once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hive.errors import HiveError
from hive.metrics.registry import Metric, resolve

if TYPE_CHECKING:
    from benchmarks.separation import Attempt
    from benchmarks.tasks import Values
    from hive.judge.base import Judge


@dataclass
class Judged:
    """What the judge said of one mixture, by source_id."""

    values: dict[str, Values] = field(default_factory=dict)
    gaps: dict[str, dict[str, str]] = field(default_factory=dict)


def open_judge(metrics: Sequence[Metric], spec: str | None, device: str) -> Judge | None:
    """Start the judge if a metric asks for it and it can be used; see `hive.judge.client`.

    Raises:
        HiveError: If it does not start, or `spec` names one that cannot be used.
    """
    if not any(metric.info.judged for metric in metrics):
        return None
    from hive.judge.client import describe, load

    info = describe(spec)
    if not info.available and spec is not None:
        raise HiveError(f"--judge {spec}: {info.reason}", info.remedy)
    return load(spec, device=device) if info.available else None


def judge_spec(spec: str | None) -> str:
    """Return a specification, or that of HIVE_JUDGE where none is given."""
    from hive.judge.client import describe

    return describe(spec).spec


class Judging:
    """The judge at work in a thread.

    Args:
        judge: The judge, or None if nothing is to be judged.
        columns: Columns of the run; those that are judged are filled.
        sample_rate: Rate of the data in Hz.
    """

    def __init__(self, judge: Judge | None, columns: Sequence[str], sample_rate: int) -> None:
        from hive.metrics.judge import METRICS

        self._judge, self._rate = judge, sample_rate
        wanted = [name for name in columns if resolve(name).info.judged]
        order = [info.name for info in METRICS]  # that of the judge's scores
        self._order = order
        self._columns = {name: order.index(resolve(name).info.name) for name in wanted}
        self._thread = ThreadPoolExecutor(1) if judge and wanted else None
        self._waiting: dict[str, Future[Judged]] = {}

    def submit(self, attempt: Attempt) -> None:
        """Have the estimates of a mixture judged."""
        if self._thread is not None:
            self._waiting[attempt.sample.key] = self._thread.submit(self._ask, attempt)

    def collect(self, attempt: Attempt) -> Judged:
        """Return what the judge says of a mixture."""
        future = self._waiting.pop(attempt.sample.key, None)
        return future.result() if future else Judged()

    def close(self) -> None:
        """Stop the judge and drop what is not begun."""
        if self._judge is not None:
            self._judge.close()  # first: a request under way would otherwise be waited for
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def _ask(self, attempt: Attempt) -> Judged:
        judged = Judged()
        targets = [one for one in attempt.targets if one.source_id in attempt.estimates]
        if self._judge is None or not targets:
            return judged

        def note(index: int, error: HiveError) -> None:
            judged.gaps[targets[index].source_id] = dict.fromkeys(self._columns, str(error))

        try:
            scores = self._judge.score(
                attempt.sample.mixture,
                np.stack([attempt.estimates[one.source_id].samples for one in targets]),
                [one.query for one in targets],
                self._rate,
                references=np.stack([attempt.reference(one) for one in targets]),
                on_failure=note,
            )
        except ValueError as error:
            for index in range(len(targets)):
                note(index, HiveError(str(error), ""))
            scores = np.full((len(targets), len(self._order)), np.nan)
        for target, row in zip(targets, scores, strict=True):
            judged.values[target.source_id] = {
                name: float(row[column]) for name, column in self._columns.items()
            }
        return judged
