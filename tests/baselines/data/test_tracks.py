"""Training on the tracks of natural recordings."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from pydantic import ValidationError

from baselines.data.blend import Blend, Part
from baselines.data.config import DataConfig, TracksConfig
from baselines.data.module import TrainingData
from baselines.data.questions import ask_own
from baselines.data.tracks import PREFIX, SelfSeparate, Tracks
from hive.engine.cli import open_parts
from hive.engine.rules import Rules
from hive.engine.run import Job, decompose
from hive.engine.separation import ModelChoice, open_model
from hive.errors import HiveError
from hive.mixing.stream.mixer import Mixer
from hive.mixing.stream.recipe import Ingredient
from hive.seeding import Stream
from hive.shards.read import find_shards, read_shard

RATE = 16_000
HUMS = {"Typing": 300, "Printer": 1200, "Cough": 1500}
#: A model that gives each class what lies around its hum.
MODEL = """
import torch

HUMS = {"Typing": 300, "Printer": 1200, "Cough": 1500}

class Bands:
    sample_rate, generative = 0, False

    def separate(self, mixtures, queries):
        spectrum = torch.fft.rfft(mixtures)
        hertz = torch.fft.rfftfreq(mixtures.shape[-1], 1 / 44100)
        masks = torch.stack([(hertz - HUMS[query.text]).abs() < 140 for query in queries])
        return torch.fft.irfft(spectrum * masks, mixtures.shape[-1])
