"""Indexing, choosing and reading mixtures."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.dataset import CHUNK, Entry, chunks, open_dataset, read_chunks, select
from benchmarks.examples import choose
from hive.errors import HiveError


def _entries(sizes: dict[int, int]) -> list[Entry]:
    return [
        Entry(Path(f"{size}mix.tar"), f"m-{size}-{number:03d}", size)
        for size, count in sizes.items()
        for number in range(count)
    ]


def test_index(dataset: Path) -> None:
    found = open_dataset(str(dataset), "test")
    assert [entry.num_sources for entry in found.entries] == [2, 2, 2, 3, 3]
    assert found.sample_rate == 16000
    assert found.name == dataset.name
    assert found.fingerprint == open_dataset(str(dataset), "test").fingerprint


def test_the_fingerprint_depends_on_the_sound(
    dataset: Path, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_dataset(tmp_path / "other", {2: 3, 3: 2}, seed=1)
    assert (
        open_dataset(str(other), "test").fingerprint
        != open_dataset(str(dataset), "test").fingerprint
    )


def test_no_such_split_or_folder(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="split 'train'"):
        open_dataset(str(dataset), "train")
    with pytest.raises(HiveError, match="not a dataset folder"):
        open_dataset(str(tmp_path), "test")


def test_damaged_shards_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data" / "2mix" / "test-00000-of-00001.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no tar file")
    with pytest.raises(HiveError, match=r"test-00000-of-00001\.tar: not a readable shard"):
        open_dataset(str(tmp_path), "test")


@pytest.mark.parametrize("text", ["[]", "{", '{"mix_id": "a"}'])
def test_damaged_metadata_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data" / "2mix" / "test-00000-of-00001.tar"
    path.parent.mkdir(parents=True)
    (tmp_path / "a.json").write_text(text)
    with tarfile.open(path, "w") as archive:
        archive.add(tmp_path / "a.json", "a.json")
    with pytest.raises(HiveError, match=r"\.tar: "):
        open_dataset(str(tmp_path), "test")


def test_a_limit_takes_equal_shares_of_the_first_mixtures() -> None:
    entries = _entries({2: 10, 3: 10, 4: 1})
    taken = [entry.mix_id for entry in select(entries, 6)]
    assert taken == ["m-2-000", "m-2-001", "m-2-002", "m-3-000", "m-3-001", "m-4-000"]
    assert select(entries, None) == select(entries, 99) == entries


def test_a_smaller_limit_takes_a_part_of_a_larger_one() -> None:
    entries = _entries({2: 10, 3: 3, 4: 7})
    before: set[str] = set()
    for limit in range(1, 21):
        now = {entry.mix_id for entry in select(entries, limit)}
        assert len(now) == limit
        assert before < now
        before = now


def test_chunks_cover_everything_once_and_never_span_shards() -> None:
    entries = _entries({2: CHUNK + 1, 3: 1})
    found = chunks(entries)
    assert [len(chunk.mix_ids) for chunk in found] == [CHUNK, 1, 1]
    assert [mix_id for chunk in found for mix_id in chunk.mix_ids] == [e.mix_id for e in entries]
    assert len({chunk.name for chunk in found}) == 3


def test_reading_only_what_is_wanted(dataset: Path) -> None:
    entries = open_dataset(str(dataset), "test").entries
    wanted = chunks([entries[1], entries[4]])
    read = list(read_chunks(wanted))
    assert [[sample.key for sample in samples] for _, samples in read] == [
        [entries[1].mix_id],
        [entries[4].mix_id],
    ]
    sample = read[1][1][0]
    total = sum(sample.sources.values())
    assert (sample.mixture == total).all()


def test_a_shard_that_lost_a_mixture(dataset: Path) -> None:
    entries = open_dataset(str(dataset), "test").entries
    lost = Entry(entries[0].shard, "gone", 2)
    with pytest.raises(HiveError, match="has no mixture gone"):
        list(read_chunks(chunks([lost])))


def test_examples_are_spread_over_sizes_and_inside_them() -> None:
    entries = _entries({2: 100, 3: 100, 4: 100, 5: 100})
    chosen = choose(entries, 8)
    assert sorted(chosen) == sorted(
        f"m-{size}-{at}" for size in (2, 3, 4, 5) for at in ("025", "075")
    )
    assert chosen["m-5-025"] == 0
    assert chosen["m-5-075"] == 1


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (5, 5), (99, 7)])
def test_number_of_examples(count: int, expected: int) -> None:
    assert len(choose(_entries({2: 1, 3: 6}), count)) == expected
