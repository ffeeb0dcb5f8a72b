"""A plan as flat arrays on the disk, so that its rows can be read in any order.

Parquet is read in groups of thousands of rows; a shuffled epoch would read a group for every
mixture. So a plan is copied once into two arrays of fixed-size records, which all workers of a
machine share through the operating system's page cache:

    mixtures.bin   first source, normalisation factor, name: a record a mixture, and one at the end
    sources.bin    clip, intervals, level, weight: a record a source
    clips.arrow    path and label of the clips that are numbered in sources.bin
    compact.json   which plan this is a copy of, and its sizes; written last
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hive.errors import HiveError
from hive.files import atomic_open, locked, write_json
from hive.mixing.render import weight_at
from hive.tables import MIXTURE_SCHEMA, conform, open_table

FORMAT = 1
DONE = "compact.json"
SOURCE = np.dtype(
    [
        ("clip", "<u4"),  # row of clips.arrow
        ("chunk_start_second", "<f8"),
        ("chunk_end_second", "<f8"),
        ("crop_start_second", "<f8"),
        ("crop_end_second", "<f8"),
        ("snr_db", "<f8"),
        ("weight", "<f8"),  # NaN: to be computed
    ]
)
CLIPS_SCHEMA = pa.schema([("path", pa.string()), ("label", pa.string())])
MIXTURES, SOURCES, CLIPS = "mixtures.bin", "sources.bin", "clips.arrow"
_NEEDED = ("mix_id", "sample_rate", "target_duration", "sources")
_SECONDS = ("chunk_start_second", "chunk_end_second", "crop_start_second", "crop_end_second")
_COLUMNS = (*_NEEDED, "global_normalization_factor")
_LONGEST_ID = 200  # bytes
_LONGEST_SECONDS = 3600.0  # of a mixture, and of a crop
_MOST_SOURCES = 32
_BATCH = 20_000  # mixtures in memory at a time: row groups may hold a million


def mixture_type(id_bytes: int) -> np.dtype[np.void]:
    """Return the record of a mixture whose name has at most so many bytes."""
    return np.dtype([("first", "<i8"), ("factor", "<f8"), ("mix_id", f"S{id_bytes}")])


def compact(plan: Path, folder: Path) -> dict[str, Any]:
    """Write a plan's compact copy into a folder, unless it is there.

    Args:
        plan: Mixture table of one split.
        folder: Folder of the copy.

    Returns:
        What compact.json says.

    Raises:
        HiveError: If there is no such plan, it is empty, a field that a mixture needs is null or
            out of range, or its mixtures have several lengths or rates.
    """
    fingerprint = plan_fingerprint(plan)
    if (known := described(folder)) and known.get("plan") == fingerprint:
        return known  # without a lock, so that the folder may be read-only
    with locked(folder / "lock"):
        known = described(folder)
        if known is None or known.get("plan") != fingerprint:
            (folder / DONE).unlink(missing_ok=True)
            known = _write(plan, folder, fingerprint)
            write_json(folder / DONE, known)
    return known


def plan_fingerprint(plan: Path) -> str:
    """Return a hash of a Parquet file's size and footer, where its statistics stand.

    Raises:
        HiveError: If it is no mixture table.
    """
    open_table(plan, MIXTURE_SCHEMA).close()
    with plan.open("rb") as handle:
        size = handle.seek(0, 2)
        handle.seek(size - 8)
        footer = int.from_bytes(handle.read(4), "little")
        handle.seek(max(0, size - 8 - footer))
        return hashlib.sha256(b"%d:" % size + handle.read()).hexdigest()


def described(folder: Path) -> dict[str, Any] | None:
    """Return what compact.json says, if the files beside it have the sizes that it tells."""
    try:
        known: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))
        whole = known["format"] == FORMAT and all(
            (folder / name).stat().st_size == size for name, size in known["sizes"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if whole else None


class _Clips:
    """Numbers for paths and their labels, in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, path: pa.Array, label: pa.Array) -> NDArray[np.uint32]:
        paths, labels = path.dictionary_encode(), label.dictionary_encode()
        count = len(labels.dictionary)
        pairs = paths.indices.to_numpy().astype(np.int64) * count + labels.indices.to_numpy()
        seen, places = np.unique(pairs, return_inverse=True)
        texts = (
            column.dictionary.take(pa.array(numbers)).to_pylist()
            for column, numbers in ((paths, seen // count), (labels, seen % count))
        )
        known = [
            self._numbers.setdefault(pair, len(self._numbers)) for pair in zip(*texts, strict=True)
        ]
        numbers: NDArray[np.uint32] = np.array(known, np.uint32)[places]
        return numbers

    def table(self) -> pa.Table:
        paths, labels = zip(*self._numbers, strict=True)
        return pa.Table.from_pydict({"path": paths, "label": labels}, CLIPS_SCHEMA)


def _write(plan: Path, folder: Path, fingerprint: str) -> dict[str, Any]:
    record = mixture_type(_id_bytes(plan))
    clips = _Clips()
    kinds: set[tuple[int, float]] = set()
    number = count = largest = 0
    with (
        atomic_open(folder / MIXTURES) as mixtures,
        atomic_open(folder / SOURCES) as sources,
    ):
        for group in _batches(plan):
            columns = (group[name].to_pylist() for name in ("sample_rate", "target_duration"))
            kinds |= set(zip(*columns, strict=True))
            lists = group["sources"].combine_chunks()
            offsets = lists.offsets.to_numpy()
            sizes = np.diff(offsets)
            wrong = sizes[(sizes < 1) | (sizes > _MOST_SOURCES)]
            if wrong.size:
                raise HiveError(
                    f"{plan}: a row has {wrong[0]} sources",
                    f"stream mixtures of 1 to {_MOST_SOURCES} sources",
                )
            number, largest = number + group.num_rows, max(largest, int(sizes.max()))
            rows = np.zeros(group.num_rows, record)
            rows["first"] = count + offsets[:-1] - offsets[0]
            rows["factor"] = _floats(group["global_normalization_factor"])
            if np.isinf(rows["factor"]).any():
                raise HiveError(
                    f"{plan}: global_normalization_factor is infinite in a row", "correct the table"
                )
            rows["mix_id"] = [name.encode("utf-8") for name in group["mix_id"].to_pylist()]
            mixtures.write(rows.tobytes())
            records = _records(plan, lists.flatten(), clips)
            sources.write(records.tobytes())
            count += len(records)
        end = np.zeros(1, record)
        end["first"] = count
        mixtures.write(end.tobytes())
    if not number:
        raise HiveError(f"{plan}: holds no mixtures", "plan some")
    if len(kinds) != 1:
        raise HiveError(
            f"{plan}: its mixtures have several rates or lengths: {sorted(kinds)[:4]}",
            "stream mixtures of one rate and length",
        )
    ((sample_rate, seconds),) = kinds
    if not (sample_rate > 0 and 1.0 / sample_rate <= seconds <= _LONGEST_SECONDS):
        raise HiveError(
            f"{plan}: target_duration {seconds:g} s at a sample_rate of {sample_rate} Hz",
            f"stream mixtures of up to {_LONGEST_SECONDS:g} s",
        )
    with (
        atomic_open(folder / CLIPS) as handle,
        pa.ipc.new_file(handle, CLIPS_SCHEMA) as writer,
    ):
        writer.write_table(clips.table())
    return {
        "format": FORMAT,
        "plan": fingerprint,
        "mixtures": number,
        "sources": count,
        "largest": largest,
        "id_bytes": record["mix_id"].itemsize,
        "sample_rate": sample_rate,
        "seconds": seconds,
        "sizes": {name: (folder / name).stat().st_size for name in (MIXTURES, SOURCES, CLIPS)},
    }


def _batches(plan: Path) -> Iterator[pa.Table]:
    schema = pa.schema([MIXTURE_SCHEMA.field(name) for name in _COLUMNS])
    with open_table(plan, MIXTURE_SCHEMA) as file:
        for batch in file.iter_batches(_BATCH, columns=schema.names):
            rows = conform(pa.Table.from_batches([batch]), schema, plan)
            for name in _NEEDED:
                if rows[name].null_count:
                    raise HiveError(f"{plan}: {name} is null in a row", "correct the table")
            yield rows


def _id_bytes(plan: Path) -> int:
    longest = 0
    with open_table(plan, MIXTURE_SCHEMA) as file:
        for batch in file.iter_batches(columns=["mix_id"]):
            longest = max(longest, pc.max(pc.binary_length(batch.column(0))).as_py() or 0)
    if longest > _LONGEST_ID:
        raise HiveError(
            f"{plan}: a mix_id has {longest} bytes", f"keep names within {_LONGEST_ID} bytes"
        )
    return longest


def _records(plan: Path, structs: pa.StructArray, clips: _Clips) -> NDArray[np.void]:
    names = [field.name for field in structs.type]
    fields = dict(zip(names, structs.flatten(), strict=True))
    records: NDArray[np.void] = np.zeros(len(structs), SOURCE)
    for name in ("path", "label", *_SECONDS, "snr_db"):
        if fields[name].null_count:
            raise HiveError(f"{plan}: {name} of a source is null", "correct the table")
    for name in (*_SECONDS, "snr_db"):
        records[name] = fields[name].to_numpy()
    _check_ranges(plan, records)
    records["clip"] = clips.number(fields["path"], fields["label"])
    given, gain = _floats(fields["applied_weight"]), _floats(fields["rms_gain"])
    # Sum by sum as `weight_at` does it: an array's powers may differ in the last digit.
    for number in np.flatnonzero(np.isnan(given) & ~np.isnan(gain)):
        given[number] = weight_at(float(gain[number]), float(records["snr_db"][number]))
    records["weight"] = given
    if np.isinf(given).any():
        raise HiveError(f"{plan}: a source's weight is infinite", "correct the table")
    return records


def _check_ranges(plan: Path, records: NDArray[np.void]) -> None:
    """Raise `HiveError` for an interval that no file can have, or a level that is no number."""
    for part in ("chunk", "crop"):
        start, end = records[f"{part}_start_second"], records[f"{part}_end_second"]
        good = (start >= 0) & (start < end) & (end < np.inf)
        if part == "crop":
            good &= end - start <= _LONGEST_SECONDS
        if not good.all():
            place = np.flatnonzero(~good)[0]
            raise HiveError(
                f"{plan}: {part}_start_second {start[place]:g} and {part}_end_second "
                f"{end[place]:g} of a source are no interval",
                "correct the table",
            )
    if not np.isfinite(records["snr_db"]).all():
        raise HiveError(f"{plan}: snr_db of a source is no number", "correct the table")


def _floats(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """Return a column as floats of its own, NaN for null."""
    values: NDArray[np.float64] = np.array(pc.fill_null(column, np.nan).to_numpy())
    return values
