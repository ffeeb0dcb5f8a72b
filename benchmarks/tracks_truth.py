"""Do the limits of the data engine keep the good tracks? `python -m benchmarks.tracks_truth`.

    hive-bench decompose DATASET --model MODEL --threshold=-100 --self-separate=-100 --least-share 0
        --correlation 1 --similarity 1 --out TRACKS
    python -m benchmarks.tracks_truth TRACKS DATASET --out OUT

DATASET has mixtures whose sources are known, and TRACKS what became of them where nothing is
refused. Each recording is judged by the limits that are in use (`hive.engine.rules`), and its
tracks are compared with the sources. Printed are the quality of what is kept and of what is not,
and how far each value that the engine measures tells of the quality; OUT gets a row for each
recording. Such tables are in `docs/tracks.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from hive import console, labels, metrics
from hive.engine.events import Refusal
from hive.engine.rules import Rules, Scores, judge
from hive.errors import HiveError
from hive.files import write_csv
from hive.shards.layout import shard_order
from hive.shards.read import RawSample, Sample, read_raw

_VALUES = Scores.__dataclass_fields__.keys()


class Judged(NamedTuple):
    """A recording, its verdict and the truth.

    Attributes:
        mix_id: Its name.
        verdict: The subset that it is kept for, or the limit that refuses it.
        kept: Whether it is kept.
        scores: What the engine measured.
        improvement: SI-SDRi of each track against its source, dB.
    """

    mix_id: str
    verdict: str
    kept: bool
    scores: Scores
    improvement: list[float]


def judged(tracks: Path, dataset: Path, rules: Rules) -> Iterator[Judged]:
    """Compare tracks with the sources that they were made from.

    Args:
        tracks: What `hive-bench decompose` made of `dataset`.
        dataset: The mixtures, with their sources.
        rules: Limits to judge by.

    Raises:
        HiveError: If a recording is no mixture of the dataset.
    """
    truth = {raw.key: raw for raw in _samples(dataset)}  # not decoded
    for raw in _samples(tracks):
        if raw.key not in truth:
            raise HiveError(f"{tracks}: {raw.key} is not in {dataset}", "give its dataset")
        yield _judged(raw.decode(), truth[raw.key].decode(), rules)


def _judged(found: Sample, true: Sample, rules: Rules) -> Judged:
    told = found.meta["separation"]
    scores = Scores(**{name: np.inf if told[name] is None else told[name] for name in _VALUES})
    verdict = judge(scores, rules)
    improvement = []
    for source in found.meta["sources"]:
        reference = _reference(source["label"], true)
        values = (
            metrics.get("si_sdr")(estimate=estimate, reference=reference)
            for estimate in (found.sources[source["source_id"]], true.mixture)
        )
        improvement.append(float(np.subtract(*values)))
    refused = isinstance(verdict, Refusal)
    name = verdict.reason if isinstance(verdict, Refusal) else verdict
    return Judged(found.key, name, not refused, scores, improvement)


def _reference(event: str, true: Sample) -> NDArray[Any]:
    """Return the sum of the sources that are an event, or below it in the ontology."""
    below = [
        true.sources[source["source_id"]]
        for source in true.meta["sources"]
        if event in (source["label"], *labels.ancestors(source["label"]))
    ]
    total: NDArray[Any] = np.sum(below, axis=0)
    return total


def _samples(dataset: Path) -> Iterator[RawSample]:
    shards = (path.relative_to(dataset).as_posix() for path in dataset.glob("data/*/*.tar"))
    for shard in sorted(shards, key=shard_order):
        yield from read_raw(dataset / shard)


def rows(found: Sequence[Judged]) -> list[tuple[str, int, int, str, str, str]]:
    """Return verdict, recordings, tracks, mean and median SI-SDRi, share of tracks made worse."""
    groups = {"kept": [one for one in found if one.kept]}
    groups["refused"] = [one for one in found if not one.kept]
    for verdict in sorted({one.verdict for one in found}):
        groups[f"  {verdict}"] = [one for one in found if one.verdict == verdict]
    table = []
    for name, some in groups.items():
        values = np.concatenate([one.improvement for one in some]) if some else np.zeros(0)
        shown = (
            (f"{values.mean():.2f}", f"{np.median(values):.2f}", f"{np.mean(values < 0.0):.0%}")
            if len(values)
            else ("-", "-", "-")
        )
        table.append((name, len(some), len(values), *shown))
    return table


def relations(found: Sequence[Judged]) -> list[tuple[str, str]]:
    """Return the rank correlation of each value with the mean SI-SDRi of a recording."""
    quality = [float(np.mean(one.improvement)) for one in found]
    return [
        (name, f"{spearmanr([getattr(one.scores, name) for one in found], quality).statistic:.2f}")
        for name in _VALUES
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tracks", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path)
    told = parser.parse_args(arguments)
    found = list(judged(told.tracks, told.dataset, Rules()))
    heads = ["", "recordings", "tracks", "mean SI-SDRi, dB", "median", "made worse"]
    console.print_table(heads, rows(found), title="Tracks against the sources")
    console.print_table(["value", "rank correlation with SI-SDRi"], relations(found))
    if told.out is not None:
        columns = ["mix_id", "verdict", *_VALUES, "si_sdr_i"]
        lines = [
            (one.mix_id, one.verdict, *vars(one.scores).values(), float(np.mean(one.improvement)))
            for one in found
        ]
        write_csv(told.out / "recordings.csv", columns, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
