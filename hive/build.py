"""From a clip pool to a dataset in one go: divide, plan, render, finish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hive.errors import HiveError
from hive.mixing.plan import CROP_SECONDS, SIZE_SHARES, Planner, PlanSettings, write_plan
from hive.mixing.splits import DEFAULT_SHARES, assign_splits
from hive.shards.finish import finish
from hive.shards.layout import WORK
from hive.shards.write import RenderSettings, render_plan
from hive.sources.pool import Reject, read_pool
from hive.tables import SPLITS


@dataclass(frozen=True)
class Built:
    """What a build made.

    Attributes:
        mixtures: Number of mixtures of each split.
        lonely: Labels of each split that have no partner there, so that no mixture holds them.
        rejects: Mixtures that could not be rendered.
    """

    mixtures: dict[str, int]
    lonely: dict[str, list[str]]
    rejects: list[Reject]


def split_clips(pool: Path, split: str, shares: Mapping[str, float], seed: int) -> pa.Table:
    """Return the clips of one split of a pool (see `hive.mixing.splits`)."""
    clips, _ = read_pool(pool)
    mask = [name == split for name in assign_splits(clips, shares, seed)]
    return clips.filter(pa.array(mask))


def build(
    pool: Path,
    dataset: Path,
    counts: Mapping[str, int],
    *,
    seed: int,
    workers: int,
    settings: RenderSettings | None = None,
    shares: Mapping[str, float] | None = None,
    size_shares: Mapping[int, float] | None = None,
) -> Built:
    """Build a dataset; interrupted, the same call goes on where it stopped.

    Args:
        pool: Clip pool.
        dataset: Folder of the dataset.
        counts: Mixtures of each split; a split of 0 gets no recordings.
        seed: Seed of splits and plans.
        workers: Local worker processes.
        settings: How mixtures are stored.
        shares: Share of the recordings of each split that is asked for.
        size_shares: Share of mixtures of each number of sources.

    Raises:
        HiveError: If nothing is asked for, or something of the user's is wrong.
    """
    wanted = [split for split in SPLITS if counts.get(split, 0) > 0]
    if not wanted:
        raise HiveError("no mixtures are asked for", "set --train, --validation or --test")
    given = shares or DEFAULT_SHARES
    divided = {split: given.get(split, 0.0) for split in wanted}
    if not sum(divided.values()):
        raise HiveError("the splits asked for have no share of the recordings", "set --shares")
    planners = {
        split: Planner(
            split_clips(pool, split, divided, seed),
            PlanSettings(split, seed, CROP_SECONDS[split], dict(size_shares or SIZE_SHARES)),
        )
        for split in wanted
    }
    for split, planner in planners.items():
        plan = dataset / WORK / "plan" / f"{split}.parquet"
        write_plan(planner, counts[split], plan)
        render_plan(plan, pool, dataset, settings or RenderSettings(), workers=workers)
    lonely = {split: planner.lonely() for split, planner in planners.items()}
    rejects = finish(dataset)
    return Built({split: counts[split] for split in wanted}, lonely, rejects)
