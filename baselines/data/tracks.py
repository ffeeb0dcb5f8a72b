"""Tracks of natural recordings (`hive-bench decompose`) as something to train on.

Two ways (ClearSep, section 3.3.2). In independent-track training a track is a clip like any other,
and is mixed with clips and tracks. In self-separate training the mixture is the recording itself,
its tracks and the rest, and the question names one event to keep and all others to drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from baselines.data.shards import Mixture, ShardReader, scan
from hive.errors import HiveError
from hive.files import sha256_json
from hive.mixing.stream.readers import Crop
from hive.mixing.stream.recipe import Ingredient, Recipe
from hive.seeding import Stream
from hive.shards.layout import TRACKS, find_shards
from hive.tables import CLIP_SCHEMA, SAMPLE_RATE, read_table

#: Paths of tracks begin with this, where those of a pool begin with the name of a corpus.
PREFIX = "tracks://"
_REMEDY = "give the folder that `hive-bench decompose` made"


class _Place(NamedTuple):
    """A recording of a shard, and how long it is."""

    mixture: Mixture
    seconds: float


class Tracks:
    """A dataset of tracks.

    Args:
        dataset: Its folder.
        split: The split.

    Raises:
        HiveError: If it is none, or a shard is damaged.
    """

    def __init__(self, dataset: Path, split: str = "train") -> None:
        if not (dataset / TRACKS).is_file():
            raise HiveError(f"{dataset}: holds no tracks ({TRACKS} is missing)", _REMEDY)
        self._dataset = dataset
        self._shards = [str(shard.relative_to(dataset)) for shard in find_shards(dataset, split)]
        self._places = [
            _Place(mixture, seconds)
            for number, shard in enumerate(self._shards)
            for mixture, (_, seconds) in scan(dataset / shard, number)
        ]

    @property
    def reader(self) -> TrackReader:
        """What reads the samples."""
        return TrackReader(self._dataset)

    def clips(self, above: float) -> pa.Table:
        """Return the tracks as a clip table, with paths that `reader` takes.

        Args:
            above: Only those of recordings with more Re-SDR and Re-SI-SDR, dB.
        """
        members = {
            f"{self._shards[place.mixture.shard]}:{place.mixture.mix_id}.s{number}": member
            for place in self._places
            for number, member in enumerate(place.mixture.members, start=1)
        }
        table, _ = read_table(self._dataset / TRACKS, CLIP_SCHEMA)
        named = table["path"].to_pylist()
        try:
            paths = [
                f"{PREFIX}{path.partition(':')[0]}:{members[path].offset}:{members[path].size}"
                for path in named
            ]
        except KeyError as error:
            raise HiveError(
                f"{self._dataset / TRACKS}: names {error}, which no shard holds", _REMEDY
            ) from error
        column = table.schema.get_field_index("path")
        good = {place.mixture.mix_id for place in self._places if place.mixture.remixed > above}
        kept = [path.partition(":")[2].rpartition(".")[0] in good for path in named]
        return table.set_column(column, "path", pa.array(paths, pa.string())).filter(pa.array(kept))

    def recordings(self, seconds: float, above: float) -> list[_Place]:
        """Return the recordings of more Re-SDR and Re-SI-SDR that are at least so long."""
        return [
            place
            for place in self._places
            if place.mixture.remixed > above and place.seconds >= seconds
        ]

    def path(self, mixture: Mixture, number: int) -> str:
        """Return the path of a member of a recording."""
        member = mixture.members[number]
        return f"{PREFIX}{self._shards[mixture.shard]}:{member.offset}:{member.size}"


class SelfSeparate:
    """Natural recordings as mixtures; the last source of each is the rest, which has no label.

    Recording and crop of mixture i are drawn by seed and i.

    Args:
        tracks: The dataset.
        seconds: Length of a crop.
        seed: Seed.
        num: Mixtures of an epoch.
        above: Re-SDR and Re-SI-SDR that a recording must have more of, dB.

    Raises:
        HiveError: If no such recording is long enough.
    """

    endless = True
    sample_rate = SAMPLE_RATE

    def __init__(
        self, tracks: Tracks, seconds: float, seed: int, num: int, *, above: float
    ) -> None:
        self._tracks = tracks
        self._places = tracks.recordings(seconds, above)
        if not self._places:
            raise HiveError(
                f"of the tracks, no recording is both {seconds:g} s long and above {above:g} dB of "
                "Re-SDR and Re-SI-SDR",
                "set data.tracks.self_separate to 0, or data.tracks.self_separate_db lower",
            )
        self.seconds = seconds
        self.largest = max(len(place.mixture.members) for place in self._places)
        self._seed = seed
        self._num = num

    @property
    def clips(self) -> pa.Table:
        """Path and label of the tracks."""
        pairs = [
            (self._tracks.path(place.mixture, number), label)
            for place in self._places
            for number, label in enumerate(place.mixture.labels)
            if label
        ]
        paths, labels = zip(*pairs, strict=True)
        return pa.table({"path": pa.array(paths), "label": pa.array(labels)})

    def __len__(self) -> int:
        """Mixtures of an epoch."""
        return self._num

    def identity(self) -> dict[str, Any]:
        """Return a hash of the recordings."""
        return {"recordings_sha256": sha256_json(self._places), "seed": self._seed}

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices."""
        return [self._recipe(index) for index in indices]

    def _recipe(self, index: int) -> Recipe:
        draws = Stream(self._seed, "train", index, "self_separate")
        mixture, length = self._places[draws.integer(len(self._places))]
        start = draws.uniform(0.0, length - self.seconds)
        crop = (start, start + self.seconds)
        return Recipe(
            index,
            mixture.mix_id,
            self.sample_rate,
            1.0,
            [
                Ingredient(self._tracks.path(mixture, n), label, (0.0, length), crop, 0.0, 1.0)
                for n, label in enumerate(mixture.labels)
            ],
        )


class TrackReader:
    """Reads members of the shards of tracks.

    Args:
        dataset: Folder of the dataset.
    """

    def __init__(self, dataset: Path) -> None:
        self._shards = ShardReader(dataset)

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Do nothing: reading the headers has shown that all is there."""

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Do nothing: most of the work is decoding."""

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a crop (see `hive.mixing.stream.readers.Reader`)."""
        own = ingredient._replace(path=ingredient.path.removeprefix(PREFIX))
        return self._shards.read(own, sample_rate, length)
