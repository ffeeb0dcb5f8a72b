"""The test split that is probed: its clips, and what of them the fingerprint can judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive.contamination import mixtures
from hive.contamination.declared import Declared, Kind, in_split
from hive.contamination.identity import SHA256, canonical
from hive.contamination.judge import NEEDED, reach
from hive.contamination.mixtures import Clip
from hive.contamination.store import facts, parts, piece_codes
from hive.errors import HiveError
from hive.fingerprint.codes import SILENT
from hive.pool.store import read_pool

_PREFIX = 16  # digits: among millions of hashes no two begin with the same 64 bits by chance
UNREAD, SILENT_CLIP, TOO_LITTLE, JUDGED = "unread", "silent", "short or steady", "judged"


@dataclass(frozen=True)
class Problem:
    """Something that could not be probed.

    Attributes:
        where: The set that it belongs to.
        item: What it is about.
        problem: Why.
        remedy: What to do.
    """

    where: str
    item: str
    problem: str
    remedy: str


class Subject:
    """The clips of a test split.

    Args:
        declared: What is tested.
        store: Folder with the fingerprints of its clips.

    Attributes:
        clips: The clips.
        judged: For each clip whether its fingerprint can be found at all: one of the constants
            above.

    Raises:
        HiveError: If the split has no clips.
    """

    def __init__(self, declared: Declared, store: Path) -> None:
        self.declared = declared
        self.clips: list[Clip] = list(_clips(declared))
        if not self.clips:
            raise HiveError(
                f"{declared.text}: no clips of split {declared.split!r}", "choose another split"
            )
        self._numbers = {clip.clip_id: number for number, clip in enumerate(self.clips)}
        self._recordings: dict[str, list[int]] = {}
        for number, clip in enumerate(self.clips):
            if clip.recording_id:
                self._recordings.setdefault(clip.recording_id, []).append(number)
        self._hashes, self._hashed = self._hash_table(store)
        self.judged = self._judge(store)

    @property
    def mixed(self) -> bool:
        """Whether there are mixtures, and not clips alone."""
        return self.declared.kind is not Kind.POOL

    def number(self, clip_id: str) -> int:
        """Return the number of a clip."""
        return self._numbers[clip_id]

    def numbers(self, clip_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of clips, shape (N,)."""
        return np.array([self._numbers[name] for name in clip_ids], dtype=np.int64)

    def of_recording(self, recording_id: str) -> list[int]:
        """Return the clips of a recording."""
        return self._recordings.get(recording_id, [])

    def of_samples(self, sha256: str) -> list[int]:
        """Return the clips with these samples, as stored or as a stem of a mixture."""
        prefix = np.uint64(int(sha256[:_PREFIX], 16))
        low = int(np.searchsorted(self._hashes, prefix, "left"))
        high = int(np.searchsorted(self._hashes, prefix, "right"))
        return sorted(set(self._hashed[low:high].tolist()))

    def problems(self, store: Path) -> Iterator[Problem]:
        """Yield the clips that the fingerprint cannot judge, and why."""
        told = set()
        for part in parts(store):
            for fact in facts(part):
                if fact["problem"]:
                    told.add(fact["name"])
                    yield Problem(self.declared.text, fact["name"], fact["problem"], fact["remedy"])
        for clip, verdict in zip(self.clips, self.judged, strict=True):
            if verdict != JUDGED and clip.clip_id not in told:
                yield Problem(self.declared.text, clip.clip_id, *_WHY[verdict])

    def _hash_table(self, store: Path) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the beginnings of all hashes, sorted, and the clip of each."""
        prefixes: list[int] = []
        numbers: list[int] = []
        for part in parts(store):
            for fact in facts(part):
                if fact["pcm_sha256"]:
                    prefixes.append(int(fact["pcm_sha256"][:_PREFIX], 16))
                    numbers.append(self._numbers[fact["name"]])
        for batch in (
            mixtures.batches(self.declared.root, self.declared.split) if self.mixed else ()
        ):
            names = batch.sources["clip_id"].to_pylist()
            for name, digest in zip(names, batch.sources["pcm_sha256"].to_pylist(), strict=True):
                if digest:
                    if not SHA256.fullmatch(digest):
                        raise HiveError(
                            f"{self.declared.text}: pcm_sha256 {digest!r} of a stem is no SHA-256",
                            "correct the table",
                        )
                    prefixes.append(int(digest[:_PREFIX], 16))
                    numbers.append(self._numbers[name])
        values = np.array(prefixes, dtype=np.uint64)
        order = np.argsort(values, kind="stable")
        return values[order], np.array(numbers, dtype=np.int64)[order]

    def _judge(self, store: Path) -> list[str]:
        verdicts = [UNREAD] * len(self.clips)
        for part in parts(store):
            table, codes = piece_codes(part)
            for name, mine in zip(table["name"].to_pylist(), codes, strict=True):
                number = self._numbers[name]
                if reach(mine) >= NEEDED:
                    verdict = JUDGED
                else:
                    verdict = TOO_LITTLE if (mine != SILENT).any() else SILENT_CLIP
                verdicts[number] = max(verdict, verdicts[number], key=_ORDER.index)
        return verdicts


_ORDER = (UNREAD, SILENT_CLIP, TOO_LITTLE, JUDGED)
_WHY = {
    UNREAD: ("no audio of it was found", "restore the file or shard that holds it"),
    SILENT_CLIP: ("silent", "there is nothing to be heard"),
    TOO_LITTLE: (
        "too short or too steady for a fingerprint: copies of it may be missed",
        "declare the training set with ids or hashes too",
    ),
}


def _clips(declared: Declared) -> Iterator[Clip]:
    if declared.kind is not Kind.POOL:
        yield from mixtures.clips(declared.root, declared.split)
        return
    clips, _ = read_pool(declared.root)
    clips = clips.filter(in_split(clips["split"], declared.split))
    names = ("clip_id", "label", "recording_id", "path", "start_second", "end_second")
    columns = [
        pc.fill_null(clips[name], "" if place < 4 else 0.0) for place, name in enumerate(names)
    ]
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        clip_id, label, recording_id, path, start, end = row
        yield Clip(clip_id, label, canonical(recording_id), path, start, end)
