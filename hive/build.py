"""From a clip pool to a dataset in one go: divide, plan, render, finish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hive.errors import HiveError
from hive.execution.engine import LOCAL, Engine
from hive.files import write_json
from hive.licences import Filter
from hive.mixing.clip_table import read_clips
from hive.mixing.plan import CROP_SECONDS, SIZE_SHARES, Planner, PlanSettings, write_plan
from hive.mixing.roots import PoolRoot
from hive.mixing.splits import DEFAULT_SHARES, assign_splits
from hive.pool.duplicates import read_groups
from hive.pool.store import Reject
from hive.shards.finish import finish
from hive.shards.layout import GROUPS, WORK
from hive.shards.write import RenderSettings, render_plan
from hive.tables import SPLITS


@dataclass(frozen=True)
class Built:
    """What a build made.

    Attributes:
        mixtures: Number of mixtures of each split.
        lonely: Labels of each split that have no partner there, so that no mixture holds them.
        rejects: Mixtures that could not be rendered.
        chosen: What each split was drawn from, and what was left out of it.
    """

    mixtures: dict[str, int]
    lonely: dict[str, list[str]]
    rejects: list[Reject]
    chosen: dict[str, Chosen]


@dataclass(frozen=True)
class Chosen:
    """The clips of one split.

    Attributes:
        clips: Clip table of those taken, without its provenance.
        refused: Number of clips that the licence rules refuse, by reason.
        restored: Number of clips left out because super-resolution made up their upper band.
    """

    clips: pa.Table
    refused: dict[str, int] = field(default_factory=dict)
    restored: int = 0


def split_clips(
    pool: Path,
    split: str,
    shares: Mapping[str, float],
    seed: int,
    *,
    licences: Filter | None = None,
    allow_restored: bool = False,
) -> Chosen:
    """Return the clips of one split of a pool that may be mixed.

    Which recording belongs to which split (`hive.mixing.splits`) does not depend on the rules.

    Args:
        pool: Clip pool; near-duplicates listed in it are kept together.
        split: The split.
        shares: Share of each split.
        seed: Seed of the division.
        licences: Rules of licences; everything is taken without.
        allow_restored: Take clips with a made-up upper band for validation and test too. Metrics
            would compare a model with what another model invented.
    """
    clips = read_clips(pool)
    splits = assign_splits(clips, shares, seed, read_groups(pool))
    mine = clips.filter(pa.array([name == split for name in splits], pa.bool_()))
    refused: Counter[str] = Counter()
    if licences:
        verdicts = {name: licences.allows(name) for name in mine["licence"].unique().to_pylist()}
        for name in mine["licence"].to_pylist():
            allowed, reason = verdicts[name]
            if not allowed:
                refused[reason] += 1
        taken = [name for name, (allowed, _) in verdicts.items() if allowed]
        mine = mine.filter(pc.is_in(mine["licence"], pa.array(taken, pa.string())))
        if refused and not mine.num_rows:
            raise HiveError(
                f"split {split!r}: the rules of --allow-licence refuse all of its "
                f"{sum(refused.values())} clips, such as {next(iter(refused))}",
                "relax the rules, or import recordings under other licences",
            )
    before = mine.num_rows
    if split != "train" and not allow_restored:
        mine = mine.filter(pc.invert(mine["restored"]))
    return Chosen(mine, dict(refused), before - mine.num_rows)


def build(
    pool: Path,
    dataset: Path,
    counts: Mapping[str, int],
    *,
    seed: int,
    engine: Engine | None = None,
    settings: RenderSettings | None = None,
    shares: Mapping[str, float] | None = None,
    size_shares: Mapping[int, float] | None = None,
    licences: Filter | None = None,
    allow_restored: bool = False,
) -> Built:
    """Build a dataset; interrupted, the same call goes on where it stopped.

    Args:
        pool: Clip pool.
        dataset: Folder of the dataset.
        counts: Mixtures of each split; a split of 0 gets no recordings.
        seed: Seed of splits and plans.
        engine: Who renders; this process by default.
        settings: How mixtures are stored.
        shares: Share of the recordings of each split that is asked for.
        size_shares: Share of mixtures of each number of sources.
        licences: Rules of licences that clips must meet.
        allow_restored: See `split_clips`.

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
    chosen = {
        split: split_clips(
            pool, split, divided, seed, licences=licences, allow_restored=allow_restored
        )
        for split in wanted
    }
    planners = {
        split: Planner(
            chosen[split].clips,
            PlanSettings(
                split,
                seed,
                CROP_SECONDS[split],
                dict(size_shares or SIZE_SHARES),
                licences=tuple(licences.describe()) if licences else (),
            ),
        )
        for split in wanted
    }
    write_json(dataset / GROUPS, read_groups(pool))
    engine = engine or Engine()
    workers = engine.workers if engine.kind == LOCAL else None  # plans are drawn on this machine
    for split, planner in planners.items():
        plan = dataset / WORK / "plan" / f"{split}.parquet"
        write_plan(planner, counts[split], plan, workers=workers)
        render_plan(plan, PoolRoot(pool), dataset, settings or RenderSettings(), engine=engine)
    lonely = {split: planner.lonely() for split, planner in planners.items()}
    rejects = finish(dataset)
    return Built({split: counts[split] for split in wanted}, lonely, rejects, chosen)
