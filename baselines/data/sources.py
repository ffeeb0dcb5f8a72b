"""Where the sounds of a training run come from: a pool, a packed pool, a plan or shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from baselines.data.blend import Blend, BlendReader, Part
from baselines.data.config import DataConfig
from baselines.data.pairs import SingleClips
from baselines.data.shards import ShardMixtures, ShardReader
from baselines.data.tracks import PREFIX, SelfSeparate, Tracks
from hive.build import split_clips
from hive.errors import HiveError
from hive.files import is_file
from hive.licences import Filter
from hive.mixing.plan import Planner, PlanSettings
from hive.mixing.splits import DEFAULT_SHARES
from hive.mixing.stream.planned import Planned
from hive.mixing.stream.readers import Reader, open_reader
from hive.mixing.stream.recipe import Drawn, Mixtures
from hive.pool.store import TABLE
from hive.shards.layout import EMBEDDED

_KINDS = (
    "give the folder of a pool, of a packed pool or of a dataset with shards, or the Parquet file "
    "of a plan"
)


@dataclass(frozen=True)
class Sounds:
    """What mixtures are made of, and from.

    Attributes:
        mixtures: Recipes.
        reader: Samples.
    """

    mixtures: Mixtures
    reader: Reader


class SoundSource(Protocol):
    """Where sounds come from."""

    def training(self, config: DataConfig, seed: int) -> Sounds:
        """Return what is trained on.

        Args:
            config: Lengths, sizes, levels.
            seed: Seed of what is drawn.

        Raises:
            HiveError: If there is nothing of the split, or it cannot be mixed as configured.
        """
        ...

    def validation(self, config: DataConfig) -> Sounds:
        """Return what is validated with: mixtures that do not change.

        Raises:
            HiveError: As `training`.
        """
        ...


def open_source(source: Path, pool: Path | None = None, tracks: Path | None = None) -> SoundSource:
    """Return what gives the sounds of a pool, a packed pool, a dataset or a plan.

    Args:
        source: A folder of one of these, "mini" for the embedded dataset, or a plan's file.
        pool: The pool or packed pool of a plan, which validation mixtures are drawn from; of no use
            with other sources.
        tracks: Dataset of tracks that is trained on together with a pool.

    Raises:
        HiveError: If the source is none of these, a plan comes without a pool, or tracks with
            anything but a pool.
    """
    if tracks is not None and not is_file(source / TABLE):
        raise HiveError(f"{source}: tracks go with clips that are drawn", "give a pool")
    if str(source) == EMBEDDED or (source / "data").is_dir():
        return ShardSource(source)
    if is_file(source / TABLE):
        return PoolSource(source, tracks)
    if not is_file(source):
        raise HiveError(f"{source}: no such source of sounds", _KINDS)
    if pool is None:
        raise HiveError(f"{source}: a plan names clips and has no sound", "give its pool too")
    return PlanSource(source, pool)


class PoolSource:
    """Mixtures that are drawn from a pool or a packed pool (see `SoundSource`).

    Args:
        pool: Its folder.
        tracks: Folder of tracks of natural recordings to train on as well.
    """

    def __init__(self, pool: Path, tracks: Path | None = None) -> None:
        self._pool = pool
        self._tracks = tracks

    def training(self, config: DataConfig, seed: int) -> Sounds:
        """Return mixtures of which each epoch has its own."""
        clips = self._clips(config, config.split)
        seconds = _read_seconds(config, clips)
        reader = open_reader(self._pool)
        if config.mixer == "audiosep":
            return Sounds(SingleClips(clips, seconds, seed), reader)
        settings = PlanSettings(
            config.split, seed, seconds, dict(config.sizes), config.snr_db, _rules(config)
        )
        drawn = Drawn(Planner(clips, settings), config.mixtures_per_epoch)
        if self._tracks is None:
            return Sounds(drawn, reader)
        return self._with_tracks(Tracks(self._tracks), clips, drawn, reader, config)

    def _with_tracks(
        self, tracks: Tracks, clips: pa.Table, drawn: Drawn, reader: Reader, config: DataConfig
    ) -> Sounds:
        told, num, seed = config.tracks, len(drawn), drawn.settings.seed
        parts = [Part(1.0 - told.independent - told.self_separate, drawn)]
        if told.independent:
            more = tracks.clips(told.independent_db).select(clips.column_names)
            both = pa.concat_tables([clips, more])
            parts.append(Part(told.independent, Drawn(Planner(both, drawn.settings), num)))
        if told.self_separate:
            above = told.self_separate_db
            own = SelfSeparate(tracks, drawn.seconds, seed, num, above=above)
            parts.append(Part(told.self_separate, own))
        return Sounds(Blend(parts, seed), BlendReader(PREFIX, tracks.reader, reader))

    def validation(self, config: DataConfig) -> Sounds:
        """Return mixtures by the validation's own seed, sizes equally often."""
        told = config.validation
        shares = {size: 1.0 / len(told.sizes) for size in told.sizes}
        settings = PlanSettings(
            told.split, told.seed, config.seconds, shares, licences=_rules(config)
        )
        planner = Planner(self._clips(config, told.split), settings)
        drawn = Drawn(planner, told.mixtures * len(told.sizes), fresh=False)
        return Sounds(drawn, open_reader(self._pool))

    def _clips(self, config: DataConfig, split: str) -> pa.Table:
        rules = Filter.parse(config.licences) if config.licences else None
        chosen = split_clips(
            self._pool, split, DEFAULT_SHARES, config.split_seed, licences=rules
        ).clips
        if not chosen.num_rows:
            raise HiveError(
                f"{self._pool}: no clips of split {split!r}",
                "divide the pool with `hive-bench pool split`, or name another split",
            )
        return chosen


