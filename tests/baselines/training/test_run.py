"""Runs of small networks: what they leave behind, every shipped recipe, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as pl
import pytest
import torch
import yaml

from baselines.pretrained import load_pretrained
from baselines.training import checkpoints
from baselines.training.config import load_config
from baselines.training.run import quick, train
from baselines.training.stopping import StopSignals
from hive.errors import HiveError
from hive.main import run as command

RunTiny = Callable[..., Any]
#: The recipes of published networks name 2 to 8 GPUs and a CLAP; `quick` sees to the first.
STAND_IN = ("model.start=null", "trainer.accelerator=cpu", "data.validation.sizes=[2]")


@pytest.mark.parametrize(
    "name",
    [
        "audiosep-hive",
        "audiosep-original",
        "clearsep",
        "flowsep",
        "audiosep-mini",
        "clearsep-mini",
        "flowsep-mini",
    ],
)
def test_every_shipped_recipe_runs(
    name: str, tmp_path: Path, training_pool: Path, world: Any
) -> None:
    small = world.SMALL[name.split("-")[0]]
    config = quick(load_config(name, [small, *STAND_IN, "data.seconds=0.3"]))
    trained = train(config, training_pool, tmp_path)
    assert trained.state.step == 2
    assert trained.state.mixtures == 4
    assert "si_sdr_i_2mix" in trained.state.history[0]
    assert trained.model is not None
    model = load_pretrained(trained.model)
    assert model.window_seconds == 0.3
    best = checkpoints.load(tmp_path / checkpoints.BEST)["weights"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, best[key]), key


def test_record_of_a_run(tmp_path: Path, run_tiny: RunTiny) -> None:
    trained = run_tiny(tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["seed"], record["steps"], record["mixtures"]) == (0, 4, 8)
    assert record["finished"]
    assert record["hours"] > 0
    assert record["mixtures_per_second"] > 0
    assert record["versions"]["torch"] == torch.__version__
    assert len(record["data_fingerprint"]) == 64
    assert [entry["step"] for entry in record["history"]] == [3, 4]
    best = max(record["history"], key=lambda entry: entry["si_sdr_i"])
    assert record["best_step"] == best["step"] == trained.state.best_step
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written == record["config"]
    assert written["schedule"]["steps"] == 4
    assert load_config(tmp_path / "config.yaml").model_dump(mode="json") == written
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
    card = (trained.model / "README.md").read_text()
    assert f"value: {best['si_sdr_i']}" in card


class Poison(pl.Callback):
    """Makes a weight infinite before a step."""

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == 2:
            with torch.no_grad():
                next(pl_module.model.network.parameters()).fill_(torch.inf)


def test_loss_that_is_no_number_stops_the_run_and_is_kept(
    tmp_path: Path, run_tiny: RunTiny
) -> None:
    with pytest.raises(HiveError) as error:
        run_tiny(tmp_path, callbacks=[Poison()])
    (path,) = (tmp_path / "failures").glob("*.pt")
    assert str(path) in error.value.problem
    assert "step 3 failed on" in error.value.problem
    kept = torch.load(path, weights_only=True)
    assert kept["mix_id"][0] in error.value.problem
    assert kept["mixture"].shape == kept["target"].shape == (2, 8000)
    assert len(kept["positive"]) == 2
    assert all(isinstance(text, str) for query in kept["positive"] for text in query)
    assert any(torch.isinf(value).any() for value in kept["weights"].values())


def test_gradient_that_is_no_number_stops_the_run(tmp_path: Path, run_tiny: RunTiny) -> None:
    class Spoil(pl.Callback):
        def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
            next(iter(pl_module.model.network.parameters())).grad.fill_(torch.nan)

    with pytest.raises(HiveError, match="the gradient's norm is nan"):
        run_tiny(tmp_path, callbacks=[Spoil()])


def test_gradients_are_clipped(tmp_path: Path, run_tiny: RunTiny) -> None:
    norms = []

    class Measure(pl.Callback):
        def on_before_zero_grad(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            grads = [p.grad for p in pl_module.parameters() if p.grad is not None]
            if grads:
                norms.append((pl_module.last_norm, float(torch.nn.utils.get_total_norm(grads))))

    run_tiny(tmp_path, "trainer.clip=0.001", "trainer.max_steps=2", callbacks=[Measure()])
    assert norms
    for before, after in norms:
        assert before > 0.001
        assert after == pytest.approx(0.001, rel=1e-3)


def test_settings_that_this_machine_has_not(tmp_path: Path, run_tiny: RunTiny) -> None:
    with pytest.raises(HiveError, match="fp16 needs a GPU"):
        run_tiny(tmp_path / "a", "trainer.precision=fp16")
    if not torch.cuda.is_available():
        with pytest.raises(HiveError, match="there is no GPU"):
            run_tiny(tmp_path / "b", "trainer.accelerator=cuda")


def test_start_of_another_size_or_without_its_checkpoint(
    tmp_path: Path, run_tiny: RunTiny, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tiny(tmp_path / "first", "trainer.max_steps=1")
    start = f"model.start={tmp_path / 'first' / 'model'}"
    begun = run_tiny(tmp_path / "same", start, "trainer.max_steps=1", "optimiser.lr=1e-30")
    first, same = (load_pretrained(tmp_path / one / "model") for one in ("first", "same"))
    assert begun.state.step == 1
    for key, value in same.named_parameters():
        torch.testing.assert_close(value, first.state_dict()[key])
    with pytest.raises(HiveError, match="of other sizes than the network"):
        run_tiny(tmp_path / "other", start, "model.config.channels=[2, 2, 2, 2, 2, 4]")
    with pytest.raises(HiveError, match="no part of a CLAP"):
        run_tiny(tmp_path / "labels", "model.start=clap")


def test_second_interrupt_does_not_wait() -> None:
    import signal

    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_command(
    tmp_path: Path, training_pool: Path, world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [word for one in world.TINY for word in ("--set", one)]
    words = ["train", "audiosep-mini", "--pool", str(training_pool), *settings]
    assert command([*words, "--out", str(tmp_path / "run"), "--set", "trainer.max_steps=1"]) == 0
    said = capsys.readouterr().out
    assert "si_sdr_i" in said
    assert f"--model trained:{tmp_path / 'run'}" in said.replace("\n", "")
    assert command([*words, "--out", str(tmp_path / "run"), "--resume", "never"]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert command([*words, "--fast-dev-run", "--precision", "bf16"]) == 0


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["train", "--list"]) == 0
    assert "clearsep-mini" in capsys.readouterr().out
    assert command(["train", "--fields"]) == 0
    assert command(["train", "audiosep-mini", "--out", "x"]) == 2
    assert command(["train", "audiosep-mini", "--pool", "x"]) == 2
    assert command(["train", "--pool", "x", "--out", "y"]) == 2
    assert command(["train", "audiosep-mini", "--shards", "x", "--plan", "p", "--out", "y"]) == 2
    assert command(["train", "audiosep-minni", "--pool", "x", "--out", "y"]) == 1
    assert "'audiosep-mini'" in capsys.readouterr().err


def test_command_that_is_stopped_tells_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import signal

    import baselines.training.run
    from baselines.training.stopping import Stopped

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(baselines.training.run, "train", stop)
    words = ["train", "audiosep-mini", "--pool", "my pool", "--out", "runs/a"]
    monkeypatch.setattr("sys.argv", ["hive-bench", *words])
    assert command(words) == 143
    said = capsys.readouterr().err.replace("\n", "")
    assert "stopped by SIGTERM; the state is in runs/a/checkpoints" in said
    assert "hive-bench train audiosep-mini --pool 'my pool' --out runs/a" in said


def test_audio_encoder_of_clap_fits_the_published_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and shapes, without memory for the weights."""
    from transformers import ClapAudioConfig, ClapAudioModelWithProjection

    from baselines.clearsep.config import ClearSepConfig
    from baselines.clearsep.model import ClearSep
    from baselines.queries.encoder import QueryEncoder
    from baselines.training.start import start
    from hive.checkpoints import store

    class Clap(QueryEncoder):
        kind, dim = "clap", 512

        def config(self) -> dict[str, Any]:
            return {"kind": "clap", "checkpoint": "clap-music-audioset"}

    published = ClearSepConfig.published()
    audio = ClapAudioConfig(
        patch_embeds_hidden_size=128, hidden_size=1024, depths=[2, 2, 12, 2], enable_fusion=False
    )
    with torch.device("meta"):
        model = ClearSep(published, Clap())
        clap = ClapAudioModelWithProjection(audio).state_dict()
    ready = store.Status("clap-music-audioset", Path("c"), "ready", weights="w")
    monkeypatch.setattr(store, "inspect", lambda name: ready)
    monkeypatch.setattr("safetensors.torch.load_file", lambda file: clap)
    loaded: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(model, "load_state_dict", lambda state, strict: loaded.update(state))
    start(model, "clap")
    own = {key for key in model.state_dict() if key.startswith("htsat.")}
    assert {key for key in own - loaded.keys() if "lora" not in key} == set()
    assert loaded.keys() <= own
    del clap[next(key for key in clap if key.endswith("batch_norm.running_mean"))]
    with pytest.raises(HiveError, match=r"clap-music-audioset lacks htsat\.bn0\.running_mean"):
        start(model, "clap")


def test_validation_of_classes_that_nothing_was_trained_on(
    tmp_path: Path, training_pool: Path, world: Any
) -> None:
    import pyarrow as pa

    from hive.pool.store import TABLE, read_pool
    from hive.tables import write_table

    pool = tmp_path / "POOL"
    clips, metadata = read_pool(training_pool)
    pool.mkdir()
    for path in training_pool.iterdir():
        if path.name != TABLE:
            (pool / path.name).symlink_to(path)
    keep = [
        row["split"] == "validation" or row["label"] not in ("Typing", "Printer", "Cough")
        for row in clips.to_pylist()
    ]
    write_table(pool / TABLE, clips.filter(pa.array(keep)), clips.schema, metadata)
    pairs = ["data.sizes={2: 1.0}", "data.validation={mixtures: 16, sizes: [2]}"]
    config = load_config("audiosep-mini", [*world.TINY, "trainer.max_steps=1", *pairs])
    trained = train(config, pool, tmp_path / "run")
    assert "si_sdr_i_2mix" in trained.state.history[0]
    model = load_pretrained(tmp_path / "run")
    with pytest.raises(HiveError, match="trained without that class"):
        model.encoder.prepare([("Typing",)])
