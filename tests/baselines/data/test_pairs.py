"""AudioSep's way of mixing: each clip with the next one of its batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines.data.pairs import SingleClips, pair
from hive import audio
from hive.build import split_clips
from hive.errors import HiveError
from hive.mixing.splits import DEFAULT_SHARES
from hive.mixing.stream import MixtureStream, open_reader
from hive.seeding import Stream


def draws(index: int, purpose: str) -> Stream:
    return Stream(0, "test", index, purpose)


def batch(levels: list[float], labels: list[str], first: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    clips = np.array(levels)[:, None] * rng.standard_normal((len(levels), 4000))
    return {
        "mixture": torch.from_numpy(clips.astype(np.float32)),
        "sources": torch.from_numpy(clips.astype(np.float32))[:, None],
        "labels": [[label] for label in labels],
        "index": torch.arange(first, first + len(levels)),
        "num_sources": torch.ones(len(levels), dtype=torch.int64),
        "mix_id": [f"m{number}" for number in range(len(levels))],
    }


def test_each_clip_gets_the_next_of_another_class() -> None:
    made = pair(batch([0.1] * 4, ["Dog", "Dog", "Piano", "Cough"]), (-10.0, 10.0), draws)
    assert made["labels"] == [
        ["Dog", "Piano"],
        ["Dog", "Piano"],
        ["Piano", "Cough"],
        ["Cough", "Dog"],
    ]
    assert made["mix_id"] == ["m0+m2", "m1+m2", "m2+m3", "m3+m0"]
    assert made["num_sources"].tolist() == [2] * 4


def test_levels_are_drawn_once_as_floats() -> None:
    told = batch([0.01, 0.02, 0.03, 0.01] * 10, ["Dog", "Piano"] * 20)
    made = pair(told, (-10.0, 10.0), draws)
    gains = []
    for target, other in made["sources"].numpy():
        gains.append(20 * np.log10(audio.rms(other) / audio.rms(target)))
    assert -10.0 <= min(gains) < -7.0
    assert 7.0 < max(gains) <= 10.0
    assert np.abs(gains - np.round(gains)).max() > 0.3
    np.testing.assert_array_equal(made["sources"].sum(1), made["mixture"])
    np.testing.assert_array_equal(made["sources"][:, 0], told["sources"][:, 0])
    later = pair(batch([0.01, 0.02], ["Dog", "Piano"], first=1000), (-10.0, 10.0), draws)
    ratio = audio.rms(later["sources"][0, 1].numpy()) / audio.rms(made["sources"][0, 1].numpy())
    assert abs(ratio - 1.0) > 1e-3


def test_ratios_of_levels_are_held_in_bounds() -> None:
    made = pair(batch([0.1, 1e-4], ["Dog", "Piano"]), (0.0, 0.0), draws)
    rms = [[audio.rms(source.numpy()) for source in pair_] for pair_ in made["sources"]]
    assert rms[0][1] == pytest.approx(50 * 1e-4, rel=0.05)  # brought up by 34 dB, not by 60
    assert rms[1][1] == pytest.approx(0.02 * 0.1, rel=0.05)


def test_what_would_clip_is_scaled_with_its_target() -> None:
    told = batch([0.4, 0.4], ["Dog", "Piano"])
    made = pair(told, (0.0, 0.0), draws)
    for row in range(2):
        assert audio.peak(made["mixture"][row].numpy()) == pytest.approx(0.9, rel=1e-5)
        both = made["sources"][row].sum(0)
        np.testing.assert_allclose(both, made["mixture"][row], atol=1e-6)
        scale = made["sources"][row, 0] / told["sources"][row, 0]
        assert float(scale.min()) == pytest.approx(float(scale.max()), rel=1e-4)


def test_one_clip_is_not_mixed_with_itself() -> None:
    with pytest.raises(HiveError, match="one clip"):
        pair(batch([0.1], ["Dog"]), (0.0, 0.0), draws)


def test_a_batch_of_one_class_is_mixed_all_the_same() -> None:
    made = pair(batch([0.1, 0.1, 0.1], ["Dog"] * 3), (0.0, 0.0), draws)
    assert made["mix_id"] == ["m0+m1", "m1+m2", "m2+m0"]


def test_all_clips_come_once_an_epoch_and_elsewhere_in_the_next(pool: Path) -> None:
    clips = split_clips(pool, "train", DEFAULT_SHARES, 0).clips
    singles = SingleClips(clips, 0.5, seed=0)
    assert len(singles) == clips.num_rows == 10
    first, second = (singles.recipes(range(10 * epoch, 10 * epoch + 10)) for epoch in (0, 1))
    assert {one.mix_id for one in first} == set(clips["clip_id"].to_pylist())
    assert [one.mix_id for one in first] == [one.mix_id for one in second]
    crops = [[recipe.ingredients[0].crop for recipe in epoch] for epoch in (first, second)]
    assert all(a != b for a, b in zip(*crops, strict=True))
    assert [singles.recipes([index])[0] for index in range(10)] == first
    stream = MixtureStream(singles, open_reader(pool), batch_size=10)
    (made,) = stream
    assert made["mixture"].shape == (10, 22050)
    # At the clip's own level, not at that of mixtures.
    levels = dict(zip(clips["clip_id"].to_pylist(), clips["rms"].to_pylist(), strict=True))
    for name, mixture in zip(made["mix_id"], made["mixture"], strict=True):
        assert audio.rms(mixture.numpy()) == pytest.approx(levels[name], rel=0.05)


def test_too_few_clips(pool: Path) -> None:
    clips = split_clips(pool, "train", DEFAULT_SHARES, 0).clips.slice(0, 1)
    with pytest.raises(HiveError, match="1 clips"):
        SingleClips(clips, 0.5, seed=0)
