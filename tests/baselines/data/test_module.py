"""The data of a training run, from the loaders' side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines.data import assemble
from baselines.data.config import DataConfig
from baselines.data.examples import Examples
from baselines.data.module import TrainingData
from baselines.data.questions import answer
from hive import audio
from hive.errors import HiveError
from hive.licences import Filter
from hive.mixing.plan import Planner, PlanSettings, write_plan
from hive.mixing.stream import MixtureStream
from hive.pool.pack import pack_pool
from hive.pool.store import read_pool

RATE = 16000
QUERIES = {"positive_only": 0.25, "negative_only": 0.25, "both": 0.5, "silence": 0.1}
TOLD: dict[str, Any] = {
    "seconds": 0.5,
    "sizes": {2: 0.5, 3: 0.5},
    "mixtures_per_epoch": 24,
    "batch_size": 4,
    "workers": 0,
    "queries": QUERIES,
    "validation": {"sizes": [2, 3], "mixtures": 5, "silence": 0.4},
}
AUGMENT: dict[str, Any] = {"augment": {}}


def data(source: Path, seed: int = 0, pool: Path | None = None, **told: Any) -> TrainingData:
    config = DataConfig.model_validate({**TOLD, **told})
    return TrainingData(source, config, sample_rate=RATE, seed=seed, pool=pool)


def same(first: Examples, second: Examples) -> bool:
    return (
        all(torch.equal(first[place], second[place]) for place in (0, 1, 4))
        and first.positive == second.positive
        and first.negative == second.negative
        and first.mix_id == second.mix_id
    )


@pytest.fixture(scope="session")
def plan(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = read_pool(pool)[0]
    planner = Planner(clips, PlanSettings("train", 3, 0.5, {2: 0.5, 3: 0.5}))
    path = tmp_path_factory.mktemp("plan") / "train.parquet"
    write_plan(planner, 24, path)
    return path


@pytest.mark.parametrize("told", [{}, AUGMENT, {"mixer": "audiosep"}], ids=str)
def test_batches_have_the_promised_shape(pool: Path, told: dict[str, Any]) -> None:
    batches = list(data(pool, **told).train_loader())
    assert len(batches) == (2 if "mixer" in told else 6)
    for batch in batches:
        for samples in (batch.mixture, batch.target):
            assert samples.shape == (4, 8000)
            assert samples.dtype == torch.float32
            assert samples.isfinite().all()
        assert batch.num_sources.dtype == torch.int64
        assert set(batch.num_sources.tolist()) <= {2, 3}
        assert len(batch.positive) == len(batch.negative) == len(batch.mix_id) == 4
        assert all(isinstance(query, tuple) for query in batch.positive + batch.negative)
        assert float(batch.mixture.abs().max()) <= 1.0


@pytest.mark.parametrize("told", [{}, AUGMENT], ids=["plain", "augmented"])
def test_targets_are_the_sources_that_are_asked_for(
    pool: Path, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each class hums at a frequency of its own: a target hums at those of its classes alone."""
    told = {"augment": {"semitones": 0, "equaliser": 0, "low_pass": 0}} if told else {}
    labels: dict[str, list[str]] = {}
    called = assemble.TrainingAssembler.__call__

    def noting(self: assemble.TrainingAssembler, batch: dict[str, Any]) -> Examples:
        labels.update(zip(batch["mix_id"], batch["labels"], strict=True))
        return called(self, batch)

    monkeypatch.setattr(assemble.TrainingAssembler, "__call__", noting)
    made = data(pool, **told)
    hums = {
        label: 300 * (number + 1)
        for number, label in enumerate(
            ("Typing", "Air conditioning", "Male speech, man speaking", "Printer", "Cough")
        )
    }
    kinds = set()
    for batch in made.train_loader():
        for row, name in enumerate(batch.mix_id):
            wanted = answer(labels[name], batch.positive[row], batch.negative[row])
            kinds.add((bool(batch.positive[row]), bool(batch.negative[row]), bool(wanted)))
            target = batch.target[row].numpy()
            if not wanted:
                assert not target.any()
                continue
            power = np.abs(np.fft.rfft(target)) ** 2
            for number, label in enumerate(labels[name]):
                hum = power[hums[label] // 2 - 2 : hums[label] // 2 + 3].sum() / power.sum()
                assert (hum > 0.05) == (number in wanted), (name, label, hum)
    assert {(True, False, True), (False, True, True), (True, True, True)} <= kinds


def test_without_augmentation_examples_are_the_stream_resampled(plan: Path, pool: Path) -> None:
    made = data(plan, pool=pool)
    sounds = made._training
    expected = {
        name: audio.resample(mixture.numpy(), 44100, RATE)
        for batch in MixtureStream(sounds.mixtures, sounds.reader, batch_size=4)
        for name, mixture in zip(batch["mix_id"], batch["mixture"], strict=True)
    }
    for batch in made.train_loader():
        for name, mixture in zip(batch.mix_id, batch.mixture, strict=True):
            np.testing.assert_array_equal(mixture, audio.fit(expected[name], 8000))


def test_workers_and_the_pack_give_the_same_examples(pool: Path, tmp_path: Path) -> None:
    pack_pool(pool, tmp_path / "pack")
    expected = list(data(pool, **AUGMENT).train_loader())
    for source, workers in ((tmp_path / "pack", 0), (pool, 2)):
        loader = data(source, workers=workers, **AUGMENT).train_loader()
        assert all(same(a, b) for a, b in zip(loader, expected, strict=True))
        # Epochs differ, in workers that outlive them too.
        again = list(loader)
        fresh = data(pool, **AUGMENT).train_loader()
        fresh.set_epoch(1)
        assert all(same(a, b) for a, b in zip(again, fresh, strict=True))


@pytest.mark.parametrize(("mixer", "stops"), [("hive", (2, 6, 7)), ("audiosep", (1, 3))])
def test_resuming_in_mid_epoch_gives_the_rest(
    pool: Path, mixer: str, stops: tuple[int, ...]
) -> None:
    made = data(pool, mixer=mixer, **AUGMENT)
    loader = made.train_loader()
    whole = [*loader, *loader]
    for stop in stops:
        loader, taken = made.train_loader(), 0
        while taken < stop:
            for _ in loader:
                taken += 1
                if taken == stop:
                    break
        state = json.loads(json.dumps(loader.state_dict()))
        other = data(pool, mixer=mixer, **AUGMENT).train_loader()
        other.load_state_dict(state)
        assert same(next(iter(other)), whole[stop])


def test_a_plan_is_asked_anew_in_each_epoch(plan: Path, pool: Path) -> None:
    made = data(plan, pool=pool, **AUGMENT)
    loader = made.train_loader()
    first, second = (
        {
            name: (query, mixture)
            for batch in loader
            for name, query, mixture in zip(
                batch.mix_id, batch.positive, batch.mixture, strict=True
            )
        }
        for _ in range(2)
    )
    assert first.keys() == second.keys()
    assert any(first[name][0] != second[name][0] for name in first)
    assert not any(torch.equal(first[name][1], second[name][1]) for name in first)


def test_validation_is_the_same_every_time(pool: Path) -> None:
    made = data(pool, **AUGMENT)
    loader = made.validation_loader()
    first, second = list(loader), list(loader)
    other = list(data(pool, seed=7, workers=1).validation_loader())
    assert all(same(a, b) for a, b in zip(first, second, strict=True))
    assert all(same(a, b) for a, b in zip(first, other, strict=True))
    names = [name for batch in first for name in batch.mix_id]
    assert len(set(names)) == 10
    assert all(name.startswith("validation-") for name in names)
    silent = [not target.any() for batch in first for target in batch.target]
    assert len(names) - sum(silent) == 10  # each mixture is asked for one source
    assert sum(silent) > 0
    sizes = [int(size) for batch in first for size in batch.num_sources]
    assert {2, 3} == set(sizes)
    for batch in first:
        assert not any(batch.negative)
        assert all(len(query) == 1 for query in batch.positive)
        # One mixture, two questions: the same sound.
        for row in range(1, len(batch.mix_id)):
            if batch.mix_id[row] == batch.mix_id[row - 1]:
                assert torch.equal(batch.mixture[row], batch.mixture[row - 1])


def test_ranks_share_training_and_validation(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [name for batch in data(pool).validation_loader() for name in batch.mix_id]
    parts: list[str] = []
    trained: list[str] = []
    for rank in range(2):
        monkeypatch.setattr("hive.mixing.stream.dataset._distributed", lambda at=rank: (at, 2))
        parts += [name for batch in data(pool).validation_loader() for name in batch.mix_id]
        batches = list(data(pool).train_loader())
        assert len(batches) == 3
        trained += [name for batch in batches for name in batch.mix_id]
    assert sorted(parts) == sorted(whole)
    assert len(set(trained)) == 24


def test_what_tells_data_apart(pool: Path, plan: Path) -> None:
    told = json.dumps(data(pool).identity(), sort_keys=True)
    assert told == json.dumps(data(pool, workers=3).identity(), sort_keys=True)
    others = [
        data(pool, seed=1),
        data(pool, **AUGMENT),
        data(pool, mixer="audiosep"),
        data(plan, pool=pool),
        data(pool, licences=["no-nc"]),
    ]
    assert len({told, *(json.dumps(one.identity(), sort_keys=True) for one in others)}) == 6
    assert str(pool) not in told


def test_licences_bound_what_is_trained_on(pool: Path) -> None:
    clips = data(pool, licences=["no-nc"])._training.mixtures.clips
    assert clips.num_rows == 5  # of two recordings of each class one forbids commercial use
    assert Filter.parse(["no-nc"]).allows("CC0-1.0")[0]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"split": "test"}, "no clips of split 'test'"),
        ({"validation": {"split": "test"}}, "no clips of split 'test'"),
        ({"licences": ["no-such-rule"]}, "no-such-rule"),
        ({"licences": ["CC-BY-SA-4.0"]}, "refuse all"),
        ({"batch_size": 25}, "less than a batch"),
    ],
)
def test_what_is_not_there_is_said(pool: Path, told: dict[str, Any], message: str) -> None:
    with pytest.raises(HiveError, match=message):
        _both(data(pool, **told))


