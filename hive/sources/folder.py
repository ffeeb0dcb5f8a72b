"""Source `folder`: recordings of one's own, with a CSV manifest or a folder for each label.

Manifest columns: `path` (relative to the manifest) and `label`, both required, and where known
`audioset_id`, `start` and `end` (seconds of the interval that holds the sound), `recording_id`
(clips cut from one recording share it and stay in one split), `licence`, `author` and `split`.
Further columns are ignored. Labels are AudioSet's; they are mapped to Hive classes, and what maps
to none is rejected with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hive.errors import HiveError
from hive.sources.metadata import CONTROL, LONGEST, shorten
from hive.storage import folder_name
from hive.tables import SPLITS

REQUIRED = ("path", "label")
_AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}


@dataclass(frozen=True)
class Recording:
    """One row of a manifest."""

    path: str  # relative to the root
    label: str
    audioset_id: str = ""
    start: float | None = None
    end: float | None = None
    recording_id: str = ""
    licence: str = ""
    author: str = ""
    split: str = ""

    @property
    def clip_id(self) -> str:
        """A readable name that depends on the path and interval alone."""
        address = f"{self.path}\x1f{self.start}\x1f{self.end}"
        digest = hashlib.blake2b(address.encode("utf-8"), digest_size=4).hexdigest()
        stem = re.sub(r"[^a-z0-9]+", "_", PurePosixPath(self.path).stem.lower()).strip("_")
        return f"{stem[:40] or 'clip'}_{digest}"


def corpus_name(path: Path, given: str | None) -> str:
    """Return the name of a corpus: as given, or from its folder.

    Raises:
        HiveError: If the given name is not `[a-z0-9_-]+`.
    """
    if given is None:
        resolved = path.resolve()
        folder = resolved if resolved.is_dir() else resolved.parent
        return re.sub(r"[^a-z0-9_-]+", "_", folder_name(folder).lower()).strip("_") or "corpus"
    if not re.fullmatch(r"[a-z0-9_-]+", given):
        raise HiveError(
            f"--corpus {given!r} is not a plain name", "use the characters a-z, 0-9, _ and -"
        )
    return given


def read_recordings(path: Path) -> tuple[Path, list[Recording]]:
    """List the recordings of a manifest, a folder with `manifest.csv`, or a folder a label.

    Args:
        path: A CSV file or a folder.

    Returns:
        The root that recording paths count from, and the recordings.

    Raises:
        HiveError: If nothing is found, a column is missing, or a cell cannot be read; for a table
            of one's own the first such row stops it, with its line.
    """
    if path.is_dir():
        if (path / "manifest.csv").is_file():
            path = path / "manifest.csv"
        else:
            return path, _from_folders(path)
    if not path.is_file():
        raise HiveError(f"{path}: no such manifest or folder", "check the path")
    return path.parent, _from_manifest(path)


def _from_manifest(path: Path) -> list[Recording]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            columns = reader.fieldnames or []
            missing = [name for name in REQUIRED if name not in columns]
            if missing:
                raise HiveError(
                    f"{path}: column {missing[0]!r} is missing (found: {', '.join(columns)})",
                    f"add it; a manifest needs the columns {', '.join(REQUIRED)}",
                )
            recordings = [_from_row(path, reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        line = f", after line {reader.line_num}" if isinstance(error, csv.Error) else ""
        raise HiveError(
            f"{path}{line}: not a CSV file in UTF-8 ({error})",
            "save it as such; a quote that opens a cell must be closed",
        ) from error
    if not recordings:
        raise HiveError(f"{path}: lists no recordings", "add a row for each recording")
    return recordings


def _from_row(path: Path, line: int, row: dict[str, str]) -> Recording:
    where = f"{path}, line {line}"
    if None in row:
        raise HiveError(f"{where}: more cells than columns", "quote cells that hold a comma")
    cells = {key: (value or "").strip() for key, value in row.items()}
    for name, cell in cells.items():
        if CONTROL.search(cell):
            raise HiveError(
                f"{where}: {name!r} holds a line break or another control character",
                "take it out, or close the quote that opens a cell",
            )
    for name in REQUIRED:
        if not cells[name]:
            raise HiveError(f"{where}: {name!r} is empty", "fill it in, or remove the row")
    relative = PurePosixPath(cells["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise HiveError(
            f"{where}: path {shorten(cells['path'])!r} leaves the manifest's folder",
            "give a path below the folder of the manifest",
        )
    split = cells.get("split", "")
    if split and split not in SPLITS:
        raise HiveError(
            f"{where}: split {shorten(split)!r} is unknown", f"use one of {', '.join(SPLITS)}"
        )
    start, end = (_seconds(where, name, cells.get(name, "")) for name in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise HiveError(f"{where}: 'end' is not after 'start'", "correct the interval")
    return Recording(
        path=cells["path"],
        label=cells["label"],
        audioset_id=cells.get("audioset_id", ""),
        start=start,
        end=end,
        recording_id=cells.get("recording_id", "") or cells["path"],
        licence=cells.get("licence", ""),
        author=cells.get("author", ""),
        split=split,
    )


def _seconds(where: str, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < LONGEST:
        raise HiveError(
            f"{where}: {name!r} is {shorten(text)!r}, not seconds", "give a number of seconds"
        )
    return value


def _from_folders(root: Path) -> list[Recording]:
    recordings = [
        Recording(path=name, label=file.parent.name.replace("_", " "), recording_id=name)
        for file in sorted(root.glob("*/*"))
        if file.suffix.lower() in _AUDIO_SUFFIXES
        for name in [file.relative_to(root).as_posix()]
    ]
    if not recordings:
        raise HiveError(
            f"{root}: holds neither manifest.csv nor LABEL/recording.wav files",
            f"write a manifest with the columns {', '.join(REQUIRED)}",
        )
    return recordings
