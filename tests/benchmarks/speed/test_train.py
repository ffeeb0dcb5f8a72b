"""What the comparison of training does; how fast anything is, is not tested."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.speed import train
from benchmarks.speed.bands import CLASSES, BandMixtures, text
from benchmarks.speed.contenders import REFERENCE, Mode, Setup, backend, make, make_reference
from benchmarks.speed.texttower import RememberingEncoder, TextTower
from hive.errors import HiveError

RATE = 32_000
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def tower() -> TextTower:
    return TextTower("mini", "cpu")


class Counting:
    """A contender that notes its batches and takes, by a clock of its own, a known time."""

    def __init__(self, clock: list[float], log: list[str], name: str, seconds: float) -> None:
        self.clock, self.log, self.name, self.seconds = clock, log, name, seconds
        self.network = torch.nn.Identity()
        self.batches: list[str] = []

    def step(self, batch: str) -> Tensor:
        self.log.append(self.name)
        self.batches.append(batch)
        self.clock[0] += self.seconds
        return torch.zeros(())


def test_contenders_take_turns_and_their_times_are_a_step(monkeypatch) -> None:
    clock, log = [0.0], []
    monkeypatch.setattr("benchmarks.speed.timing.time.perf_counter", lambda: clock[0])
    modes = {REFERENCE: 3.0, Mode("ours"): 1.0, Mode("ours", "bf16"): 0.5}
    contenders = {m: Counting(clock, log, m.name, s) for m, s in modes.items()}
    times = train.time_steps(contenders, ["a", "b", "c"], "cpu", 20)
    assert times == {mode: [seconds] * 10 for mode, seconds in modes.items()}
    turns = [name for name, _ in itertools.groupby(log[2 * len(modes) :])]
    assert len(log) == len(modes) * 2 * 11  # blocks of two steps, the first not counted
    assert max(turns.count(name) for name in set(turns)) <= 10
    for contender in contenders.values():
        assert contender.batches[:6] == ["a", "b", "c"] * 2
    setup = Setup("audiosep", "mini", "cpu", 4, 1.0)
    rows = train.summary(setup, times)
    assert [row["times_as_fast"] for row in rows] == [1.0, 3.0, 6.0]
    assert rows[2]["mixtures_a_second"] == 8.0
    assert rows[0]["seconds_a_step"] == {"median": 3.0, "quartiles": [3.0, 3.0]}


def test_summary_is_of_medians_and_quartiles() -> None:
    setup = Setup("audiosep", "mini", "cpu", 2, 1.0)
    times = {REFERENCE: [2.0, 4.0, 6.0, 8.0, 100.0], Mode("ours"): [1.0, 1.0, 2.0, 8.0, 10.0]}
    rows = train.summary(setup, times)
    assert rows[0]["seconds_a_step"] == {"median": 6.0, "quartiles": [4.0, 8.0]}
    assert rows[1]["times_as_fast"] == 3.0  # of the ratios 2, 4, 3, 1, 10


def test_settings_of_torch_are_put_back() -> None:
    before = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    with backend(Mode("ours", "bf16")):
        assert torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "high"
    with backend(REFERENCE):
        assert not torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "highest"
    assert (torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()) == before


@pytest.mark.parametrize("architecture", train.ARCHITECTURES)
def test_both_sides_begin_and_go_on_alike(architecture: str, tower: TextTower) -> None:
    setup = Setup(architecture, "mini", "cpu", 2, 0.5)
    start = make_reference(setup, tower.dim)
    data = BandMixtures(0.5, RATE, negatives=setup.takes_negatives)
    sides = [make(setup, mode, tower, start) for mode in (REFERENCE, Mode("ours"))]
    losses = [[float(side.step(batch)) for batch in data.batches(3, 2, seed=0)] for side in sides]
    assert losses[1] == pytest.approx(losses[0], rel=5e-3)
    assert losses[1][0] == pytest.approx(losses[0][0], rel=1e-5)
    trained = [
        sum(p.numel() for p in side.network.parameters() if p.requires_grad) for side in sides
    ]
    assert trained[1] <= trained[0]


def test_published_tower_has_the_published_size() -> None:
    with torch.device("meta"):
        assert TextTower("published", "meta").parameters == 125_302_016


def test_texts_are_told_apart_and_encoded_once(tower: TextTower, monkeypatch) -> None:
    vectors = tower([text(number) for number in range(CLASSES)], 77)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(CLASSES))
    alike = (vectors @ vectors.T).fill_diagonal_(0.0)
    assert float(alike.max()) < 0.95
    longer = tower([text(0)], 512)
    assert torch.allclose(longer, vectors[:1], atol=1e-4)  # padding changes nothing
    encoder = RememberingEncoder(tower, 77)
    first = encoder.prepare([(text(0),), (), (text(1),)])
    assert torch.allclose(first[[0, 2]], vectors[:2], atol=1e-5)
    assert not first[1].any()
    monkeypatch.setattr(TextTower, "__call__", None)
    assert torch.equal(encoder.prepare([(text(1),), (text(0),)]), first[[2, 0]])


def test_mixtures_hold_what_is_asked_for() -> None:
    data = BandMixtures(0.5, RATE, negatives=True)
    batch = data.batch(range(6))
    assert batch.mixture.shape == (6, RATE // 2)
    for row in range(6):
        assert batch.positive[row] != batch.negative[row]
        spectra = [
            torch.fft.rfft(wave[row] * torch.hann_window(RATE // 2)).abs()
            for wave in (batch.target, batch.mixture - batch.target)
        ]
        overlap = (spectra[0] * spectra[1]).sum() / (spectra[0].norm() * spectra[1].norm())
        assert float(overlap) < 0.3  # bands that meet share little
    again = BandMixtures(0.5, RATE, negatives=True).batch([3])
    assert torch.equal(again.mixture[0], batch.mixture[3])


def test_an_order_holds_the_same_mixtures() -> None:
    data = BandMixtures(0.25, RATE, negatives=False)
    orders = [
        [name for batch in data.batches(3, 4, seed) for name in batch.mix_id] for seed in (0, 1)
    ]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(f"bands-{n}" for n in range(12))
    assert all(query == () for query in data.batch([0]).negative)


def test_curves_beyond_noise_change_the_exit_code(monkeypatch, capsys) -> None:
    def losses(setup, modes, steps):
        distances = (0.0, far)
        runs = {"reference": [2.0] * steps, "reference, other order": [2.1] * steps}
        return runs | {
            mode.name: [2.0 + one] * steps for mode, one in zip(modes, distances, strict=True)
        }

    monkeypatch.setattr(train, "train_curves", losses)
    monkeypatch.setattr(train, "measure", lambda *_, **__: {"contenders": []})
    arguments = ["--architecture", "audiosep", "--device", "cpu", "--curve", "3", "--json"]
    for far, code in ((0.05, 0), (0.5, 1)):  # noqa: B007 - read by `losses`
        assert train.main(arguments) == code
        compared = json.loads(capsys.readouterr().out)["curves"]["audiosep"]["compared"]
        assert [one["within_noise"] for one in compared.values()] == [True, not code]


def test_what_cannot_be_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        train.main(["--device", "cuda"])
    assert "there is no GPU" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--architecture", "clearsep", "--seconds", "11"])
    assert "at most 10.2400 s" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--curve", "2"])
    assert "too few to tell noise" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own() -> None:
    from benchmarks.speed.memory import peak_memory

    held = torch.ones(2**28)  # 1 GiB here says nothing of the process there
    found = peak_memory(Setup("audiosep", "mini", "cpu", 1, 0.5), Mode("ours"), steps=1)
    assert 10 < found["peak_mib"] < held.nbytes / 2**20


def test_memory_that_cannot_be_measured_is_an_error(monkeypatch) -> None:
    from benchmarks.speed import memory

    monkeypatch.setattr(memory.sys, "executable", "false")
    with pytest.raises(HiveError, match="exit code 1"):
        memory.peak_memory(Setup("audiosep", "mini", "cpu", 1, 0.5), Mode("ours"))


@pytest.mark.parametrize("module", ["train", pytest.param("separation", marks=pytest.mark.slow)])
def test_runs_without_data_packages(module: str, tmp_path: Path) -> None:
    """A machine with a GPU may have torch and little else."""
    options = {
        "train": ["--steps", "1", "--curve", "3", "--batch", "1", "--no-memory"],
        "separation": ["--batches", "1", "--rounds", "1", "--long", "6"],
    }
    done = subprocess.run(
        [
            *(sys.executable, HERE / "hiding.py", f"benchmarks.speed.{module}"),
            *("--preset", "mini", "--device", "cpu", "--seconds", "0.5", "--precision", "fp32"),
            *("--out", tmp_path, *options[module]),
        ],
        env={**os.environ, "HIDDEN": "datasets,webdataset,fadtk"},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = {"train": "training", "separation": "separation"}[module]
    record = json.loads((tmp_path / f"{name}-speed.json").read_text())
    if module == "train":
        assert (tmp_path / "curve-audiosep.png").is_file()
        assert record["curves"]["audiosep"]["compared"]["ours, fp32"]["first_step"] < 1e-4
        rows = record[name]["audiosep"]["contenders"]
        assert len({row["contender"] for row in rows}) == 3
    else:
        parts = record[name]["audiosep"]
        assert [part["seconds"] for part in parts] == [0.5, 6.0]
        exact = [part["contenders"][1] for part in parts]
        assert all(row["contender"] == "ours, fp32" for row in exact)
        assert all(row["disagreement"] < 1e-5 for row in exact)
