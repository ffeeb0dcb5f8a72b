"""Make the pool that the minis are trained on, from a manifest of recordings and the synthesiser.

    python -m baselines.minis.prepare recordings/manifest.csv --out POOL

Weights inherit the licences of what they are trained on, so the training split takes recordings
that ask for attribution at most or are CC BY-SA, and nothing else. All others, which have never
been trained on, are what validation and test are made of, together with one in six of the free
recordings of the larger classes. Phrases rendered from sampled notes (the column `provenance`
begins with "rendered") are trained on or left out, never tested with. Recordings that hold the
same sound are found by fingerprint and end in one split, the one that is held out more.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from hive.errors import HiveError
from hive.files import write_bytes
from hive.labels import resolve
from hive.licences.rules import Filter
from hive.licences.terms import alternatives, terms
from hive.options import CORES, Workers
from hive.pool.duplicates import find_duplicates
from hive.pool.importer import import_folder, import_synth
from hive.pool.layout import Short
from hive.pool.store import TABLE, read_pool
from hive.seeding import Stream
from hive.sources import synth
from hive.tables import write_table

CORPUS = "recordings"
SEED = 0
#: Of classes with so many free recordings some are held out.
_LARGE = 5
_HELD_OUT = 1 / 6

Row = dict[str, str]


def divide(rows: Iterable[Row]) -> list[Row]:
    """Give each recording of a manifest a split; leave out what is of no use.

    Args:
        rows: Rows with path, label, licence, provenance, and perhaps audioset_id, recording_id.

    Returns:
        Rows with a split, those of no Hive class and rendered ones that must not be trained on
        left out.
    """
    classes = {id(row): resolve(row["label"], row.get("audioset_id") or None) for row in rows}
    known = [(row, found.label) for row in rows if (found := classes[id(row)]).label is not None]
    free: dict[str, set[str]] = defaultdict(set)
    for row, label in known:
        if _may_train(row["licence"]) and not _rendered(row):
            free[label.name].add(_recording(row))
    divided = []
    chosen: dict[str, str] = {}  # clips of one recording may be of two classes
    for row, label in known:
        draw = Stream(SEED, "minis", _recording(row), "split").uniform()
        if not _may_train(row["licence"]):
            split = "" if _rendered(row) else "validation" if draw < 0.5 else "test"
        elif _rendered(row) or len(free[label.name]) < _LARGE or draw >= _HELD_OUT:
            split = "train"
        else:
            split = "validation" if draw < _HELD_OUT / 2 else "test"
        split = chosen.setdefault(_recording(row), split)
        if split:
            divided.append({**row, "split": split})
    return divided


def _may_train(licence: str) -> bool:
    """Whether weights trained on it may be published as CC BY-SA 4.0 with attributions."""
    allowed = Filter.parse(["open"]).allows
    return any(
        all(allowed(part)[0] or _share_alike(part) for part in parts)
        for parts in alternatives(licence)
    )


def _share_alike(licence: str) -> bool:
    asked = terms(licence)
    return licence.startswith("CC-BY-SA-") and asked.known and not asked.noncommercial


def _rendered(row: Row) -> bool:
    return row["provenance"].startswith("rendered")


def _recording(row: Row) -> str:
    return row.get("recording_id") or row["path"]


def main(
    manifest: Annotated[Path, typer.Argument(help="CSV with path, label, licence, provenance.")],
    out: Annotated[Path, typer.Option(help="Folder of the pool.")],
    per_class: Annotated[int, typer.Option(help="Synthesised clips of each class.")] = 2,
    workers: Workers = CORES,
) -> None:
    """Make the pool that the minis are trained on."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for column in ("path", "label", "licence", "provenance"):
        if not rows or column not in rows[0]:
            raise HiveError(f"{manifest}: no column {column!r}", "give a manifest that has it")
    divided = divide(rows)
    with TemporaryDirectory() as folder:
        _import(Path(folder), manifest.resolve().parent, divided, out, workers)
    if per_class:
        classes = synth.classes()
        import_synth(out, seed=SEED, per_class=per_class, classes=classes, workers=workers)
        _train_on_synth(out)
    find_duplicates(out, workers)


def _import(folder: Path, recordings: Path, rows: list[Row], pool: Path, workers: int) -> None:
    """Import rows, whose paths count from the folder `recordings`, by a manifest in `folder`."""
    (folder / "recordings").symlink_to(recordings)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows({**row, "path": f"recordings/{row['path']}"} for row in rows)
    write_bytes(folder / "manifest.csv", text.getvalue().encode())
    import_folder(
        folder / "manifest.csv", pool, CORPUS, short=Short.REPEAT, seed=SEED, workers=workers
    )


def _train_on_synth(pool: Path) -> None:
    """Bind what was synthesised to the training split."""
    clips, metadata = read_pool(pool)
    splits = [
        "train" if source == "synth" else split
        for source, split in zip(
            clips["source"].to_pylist(), clips["split"].to_pylist(), strict=True
        )
    ]
    place = clips.schema.get_field_index("split")
    field = clips.schema.field(place)
    bound = clips.set_column(place, field, [splits])
    write_table(pool / TABLE, bound, bound.schema, metadata)


if __name__ == "__main__":
    typer.run(main)
