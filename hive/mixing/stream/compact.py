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
from hive.mixing.plan_table import PlanTable
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
_LONGEST_ID = 200  # bytes


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
        HiveError: If there is no such plan, it is empty, a field that a mixture needs is null, or
            its mixtures have several lengths or rates.
    """
    fingerprint = plan_fingerprint(plan)
    with locked(folder / "lock"):
        known = _known(folder)
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


def _known(folder: Path) -> dict[str, Any] | None:
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
    table = PlanTable(plan)
    if not len(table):
        raise HiveError(f"{plan}: holds no mixtures", "plan some")
    record = mixture_type(_id_bytes(plan))
    clips = _Clips()
    kinds: set[tuple[int, float]] = set()
    count = 0
    with (
        atomic_open(folder / MIXTURES) as mixtures,
        atomic_open(folder / SOURCES) as sources,
    ):
        for group in _groups(plan):
            columns = (group[name].to_pylist() for name in ("sample_rate", "target_duration"))
            kinds |= set(zip(*columns, strict=True))
            lists = group["sources"].combine_chunks()
            offsets = lists.offsets.to_numpy()
            rows = np.zeros(group.num_rows, record)
            rows["first"] = count + offsets[:-1] - offsets[0]
            rows["factor"] = _floats(group["global_normalization_factor"])
            rows["mix_id"] = [name.encode("utf-8") for name in group["mix_id"].to_pylist()]
            mixtures.write(rows.tobytes())
            records = _records(plan, lists.flatten(), clips)
            sources.write(records.tobytes())
            count += len(records)
        end = np.zeros(1, record)
        end["first"] = count
        mixtures.write(end.tobytes())
    if len(kinds) != 1:
        raise HiveError(
            f"{plan}: its mixtures have several rates or lengths: {sorted(kinds)[:4]}",
            "stream mixtures of one rate and length",
        )
    ((sample_rate, seconds),) = kinds
    with (
        atomic_open(folder / CLIPS) as handle,
        pa.ipc.new_file(handle, CLIPS_SCHEMA) as writer,
    ):
        writer.write_table(clips.table())
    return {
        "format": FORMAT,
        "plan": fingerprint,
        "mixtures": len(table),
        "sources": count,
        "largest": int(table.sizes.max()),
        "id_bytes": record["mix_id"].itemsize,
        "sample_rate": sample_rate,
        "seconds": seconds,
        "sizes": {name: (folder / name).stat().st_size for name in (MIXTURES, SOURCES, CLIPS)},
    }


def _groups(plan: Path) -> Iterator[pa.Table]:
    with open_table(plan, MIXTURE_SCHEMA) as file:
        for number in range(file.num_row_groups):
            group = conform(file.read_row_group(number), MIXTURE_SCHEMA, plan)
            for name in _NEEDED:
                if group[name].null_count:
                    raise HiveError(f"{plan}: {name} is null in a row", "correct the table")
            yield group


def _id_bytes(plan: Path) -> int:
    with open_table(plan, MIXTURE_SCHEMA) as file:
        longest = pc.max(pc.binary_length(file.read(columns=["mix_id"])["mix_id"])).as_py() or 0
    if longest > _LONGEST_ID:
        raise HiveError(
            f"{plan}: a mix_id has {longest} bytes", f"keep names within {_LONGEST_ID} bytes"
        )
    return int(longest)


def _records(plan: Path, structs: pa.StructArray, clips: _Clips) -> NDArray[np.void]:
    names = [field.name for field in structs.type]
    fields = dict(zip(names, structs.flatten(), strict=True))
    records: NDArray[np.void] = np.zeros(len(structs), SOURCE)
    for name in ("path", "label", *_SECONDS, "snr_db"):
        if fields[name].null_count:
            raise HiveError(f"{plan}: {name} of a source is null", "correct the table")
    for name in (*_SECONDS, "snr_db"):
        records[name] = fields[name].to_numpy()
    records["clip"] = clips.number(fields["path"], fields["label"])
    given, gain = _floats(fields["applied_weight"]), _floats(fields["rms_gain"])
    # Sum by sum as `weight_at` does it: an array's powers may differ in the last digit.
    for number in np.flatnonzero(np.isnan(given) & ~np.isnan(gain)):
        given[number] = weight_at(float(gain[number]), float(records["snr_db"][number]))
    records["weight"] = given
    return records


def _floats(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """Return a column as floats of its own, NaN for null."""
    values: NDArray[np.float64] = np.array(pc.fill_null(column, np.nan).to_numpy())
    return values
