"""Names inside a dataset folder.

data/<n>mix/<split>-<i>-of-<count>.tar   mixtures; members <mix_id>.json, .mix.flac, .s1.flac ...
.hive/data/<n>mix/<split>-....json       sidecar: written last, its presence says "done"
.hive/duplicates.json                    near-duplicates in the pool, for the check of leakage
.hive/facts.json                         what the card and croissant.json are written from
mixtures.parquet, SHA256SUMS, LICENSES.csv, ATTRIBUTION.txt, README.md, croissant.json
tracks.parquet                           of natural recordings alone: their tracks as clips
quarantine.csv                           what could not be rendered; stays at home
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError
from hive.storage import place
from hive.tables import SPLITS

MIXTURES = "mixtures.parquet"
TRACKS = "tracks.parquet"  # clip table of the tracks of natural recordings; elsewhere there is none
CHECKSUMS = "SHA256SUMS"
LICENCES = "LICENSES.csv"
ATTRIBUTION = "ATTRIBUTION.txt"
CARD = "README.md"
CROISSANT = "croissant.json"
WORK = ".hive"
FACTS = ".hive/facts.json"
GROUPS = ".hive/duplicates.json"  # group of each recording that has near-duplicates in the pool
_NAME = re.compile(r"^(?P<split>[a-z]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tar$")
EMBEDDED = "mini"


@dataclass(frozen=True)
class Shard:
    """One shard of a dataset: its place among those of a split and size."""

    split: str
    num_sources: int
    index: int
    count: int

    @property
    def name(self) -> str:
        """Path of the tar file below the dataset folder."""
        return f"data/{self.num_sources}mix/{self.split}-{self.index:05d}-of-{self.count:05d}.tar"

    def tar(self, dataset: Path) -> Path:
        """Path of the tar file."""
        return dataset / self.name

    def sidecar(self, dataset: Path) -> Path:
        """Path of the sidecar, which is written last."""
        return (dataset / WORK / self.name).with_suffix(".json")

    def rows(self, dataset: Path) -> Path:
        """Path of this shard's rows of the mixture table."""
        return (dataset / WORK / self.name).with_suffix(".parquet")


def shard_order(name: str) -> tuple[int, int, str]:
    """Sort key of shard paths: split (train, validation, test), size, index.

    The row groups of `mixtures.parquet` follow the shards in this order, one for each.
    """
    folder, _, file = name.removeprefix("data/").partition("/")
    split = file.partition("-")[0]
    size = folder.removesuffix("mix")
    return (
        SPLITS.index(split) if split in SPLITS else len(SPLITS),
        int(size) if size.isdigit() else 0,
        file,
    )


def locate(name: str | Path) -> Path:
    """Return the folder of a dataset given as a path, or of the embedded one given as `mini`.

    Raises:
        HiveError: If there is no such dataset.
    """
    if str(name) == EMBEDDED:
        return Path(__file__).parents[1]
    path = place(name)
    if not (path / "data").is_dir():
        raise HiveError(
            f"{path}: not a dataset folder (it has no folder data/)",
            "give the folder that `hive-bench build` made, or `mini` for the embedded dataset",
        )
    return path


def find_shards(dataset: Path, split: str, sizes: tuple[int, ...] | None = None) -> list[Path]:
    """List the shards of a split in order of mixture size, then index.

    Args:
        dataset: Dataset folder (see `locate`).
        split: Name of the split.
        sizes: Numbers of sources to take; all when None.

    Raises:
        HiveError: If the split has no shards, or some of a sequence are missing.
    """
    folders = sorted((dataset / "data").iterdir())
    if sizes is not None:
        folders = [folder for folder in folders if folder.name in {f"{n}mix" for n in sizes}]
    found: list[Path] = []
    others: set[str] = set()
    for folder in folders:
        tars = sorted(folder.glob("*.tar"))
        matches = [(tar, _NAME.match(tar.name)) for tar in tars]
        others.update(match["split"] for _, match in matches if match)
        chosen = [(tar, match) for tar, match in matches if match and match["split"] == split]
        counts = {int(match["count"]) for _, match in chosen}
        if chosen and (len(counts) > 1 or len(chosen) != counts.pop()):
            raise HiveError(
                f"{folder}: the sequence of {split} shards has gaps ({len(chosen)} files)",
                "run the same `hive-bench build` or `mix render` again: it writes what is missing",
            )
        found.extend(tar for tar, _ in chosen)
    if not found:
        raise HiveError(
            f"{dataset}: no shards of split {split!r}",
            f"choose one of: {', '.join(sorted(others)) or 'none is there'}",
        )
    return found
