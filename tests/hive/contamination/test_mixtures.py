from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.contamination.members import read_members
from hive.contamination.mixtures import batches, clips, cover
from hive.errors import HiveError
from hive.shards.read import find_shards, locate, read_shard
from hive.tables import MIXTURE_SCHEMA, write_table

CROPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 8)), min_size=1, max_size=40
)


def held(crops: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """Return the whole seconds of each clip that crops hold."""
    return {(clip, second) for clip, start, n in crops for second in range(start, start + n)}


@given(CROPS)
def test_the_crops_chosen_hold_all_that_the_crops_hold(crops: list[tuple[int, int, int]]) -> None:
    numbers, starts, lengths = (np.array(column) for column in zip(*crops, strict=True))
    chosen = cover(numbers, starts.astype(float), (starts + lengths).astype(float))
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    kept = [crops[number] for number in chosen]
    assert held(kept) == held(crops)
    # None could be left out: each holds something that no other of its clip does.
    for one in range(len(kept)):
        assert held(kept[:one] + kept[one + 1 :]) != held(crops) or len(kept) == 1


def test_ten_second_crops_of_a_clip_need_one_and_four_second_ones_three() -> None:
    whole = cover(np.zeros(50, int), np.zeros(50), np.full(50, 10.0))
    assert len(whole) == 1
    starts = np.random.default_rng(0).uniform(0, 6, 500)
    assert len(cover(np.zeros(500, int), starts, starts + 4)) <= 4


def test_the_embedded_dataset_is_read_from_its_shards() -> None:
    origin = locate("mini")
    mine = {
        source["clip_id"]: source["recording_id"]
        for shard in find_shards(origin, "test")
        for sample in read_shard(shard)
        for source in sample.meta["sources"]
    }
    assert {clip.clip_id: clip.recording_id for clip in clips(origin, "test")} == mine


def test_other_splits_are_not_read_and_clips_without_ids_get_names(tmp_path: Path) -> None:
    def row(name: str, split: str, starts: list[float]) -> dict:
        sources = [
            {
                "source_id": f"s{number + 1}",
                "path": "AudioSet/a.wav",
                "label": "Cough",
                "chunk_start_second": start,
                "chunk_end_second": start + 10,
            }
            for number, start in enumerate(starts)
        ]
        return {"mix_id": name, "split": split, "num_sources": len(starts), "sources": sources}

    table = tmp_path / "mixtures.parquet"
    rows = [row("a", "train", [0.0, 5.0]), row("b", "test", [5.0, 7.5]), row("c", "test", [5.0])]
    write_table(
        table, [{**dict.fromkeys(MIXTURE_SCHEMA.names), **one} for one in rows], MIXTURE_SCHEMA
    )
    (batch,) = batches(table, "test")
    assert batch.mix_ids.to_pylist() == ["b", "c"]
    assert batch.parents.tolist() == [0, 0, 1]
    found = list(clips(table, "test"))
    assert [(clip.path, clip.start, clip.end) for clip in found] == [
        ("AudioSet/a.wav", 5.0, 15.0),
        ("AudioSet/a.wav", 7.5, 17.5),
    ]
    assert len({clip.clip_id for clip in found}) == 2
    with pytest.raises(HiveError, match="no mixtures of split 'validation'"):
        list(batches(table, "validation"))


@pytest.mark.parametrize("text", [b"{", b"[1]", b'{"mix_id": [2]}'])
def test_a_shard_with_other_json_is_named(tmp_path: Path, text: bytes) -> None:
    shard = tmp_path / "data" / "2mix" / "test-00000-of-00001.tar"
    shard.parent.mkdir(parents=True)
    with tarfile.open(shard, "w") as archive:
        info = tarfile.TarInfo("a.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    with pytest.raises(HiveError, match=r"00001\.tar: holds JSON that is no row"):
        list(batches(tmp_path, "test"))


def test_a_member_that_claims_terabytes_is_not_read(tmp_path: Path) -> None:
    """A sparse member of a small file."""
    info = tarfile.TarInfo("a.flac")
    info.size = 512
    info.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": str(1 << 42)}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(bytes(512)))
    with pytest.raises(HiveError, match="4398046511104 bytes"):
        list(read_members(tmp_path / "a.tar", lambda name: True))
