"""Rendered shards as what `hive.mixing.stream` mixes: every mixture at any place of any epoch.

The headers of all tar files are read once, which tells where each source's FLAC or WAV member
begins. A mixture is then a recipe whose ingredients are such members at weight 1, and the sum of
its sources is the mixture that was stored, to the bit; so nothing but the sources is read and
decoded, and order, ranks, workers, places to resume from and replacements for damaged members are
those of any other stream. Shards need to lie on a disk of this machine.

Members of 24 bits are rounded to 16.
"""

from __future__ import annotations

import json
import math
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from hive import audio
from hive.errors import HiveError
from hive.files import sha256_json
from hive.mixing.stream.readers import Crop
from hive.mixing.stream.recipe import Ingredient, Recipe
from hive.shards.features import REST
from hive.shards.layout import EMBEDDED, find_shards, locate
from hive.shards.tar import damage_told
from hive.storage import is_remote

_REMEDY = "render or download it again"
_HIGHEST_RATE = 768_000  # Hz
_LONGEST_SECONDS = 3600.0
_LARGEST_JSON = 1 << 20  # bytes; those of mixtures of five sources have four thousand


class Member(NamedTuple):
    """A file inside a tar file."""

    offset: int
    size: int


class Mixture(NamedTuple):
    """A mixture of a shard.

    Attributes:
        mix_id: Its name.
        shard: Number of its shard.
        members: Where its sources are, in order.
        labels: Their labels; "" is that of the rest of a natural recording, which comes last.
        remixed: How well the tracks of a natural recording add up to it: the lower one of Re-SDR
            and Re-SI-SDR, dB. Minus infinity for a mixture.
    """

    mix_id: str
    shard: int
    members: tuple[Member, ...]
    labels: tuple[str, ...]
    remixed: float


class ShardMixtures:
    """The mixtures of a split of a rendered dataset, as recipes.

    Args:
        dataset: Folder of the dataset, or "mini" for the embedded one.
        split: The split.
        sizes: Numbers of sources that are taken.
        limit: Take at most so many mixtures of each number of sources; None for all.

    Raises:
        HiveError: If there are none, they have several rates or lengths, or a shard is damaged.
    """

    endless = False

    def __init__(
        self, dataset: Path, split: str, sizes: Iterable[int], limit: int | None = None
    ) -> None:
        root = locate(dataset)
        if is_remote(root):
            raise HiveError(
                f"{root}: sources are read at random places, many times a second",
                "copy the shards to a disk of this machine",
            )
        wanted = tuple(sizes)
        sorted_by_size = str(dataset) != EMBEDDED
        shards = find_shards(root, split, wanted if sorted_by_size else None)
        self._root = root
        self._shards = [str(shard.relative_to(root)) for shard in shards]
        self._mixtures: list[Mixture] = []
        formats: set[tuple[int, float]] = set()
        counts = Counter[int]()
        for number, shard in enumerate(shards):
            for mixture, form in scan(shard, number):
                size = sum(map(bool, mixture.labels))
                if limit is not None and counts[size] == limit:
                    if sorted_by_size:
                        break
                elif size in wanted:
                    counts[size] += 1
                    self._mixtures.append(mixture)
                    formats.add(form)
        if not self._mixtures:
            raise HiveError(f"{root}: the shards of split {split!r} hold no mixtures", _REMEDY)
        if len(formats) > 1:
            raise HiveError(
                f"{root}: the mixtures of split {split!r} have several rates or lengths: "
                f"{sorted(formats)[:4]} (Hz, s)",
                "train on shards of one rate and length",
            )
        ((self.sample_rate, self.seconds),) = formats
        self.largest = max(len(mixture.members) for mixture in self._mixtures)

    @property
    def clips(self) -> pa.Table:
        """Labels of the sources, with the shard of each as its path."""
        pairs = {
            (self._shards[mixture.shard], label)
            for mixture in self._mixtures
            for label in mixture.labels
            if label
        }
        paths, labels = zip(*sorted(pairs), strict=True)
        return pa.table({"path": pa.array(paths), "label": pa.array(labels)})

    def __len__(self) -> int:
        """Number of mixtures."""
        return len(self._mixtures)

    def identity(self) -> dict[str, Any]:
        """Return a hash of names, sizes and labels of the mixtures, and their number."""
        # An infinite value is none of JSON.
        told = [(*mixture[:-1], str(mixture.remixed)) for mixture in self._mixtures]
        return {
            "shards_sha256": sha256_json([self._shards, told]),
            "mixtures": len(self._mixtures),
        }

    def recipes(self, indices: Sequence[int]) -> list[Recipe]:
        """Return the recipes of some indices."""
        return [self._recipe(index) for index in indices]

    def _recipe(self, index: int) -> Recipe:
        mixture = self._mixtures[index]
        whole = (0.0, self.seconds)
        path = self._shards[mixture.shard]
        return Recipe(
            index,
            mixture.mix_id,
            self.sample_rate,
            1.0,
            [
                Ingredient(f"{path}:{member.offset}:{member.size}", label, whole, whole, 0.0, 1.0)
                for member, label in zip(mixture.members, mixture.labels, strict=True)
            ],
        )