def _both(made: TrainingData) -> None:
    made.train_loader()
    made.validation_loader()


def test_wrong_sources_are_named(pool: Path, plan: Path, tmp_path: Path) -> None:
    with pytest.raises(HiveError, match="no such source"):
        data(tmp_path / "nothing")
    with pytest.raises(HiveError, match="no such source"):
        data(tmp_path)
    with pytest.raises(HiveError, match="give its pool"):
        data(plan)
    with pytest.raises(HiveError, match="single clips"):
        data(plan, pool=pool, mixer="audiosep")
    with pytest.raises(HiveError, match="single clips"):
        data(Path("mini"), mixer="audiosep", split="test")
    with pytest.raises(HiveError, match=r"last 0\.5 s, less than the examples"):
        data(plan, pool=pool, seconds=1.0)
    with pytest.raises(HiveError, match="44100 Hz, below the network's 48000 Hz"):
        TrainingData(pool, DataConfig.model_validate(TOLD), sample_rate=48000, seed=0)


def test_pinning_keeps_queries_as_they_are(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils.data._utils.pin_memory import pin_memory

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self, *_: self.clone())
    batch = next(iter(data(pool).train_loader()))
    pinned = pin_memory(batch)
    assert same(pinned, batch)
    assert pinned.mixture is not batch.mixture


def test_longer_mixtures_are_cut_at_places_that_change(plan: Path, pool: Path) -> None:
    loader = data(plan, pool=pool, seconds=0.25).train_loader()
    first, second = (
        {name: mixture for b in loader for name, mixture in zip(b.mix_id, b.mixture, strict=True)}
        for _ in range(2)
    )
    assert all(mixture.shape == (4000,) for mixture in first.values())
    assert not any(torch.equal(first[name], second[name]) for name in first)
