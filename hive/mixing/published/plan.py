"""Write published metadata as plans of ours: one mixture table a split, with all gains set."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hive.claims import claim, describe
from hive.errors import HiveError
from hive.files import sha256_json, write_csv, write_json, write_records
from hive.mixing.published.block import SOURCE_NUMBERS, Block
from hive.mixing.published.check import check, split_of
from hive.mixing.published.coverage import Coverage, class_of, cover
from hive.mixing.published.locate import Metadata
from hive.mixing.published.names import Namer, clip_keys, row_name
from hive.mixing.published.origin import Origin, origin
from hive.mixing.published.survey import Survey, possible, survey, usable
from hive.mixing.published.write import plan_file
from hive.mixing.roots import CorpusRoots
from hive.pool.store import Reject
from hive.tables import MIXTURE_SCHEMA, MIXTURE_SOURCE, SPLITS

#: What the settings of such a plan say it is.
KIND = "published"
PLAN_VERSION = 1


@dataclass(frozen=True)
class Prepared:
    """Metadata and corpora that were looked through; nothing is written yet.

    Attributes:
        metadata: The metadata.
        roots: Folders of the corpora.
        known: Files and names in the metadata.
        coverage: What can be made.
    """

    metadata: Metadata
    roots: CorpusRoots
    known: Survey
    coverage: Coverage

    def write(self, folder: Path, *, partial: bool = False) -> list[Path]:
        """Write a plan of each split, and beside it what it leaves out.

        Beside SPLIT.parquet stand SPLIT.coverage.json, SPLIT.missing.csv (files that are not here)
        and SPLIT.quarantine.csv (rows that cannot be used). A plan that is there stays: other jobs
        may be rendering it. SPLIT.json says what it was made of, and nothing else may take its
        place.

        Args:
            folder: Folder of the plans.
            partial: Leave out mixtures whose files are not all here; without, all must be here.

        Returns:
            The plans, by split; none of a split of which nothing can be made.

        Raises:
            HiveError: If there are no usable rows, something is missing and `partial` is not set,
                or a plan of other mixtures is there. Then nothing is written.
        """
        _refuse(self.metadata, self.coverage, partial)
        described = self._describe()
        claims = {split: folder / f"{split}.json" for split in described}
        # Those that are there first, so that a run that is refused leaves no new one.
        for split in sorted(claims, key=lambda split: not claims[split].is_file()):
            if changed := claim(claims[split], described[split]):
                raise HiveError(
                    f"{folder}: split {split!r} is there with other mixtures\n{describe(changed)}",
                    "render into another folder, or remove this dataset",
                )
        rejects: list[Reject] = self.coverage.rejects
        for split in self.coverage.splits:
            write_json(folder / f"{split}.coverage.json", self.coverage.as_json())
            write_csv(
                folder / f"{split}.missing.csv", ["path"], ([one] for one in self.coverage.missing)
            )
            write_records(folder / f"{split}.quarantine.csv", Reject, rejects)
            rejects = []  # listed once
        plans = {split: folder / f"{split}.parquet" for split in described}
        self._write_plans(
            {split: described[split] for split, path in plans.items() if not path.is_file()}, folder
        )
        return list(plans.values())

    def _describe(self) -> dict[str, dict[str, Any]]:
        """Return the settings of the plan of each split of which something can be made."""
        digest = self.metadata.sha256()
        counts = {split: self.coverage.count(split) for split in self.coverage.splits}
        return {
            split: {
                "kind": KIND,
                "split": split,
                "metadata": self.metadata.source,
                "revision": self.metadata.revision,
                "sha256": digest,
                "mixtures": can,
                "without_audio": total - can,
                "chosen_sha256": self.coverage.chosen[split],
                "plan_version": PLAN_VERSION,
            }
            for split, (total, can) in counts.items()
            if can
        }

    def _write_plans(self, described: dict[str, dict[str, Any]], folder: Path) -> None:
        """Write the plans of some splits, reading the metadata once."""
        if not described:
            return
        namer = Namer(self.known.repeated)
        with ExitStack() as opened:
            files = {
                split: opened.enter_context(plan_file(folder / f"{split}.parquet", settings))
                for split, settings in described.items()
            }
            for block in self.metadata.blocks():
                wrong, here = check(block), possible(block, self.known.files)
                for split, file in files.items():
                    used = usable(block, wrong, [split])
                    # Named before rows are left out: names do not depend on what is here.
                    names = [namer.name(row_name(block, row)) for row in np.flatnonzero(used)]
                    keep = used & here
                    if keep.any():
                        kept = [name for name, kept in zip(names, here[used], strict=True) if kept]
                        file.add(plan_rows(block, keep, kept))


def prepare(metadata: Metadata, roots: CorpusRoots, splits: Collection[str] = SPLITS) -> Prepared:
    """Look through metadata and corpora; nothing is written.

    Args:
        metadata: The metadata.
        roots: Folders of the corpora.
        splits: Splits that are wanted.

    Raises:
        HiveError: If the metadata cannot be read.
    """
    known = survey(metadata, splits, roots)
    return Prepared(metadata, roots, known, cover(metadata, splits, roots, known))


def plan_rows(block: Block, keep: NDArray[np.bool_], names: list[str]) -> pa.Table:
    """Return rows of a block as rows of a mixture table.

    Labels that mean a class of Hive get its name, others stay. Sources are numbered by their
    order. What the metadata do not say follows from the path (`hive.mixing.published.origin`).

    Args:
        block: The block.
        keep: Rows to take, all of them usable, shape (N,).
        names: Names of these.
    """
    chosen = np.flatnonzero(keep[block.parents])
    counts = block.counts[keep]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    keys = clip_keys(block)
    paths = [str(block.source_texts["path"][at]) for at in chosen]
    labels = [str(block.source_texts["label"][at]) for at in chosen]
    origins = [origin(path) for path in paths]
    columns: dict[str, Any] = {
        "source_id": [f"s{number + 1}" for count in counts for number in range(count)],
        "path": paths,
        "label": [class_of(label) or label for label in labels],
        **{name: block.source_numbers[name][chosen] for name in SOURCE_NUMBERS},
        "clip_id": [
            f"{one.corpus}_{keys[at]:016x}" for one, at in zip(origins, chosen, strict=True)
        ],
        "recording_id": [one.recording_id for one in origins],
        "licence": [one.licence for one in origins],
        "attribution": [one.attribution for one in origins],
        "pcm_sha256": [None] * len(chosen),
    }
    sources = pa.StructArray.from_arrays(
        [pa.array(columns[part.name], part.type) for part in MIXTURE_SOURCE], fields=MIXTURE_SOURCE
    )
    rows = np.flatnonzero(keep)
    splits = [split_of(block.texts["split"][row]) for row in rows]
    values: dict[str, Any] = {
        "mix_id": names,
        "split": splits,
        "num_sources": counts,
        "sample_rate": block.numbers["sample_rate"][keep].astype(np.int32),
        "target_duration": block.numbers["target_duration"][keep],
        "sources": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), sources),
        "global_normalization_factor": block.numbers["global_normalization_factor"][keep],
        "final_max_amplitude": block.numbers["final_max_amplitude"][keep],
        "settings_hash": [_row_settings(split or "") for split in splits],
        "licence": [_joined(origins[a:b]) for a, b in pairwise(offsets)],
        "pcm_sha256": [None] * len(rows),
    }
    arrays = [
        values[part.name] if part.name == "sources" else pa.array(values[part.name], part.type)
        for part in MIXTURE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=MIXTURE_SCHEMA)


def _joined(origins: list[Origin]) -> str:
    return " AND ".join(sorted({one.licence for one in origins}))


@cache
def _row_settings(split: str) -> str:
    """Return the hash that rows carry: the same whatever form the metadata had."""
    return sha256_json({"kind": KIND, "split": split, "plan_version": PLAN_VERSION})


def _refuse(metadata: Metadata, coverage: Coverage, partial: bool) -> None:
    if not coverage.mixtures:
        first = f": {coverage.rejects[0].reason}" if coverage.rejects else ""
        raise HiveError(
            f"{metadata.source}: none of its rows can be used ({coverage.unusable} rows of the "
            f"split cannot be{first})",
            "see docs/published-metadata.md for the format, and check --split",
        )
    total, can = coverage.mixtures.total(), coverage.possible.total()
    if can and (partial or can == total):
        return
    corpora = ", ".join(
        f"{name} ({one.files_here} of {one.files} files)"
        for name, one in sorted(coverage.corpora.items())
        if one.files_here < one.files
    )
    raise HiveError(
        f"audio is missing, so {can} of {total} mixtures can be made: {corpora}",
        "add the corpora to the file of --corpora"
        + (", or give --partial to render what can be made" if can else ""),
    )
