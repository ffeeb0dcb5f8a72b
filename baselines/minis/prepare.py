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
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from hive.errors import HiveError
from hive.files import write_bytes
from hive.labels import resolve
from hive.licences.rules import Filter
from hive.licences.terms import alternatives
from hive.options import CORES, Workers
from hive.pool.duplicates import find_duplicates
from hive.pool.importer import import_folder, import_synth
from hive.pool.layout import Short
from hive.pool.store import TABLE, read_pool
from hive.seeding import Stream
from hive.sources import synth
from hive.sources.folder import read_recordings
from hive.tables import write_table

CORPUS = "recordings"
SEED = 0
_COLUMNS = ("path", "label", "licence", "provenance")
#: Those from which adaptations may go on to CC BY-SA 4.0; 1.0 knows no later version.
_SHARE_ALIKE = re.compile(r"CC-BY-SA-[234]\.\d\+?$")
#: Of classes with so many free recordings some are held out.
_LARGE = 5
_HELD_OUT = 1 / 6

Row = dict[str, str]


def divide(rows: Iterable[Row]) -> list[Row]:
    """Give each recording of a manifest a split; leave out what is of no use.

    All clips of a recording are dealt with alike, whatever their order: it is trained on only if
    all of them may be, it is rendered if one of them is, and of several classes the one with the
    fewest recordings decides whether some are held out.

    Args:
        rows: Rows with path, label, licence, provenance, and perhaps audioset_id, recording_id.

    Returns:
        Rows with a split. Left out are those of no Hive class, of classes that nothing is trained
        on, and rendered ones that must not be trained on.
    """
    recordings: dict[str, list[Row]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found = resolve(row["label"], row.get("audioset_id") or None).label
        if found is not None:
            recordings[_recording(row)].append(row)
            names[_recording(row)].add(found.name)
    free = Counter(
        name
        for recording, clips in recordings.items()
        if may_train(clips) and not _rendered(clips)
        for name in names[recording]
    )
    splits = {
        recording: _split(recording, clips, min(free[name] for name in names[recording]))
        for recording, clips in recordings.items()
    }
    trained = {
        name for recording, split in splits.items() if split == "train" for name in names[recording]
    }
    return [
        {**clip, "split": splits[recording]}
        for recording, clips in recordings.items()
        if splits[recording] and names[recording] <= trained
        for clip in clips
    ]


def _split(recording: str, clips: Sequence[Row], free: int) -> str:
    """Return the split of a recording; "" if it is of no use.

    Args:
        recording: Its name.
        clips: Its clips.
        free: Free recordings of its class.
    """
    draw = Stream(SEED, "minis", recording, "split").uniform()
    if not may_train(clips):
        return "" if _rendered(clips) else "validation" if draw < 0.5 else "test"
    if _rendered(clips) or free < _LARGE or draw >= _HELD_OUT:
        return "train"
    return "validation" if draw < _HELD_OUT / 2 else "test"


def may_train(clips: Iterable[Row]) -> bool:
    """Whether weights trained on all of them may be published as CC BY-SA 4.0 with attributions."""
    allowed = Filter.parse(["open"]).allows
    return all(
        any(
            all(allowed(part)[0] or _SHARE_ALIKE.match(part) for part in parts)
            for parts in alternatives(clip["licence"])
        )
        for clip in clips
    )


def _rendered(clips: Iterable[Row]) -> bool:
    return any(clip["provenance"].startswith("rendered") for clip in clips)


def _recording(row: Row) -> str:
    return row.get("recording_id") or row["path"]


def read_manifest(manifest: Path) -> list[Row]:
    """Read the rows of a manifest.

    Raises:
        HiveError: If it cannot be read, or lacks a column or the licence of a recording.
    """
    read_recordings(manifest)  # says what is wrong with all other columns
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {key: (cell or "").strip() for key, cell in row.items()} for row in csv.DictReader(file)
        ]
    for column in _COLUMNS:
        if column not in rows[0]:
            raise HiveError(f"{manifest}: no column {column!r}", "give a manifest that has it")
    for number, row in enumerate(rows, 1):
        if not row["licence"]:
            raise HiveError(
                f"{manifest}, recording {number} ({row['path']}): no licence",
                "fill it in, or remove the row: it decides what may be trained on",
            )
    return rows


def main(
    manifest: Annotated[Path, typer.Argument(help="CSV with path, label, licence, provenance.")],
    out: Annotated[Path, typer.Option(help="Folder of the pool.")],
    per_class: Annotated[int, typer.Option(min=0, help="Synthesised clips of each class.")] = 2,
    workers: Workers = CORES,
) -> None:
    """Make the pool that the minis are trained on."""
    divided = divide(read_manifest(manifest))
    if not divided:
        raise HiveError(f"{manifest}: no recording is of a Hive class", "correct its labels")
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
    try:
        typer.run(main)
    except HiveError as error:
        sys.exit(f"Error: {error}")
