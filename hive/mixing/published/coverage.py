"""What can be made of published metadata with the corpora that are here."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hive.labels import resolve
from hive.mixing.published.block import Block
from hive.mixing.published.check import check, split_of
from hive.mixing.published.locate import Metadata
from hive.mixing.published.names import clip_keys
from hive.mixing.published.survey import Survey, possible, usable
from hive.mixing.roots import CorpusRoots
from hive.pool.store import Reject
from hive.storage import is_remote
from hive.tables import SAMPLE_RATE, SPLITS

#: Rows that cannot be used and are listed one by one; more are counted.
LISTED = 100_000
FOUND, NO_FOLDER, NOT_MAPPED = "found", "folder missing", "not mapped"


@dataclass
class CorpusCoverage:
    """What is here of a corpus.

    Attributes:
        name: First part of its paths.
        folder: Its folder; empty where none is given.
        state: `found`, `folder missing` or `not mapped`.
        files: Audio files that the metadata name.
        files_here: Of these, those that are here.
        clips: Chunks of these files.
        clips_here: Of these, those whose file is here.
        mixtures: Mixtures with a source of it.
    """

    name: str
    folder: str
    state: str
    files: int = 0
    files_here: int = 0
    clips: int = 0
    clips_here: int = 0
    mixtures: int = 0


@dataclass
class Coverage:
    """What can be made.

    Attributes:
        corpora: By name.
        mixtures: Usable rows by (split, number of sources).
        possible: Of these, those of which every file is here.
        unusable: Rows that cannot be used, whatever is here.
        rejects: These, at most `LISTED` of them, with reasons.
        unknown_labels: Labels that are none of the 283 classes, with the number of sources.
        other_rates: Sample rates other than 44.1 kHz, with the number of mixtures.
        missing: Files that are not here, in order.
        chosen: For each split a hash of which of its usable rows can be made, in order.
    """

    corpora: dict[str, CorpusCoverage]
    mixtures: Counter[tuple[str, int]] = field(default_factory=Counter)
    possible: Counter[tuple[str, int]] = field(default_factory=Counter)
    unusable: int = 0
    rejects: list[Reject] = field(default_factory=list)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    other_rates: Counter[int] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)

    @property
    def splits(self) -> list[str]:
        """Splits with usable rows, in their order."""
        return [split for split in SPLITS if any(one == split for one, _ in self.mixtures)]

    def count(self, split: str) -> tuple[int, int]:
        """Return how many mixtures of a split there are, and how many can be made."""
        chosen = [key for key in self.mixtures if key[0] == split]
        return sum(self.mixtures[key] for key in chosen), sum(self.possible[key] for key in chosen)

    def sizes(self) -> list[tuple[str, int, int, int]]:
        """Return split, number of sources, mixtures and those that can be made, in order."""
        keys = sorted(self.mixtures, key=lambda key: (SPLITS.index(key[0]), key[1]))
        return [(*key, self.mixtures[key], self.possible[key]) for key in keys]

    def as_json(self) -> dict[str, Any]:
        """Return all but the lists of single rows and files."""
        total, can = self.mixtures.total(), self.possible.total()
        return {
            "corpora": [asdict(self.corpora[name]) for name in sorted(self.corpora)],
            "mixtures": [
                {"split": split, "num_sources": size, "mixtures": count, "possible": made}
                for split, size, count, made in self.sizes()
            ],
            "total": {
                "mixtures": total,
                "possible": can,
                "percent": round(100.0 * can / total, 2) if total else 0.0,
            },
            "missing_files": len(self.missing),
            "unusable_rows": self.unusable,
            "unknown_labels": dict(self.unknown_labels.most_common()),
            "other_sample_rates": {str(rate): n for rate, n in sorted(self.other_rates.items())},
        }


def cover(
    metadata: Metadata, splits: Collection[str], roots: CorpusRoots, known: Survey
) -> Coverage:
    """Count what can be made.

    Args:
        metadata: The metadata.
        splits: Splits that are wanted.
        roots: Folders of the corpora.
        known: What `survey` found.
    """
    found = Coverage(_corpora(known.files, roots))
    clips: dict[str, set[int]] = defaultdict(set)
    clips_here: dict[str, set[int]] = defaultdict(set)
    chosen = {split: hashlib.sha256() for split in splits}
    for block in metadata.blocks():
        wrong = check(block)
        _note_unusable(found, block, wrong, splits)
        used = usable(block, wrong, splits)
        can = possible(block, known.files)
        of_split = np.array([split_of(split) or "" for split in block.texts["split"]])
        for row in np.flatnonzero(used):
            key = (str(of_split[row]), int(block.counts[row]))
            found.mixtures[key] += 1
            found.possible[key] += bool(can[row])
        for split, digest in chosen.items():
            digest.update(can[used & (of_split == split)].tobytes())
        rates = block.numbers["sample_rate"][used]
        for rate in rates[rates != SAMPLE_RATE]:
            found.other_rates[int(rate)] += 1
        _note_sources(found, block, used, known.files, clips, clips_here)
    for name, corpus in found.corpora.items():
        corpus.clips, corpus.clips_here = len(clips[name]), len(clips_here[name])
    found.missing = sorted(path for path, here in known.files.items() if not here)
    found.chosen = {split: digest.hexdigest() for split, digest in chosen.items()}
    return found


def _corpora(files: dict[str, bool], roots: CorpusRoots) -> dict[str, CorpusCoverage]:
    found: dict[str, CorpusCoverage] = {}
    for path, here in files.items():
        name = path.partition("/")[0]
        if name not in found:
            folder = roots.folder(path)
            if folder is None:
                found[name] = CorpusCoverage(name, "", NOT_MAPPED)
            else:
                # An object store has no folders to ask for: what is in them is all there is.
                there = is_remote(folder) or folder.is_dir()
                found[name] = CorpusCoverage(name, str(folder), FOUND if there else NO_FOLDER)
        found[name].files += 1
        found[name].files_here += here
    return found


def _note_unusable(
    found: Coverage, block: Block, wrong: dict[int, str], splits: Collection[str]
) -> None:
    for row, reason in sorted(wrong.items()):
        split = split_of(block.texts["split"][row])
        if split is not None and split not in splits:
            continue
        found.unusable += 1
        if len(found.rejects) < LISTED:
            found.rejects.append(
                Reject("", block.where(row), "metadata", reason, "ask its authors, or go without")
            )


def _note_sources(
    found: Coverage,
    block: Block,
    used: NDArray[np.bool_],
    files: dict[str, bool],
    clips: dict[str, set[int]],
    clips_here: dict[str, set[int]],
) -> None:
    paths, labels = block.source_texts["path"], block.source_texts["label"]
    keys = clip_keys(block)
    parents = block.parents
    holding: set[tuple[str, int]] = set()
    for source in np.flatnonzero(used[parents]):
        path = str(paths[source])
        name = path.partition("/")[0]
        clips[name].add(keys[source])
        if files[path]:
            clips_here[name].add(keys[source])
        holding.add((name, int(parents[source])))
        if class_of(str(labels[source])) is None:
            found.unknown_labels[str(labels[source])] += 1
    for name, _ in holding:
        found.corpora[name].mixtures += 1


@lru_cache(maxsize=4096)
def class_of(label: str) -> str | None:
    """Return the class that a label means, or None."""
    resolved = resolve(name=label).label
    return resolved.name if resolved else None