"""


@pytest.fixture(scope="session")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of three recordings of 6 s; in the last one a sound is there only at the end."""
    root = tmp_path_factory.mktemp("natural")
    (root / "hum_separator.py").write_text(MODEL)
    time = np.arange(6 * 44100) / 44100
    rows = []
    for number, labels in enumerate((("Typing", "Printer"), tuple(HUMS), ("Cough", "Typing"))):
        sounds = [
            0.1 * np.sin(2 * np.pi * HUMS[label] * time) * ((time > 5.2) | (label != "Cough"))
            for label in labels
        ]
        rest = 0.002 * np.random.default_rng(number).standard_normal(len(time))
        soundfile.write(root / f"n{number}.wav", sum(sounds) + rest, 44100)
        rows += [(f"n{number}.wav", label, "CC0-1.0") for label in labels]
    with (root / "manifest.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("path", "label", "licence"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        parts = open_parts(root / "manifest.csv", "folder", "train", (), None)
        choice = ModelChoice("python:hum_separator:Bands")
        rules = Rules(similarity=0.99)
        decompose(Job(root / "tracks", "natural", choice, rules), parts)
        open_model.cache_clear()
    return root / "tracks"


def data(pool: Path, dataset: Path | None, **told: Any) -> TrainingData:
    config = {
        "seconds": 0.5,
        "sizes": {2: 0.5, 3: 0.5},
        "mixtures_per_epoch": 24,
        "batch_size": 4,
        "workers": 0,
        "validation": {"sizes": [2], "mixtures": 2},
        **told,
    }
    return TrainingData(
        pool, DataConfig.model_validate(config), sample_rate=RATE, seed=0, tracks=dataset
    )


def test_tracks_are_clips_whose_samples_can_be_read(tracks: Path) -> None:
    opened = Tracks(tracks)
    clips = opened.clips(10.0)
    assert Counter(clips["label"].to_pylist()) == {"Typing": 3, "Printer": 2, "Cough": 2}
    stored = {
        source["clip_id"]: sample.sources[source["source_id"]]
        for shard in find_shards(tracks, "train")
        for sample in read_shard(shard)
        for source in sample.meta["sources"]
    }
    for clip in clips.to_pylist():
        ingredient = Ingredient(clip["path"], clip["label"], (0.0, 6.0), (1.5, 2.5), 0.0, None)
        crop = opened.reader.read(ingredient, 44100, 44100)
        expected = stored[clip["clip_id"]][round(1.5 * 44100) :][:44100]
        np.testing.assert_array_equal(crop.samples, expected)
        assert crop.rms == pytest.approx(float(np.sqrt(np.mean(expected**2))), rel=1e-5)


def test_only_recordings_above_a_limit_are_taken(tracks: Path) -> None:
    opened = Tracks(tracks)
    values = sorted(
        min(sample.meta["separation"][name] for name in ("re_sdr", "re_si_sdr"))
        for shard in find_shards(tracks, "train")
        for sample in read_shard(shard)
    )
    assert len(values) == 3
    for taken, limit in enumerate((values[2], values[1], values[0], values[0] - 1.0)):
        assert len(opened.recordings(0.5, limit)) == taken
        recordings = {row["recording_id"] for row in opened.clips(limit).to_pylist()}
        assert len(recordings) == taken
    with pytest.raises(HiveError, match="above 99 dB"):
        SelfSeparate(opened, 0.5, seed=0, num=1, above=99.0)


def test_natural_mixture_is_the_recording(tracks: Path) -> None:
    opened = Tracks(tracks)
    mixtures = SelfSeparate(opened, 0.75, seed=3, num=10, above=15.0)
    recordings = {
        sample.key: sample.mixture
        for shard in find_shards(tracks, "train")
        for sample in read_shard(shard)
    }
    mixer = Mixer(opened.reader, round(0.75 * 44100))
    seen = set()
    for recipe in mixtures.recipes(range(12)):
        size = len(recipe.ingredients)
        sources = np.zeros((size, round(0.75 * 44100)), np.float32)
        mixture = np.zeros(round(0.75 * 44100), np.float32)
        mixer.mix(recipe, list(sources), mixture)
        start = round(recipe.ingredients[0].crop[0] * 44100)
        expected = recordings[recipe.mix_id][start : start + len(mixture)]
        np.testing.assert_array_equal(mixture, expected)
        np.testing.assert_array_equal(sources.sum(axis=0), expected)
        assert [one.label for one in recipe.ingredients][-1] == ""
        seen.add(recipe.mix_id)
    assert seen == set(recordings)
    assert mixtures.recipes([7]) == [mixtures.recipes(range(12))[7]]


def test_shares_of_the_kinds(pool: Path, tracks: Path) -> None:
    told = {"independent": 0.25, "self_separate": 0.5}
    mixtures = data(pool, tracks, tracks=told)._training.mixtures
    recipes = mixtures.recipes(range(1200))
    assert [recipe.index for recipe in recipes] == list(range(1200))
    natural = [recipe for recipe in recipes if recipe.ingredients[-1].label == ""]
    mixed = [
        recipe
        for recipe in recipes
        if recipe.ingredients[-1].label
        and any(one.path.startswith(PREFIX) for one in recipe.ingredients)
    ]
    assert len(natural) / 1200 == pytest.approx(0.5, abs=0.06)
    # Of three recordings of most classes one or more are tracks: nearly all mixtures have one.
    assert 0.1 < len(mixed) / 1200 < 0.3
    assert mixtures.recipes([5, 900, 17]) == [recipes[5], recipes[900], recipes[17]]


@pytest.mark.parametrize("augment", [None, {}])
def test_question_of_a_recording_names_all_its_events(
    pool: Path, tracks: Path, augment: dict[str, Any] | None
) -> None:
    told = {"independent": 0.0, "self_separate": 1.0}
    loaded = data(pool, tracks, tracks=told, augment=augment)
    stems = {
        sample.key: {
            source["label"]: sample.sources[source["source_id"]]
            for source in sample.meta["sources"]
        }
        for shard in find_shards(tracks, "train")
        for sample in read_shard(shard)
    }
    silent = 0
    for batch in loaded.train_loader():
        for row, mix_id in enumerate(batch.mix_id):
            (label,) = batch.positive[row]
            assert {label, *batch.negative[row]} == set(stems[mix_id])
            mixture, target = batch.mixture[row].double(), batch.target[row].double()
            assert float(mixture.abs().max()) > 0.01
            if not target.any():
                silent += 1
                assert label == "Cough"  # which is silent most of the time
                continue
            # Whatever the level of the example: the target hums where its class does.
            spectrum = np.abs(np.fft.rfft(target.numpy() * np.hanning(len(target))))
            hertz = np.fft.rfftfreq(len(target), 1 / RATE)
            assert hertz[spectrum.argmax()] == pytest.approx(HUMS[label], abs=6)
    assert silent > 0


def test_same_examples_in_any_number_of_workers(pool: Path, tracks: Path) -> None:
    first, second = (
        [batch.mixture for batch in data(pool, tracks, workers=workers).train_loader()]
        for workers in (0, 2)
    )
    assert len(first) == len(second) == 6
    assert all(bool((one == other).all()) for one, other in zip(first, second, strict=True))


def test_identity_tells_of_tracks_and_shares(pool: Path, tracks: Path) -> None:
    plain = data(pool, None).identity()
    told = [
        data(pool, tracks, tracks=shares).identity()
        for shares in ({"self_separate": 0.2}, {"self_separate": 0.3})
    ]
    assert plain["mixtures"] != told[0]["mixtures"] != told[1]["mixtures"]


def test_ask_own_never_asks_for_the_rest() -> None:
    labels = ["Rain", "Dog", "Typing", ""]
    asked = Counter()
    for number in range(300):
        question = ask_own(labels, Stream(0, "a", number, "b"))
        (source,) = question.sources
        assert question.positive == (labels[source],)
        assert set(question.negative) == set(labels[:3]) - {labels[source]}
        asked[source] += 1
    assert set(asked) == {0, 1, 2}


def test_blend_of_one_kind_is_that_kind(tracks: Path) -> None:
    own = SelfSeparate(Tracks(tracks), 0.5, seed=0, num=10, above=15.0)
    blend = Blend([Part(0.0, own), Part(0.4, own)], seed=0)
    assert blend.recipes(range(6)) == own.recipes(range(6))
    assert len(blend) == 10


def test_what_cannot_be_trained_on_is_told(pool: Path, tracks: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="tracks go with clips that are drawn"):
        data(Path("mini"), tracks)
    with pytest.raises(HiveError, match=r"holds no tracks \(tracks.parquet is missing\)"):
        data(pool, tmp_path)
    with pytest.raises(HiveError, match="no recording is both 7 s long"):
        SelfSeparate(Tracks(tracks), 7.0, seed=0, num=1, above=15.0)
    with pytest.raises(ValidationError, match="more than 1 together"):
        TracksConfig(independent=0.7, self_separate=0.4)


def test_table_that_names_what_no_shard_holds(tracks: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tracks, tmp_path / "tracks")
    table = pq.read_table(folder / "tracks.parquet")
    paths = [path.replace(".s1", ".s9") for path in table["path"].to_pylist()]
    place = table.schema.get_field_index("path")
    pq.write_table(table.set_column(place, "path", [paths]), folder / "tracks.parquet")
    with pytest.raises(HiveError, match=r"names .*\.s9.*, which no shard holds"):
        Tracks(folder).clips(10.0)
