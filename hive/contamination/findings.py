"""What was found of a test split in training sets: for each clip, set and kind the surest match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hive.contamination import mixtures
from hive.contamination.declared import Declared, Kind
from hive.contamination.identity import read_list
from hive.contamination.store import facts, parts
from hive.contamination.subject import Problem, Subject
from hive.files import write_records

#: The kinds of evidence.
KINDS = ("recording", "samples", "sound")
RECORDING, SAMPLES, SOUND = range(3)


@dataclass
class Match:
    """A clip of the test and what a training set holds of it; one row of `matches.csv`.

    Attributes:
        clip_id: The clip.
        label: Its class.
        recording_id: Its recording.
        training_set: The set, as it was declared.
        evidence: "recording" (the same by id), "samples" (by hash) or "sound" (by fingerprint).
        training_item: What of the set: clip id, path, or the entry of a list.
        training_recording: Its recording, where known.
        test_second: Where the part that was compared begins in the clip's file; "sound" only.
        train_second: Where that place lies in the training item; before its start when negative.
        seconds: Length of the stretch that agrees, silence left out.
        bit_error_rate: Share of fingerprint bits that differ in it.
        strength: Standard deviations from chance (`hive.fingerprint.compare`).
        matches: How many matches of this kind the clip has in this set.
    """

    clip_id: str
    label: str
    recording_id: str
    training_set: str
    evidence: str
    training_item: str
    training_recording: str
    test_second: float | None = None
    train_second: float | None = None
    seconds: float | None = None
    bit_error_rate: float | None = None
    strength: float | None = None
    matches: int = 1


@dataclass
class SetFacts:
    """What there is of a training set.

    Attributes:
        items: Recordings, clips, files or entries.
        hours: Hours that have fingerprints; overlaps of pieces are counted once.
        unread: Items that could not be read, or only in part.
    """

    items: int = 0
    hours: float = 0.0
    unread: int = 0


class Findings:
    """Collects matches.

    Args:
        subject: The test.
        sets: The training sets.

    Attributes:
        flags: Whether a clip was found, by clip, set and kind, shape (clips, sets, 3).
        facts: What there is of each set.
        problems: What could not be read of them.
    """

    def __init__(self, subject: Subject, sets: Sequence[Declared]) -> None:
        self.subject = subject
        self.sets = tuple(sets)
        self.flags: NDArray[np.bool_] = np.zeros((len(subject.clips), len(sets), 3), dtype=bool)
        self.facts = [SetFacts() for _ in sets]
        self.problems: list[Problem] = []
        self._best: dict[tuple[int, int, int], Match] = {}

    def add_list(self, number: int) -> None:
        """Compare the ids and hashes of a declared list."""
        declared, facts = self.sets[number], self.facts[number]
        for entry in read_list(declared.root):
            facts.items += 1
            if isinstance(entry, str):
                facts.unread += 1
                self.problems.append(
                    Problem(
                        declared.text,
                        entry,
                        "neither an id, an address at YouTube or Freesound, nor a SHA-256",
                        "write e.g. youtube/VIDEO_ID, freesound/ID or CORPUS/NAME",
                    )
                )
                continue
            for clip in self.subject.of_recording(entry.recording_id):
                self._add(clip, number, RECORDING, entry.text, entry.recording_id)
            for clip in self.subject.of_samples(entry.sha256) if entry.sha256 else ():
                self._add(clip, number, SAMPLES, entry.text, "")

    def add_store(self, number: int, store: Path) -> None:
        """Compare the ids and hashes of what has been fingerprinted of a set."""
        declared, told = self.sets[number], self.facts[number]
        tabled = declared.kind is Kind.DATASET  # its table names what no shard may hold any more
        last, reached = None, 0.0
        for part in parts(store):
            for fact in facts(part):
                if fact["problem"]:
                    told.unread += 1
                    self.problems.append(
                        Problem(declared.text, fact["name"], fact["problem"], fact["remedy"])
                    )
                start = fact["start_second"]
                if fact["name"] != last:
                    last, reached = fact["name"], start
                    if not tabled:
                        self._add_recording(number, fact["name"], fact["recording_id"])
                end = start + fact["seconds"]
                told.hours += max(0.0, end - max(reached, start)) / 3600.0
                reached = max(reached, end)
                if fact["pcm_sha256"]:
                    for clip in self.subject.of_samples(fact["pcm_sha256"]):
                        self._add(clip, number, SAMPLES, fact["name"], fact["recording_id"])
        if tabled:
            for one in mixtures.clips(declared.root, declared.split):
                self._add_recording(number, one.clip_id, one.recording_id)

    def _add_recording(self, number: int, item: str, recording_id: str) -> None:
        self.facts[number].items += 1
        for clip in self.subject.of_recording(recording_id):
            self._add(clip, number, RECORDING, item, recording_id)

    def add_sounds(self, number: int, rows: Iterable[dict[str, Any]]) -> None:
        """Take what the search of fingerprints found (`hive.contamination.volumes`)."""
        for row in rows:
            clip = self.subject.number(row["clip_id"])
            self._add(clip, number, SOUND, row["name"], row["recording_id"], row)

    def write(self, path: Path) -> None:
        """Write all matches as CSV, by clip, set and kind."""
        write_records(path, Match, (self._best[key] for key in sorted(self._best)))

    def _add(
        self,
        clip: int,
        number: int,
        kind: int,
        item: str,
        recording: str,
        sound: Mapping[str, Any] | None = None,
    ) -> None:
        self.flags[clip, number, kind] = True
        before = self._best.get((clip, number, kind))
        if before is not None:
            before.matches += 1
            if sound is None or sound["evidence"] <= (before.strength or 0.0):
                return
        mine = self.subject.clips[clip]
        match = Match(
            *(mine.clip_id, mine.label, mine.recording_id),
            *(self.sets[number].text, KINDS[kind], item, recording),
            matches=1 if before is None else before.matches,
        )
        if sound is not None:
            match.test_second = round(sound["test_second"], 3)
            match.train_second = round(sound["train_second"], 3)
            match.seconds = round(sound["seconds"], 2)
            match.bit_error_rate = round(sound["bit_error_rate"], 4)
            match.strength = round(sound["evidence"], 1)
        self._best[clip, number, kind] = match
