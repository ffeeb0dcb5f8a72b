from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.errors import HiveError
from hive.mixing.splits import assign_splits, parse_shares
from hive.tables import SPLITS

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def clips(rows: list[tuple[str, str, str]]) -> pa.Table:
    names = ("recording_id", "label", "split")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=80),
    st.integers(0, 1000),
)
def test_no_recording_is_in_two_splits(rows: list[tuple[int, str]], seed: int) -> None:
    table = clips([(f"r{recording}", label, "") for recording, label in rows])
    splits = assign_splits(table, SHARES, seed)
    by_recording: dict[str, set[str]] = {}
    for recording, split in zip(table["recording_id"].to_pylist(), splits, strict=True):
        by_recording.setdefault(recording, set()).add(split)
    assert all(len(found) == 1 for found in by_recording.values())
    assert set(splits) <= set(SPLITS)
    backwards = assign_splits(table.take(list(range(len(rows)))[::-1]), SHARES, seed)
    assert backwards == splits[::-1]


@pytest.mark.parametrize("count", [10, 20, 100])
def test_every_class_keeps_the_shares(count: int) -> None:
    table = clips([(f"{label}{n}", label, "") for label in "abcdef" for n in range(count)])
    splits = assign_splits(table, SHARES, 0)
    for start in range(0, 6 * count, count):
        found = Counter(splits[start : start + count])
        assert abs(found["train"] - 0.8 * count) <= 1
        assert abs(found["test"] - 0.1 * count) <= 1


def test_classes_of_one_recording_keep_the_shares_together() -> None:
    table = clips([(f"r{n}", f"label{n}", "") for n in range(2000)])
    found = Counter(assign_splits(table, SHARES, 0))
    assert abs(found["train"] - 1600) < 80  # more than four standard deviations


def test_a_split_of_the_manifest_wins_and_a_split_without_share_gets_nothing() -> None:
    table = clips([("r1", "a", "test"), ("r1", "b", ""), ("r2", "a", ""), ("r3", "a", "")])
    splits = assign_splits(table, {"train": 1.0, "test": 0.0}, 0)
    assert splits == ["test", "test", "train", "train"]


def test_a_recording_bound_to_two_splits_is_an_error() -> None:
    with pytest.raises(HiveError, match="'r1' is bound to test and to train"):
        assign_splits(clips([("r1", "a", "test"), ("r1", "b", "train")]), SHARES, 0)


def test_shares_are_read_and_checked() -> None:
    assert parse_shares("80/10/10") == pytest.approx(SHARES)
    assert parse_shares("1/0/1") == {"train": 0.5, "validation": 0.0, "test": 0.5}
    for text in ("80/20", "a/b/c", "0/0/0", "-1/1/1", "nan/1/1", "inf/1/1"):
        with pytest.raises(HiveError, match="cannot be read"):
            parse_shares(text)
