"""What came of a run of the data engine: yields as in ClearSep's table 9, and why the rest fell.

Counted from the tables of the parts, so it is right after any number of interruptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hive.engine.rules import INDEPENDENT, SELF_SEPARATE, Rules
from hive.engine.table import WINDOW_SCHEMA
from hive.tables import read_table

_JUDGED = ("remix", "share", "correlation", "similarity")
_GOOD_DB = 15.0
_DECIBELS, _SHARES = np.linspace(-10.0, 40.0, 51), np.linspace(0.0, 1.0, 41)
#: Bins of the histograms; what lies outside is counted in the outermost.
EDGES = {
    "re_sdr": _DECIBELS,
    "re_si_sdr": _DECIBELS,
    "correlation": _SHARES,
    "similarity": _SHARES,
    "least_share": np.linspace(0.0, 0.5, 41),
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Yield(_Model):
    """What a subset holds.

    Attributes:
        subset: Its name.
        threshold: Re-SDR and Re-SI-SDR in dB that its recordings exceed.
        recordings: Windows of recordings.
        hours: Their length.
        tracks: Tracks.
        track_hours: Their length.
    """

    subset: str
    threshold: float
    recordings: int
    hours: float
    tracks: int
    track_hours: float


class Refused(_Model):
    """Windows, or recordings without any, that were refused for one reason."""

    reason: str
    count: int
    hours: float


class Remixed(_Model):
    """How well tracks add up to what they were separated from (ClearSep, table 4).

    Attributes:
        metric: `re_sdr` or `re_si_sdr`.
        windows: Windows that were separated.
        exact: Those whose tracks add up exactly; not part of the mean.
        mean: Mean of the others, dB; None without any.
        over_15: Share of all that exceeds 15 dB, 0 to 1; None without any.
    """

    metric: str
    windows: int
    exact: int
    mean: float | None
    over_15: float | None


class ClassYield(_Model):
    """Tracks of one event that were kept."""

    label: str
    tracks: int
    hours: float


class Report(_Model):
    """What came of a run.

    Attributes:
        made: Settings of the run.
        seen: Windows, and recordings that gave none.
        separated: Windows that were separated.
        remixed: How well tracks add up, kept or not.
        subsets: What is kept; self_separate is a part of independent.
        refused: Why the rest is not, most frequent first.
        labels: What the tracks are of, most frequent first.
        quantiles: Of each value over all windows that were separated: 5, 25, 50, 75 and 95 %.
        histograms: Of each value over the same windows, in the bins of `EDGES`.
    """

    made: dict[str, Any]
    seen: int
    separated: int
    remixed: list[Remixed]
    subsets: list[Yield]
    refused: list[Refused]
    labels: list[ClassYield]
    quantiles: dict[str, list[float]]
    histograms: dict[str, list[int]]

    def plan(self) -> dict[str, Any]:
        """Return what the dataset's card tells of the run."""
        return {
            "seen": self.seen,
            "separated": self.separated,
            "subsets": [each.model_dump() for each in self.subsets],
        }

    def refusals(self) -> str:
        """Return the reasons in a few words."""
        return ", ".join(f"{each.reason} {each.count}" for each in self.refused[:6])


def make_report(tables: Iterable[Path], rules: Rules, made: dict[str, Any]) -> Report:
    """Count what is in the tables of the parts."""
    windows = pa.concat_tables([read_table(path, WINDOW_SCHEMA)[0] for path in tables])
    rows = windows.select(["labels", "subset", "reason", "start_second", "end_second"]).to_pylist()
    kept: dict[str, list[int]] = {INDEPENDENT: [], SELF_SEPARATE: []}
    hours = [(row["end_second"] - row["start_second"]) / 3600 for row in rows]
    refused: dict[str, list[float]] = defaultdict(list)
    tracks: dict[str, list[float]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row["reason"]:
            refused[row["reason"]].append(hours[number])
            continue
        kept[INDEPENDENT].append(number)
        if row["subset"] == SELF_SEPARATE:
            kept[SELF_SEPARATE].append(number)
        for label in row["labels"]:
            tracks[label].append(hours[number])
    limits = {INDEPENDENT: rules.independent, SELF_SEPARATE: rules.self_separate}
    judged = windows.filter(pc.is_in(windows["reason"], pa.array(["", *_JUDGED])))
    return Report(
        made=made,
        seen=len(rows),
        separated=len(judged),
        remixed=[_remixed(name, judged[name]) for name in ("re_sdr", "re_si_sdr")],
        subsets=[
            Yield(
                subset=subset,
                threshold=limits[subset],
                recordings=len(numbers),
                hours=sum(hours[number] for number in numbers),
                tracks=sum(len(rows[number]["labels"]) for number in numbers),
                track_hours=sum(hours[n] * len(rows[n]["labels"]) for n in numbers),
            )
            for subset, numbers in kept.items()
        ],
        refused=sorted(
            (
                Refused(reason=reason, count=len(some), hours=sum(some))
                for reason, some in refused.items()
            ),
            key=lambda each: (-each.count, each.reason),
        ),
        labels=[
            ClassYield(label=label, tracks=len(some), hours=sum(some))
            for label, some in sorted(tracks.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
        quantiles={name: _quantiles(windows[name]) for name in EDGES},
        histograms={name: _histogram(windows[name], edges) for name, edges in EDGES.items()},
    )


def _remixed(metric: str, column: pa.ChunkedArray) -> Remixed:
    values = column.drop_null().to_numpy()  # null: exact
    over = np.count_nonzero(values > _GOOD_DB) + column.null_count
    return Remixed(
        metric=metric,
        windows=len(column),
        exact=column.null_count,
        mean=float(values.mean()) if len(values) else None,
        over_15=over / len(column) if len(column) else None,
    )


def _quantiles(column: pa.ChunkedArray) -> list[float]:
    values = column.drop_null().to_numpy()
    if not len(values):
        return []
    return [float(each) for each in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))]


def _histogram(column: pa.ChunkedArray, edges: NDArray[np.float64]) -> list[int]:
    values = column.drop_null().to_numpy().clip(edges[0], edges[-1])
    counts: list[int] = np.histogram(values, edges)[0].tolist()
    return counts