class PlanSource(PoolSource):
    """The mixtures of a plan; validation mixtures are drawn from its pool (see `SoundSource`).

    Args:
        plan: Mixture table of the split that is trained on.
        pool: Its pool or packed pool.
    """

    def __init__(self, plan: Path, pool: Path) -> None:
        super().__init__(pool)
        self._plan = plan

    def training(self, config: DataConfig, seed: int) -> Sounds:
        """Return the mixtures of the plan, the same in each epoch."""
        _refuse_pairs(config, self._plan)
        return Sounds(Planned(self._plan), open_reader(self._pool))


class ShardSource:
    """The mixtures of rendered shards (see `SoundSource`).

    Args:
        dataset: Folder of the dataset, or "mini".
    """

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset

    def training(self, config: DataConfig, seed: int) -> Sounds:
        """Return the mixtures of the split with the sizes asked for, the same in each epoch."""
        _refuse_pairs(config, self._dataset)
        sizes = [size for size, share in config.sizes.items() if share > 0]
        return Sounds(ShardMixtures(self._dataset, config.split, sizes), ShardReader(self._dataset))

    def validation(self, config: DataConfig) -> Sounds:
        """Return the first mixtures of each size."""
        told = config.validation
        mixtures = ShardMixtures(self._dataset, told.split, told.sizes, told.mixtures)
        return Sounds(mixtures, ShardReader(self._dataset))


def _refuse_pairs(config: DataConfig, source: Path) -> None:
    if config.mixer == "audiosep":
        raise HiveError(
            f"{source}: the mixer audiosep mixes single clips, not mixtures",
            "give a pool or a packed pool, or set data.mixer to hive",
        )


def _rules(config: DataConfig) -> tuple[str, ...]:
    return tuple(Filter.parse(config.licences).describe())


def _read_seconds(config: DataConfig, clips: pa.Table) -> float:
    """Return how much is read of each clip: more than an example, so that it can be sped up."""
    if config.augment is None or not config.augment.semitones:
        return config.seconds
    longest = pc.max(pc.subtract(clips["end_second"], clips["start_second"])).as_py()
    fastest = 2.0 ** (config.augment.semitones / 12)
    return float(max(config.seconds, min(config.seconds * fastest, longest)))
