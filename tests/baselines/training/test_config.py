"""Configurations: what is shipped, what is refused and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from baselines.architectures import architecture
from baselines.training.config import fields, load_config, model_config, shipped
from baselines.training.sections import PlateauSchedule, SteppedSchedule
from hive.errors import HiveError

NAMES = (
    "audiosep-hive",
    "audiosep-mini",
    "audiosep-original",
    "clearsep",
    "clearsep-mini",
    "flowsep",
    "flowsep-mini",
)


def test_what_is_shipped() -> None:
    assert tuple(sorted(shipped())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configuration_builds_its_network_at_full_size(name: str) -> None:
    config = load_config(name)
    network = model_config(config)
    assert config.name == name
    assert network.window_seconds == config.data.seconds
    with torch.device("meta"):
        model = architecture(config.model.architecture).model_class(network)
    count = sum(each.numel() for each in model.parameters() if each.requires_grad)
    if config.model.preset == "mini":
        assert 0.5e6 < count < 8e6
    else:  # of AudioSep, without the layers that it never used; see its own tests
        expected = {"audiosep": 25_623_939, "clearsep": 44_359_616, "flowsep": 265_549_456}
        assert count == expected[model.name]


def test_hive_recipe_of_audiosep() -> None:
    config = load_config("audiosep-hive")
    assert config.loss.kind == "l1"
    assert (config.optimiser.lr, config.optimiser.amsgrad) == (1e-3, False)
    assert config.schedule == PlateauSchedule(kind="plateau", factor=0.5, patience=20)
    assert config.data.batch_size * config.trainer.devices * config.trainer.accumulate == 64


def test_original_recipe_of_audiosep() -> None:
    config = load_config("audiosep-original")
    assert config.optimiser.amsgrad
    assert config.trainer.sync_batchnorm
    assert config.schedule == SteppedSchedule(
        kind="stepped", factors=(0.001, 0.01, 0.1), every=10_000
    )
    assert (config.data.mixer, config.data.seconds, config.data.batch_size) == ("audiosep", 5.0, 12)


def test_recipe_of_clearsep() -> None:
    config = load_config("clearsep")
    assert config.loss.model_dump()["sdr_weight"] == 0.9
    assert (config.optimiser.lr, config.optimiser.weight_decay) == (2e-4, 1e-2)
    assert config.schedule == PlateauSchedule(kind="plateau", factor=0.3, patience=5, floor=5e-6)
    queries = config.data.queries
    assert (queries.positive_only, queries.negative_only, queries.both) == (0.25, 0.25, 0.5)
    assert queries.silence == 0.05
    assert config.data.batch_size * config.trainer.devices * config.trainer.accumulate == 256
    assert (config.data.seconds, model_config(config).sample_rate) == (10.0, 32_000)


def test_overrides_win_and_are_yaml() -> None:
    config = load_config("audiosep-mini", ["data.batch_size=8", "data.snr_db=[-1, 1]"])
    assert config.data.batch_size == 8
    assert config.data.snr_db == (-1.0, 1.0)
    assert load_config("audiosep-mini", ["optimiser.lr=5e-4"]).optimiser.lr == 5e-4


def test_another_kind_of_schedule_replaces_the_old_one() -> None:
    changed = ["schedule.kind=plateau", "schedule.factor=0.1", "schedule.patience=2"]
    assert load_config("audiosep-mini", changed).schedule == PlateauSchedule(
        kind="plateau", factor=0.1, patience=2
    )


def test_another_query_encoder_replaces_the_old_one() -> None:
    config = load_config("audiosep-hive", ["model.config.encoder={kind: labels, dim: 8}"])
    assert model_config(config).encoder == {"kind": "labels", "dim": 8}
    config = load_config("audiosep-mini", ["model.config.encoder.dim=8"])
    assert model_config(config).encoder["kind"] == "labels"
    assert model_config(config).encoder["dim"] == 8


@pytest.mark.parametrize(
    ("override", "told", "remedy"),
    [
        ("optimiser.learning_rate=1", "optimiser.learning_rate: is not known", "has amsgrad"),
        ("optimiser.weight_decey=1", "optimiser.weight_decey", "'weight_decay'"),
        ("schedule.warmup_step=1", "schedule.warmup_step: is not known", "'warmup_steps'"),
        ("data.queries.silense=0.1", "data.queries.silense", "'silence'"),
        ("loss.sdr_wait=0.1", "loss.sdr_wait", "'sdr_weight'"),
        ("model.config.chanels=[1]", "model.config.chanels", "'channels'"),
        ("trainr.seed=1", "trainr: is not known", "'trainer'"),
        ("data.batch_size=many", "data.batch_size: input should be a valid integer", "--fields"),
        ("trainer.precision=fp8", "trainer.precision: input should be 'fp32'", "--fields"),
        ("schedule.kind=cosin", "schedule: ", "--fields"),
        ("optimiser.lr=-1", "optimiser.lr: input should be greater than 0 (it is -1)", "--fields"),
        ("optimiser={}", "optimiser.lr: is missing", "--fields"),
        ("trainer.max_steps=null", "trainer: value error, max_steps or max_epochs", "--fields"),
        ("model.config.bands=100", "bands", "--fields"),
        ("model.architecture=audiosepp", "model.architecture: architecture", "audiosep"),
    ],
)
def test_what_is_wrong_is_named(override: str, told: str, remedy: str) -> None:
    with pytest.raises(HiveError) as error:
        load_config("audiosep-mini", [override])
    assert "audiosep-mini.yaml" in error.value.problem
    assert told in error.value.problem
    assert remedy in error.value.remedy


def test_what_is_no_override() -> None:
    for text in ("data.batch_size", "=3", "data..x=1", "name.x=1", "data.x=[1"):
        with pytest.raises(HiveError, match=r"^'"):
            load_config("audiosep-mini", [text])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(HiveError) as error:
        load_config("audiosep-min")
    assert "'audiosep-mini'" in error.value.remedy
    path = tmp_path / "a.yaml"
    for text, told in (
        ("a: [", "no YAML"),
        ("- 1", "no sections"),
        ("name: x", "model: is missing"),
    ):
        path.write_text(text)
        with pytest.raises(HiveError, match=told):
            load_config(path)
    path.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(HiveError, match="no YAML"):
        load_config(path)


def test_every_field_is_described() -> None:
    rows = list(fields())
    assert len(rows) > 60
    assert all(description.endswith(".") for _, _, description in rows)
    names = [name for name, _, _ in rows]
    assert "schedule.[plateau].patience" in names
    assert "data.queries.silence" in names
    assert len(set(names)) == len(names)
