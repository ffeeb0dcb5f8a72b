"""Runs that are stopped go on as if they had not been."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as pl
import pytest
import torch

from baselines.training import checkpoints
from baselines.training.stopping import Stopped
from hive.errors import HiveError

RunTiny = Callable[..., Any]
Seen = dict[int, list[str]]
JOB = Path(__file__).parent / "job.py"
WORLD: Any = SimpleNamespace(**runpy.run_path(str(JOB.with_name("world.py"))))

#: Two batches a step, averages of weights, a plateau, questions for silence.
SETTINGS = (
    "trainer.accumulate=2",
    "trainer.max_steps=5",
    "trainer.validate_every_steps=2",
    "data.queries={silence: 0.3}",
    "data.augment={}",
    "schedule={kind: plateau, factor: 0.5, patience: 0, floor: 0.0001}",
    "optimiser.amsgrad=true",
)


class Witness(pl.Callback):
    """Notes what is seen at each step; raises an error or sends a signal where it is told to."""

    def __init__(self, fail_at: int = 0, signal_at: int = 0) -> None:
        self.seen: Seen = {}
        self._fail_at, self._signal_at = fail_at, signal_at

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self._fail_at and step == self._fail_at:
            raise RuntimeError("killed")
        if self._signal_at and step == self._signal_at:
            os.kill(os.getpid(), signal.SIGTERM)
        digest = hashlib.sha256(batch.mixture.numpy().tobytes() + batch.target.numpy().tobytes())
        digest.update(torch.rand(4).numpy().tobytes())  # what dropout would draw
        self.seen.setdefault(step, []).append(digest.hexdigest())


def everything(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a run's last checkpoint and of its best weights, by place."""
    found: dict[str, torch.Tensor] = {}

    def collect(value: Any, place: str) -> None:
        if isinstance(value, torch.Tensor):
            found[place] = value
        elif isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in pairs:
                collect(inner, f"{place}/{key}")

    collect(checkpoints.load(folder / checkpoints.LAST), "last")
    collect(checkpoints.load(folder / checkpoints.BEST), "best")
    return found


def history(folder: Path) -> list[dict[str, float]]:
    """Scores, losses and learning rates of a run, without the time that they took."""
    record = json.loads((folder / "training.json").read_text())
    return [
        {key: value for key, value in entry.items() if key != "seconds"}
        for entry in record["history"]
    ]


def assert_same(one: Path, other: Path) -> None:
    """The weights, averages, optimisers and histories of two runs are equal, to the bit."""
    left, right = everything(one), everything(other)
    assert left.keys() == right.keys()
    assert len(left) > 100
    for place, tensor in left.items():
        assert torch.equal(tensor, right[place]), place
    assert history(one) == history(other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, training_pool: Path) -> tuple[Path, Seen]:
    """A run that nothing disturbs, and what it saw."""
    from baselines.training.config import load_config
    from baselines.training.run import train

    folder = tmp_path_factory.mktemp("whole") / "run"
    witness = Witness()
    config = load_config("audiosep-mini", [*WORLD.TINY, *SETTINGS])
    train(config, training_pool, folder, callbacks=[witness])
    return folder, witness.seen