class ShardReader:
    """Decodes the members that recipes of `ShardMixtures` name.

    Args:
        dataset: As given to `ShardMixtures`.
    """

    def __init__(self, dataset: Path) -> None:
        self._root = locate(dataset)

    def check(self, clips: pa.Table, sample_rate: int) -> None:
        """Do nothing: reading the headers has shown that all is there."""

    def expect(self, ingredients: Iterable[Ingredient]) -> None:
        """Do nothing: most of the work is decoding."""

    def read(self, ingredient: Ingredient, sample_rate: int, length: int) -> Crop:
        """Read a source (see `hive.mixing.stream.readers.Reader`)."""
        name, offset, size = ingredient.path.rsplit(":", 2)
        path = self._root / name
        with damage_told(path), path.open("rb") as handle:
            handle.seek(int(offset))
            data = handle.read(int(size))
        samples, rate = audio.decode(data)
        if rate != sample_rate:
            raise HiveError(f"{path}: a source is at {rate} Hz, not {sample_rate} Hz", _REMEDY)
        # A member that is read whole begins at 0, and is as long as the mixture.
        start = round(ingredient.crop[0] * rate)
        samples = audio.fit(samples[start : start + length], length)
        return Crop(samples, 1.0, audio.rms(samples), audio.peak(samples))


def scan(shard: Path, number: int) -> Iterator[tuple[Mixture, tuple[int, float]]]:
    """Yield the mixtures of a shard, each with its rate in Hz and its length in seconds.

    Args:
        shard: The tar file, of which only headers and json members are read.
        number: Its number among the shards.

    Raises:
        HiveError: If it is damaged.
    """
    key = ""
    members: dict[str, Member] = {}
    told: dict[str, Any] = {}
    with damage_told(shard), tarfile.open(shard, "r:") as archive:
        for info in archive:
            if not info.isreg() or info.issparse():
                raise HiveError(f"{shard}: {info.name!r} is no plain file", _REMEDY)
            stem, _, field = info.name.partition(".")
            if stem != key and members:
                yield _mixture(shard, number, key, members, told)
                members, told = {}, {}
            key = stem
            if field == "json":
                told = _json(shard, info.size, archive.extractfile(info))
            members[field] = Member(info.offset_data, info.size)
    if members:
        yield _mixture(shard, number, key, members, told)


def _mixture(
    shard: Path, number: int, key: str, members: dict[str, Member], told: dict[str, Any]
) -> tuple[Mixture, tuple[int, float]]:
    try:
        sources = [(str(one["source_id"]), str(one["label"])) for one in told["sources"]]
        form = int(told["sample_rate"]), float(told["target_duration"])
        found = tuple(members.get(f"{name}.flac") or members[f"{name}.wav"] for name, _ in sources)
        remixed = _remixed(told.get("separation"))
        if not found or not (0 < form[0] <= _HIGHEST_RATE and 0 < form[1] <= _LONGEST_SECONDS):
            raise ValueError(f"{len(found)} sources, {form[0]} Hz, {form[1]} s")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HiveError(
            f"{shard}: mixture {key!r} lacks sources, a rate or a length in its json member, or "
            f"the audio of a source ({error!r})",
            _REMEDY,
        ) from error
    labels = [label for _, label in sources]
    if rest := members.get(f"{REST}.flac") or members.get(f"{REST}.wav"):
        found, labels = (*found, rest), [*labels, ""]
    return Mixture(key, number, found, tuple(labels), remixed), form


def _remixed(separation: Any) -> float:
    if not isinstance(separation, dict):
        return -math.inf
    # Null says that the tracks add up exactly.
    values = (separation[name] for name in ("re_sdr", "re_si_sdr"))
    return min(math.inf if value is None else float(value) for value in values)


def _json(shard: Path, size: int, handle: Any) -> dict[str, Any]:
    if size > _LARGEST_JSON:
        raise HiveError(f"{shard}: a json member has {size} bytes", _REMEDY)
    try:
        told = json.loads(handle.read())
    except (ValueError, RecursionError) as error:
        raise HiveError(f"{shard}: a json member cannot be read ({error})", _REMEDY) from error
    return told if isinstance(told, dict) else {}
