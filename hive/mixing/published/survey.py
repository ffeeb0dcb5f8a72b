"""A first look at metadata: which files they mention, which are here, which names repeat."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hive.mixing.published.block import Block
from hive.mixing.published.check import check, split_of
from hive.mixing.published.locate import Metadata
from hive.mixing.published.names import name_hashes
from hive.mixing.published.present import present
from hive.mixing.roots import CorpusRoots


@dataclass(frozen=True)
class Survey:
    """What a first look at metadata found.

    Attributes:
        files: For each path of usable rows, whether its file is here.
        repeated: Hashes of names that more than one usable row bears.
    """

    files: dict[str, bool]
    repeated: frozenset[int]


def survey(metadata: Metadata, splits: Collection[str], roots: CorpusRoots) -> Survey:
    """Read all rows once for the files and names that they mention.

    Args:
        metadata: The metadata.
        splits: Splits that are wanted.
        roots: Folders of the corpora.
    """
    paths: dict[str, None] = {}
    hashes: list[NDArray[np.uint64]] = []
    for block in metadata.blocks():
        used = usable(block, check(block), splits)
        kept = np.repeat(used, block.counts)
        named = block.source_texts["path"]
        paths.update((str(named[source]), None) for source in np.flatnonzero(kept))
        hashes.append(name_hashes(block, used))
    names, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *hashes]), return_counts=True)
    return Survey(present(paths, roots), frozenset(names[counts > 1].tolist()))


def usable(block: Block, wrong: dict[int, str], splits: Collection[str]) -> NDArray[np.bool_]:
    """Return which rows of a block are of the wanted splits and can be used, shape (N,)."""
    flags = np.array([split_of(split) in splits for split in block.texts["split"]], bool)
    flags[list(wrong)] = False
    return flags


def possible(block: Block, files: dict[str, bool]) -> NDArray[np.bool_]:
    """Return which rows of a block have all their files here, shape (N,)."""
    here = np.array([files.get(path or "", False) for path in block.source_texts["path"]], bool)
    missing = np.zeros(len(block), np.int64)
    np.add.at(missing, block.parents[~here], 1)
    flags: NDArray[np.bool_] = missing == 0
    return flags