def test_run_that_broke_off_twice_ends_with_the_same_weights(
    tmp_path: Path, run_tiny: RunTiny, whole: tuple[Path, Seen]
) -> None:
    folder, seen = tmp_path / "run", {}
    for fail_at in (3, 4):  # a step after a checkpoint, and right after one; epochs have 5 batches
        witness = Witness(fail_at)
        with pytest.raises(RuntimeError, match="killed"):
            run_tiny(folder, *SETTINGS, callbacks=[witness])
        seen |= witness.seen
    witness = Witness()
    run_tiny(folder, *SETTINGS, callbacks=[witness])
    assert min(witness.seen) == 4  # the step of the last checkpoint
    assert seen | witness.seen == whole[1]
    assert [len(whole[1][step]) for step in range(5)] == [2] * 5
    assert_same(folder, whole[0])
    steps = (folder / "logs" / "steps.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in steps[1:]] == list("12345")


def test_signal_saves_the_state_between_two_checkpoints(
    tmp_path: Path, run_tiny: RunTiny, whole: tuple[Path, Seen]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        run_tiny(tmp_path, *SETTINGS, callbacks=[Witness(signal_at=2)])
    assert stopped.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["steps"], record["finished"]) == (3, False)
    witness = Witness()
    run_tiny(tmp_path, *SETTINGS, callbacks=[witness])
    assert min(witness.seen) == 3
    assert_same(tmp_path, whole[0])


def test_clearsep_with_workers_goes_on_in_another_place(
    tmp_path: Path, training_pool: Path
) -> None:
    """In mid-epoch, with what workers had made ahead; the folder has moved meanwhile."""
    from baselines.training.config import load_config
    from baselines.training.run import train

    settings = [WORLD.SMALL["clearsep"], *WORLD.TINY[1:], "trainer.max_steps=3", "data.augment={}"]
    config = load_config("clearsep-mini", [*settings, "data.seconds=0.3"])
    witness = Witness()
    train(config, training_pool, tmp_path / "whole", callbacks=[witness])
    config = load_config("clearsep-mini", [*settings, "data.seconds=0.3", "data.workers=1"])
    seen: Seen = {}
    first = Witness(signal_at=1)
    with pytest.raises(Stopped):
        train(config, training_pool, tmp_path / "first", callbacks=[first])
    (tmp_path / "first").rename(tmp_path / "moved")
    second = Witness()
    train(config, training_pool, tmp_path / "moved", callbacks=[second])
    seen = first.seen | second.seen
    assert sorted(second.seen) == [2]
    assert seen == witness.seen
    assert_same(tmp_path / "whole", tmp_path / "moved")


def test_no_room_for_a_checkpoint(
    tmp_path: Path, run_tiny: RunTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tiny(tmp_path, "schedule={kind: constant}", "trainer.max_steps=1")
    before = (tmp_path / checkpoints.LAST).read_bytes()

    def full(part: Path, path: Path) -> None:
        with Path("/dev/full").open("wb") as device:
            torch.save({"weights": torch.zeros(9)}, device)

    monkeypatch.setattr(checkpoints, "_put", full)
    with pytest.raises(HiveError, match=r"could not be written .*the one before is as it was"):
        run_tiny(tmp_path, "schedule={kind: constant}", "trainer.max_steps=2")
    assert (tmp_path / checkpoints.LAST).read_bytes() == before
    assert not list((tmp_path / "checkpoints").glob(".*.part"))


def test_finished_run_changes_nothing_but_goes_on_when_it_is_made_longer(
    tmp_path: Path, run_tiny: RunTiny
) -> None:
    short = run_tiny(tmp_path, "schedule={kind: constant}")
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    again = run_tiny(tmp_path, "schedule={kind: constant}")
    assert (short.state.step, again.state.step) == (4, 4)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights
    longer = run_tiny(tmp_path, "schedule={kind: constant}", "trainer.max_steps=5")
    assert longer.state.step == 5
    assert [entry["step"] for entry in longer.state.history] == [3, 4, 5]


def test_what_may_not_change_is_named(tmp_path: Path, run_tiny: RunTiny) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        run_tiny(tmp_path, callbacks=[Witness(1)])
    with pytest.raises(HiveError) as error:
        run_tiny(tmp_path, "optimiser.lr=0.5", "data.snr_db=[0, 0]", "trainer.log_every_steps=7")
    assert "config.optimiser.lr: 0.002 there -> 0.5 asked for" in error.value.problem
    assert "config.data.snr_db" in error.value.problem
    assert "log_every_steps" not in error.value.problem
    with pytest.raises(HiveError, match=r"config\.schedule\.steps: 4 there -> 9 asked for"):
        run_tiny(tmp_path, "trainer.max_steps=9")  # which is the cosine's end too
    with pytest.raises(HiveError, match="holds a run already"):
        run_tiny(tmp_path, go_on=False)


def test_folder_with_other_things_is_refused(tmp_path: Path, run_tiny: RunTiny) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(HiveError, match="holds files that are no run"):
        run_tiny(tmp_path)


def test_damaged_checkpoint_is_told(tmp_path: Path, run_tiny: RunTiny) -> None:
    run_tiny(tmp_path, "trainer.max_steps=1")
    last = tmp_path / checkpoints.LAST
    last.write_bytes(last.read_bytes()[:-5000])
    with pytest.raises(HiveError, match=r"last\.ckpt: this checkpoint is damaged"):
        run_tiny(tmp_path, "trainer.max_steps=1")
    torch.save({"callbacks": Stopped}, last)  # a class: code, not plain values
    with pytest.raises(HiveError, match="holds code"):
        run_tiny(tmp_path, "trainer.max_steps=1")


def job(pool: Path, folder: Path, *overrides: str) -> list[str]:
    """A run of its own, see `job.py`."""
    return [sys.executable, str(JOB), "audiosep", str(pool), str(folder), *SETTINGS, *overrides]


@pytest.mark.slow
def test_signal_to_all_processes_is_that_to_one(tmp_path: Path, training_pool: Path) -> None:
    """As schedulers and terminals send it: workers live on until the step is saved."""
    log = tmp_path / "run.seen"
    command = job(training_pool, tmp_path / "run", "data.workers=1", "trainer.max_steps=1000000")
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (log.exists() and "\n1 " in log.read_text()):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=300)
    assert "stopped by SIGTERM" in told
    assert "worker" not in told
    assert (tmp_path / "run" / checkpoints.LAST).is_file()


@pytest.mark.slow
def test_process_with_workers_ends(tmp_path: Path, training_pool: Path) -> None:
    command = job(training_pool, tmp_path / "run", "data.workers=1", "trainer.max_steps=1")
    subprocess.run(command, check=True, timeout=300)


@pytest.mark.slow
def test_killed_twice(tmp_path: Path, training_pool: Path, whole: tuple[Path, Seen]) -> None:
    folder, log = tmp_path / "run", tmp_path / "run.seen"
    for step in (3, 4):
        process = subprocess.Popen(job(training_pool, folder))
        while process.poll() is None:
            if log.exists() and any(f"{step} " in line for line in log.read_text().splitlines()):
                process.kill()
            time.sleep(0.005)
        assert process.returncode == -signal.SIGKILL
    subprocess.run(job(training_pool, folder), check=True)
    assert_same(folder, whole[0])
    seen: Seen = {}
    for line in log.read_text().splitlines():
        step, batch, digest = line.split()
        seen.setdefault(int(step), ["", ""])[int(batch) % 2] = digest
    assert seen == whole[1]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["audiosep", "clearsep"])
def test_two_processes_train_one_network(network: str, tmp_path: Path, training_pool: Path) -> None:
    folder = tmp_path / "run"
    overrides = ("trainer.devices=2", "trainer.accumulate=1", "trainer.max_steps=4")
    command = job(training_pool, folder, *overrides, "data.seconds=0.3")
    command[2] = network
    subprocess.run(command, check=True, timeout=500)
    weights = [(tmp_path / f"run.weights-{rank}").read_text() for rank in (0, 1)]
    assert weights[0] == weights[1]
    epochs: dict[int, list[str]] = {}
    for rank in (0, 1):
        lines = (tmp_path / f"run.ids-{rank}").read_text().splitlines()
        for number, line in enumerate(lines):  # 10 mixtures, 2 ranks of 2: 2 batches an epoch
            epochs.setdefault(number // 2, []).extend(line.split())
    assert sorted(epochs) == [0, 1]
    for ids in epochs.values():
        assert len(ids) == len(set(ids)) == 8
