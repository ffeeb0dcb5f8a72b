"""From a published checkpoint to the store, and from there to a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from baselines import published
from baselines.flowsep.config import FlowSepConfig
from baselines.flowsep.model import FlowSep
from baselines.flowsep.separator import FlowSep as Published
from baselines.flowsep.separator import FlowSepHive
from baselines.pretrained import load_pretrained
from baselines.training.config import load_config
from baselines.training.run import _check_loss
from baselines.training.schedule import LearningRate
from baselines.training.start import start
from benchmarks.speed.reference_flowsep import ReferenceFlowSep
from hive.checkpoints import catalogue, install, store
from hive.errors import HiveError


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Our collection, whatever is installed, and an empty store."""
    monkeypatch.setattr(catalogue, "collections", lambda: (published.COLLECTION,))
    monkeypatch.setattr(install, "collections", lambda: (published.COLLECTION,))
    monkeypatch.setenv("HIVE_CHECKPOINTS", str(tmp_path / "store"))


def test_a_checkpoint_goes_into_the_store_and_separates(
    tmp_path: Path,
    small: FlowSepConfig,
    reference: ReferenceFlowSep,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FlowSepConfig, "published", classmethod(lambda cls: small))
    file = tmp_path / "flowsep_hive.ckpt"
    torch.save({"state_dict": reference.published_state(), "optimizer_states": []}, file)
    with pytest.raises(HiveError, match="its SHA-256 is not known"):
        install.convert(file, "flowsep-hive")
    folder = install.convert(file, "flowsep-hive", allow_other=True)
    assert store.inspect("flowsep-hive").state == "ready"
    assert install.verify("flowsep-hive") == []
    report = json.loads((folder / "conversion.json").read_text())
    assert report["kept"] == len(load_pretrained("flowsep-hive").state_dict())
    assert FlowSepHive.missing() == []
    separator = FlowSepHive(steps=1)
    assert (separator.name, separator.sample_rate) == ("flowsep-hive", small.sample_rate)
    assert separator.details["encoder"]["kind"] == "t5"
    assert separator.facts.weights is not None

    # A training begins with the parts that it leaves as they are, and with a network of its own.
    torch.manual_seed(3)
    model = FlowSep(small)
    drawn = {key: value.clone() for key, value in model.state_dict().items()}
    start(model, "frozen:flowsep-hive")
    kept = load_pretrained("flowsep-hive").state_dict()
    assert float(kept["latents.scale"]) == pytest.approx(0.7)
    for key, value in model.state_dict().items():
        assert torch.equal(value, (drawn if key.startswith("unet.") else kept)[key]), key
    start(model, "flowsep-hive")
    assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())


def test_what_is_not_here_is_told() -> None:
    for kind in (Published, FlowSepHive):
        (missing,) = kind.missing()
        assert "hive-bench checkpoints fetch" in missing.remedy
        assert kind.missing("some/where") == []
    with pytest.raises(HiveError) as error:
        install.fetch("flowsep")
    assert "https://zenodo.org/records/13869712" in error.value.problem
    assert "convert v2_100k.ckpt --name flowsep --allow-other" in error.value.remedy
    assert catalogue.find("flowsep").url == "https://zenodo.org/records/13869712"


def test_published_recipe() -> None:
    config = load_config("flowsep")
    rate = LearningRate(config.schedule, config.optimiser.lr, 4_000_000)
    assert rate.at(0) == pytest.approx(5e-8, rel=0.01)
    assert rate.at(499) == pytest.approx(2.5e-5, rel=0.01)
    assert [rate.at(step) for step in (1000, 100_000, 4_000_000)] == pytest.approx([5e-5] * 3)
    assert (config.data.batch_size, config.data.seconds) == (4, 10.24)
    # The level of the second sound relative to the first: the negative of the target's.
    assert (config.data.mixer, config.data.snr_db) == ("audiosep", (-14.0, 15.0))
    assert config.trainer.ema_decay == 0.9999


def test_a_loss_that_a_network_cannot_have_is_refused(small: FlowSepConfig) -> None:
    with torch.device("meta"):
        model = FlowSep(small)
    _check_loss(load_config("flowsep-mini"), model)
    other = load_config("flowsep-mini", ["loss.kind=l1"])
    with pytest.raises(HiveError, match="estimates of flowsep are drawn") as error:
        _check_loss(other, model)
    assert error.value.remedy == "take flow"
    model.generative = False  # type: ignore[misc]
    with pytest.raises(HiveError, match="no objective of its own"):
        _check_loss(load_config("flowsep-mini"), model)
