"""The samples are those of a literal reading of the fields, to 16-bit rounding.

Bound: each of n weighted sources is rounded to the nearest step, so their sum is at most n/2 steps
from the unrounded literal mixture; a quarter of a step is allowed for the resampler, which works in
single precision here and in double there (measured: under 0.02 steps). Against the literal mixture
rounded to 16 bits, which is what a file would hold, that is at most (n + 1)/2 steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile

from hive.audio import read_crop
from hive.errors import HiveError
from hive.mixing.published.block import Block
from hive.mixing.published.check import check
from hive.mixing.published.plan import plan_rows
from hive.mixing.published.read import json_blocks, parquet_blocks
from hive.mixing.render import render
from hive.mixing.roots import CorpusRoots

NOISE = 0.25  # steps


def planned(block: Block) -> list[dict[str, Any]]:
    assert check(block) == {}
    names = [f"m{number}" for number in range(len(block))]
    return plan_rows(block, np.ones(len(block), bool), names).to_pylist()


def roots(world: Any) -> CorpusRoots:
    return CorpusRoots({path.name.casefold(): path for path in world.corpora.iterdir()})


def test_a_hundred_random_rows(world: Any) -> None:
    rng = np.random.default_rng(5)
    find = roots(world)
    for number in range(100):
        row = world.draw(rng, f"r{number}", "test", 2 + number % 4)
        (block,) = parquet_blocks("t", world.parquet(world.root / "random.parquet", [row]))
        (plan,) = planned(block)
        done = render(plan, find)
        exact = 32768 * world.mixture(row)
        assert len(done.mixture) == len(exact) == int(row["target_duration"] * 44100)
        assert np.array_equal(np.sum(done.sources, axis=0), done.mixture)
        size = row["num_sources"]
        apart = np.abs(done.mixture - exact).max()
        assert apart <= size / 2 + NOISE
        assert np.abs(done.mixture - np.rint(exact)).max() <= (size + 1) / 2
        assert done.row["final_max_amplitude"] == pytest.approx(
            row["final_max_amplitude"], abs=(size / 2 + NOISE) / 32768
        )
        for source, stem in zip(row["sources"], done.sources, strict=True):
            weight = source["applied_weight"] * row["global_normalization_factor"]
            level = np.sqrt(np.mean((stem / 32768) ** 2))
            assert level == pytest.approx(0.1 * weight / source["rms_gain"], rel=1e-3)


@pytest.mark.parametrize(("length", "back"), [(113840, 35530), (69360, 16000), (87120, 4000)])
def test_a_chunk_whose_resampled_length_is_a_tie(tmp_path: Path, length: int, back: int) -> None:
    """At 44.1 kHz it is a whole number and a half: the last sample is there or not."""
    rate = 48000
    assert 2 * length * 44100 % rate == 0 != length * 44100 % rate
    sound = np.random.default_rng(rate).uniform(-0.5, 0.5, 4 * rate)
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    for begin in (1, 1001, 20001):
        chunk = sound[begin : begin + length].astype(np.float32).astype(np.float64)
        whole = librosa.resample(chunk, orig_sr=rate, target_sr=44100)
        first = int(length * 44100 / rate) - back
        interval = ((begin + 0.5) / rate, (begin + length + 0.5) / rate)
        crop = ((first + 0.5) / 44100, (first + back + 4000.5) / 44100)
        found = read_crop(tmp_path / "a.wav", interval, crop, 44100)
        wanted = np.zeros(back + 4000)
        wanted[: len(whole) - first] = whole[first:]
        assert np.abs(found - wanted).max() * 32768 < 0.1


def awkward(world: Any, **changes: Any) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """A row of two sources with fields of the first one changed; literal and rendered."""
    row = next(row for row in world.rows if row["num_sources"] == 2)
    for name, value in changes.items():
        (row if name in row else row["sources"][0])[name] = value
    (block,) = parquet_blocks("t", world.parquet(world.root / "one.parquet", [row]))
    done = render(planned(block)[0], roots(world))
    return row, 32768 * world.mixture(row), done.mixture


@pytest.mark.parametrize(
    "path", ["FreeSound/FreeSound_flac/180913.flac", "ESC50/audio/1-100032-A-0.ogg"]
)
@pytest.mark.parametrize(
    "changes",
    [
        {"crop_start_second": 1.9, "crop_end_second": 2.9},  # half of it past the chunk
        {"crop_start_second": 2.5, "crop_end_second": 3.5},  # all of it: silence
        {"crop_start_second": 0.0, "crop_end_second": 0.4},  # shorter than the mixture
        {"crop_start_second": 0.1, "crop_end_second": 2.2},  # longer
        {"crop_start_second": 1 / 3, "crop_end_second": 4 / 3},  # a sample more or less
        {"sample_rate": 16000},
        {"sample_rate": 48000, "target_duration": 0.9999},
    ],
)
def test_awkward_crops(world: Any, path: str, changes: dict[str, Any]) -> None:
    chunk = {"chunk_start_second": 1.2345, "chunk_end_second": 1.2345 + 2.4}
    _, exact, mixture = awkward(world, path=path, **chunk, **changes)
    assert len(mixture) == len(exact)
    assert np.abs(mixture - exact).max() <= 1 + NOISE


def test_a_chunk_may_end_ten_frames_past_the_file_and_not_eleven(world: Any) -> None:
    path, frames, rate = "FSD50K/FSD50K.eval_audio/37199.wav", 3 * 44100, 44100
    fields = {"path": path, "chunk_start_second": 1.0, "crop_start_second": 1.5}
    for past in (0, 10):
        end = (frames + past + 0.5) / rate
        _, exact, mixture = awkward(
            world, **fields, chunk_end_second=end, crop_end_second=1.5 + 0.6
        )
        assert np.abs(mixture - exact).max() <= 1 + NOISE
    with pytest.raises(HiveError, match="does not lie inside the file"):
        awkward(world, **fields, chunk_end_second=(frames + 11.5) / rate, crop_end_second=1.5 + 0.6)


def test_a_source_that_clips_by_itself_is_an_error_that_names_it(world: Any) -> None:
    with pytest.raises(HiveError, match=r"37199\.wav: clips at the weight and normalisation"):
        awkward(
            world,
            path="FSD50K/FSD50K.eval_audio/37199.wav",
            chunk_start_second=0.0,
            chunk_end_second=3.0,
            crop_start_second=0.0,
            crop_end_second=1.0,
            applied_weight=20.0,
        )


def test_samples_that_are_not_finite_are_an_error_and_no_noise(world: Any) -> None:
    sound = np.full(44100 * 2, 0.1)
    sound[30000] = np.nan
    (world.corpora / "ESC50").mkdir(exist_ok=True)
    soundfile.write(world.corpora / "ESC50" / "nan.wav", sound, 44100, subtype="FLOAT")
    fields = {"path": "ESC50/nan.wav", "chunk_start_second": 0.0, "chunk_end_second": 2.0}
    with pytest.raises(HiveError, match=r"nan\.wav: holds samples that are not finite"):
        awkward(world, **fields, crop_start_second=0.0, crop_end_second=1.0)


def test_sources_are_numbered_by_their_order_and_labels_become_classes(world: Any) -> None:
    row = next(row for row in world.rows if row["num_sources"] == 3)
    for name, source, label in zip(
        ("x", "s1", "s1"), row["sources"], ("honking", "Meow", "Grumbling of a dragon"), strict=True
    ):
        source |= {"source_id": name, "label": label}
    (block,) = parquet_blocks("t", world.parquet(world.root / "named.parquet", [row]))
    (plan,) = planned(block)
    assert [source["source_id"] for source in plan["sources"]] == ["s1", "s2", "s3"]
    assert [source["label"] for source in plan["sources"]] == [
        "Vehicle horn, car horn, honking",
        "Cat",
        "Grumbling of a dragon",
    ]


def test_json_gives_the_same_plan(world: Any) -> None:
    folder = world.nested(world.root / "for_plans")
    (block,) = json_blocks("j", folder / "test" / "4mix" / "test_4mix_metadata_tar0001.json")
    rows = [row for row in world.rows if (row["split"], row["num_sources"]) == ("test", 4)][:2]
    (flat,) = parquet_blocks("t", world.parquet(world.root / "flat.parquet", rows))
    assert planned(block) == planned(flat)
