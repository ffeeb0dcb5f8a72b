"""Stage 1: cut recordings into windows and drop silence (Hive paper, section 3.1).

Windows of 10 s, one every 5 s; a window whose RMS is below 5e-4 is dropped, and so is a tail that
does not fill a window. A recording that is shorter than one window is kept as it is or dropped, by
the policy of its corpus (`hive.sources.corpus.Short`): the paper drops it, yet its Table A2 holds
2.9-s clips of VoiceBank and 5-s clips of ESC-50, which whoever drops short recordings cannot have.

The RMS is that of the channel mean at the file's own rate, from sums over 5 s that two windows
share, read in blocks: the cost is one decoding, the memory that of one block whatever the length.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hive import audio
from hive.curation.table import Row, reject, step
from hive.errors import HiveError
from hive.files import is_file
from hive.licences import Filter
from hive.pool.layout import HOP_SECONDS, TOLERANCE_SECONDS, WINDOW_SECONDS, windows
from hive.sources.corpus import Recording, Short

NAME, VERSION = "chunk", "1"
#: Less is no clip, neither to a tagger nor to a listener.
SHORTEST_SECONDS = 0.2
#: Below this a header is wrong, or what is stored is no sound.
LOWEST_RATE = 2000


def energies(path: Path, start: int, stop: int, sample_rate: int) -> np.ndarray[Any, Any]:
    """Return the energy of each 5 s of a file's channel mean, the last perhaps of less.

    Args:
        path: Audio file.
        start: First frame.
        stop: End, exclusive.
        sample_rate: Rate of the file in Hz.

    Returns:
        Sums of squares, float64, shape (ceil((stop - start) / (5 s)),).

    Raises:
        HiveError: If the file cannot be decoded to the end, or holds samples that are not finite.
    """
    hop = round(HOP_SECONDS * sample_rate)
    blocks = audio.mono_blocks(path, start, stop, hop)
    found = np.array([float(np.dot(block, block)) for block in blocks])
    if not np.isfinite(found).all():
        raise HiveError(f"{path}: holds samples that are not finite", "replace the file")
    return found


def cut(
    root: Path,
    corpus: str,
    recording: Recording,
    short: Short,
    allowed: Filter | None = None,
) -> list[Row]:
    """Cut one recording into segments.

    Args:
        root: Root of the corpus.
        corpus: Its name.
        recording: The recording.
        short: What becomes of a recording that does not fill a window.
        allowed: Licences that are taken; None for all.

    Returns:
        A row for each segment and for each part that was dropped, with the reason: `licence`,
        `missing`,
        `unreadable`, `interval`, `short`, `silent` or `tail`.
    """
    base = row_of(corpus, recording)
    if allowed is not None:
        fits, why = allowed.allows(recording.licence)
        if not fits:
            return [reject(base, "licence", why)]
    path = root / recording.path
    if not is_file(path):
        return [reject(base, "missing", f"{path}: no such file")]
    try:
        info = audio.probe(path)
    except HiveError as error:
        return [reject(base, "unreadable", error.problem)]
    if info.sample_rate < LOWEST_RATE:
        return [reject(base, "unreadable", f"{path}: sampled at {info.sample_rate} Hz")]
    base |= {"sample_rate": info.sample_rate, "channels": info.channels}
    start = round((recording.start or 0.0) * info.sample_rate)
    stop = info.frames if recording.end is None else round(recording.end * info.sample_rate)
    # Intervals of video corpora are given in tenths or whole seconds and end where the file may.
    stop = min(stop, info.frames)
    if start >= stop:
        begins, ends = start / info.sample_rate, stop / info.sample_rate
        told = f"{path} lasts {info.seconds:.3f} s: nothing from {begins:g} to {ends:g} s"
        return [reject(base, "interval", told)]
    try:
        sums = energies(path, start, stop, info.sample_rate)
    except HiveError as error:
        return [reject(base, "unreadable", error.problem)]
    return _segments(base, sums, start, stop, info.sample_rate, short)


def _segments(
    base: Row, sums: np.ndarray[Any, Any], start: int, stop: int, rate: int, short: Short
) -> list[Row]:
    size, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    length = stop - start
    almost = size - round(TOLERANCE_SECONDS * rate) <= length < size
    if length < size:
        level = float(np.sqrt(sums.sum() / length))
        whole = _segment(base, start, stop, rate, level)
        if length < SHORTEST_SECONDS * rate:
            return [reject(whole, "short", f"{length / rate:.3f} s are less than a clip")]
        if short is Short.DROP and not almost:
            told = f"{length / rate:.2f} s do not fill a window of {WINDOW_SECONDS:g} s"
            return [reject(whole, "short", told)]
        return [_unless_silent(whole, "taken whole")]
    rows = []
    for number, (first, last) in enumerate(windows(length, rate)):
        level = float(np.sqrt(sums[number : number + 2].sum() / size))
        row = _segment(base, start + first, start + last, rate, level, number)
        rows.append(_unless_silent(row, f"window {number}"))
    end = (len(rows) - 1) * hop + size
    if end < length:
        tail = _segment(base, start + end, stop, rate, 0.0, len(rows))
        told = f"{(length - end) / rate:.2f} s at the end do not fill a window"
        rows.append(reject(tail, "tail", told))
    return rows


def _unless_silent(row: Row, decision: str) -> Row:
    if row["rms"] < audio.SILENCE_RMS:
        return reject(row, "silent", f"RMS {row['rms']:.1e} is below {audio.SILENCE_RMS:g}")
    return step(row, NAME, VERSION, decision, row["rms"])


def row_of(corpus: str, recording: Recording) -> Row:
    """Return a row of a recording as a whole, with nothing known of its samples."""
    return {
        "segment_id": f"{corpus}_{name_of(recording)}",
        "corpus": corpus,
        "path": recording.path,
        "start_second": 0.0,
        "end_second": 0.0,
        "sample_rate": 0,
        "channels": 0,
        "rms": 0.0,
        "recording_id": recording.recording_id,
        "labels": list(recording.labels),
        "nodes": list(recording.nodes),
        "unmapped": list(recording.unmapped),
        "licence": recording.licence,
        "author": recording.author,
        "url": recording.url,
        "split": recording.split,
        "given_mid": "",
        "coarse_mid": "",
        "label_mid": "",
        "answers": 0,
        "invalid": 0,
        "reason": "",
        "detail": "",
        "provenance": [],
    }


def _segment(
    base: Row, start: int, stop: int, rate: int, level: float, number: int | None = None
) -> Row:
    suffix = "" if number is None else f"-{number}"
    return {
        **base,
        "segment_id": base["segment_id"] + suffix,
        "start_second": start / rate,
        "end_second": stop / rate,
        "rms": level,
    }


def name_of(recording: Recording) -> str:
    """Return a readable name that depends on the recording's path and interval alone."""
    address = f"{recording.path}\x1f{recording.start}\x1f{recording.end}"
    digest = hashlib.blake2b(address.encode("utf-8"), digest_size=6).hexdigest()
    stem = re.sub(r"[^a-z0-9]+", "_", PurePosixPath(recording.path).stem.lower()).strip("_")
    return f"{stem[:40] or 'clip'}_{digest}"
