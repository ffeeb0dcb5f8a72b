"""Counting what of a test was found in training sets: clips, recordings, stems and mixtures."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hive.contamination import mixtures
from hive.contamination.subject import JUDGED, Subject

Pair = tuple[int, int]  # found, of


@dataclass
class Tally:
    """Counts, each as (found, of).

    Attributes:
        clips: Clips.
        recordings: Recordings; a recording is found if one of its clips is. Clips without a known
            recording are one each.
        stems: Sources of mixtures.
        some: Mixtures of which at least one source was found.
        whole: Mixtures of which every source was found.
        class_clips: Clips of each class.
        class_stems: Sources of mixtures of each class.
        size_stems: Sources of the mixtures of each size.
        size_some: As `some`, by number of sources.
        size_whole: As `whole`, by number of sources.
        clean: Names of the mixtures of which no source was found; of clips, where there are none.
        clean_unjudged: How many of them hold a clip that the fingerprint cannot judge.
        set_some: Mixtures with a source found in each training set.
        fingerprint: SHA-256 over the sorted ids and PCM hashes of the mixtures and stems, as in the
            results of an evaluation; empty for a pool.
    """

    clips: Pair = (0, 0)
    recordings: Pair = (0, 0)
    stems: Pair = (0, 0)
    some: Pair = (0, 0)
    whole: Pair = (0, 0)
    class_clips: dict[str, Pair] = field(default_factory=dict)
    class_stems: dict[str, Pair] = field(default_factory=dict)
    size_stems: dict[int, Pair] = field(default_factory=dict)
    size_some: dict[int, Pair] = field(default_factory=dict)
    size_whole: dict[int, Pair] = field(default_factory=dict)
    clean: list[str] = field(default_factory=list)
    clean_unjudged: int = 0
    set_some: list[Pair] = field(default_factory=list)
    fingerprint: str = ""


def tally(subject: Subject, flags: NDArray[np.bool_]) -> Tally:
    """Count what was found.

    Args:
        subject: The test.
        flags: Whether a clip was found, by clip, set and kind, shape (C, K, 3).
    """
    by_set = flags.any(axis=2)
    found = by_set.any(axis=1)
    labels = [clip.label for clip in subject.clips]
    counts = Tally(
        clips=(int(found.sum()), len(found)),
        recordings=recordings(subject, found),
        class_clips=_by(labels, found),
    )
    if subject.mixed:
        _count_mixtures(subject, by_set, found, counts)
    else:
        judged = np.array([verdict == JUDGED for verdict in subject.judged])
        counts.clean = [
            clip.clip_id for clip, heard in zip(subject.clips, found, strict=True) if not heard
        ]
        counts.clean_unjudged = int((~found & ~judged).sum())
    return counts


def recordings(subject: Subject, found: NDArray[np.bool_]) -> Pair:
    """Return how many recordings were found, and how many there are."""
    names = [clip.recording_id or f"clip {clip.clip_id}" for clip in subject.clips]
    heard = {name for name, one in zip(names, found, strict=True) if one}
    return len(heard), len(set(names))


def _count_mixtures(
    subject: Subject, by_set: NDArray[np.bool_], found: NDArray[np.bool_], counts: Tally
) -> None:
    classes = sorted({clip.label for clip in subject.clips})
    class_of = np.array([classes.index(clip.label) for clip in subject.clips])
    judged = np.array([verdict == JUDGED for verdict in subject.judged])
    uses = np.zeros(len(found), dtype=np.int64)
    sizes: dict[str, Counter[int]] = {"all": Counter(), "some": Counter(), "whole": Counter()}
    stems: Counter[int] = Counter()
    heard_stems: Counter[int] = Counter()
    set_some = np.zeros(by_set.shape[1], dtype=np.int64)
    lines: list[str] = []
    for batch in mixtures.batches(subject.declared.root, subject.declared.split):
        numbers = subject.numbers(batch.sources["clip_id"].to_pylist())
        uses += np.bincount(numbers, minlength=len(found))
        count = len(batch.mix_ids)
        of = np.bincount(batch.parents, minlength=count)
        heard = np.bincount(batch.parents, found[numbers], count).astype(np.int64)
        open_ = np.bincount(batch.parents, ~judged[numbers], count) > 0
        for number in range(by_set.shape[1]):
            mine = np.bincount(batch.parents, by_set[numbers, number], count) > 0
            set_some[number] += int(mine.sum())
        for name, which in (
            ("all", of > 0),
            ("some", heard > 0),
            ("whole", (of > 0) & (heard == of)),
        ):
            sizes[name].update(of[which].tolist())
        for size in np.unique(of).tolist():
            stems[size] += int(of[of == size].sum())
            heard_stems[size] += int(heard[of == size].sum())
        ids = batch.mix_ids.to_pylist()
        clean = np.flatnonzero(heard == 0)
        counts.clean += [ids[place] for place in clean.tolist()]
        counts.clean_unjudged += int(open_[clean].sum())
        lines += _lines(ids, batch)
    total = sum(sizes["all"].values())
    counts.stems = (int(uses[found].sum()), int(uses.sum()))
    counts.some = (sum(sizes["some"].values()), total)
    counts.whole = (sum(sizes["whole"].values()), total)
    counts.set_some = [(int(one), total) for one in set_some]
    order = sorted(sizes["all"])
    counts.size_some = {size: (sizes["some"][size], sizes["all"][size]) for size in order}
    counts.size_whole = {size: (sizes["whole"][size], sizes["all"][size]) for size in order}
    counts.size_stems = {size: (heard_stems[size], stems[size]) for size in order}
    used = np.bincount(class_of, uses, len(classes)).astype(np.int64)
    heard_uses = np.bincount(class_of, uses * found, len(classes)).astype(np.int64)
    counts.class_stems = {
        name: (int(heard_uses[place]), int(used[place])) for place, name in enumerate(classes)
    }
    counts.fingerprint = hashlib.sha256("\n".join(sorted(lines)).encode("utf-8")).hexdigest()


def _lines(ids: list[str], batch: mixtures.Batch) -> list[str]:
    """Return what identifies each mixture: its name, its hash and those of its stems."""
    parts = [[name, digest] for name, digest in zip(ids, batch.hashes.to_pylist(), strict=True)]
    digests = batch.sources["pcm_sha256"].to_pylist()
    for parent, digest in zip(batch.parents.tolist(), digests, strict=True):
        parts[parent].append(str(digest))
    return ["\x1f".join(part) for part in parts]


def _by(names: list[str], found: NDArray[np.bool_]) -> dict[str, Pair]:
    whole = Counter(names)
    heard = Counter(name for name, one in zip(names, found, strict=True) if one)
    return {name: (heard[name], whole[name]) for name in sorted(whole)}
