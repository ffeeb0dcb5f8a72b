"""Pieces of recordings with their fingerprints: what is kept of a training set and of a test split.

A recording of up to 30 s is one piece; a longer one is cut into pieces of 30 s that overlap by
10 s, so that every crop of 10 s lies in one whole. Whether a moment counts as silent is thus told
within its piece: a quiet crop of a long recording is not lost because something else in it is loud.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hive import audio
from hive.errors import HiveError, UnreachableError
from hive.fingerprint import fingerprint
from hive.storage import place

SCHEMA = pa.schema(
    [
        ("key", pa.string()),  # the item and the state of its file
        ("name", pa.string()),  # clip id or path
        ("recording_id", pa.string()),
        ("start_second", pa.float64()),  # of the piece, in its file
        ("seconds", pa.float64()),
        ("pcm_sha256", pa.string()),  # of the whole item, if 16-bit mono; else empty
        ("codes", pa.list_(pa.uint32())),  # hive.fingerprint.codes
        ("problem", pa.string()),  # why there are no further codes of the item; else empty
        ("remedy", pa.string()),
    ]
)
_BLOCK_SECONDS = 10
_BLOCKS = 3  # in a piece; the last one is the first of the next piece too


@dataclass(frozen=True)
class Item:
    """Something with sound: an audio file, or an interval of one.

    Attributes:
        key: Changes whenever the sound may have changed.
        name: How it is named in reports: clip id or path.
        place: The file's path or address.
        recording_id: What it was cut from; empty where unknown.
        start: Start of the interval, seconds; None for the file's start.
        end: End of the interval, seconds; None for the file's end.
        problem: Why it cannot be read, where that is known already.
        remedy: What to do about it.
    """

    key: str
    name: str
    place: str
    recording_id: str = ""
    start: float | None = None
    end: float | None = None
    problem: str = ""
    remedy: str = ""


def item_rows(item: Item, data: bytes | None = None) -> list[dict[str, Any]]:
    """Return the rows of an item's pieces; of what cannot be read, a row that says why.

    Args:
        item: The item.
        data: The whole file, where it is in memory already.

    Raises:
        UnreachableError: If the storage cannot be reached.
    """
    rows: list[dict[str, Any]] = []
    try:
        if item.problem:
            raise HiveError(item.problem, item.remedy)
        for row in _pieces(item) if data is None else _in_memory(item, data):
            rows.append(row)
    except UnreachableError:  # no fault of the file: the task is tried again
        raise
    except HiveError as error:
        rows.append(problem_row(item, error))  # what was read before the damage counts
    return rows


def problem_row(item: Item, error: HiveError) -> dict[str, Any]:
    """Return the row that says why an item, or the rest of it, could not be read."""
    row = _row(item, item.start or 0.0, 0.0)
    return {**row, "problem": error.problem, "remedy": error.remedy}


def hash_of(samples: audio.Float) -> str:
    """Return the hash of mono samples as 16-bit integers; empty where they are none."""
    if audio.peak(samples) > 1.0 or samples.max(initial=0.0) == 1.0:
        return ""
    integers = audio.to_integers(samples)
    exact = np.array_equal(integers.astype(np.float32) / np.float32(32768.0), samples)
    return audio.pcm_sha256(integers) if exact else ""


def _pieces(item: Item) -> Iterator[dict[str, Any]]:
    path = place(item.place)
    info = audio.probe(path)
    rate = info.sample_rate
    start = round((item.start or 0.0) * rate)
    stop = info.frames if item.end is None else min(info.frames, round(item.end * rate))
    if start >= stop:
        raise HiveError(
            f"{path}: {item.start or 0.0:g} s lies past its end ({info.seconds:.3f} s)",
            "correct the interval, or restore the file",
        )
    held: list[audio.Float] = []
    position, emitted = start, 0
    for block in audio.mono_blocks(path, start, stop, _BLOCK_SECONDS * rate):
        if not np.isfinite(block).all():
            raise HiveError(f"{path}: holds samples that are not finite", "replace the file")
        held.append(block)
        if len(held) == _BLOCKS:
            yield _piece(item, held, position / rate, rate, "")
            position += sum(len(part) for part in held[:-1])
            held, emitted = held[-1:], emitted + 1
    if not emitted or len(held) > 1:
        whole = hash_of(np.concatenate(held)) if not emitted and info.channels == 1 else ""
        yield _piece(item, held, position / rate, rate, whole)


def _in_memory(item: Item, data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the one piece of a short file; the item's start says where it lies in its clip."""
    try:
        samples, rate = audio.decode(data)
    except (RuntimeError, ValueError) as error:  # what libsndfile raises, and soundfile
        raise HiveError(f"{item.place}: cannot be decoded ({error})", "render it again") from error
    mono = samples if samples.ndim == 1 else audio.to_mono(samples)
    whole = hash_of(mono) if samples.ndim == 1 else ""
    yield _piece(item, [mono], item.start or 0.0, rate, whole)


def _piece(
    item: Item, blocks: list[audio.Float], start: float, rate: int, pcm_sha256: str
) -> dict[str, Any]:
    samples = np.concatenate(blocks)
    row = _row(item, start, len(samples) / rate)
    return {**row, "pcm_sha256": pcm_sha256, "codes": fingerprint(samples, rate)}


def _row(item: Item, start: float, seconds: float) -> dict[str, Any]:
    return {
        "key": item.key,
        "name": item.name,
        "recording_id": item.recording_id,
        "start_second": start,
        "seconds": seconds,
        "pcm_sha256": "",
        "codes": [],
        "problem": "",
        "remedy": "",
    }
