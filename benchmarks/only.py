"""Scoring a part of a split that a file names, such as the mixtures that a model cannot know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.dataset import Entry
from hive.errors import HiveError


class Only:
    """The mixtures that a file names.

    Args:
        path: Text file with one mix_id a line; blank lines and what follows a `#` say nothing.

    Attributes:
        sha256: Hash of the names, whatever their order in the file.

    Raises:
        HiveError: If the file cannot be read, or names nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise HiveError(
                f"{path}: cannot be read ({error})", "give a text file of mix_ids, one a line"
            ) from error
        self._names = {name for line in lines if (name := line.partition("#")[0].strip())}
        if not self._names:
            raise HiveError(f"{path}: names no mixture", "write one mix_id a line")
        text = "".join(f"{name}\n" for name in sorted(self._names))
        self.sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()

    def select(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the mixtures that are named, in the order of `entries`.

        Raises:
            HiveError: If a name is not among them.
        """
        unknown = sorted(self._names - {entry.mix_id for entry in entries})
        if unknown:
            more = f" and {len(unknown) - 1} more" * (len(unknown) > 1)
            raise HiveError(
                f"{self._path}: {unknown[0]!r}{more} of its {len(self._names)} names are not in "
                "this split",
                "give the list that was made for this data set and split",
            )
        return [entry for entry in entries if entry.mix_id in self._names]
