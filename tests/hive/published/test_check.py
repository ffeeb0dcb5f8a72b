"""Nothing in published metadata is trusted: what cannot be used is named, the rest is used."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.mixing.published.block import Block
from hive.mixing.published.check import check
from hive.mixing.published.plan import plan_rows
from hive.mixing.published.read import json_blocks, parquet_blocks

GOOD = {
    "mix_id": "sample_00000003",
    "dataset_info": {"split": "train", "sample_rate": 44100, "target_duration": 4.0},
    "sources": [
        {
            "source_id": f"s{number}",
            "path": f"ESC50/audio/{number}.wav",
            "label": label,
            "crop_start_second": 0.5,
            "crop_end_second": 4.5,
            "chunk_start_second": 0.0,
            "chunk_end_second": 5.0,
            "rms_gain": 3.546,
            "snr_db": 0.0,
            "applied_weight": 3.546,
        }
        for number, label in enumerate(("Ocean", "Rain"))
    ],
    "mixing_params": {"global_normalization_factor": 0.786, "final_max_amplitude": 0.95},
}


def blocks(folder: Path, rows: Any) -> list[Block]:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return list(json_blocks("rows.json", path))


def changed(where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    row = copy.deepcopy(GOOD)
    at: Any = row
    for part in where[:-1]:
        at = at[part]
    at[where[-1]] = value
    return row


NAN = float("nan")
BAD: list[tuple[tuple[Any, ...], Any, str]] = [
    (("mix_id",), None, "mix_id: nothing"),
    (("mix_id",), "x" * 61, "mix_id"),
    (("mix_id",), "\ud800", "mix_id: nothing"),
    (("dataset_info",), [], "dataset_info: missing"),
    (("mixing_params",), None, "mixing_params: missing"),
    (("dataset_info", "split"), "dev", "split: 'dev'"),
    (("dataset_info", "split"), 3.5, "split: nothing"),
    (("dataset_info", "sample_rate"), 44100.5, "sample_rate"),
    (("dataset_info", "sample_rate"), -1, "sample_rate"),
    (("dataset_info", "sample_rate"), "44100", "sample_rate"),
    (("dataset_info", "target_duration"), 0, "target_duration"),
    (("dataset_info", "target_duration"), 1e9, "target_duration"),
    (("dataset_info", "target_duration"), NAN, "target_duration"),
    (("mixing_params", "global_normalization_factor"), 0.0, "global_normalization_factor: 0"),
    (("mixing_params", "global_normalization_factor"), None, "factor: missing"),
    (("mixing_params", "global_normalization_factor"), -0.5, "factor: -0.5 is out of range"),
    (("mixing_params", "global_normalization_factor"), math.inf, "no finite number"),
    (("mixing_params", "global_normalization_factor"), 10**400, "no finite number"),
    (("sources",), [], "sources: 0 of them"),
    (("sources",), GOOD["sources"][:1], "sources: 1 of them"),
    (("sources",), GOOD["sources"] * 3, "sources: 6 of them"),
    (("sources",), "s1", "sources: missing or no list"),
    (("sources",), [3, 4], "sources: missing or no list"),
    (("sources", 1, "path"), "../../etc/passwd", "s2: path"),
    (("sources", 1, "path"), "/etc/passwd", "s2: path"),
    (("sources", 1, "path"), "ESC50/../../x.wav", "s2: path"),
    (("sources", 1, "path"), "ESC50", "s2: path"),
    (("sources", 1, "path"), "ESC50/a\\b.wav", "s2: path"),
    (("sources", 1, "path"), "ESC50/a\0b.wav", "s2: path"),
    (("sources", 1, "path"), None, "s2: path: nothing"),
    (("sources", 1, "label"), "  ", "s2: label"),
    (("sources", 1, "label"), "a\nb", "s2: label"),
    (("sources", 1, "label"), ["Rain"], "s2: label: nothing"),
    (("sources", 0, "chunk_start_second"), -1.0, "s1: chunk: -1 to 5 s"),
    (("sources", 0, "chunk_end_second"), 0.0, "s1: chunk: 0 to 0 s"),
    (("sources", 0, "chunk_end_second"), 1e12, "s1: chunk"),
    (("sources", 0, "crop_start_second"), -0.1, "s1: crop"),
    (("sources", 0, "crop_end_second"), 900.0, "s1: crop"),
    (("sources", 0, "crop_end_second"), True, "s1: crop_end_second: missing"),
    (("sources", 0, "applied_weight"), 0.0, "s1: applied_weight: 0"),
    (("sources", 0, "applied_weight"), 1e300, "s1: applied_weight"),
    (("sources", 0, "applied_weight"), "3", "s1: applied_weight: missing"),
    (("sources", 0, "rms_gain"), -3.0, "s1: rms_gain: -3"),
    (("sources", 0, "snr_db"), 1e4, "s1: snr_db"),
    (("sources", 0, "snr_db"), NAN, "s1: snr_db: missing or no finite"),
]


def test_what_cannot_be_used_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    rows = [GOOD, *(changed(where, value) for where, value, _ in BAD), 7, GOOD]
    (block,) = blocks(tmp_path, rows)
    reasons = check(block)
    assert set(reasons) == set(range(1, len(BAD) + 2))
    for number, (where, value, text) in enumerate(BAD, start=1):
        assert text in reasons[number], (where, value, reasons[number])
    assert block.where(3) == "rows.json, row 3"
    assert block.where(4) == "rows.json, row 4 (sample_00000003)"


def test_limits_are_in(tmp_path: Path) -> None:
    good = [
        (("mix_id",), 125),
        (("dataset_info", "split"), "val"),
        (("dataset_info", "split"), "Validation"),
        (("dataset_info", "sample_rate"), 8000),
        (("mixing_params", "final_max_amplitude"), None),
        (("sources",), [*GOOD["sources"], *GOOD["sources"], GOOD["sources"][0]]),
        (("sources", 0, "crop_start_second"), 400.0),
        (("sources", 0, "path"), "ESC50/Köln, 3 a.m.wav"),
    ]
    rows = [changed(where, value) for where, value in good]
    rows[6]["sources"][0]["crop_end_second"] = 404.0
    (block,) = blocks(tmp_path, rows)
    assert check(block) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PLACES = sorted({where for where, _, _ in BAD}, key=str)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_whatever_stands_there_a_row_is_used_or_named(
    tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    (block,) = blocks(tmp_path, [changed(where, value) for where, value in changes])
    keep = np.array([row not in check(block) for row in range(len(block))], bool)
    table = plan_rows(block, keep, [f"m{row}" for row in np.flatnonzero(keep)])
    for row in table.to_pylist():
        assert 2 <= len(row["sources"]) == row["num_sources"] <= 5
        assert 8000 <= row["sample_rate"] <= 192_000
        assert 1 <= int(row["target_duration"] * row["sample_rate"]) <= 120 * 192_000
        assert 0 < row["global_normalization_factor"] <= 1000
        for source in row["sources"]:
            assert ".." not in source["path"].split("/")
            assert 0 < source["crop_end_second"] - source["crop_start_second"] <= 120
            assert 0 <= source["chunk_start_second"] < source["chunk_end_second"]
            assert 0 < source["applied_weight"] <= 1e6


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff", '{"mix_id": 1}', '"x"'])
def test_a_file_that_is_no_list_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(HiveError, match=r"rows\.json: (not a readable JSON|no list)"):
        list(json_blocks("rows.json", path))


def test_lists_of_different_lengths_spoil_their_row_alone(world: Any, tmp_path: Path) -> None:
    table = pq.read_table(world.sequences(tmp_path / "a.parquet"))
    rows = table.to_pylist()
    rows[1]["sources"]["label"].append("one more")
    rows[2]["sources"]["rms_gain"] = None
    rows[3]["sources"] = None
    pq.write_table(pa.Table.from_pylist(rows, table.schema), tmp_path / "b.parquet")
    (block,) = parquet_blocks("b", tmp_path / "b.parquet")
    assert check(block) == {
        1: "sources: its lists have different lengths",
        2: "sources: its lists have different lengths",
        3: "sources: 0 of them, not 2 to 5",
    }
    assert block.source_texts["label"][-1] == rows[-1]["sources"]["label"][-1]


def test_nulls_and_other_types_in_a_table(world: Any, tmp_path: Path) -> None:
    table = pq.read_table(world.parquet(tmp_path / "a.parquet"))
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        row["mix_id"] = number
    rows[1]["sources"][0]["applied_weight"] = None
    rows[2]["global_normalization_factor"] = None
    rows[3]["num_sources"] = 4
    source = pa.struct(
        [
            (one.name, pa.float32() if one.type == pa.float64() else pa.large_string())
            for one in table.schema.field("sources").type.value_type
        ]
    )
    schema = (
        table.schema.set(0, pa.field("mix_id", pa.int64()))
        .set(2, pa.field("sample_rate", pa.int64()))
        .set(5, pa.field("sources", pa.large_list(source)))
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "b.parquet")
    (block,) = parquet_blocks("b", tmp_path / "b.parquet")
    assert check(block) == {
        1: "s1: applied_weight: missing or no finite number",
        2: "global_normalization_factor: missing or no finite number",
        3: f"num_sources: 4, but there are {len(rows[3]['sources'])}",
    }
    assert block.texts["mix_id"][0] == "0"


def test_a_missing_column_is_named(world: Any, tmp_path: Path) -> None:
    table = pq.read_table(world.parquet(tmp_path / "a.parquet"))
    pq.write_table(table.drop_columns(["sample_rate"]), tmp_path / "b.parquet")
    with pytest.raises(HiveError, match="column 'sample_rate' is missing"):
        list(parquet_blocks("b", tmp_path / "b.parquet"))
    rows = table.to_pylist()
    for row in rows:
        for source in row["sources"]:
            del source["applied_weight"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    with pytest.raises(HiveError, match="'sources' has no field 'applied_weight'"):
        list(parquet_blocks("c", tmp_path / "c.parquet"))
    lean = table.drop_columns(["num_sources", "final_max_amplitude"])
    pq.write_table(lean, tmp_path / "d.parquet")
    (block,) = parquet_blocks("d", tmp_path / "d.parquet")
    assert check(block) == {}


def test_a_damaged_table_is_an_error_that_says_where(world: Any, tmp_path: Path) -> None:
    path = world.parquet(tmp_path / "a.parquet")
    data = bytearray(path.read_bytes())
    data[200:2000] = bytes(1800)
    path.write_bytes(bytes(data))
    with pytest.raises(HiveError, match="from row 0 on: cannot be read"):
        list(parquet_blocks("a", path))
