"""The loop of training and data engine."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from baselines.training import iterations
from baselines.training.commands import CommandError, run_together
from baselines.training.config import load_config
from baselines.training.iterations import Iteration, Loop, iterate
from baselines.training.sections import TrainingConfig


@pytest.fixture
def config(world: Any) -> TrainingConfig:
    limits = "data.tracks={independent_db: -60, self_separate_db: -60}"
    settings = [world.SMALL["clearsep"], *world.TINY[1:], "data.seconds=0.3"]
    kept = "engine={least_share: 0, correlation: 1, similarity: 1}"
    return load_config("clearsep-mini", [*settings, limits, kept])


def natural(folder: Path) -> Path:
    """Natural recordings of two hums each."""
    folder.mkdir()
    rows = [("path", "label")]
    time_ = np.arange(5 * 44100) / 44100
    for number, (first, second) in enumerate((("Typing", "Printer"), ("Cough", "Printer"))):
        hum = 0.1 * np.sin(2 * np.pi * 300 * time_) + 0.1 * np.sin(2 * np.pi * 1200 * time_)
        soundfile.write(folder / f"{number}.wav", hum, 44100)
        rows += [(f"{number}.wav", first), (f"{number}.wav", second)]
    with (folder / "manifest.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return folder / "manifest.csv"


def test_commands_of_the_loop(
    tmp_path: Path, training_pool: Path, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of which command, with what each leaves behind made up."""
    asked: list[list[str]] = []

    def pretend(commands: Any) -> None:
        for words in commands:
            asked.append(words[3:])  # after: python -m hive
            out = Path(words[words.index("--out") + 1])
            out.mkdir(parents=True, exist_ok=True)
            if words[3] == "train":
                history = [{"step": 3, "si_sdr_i": 1.5, "silence_sdr": 9.0}, {"step": 4}]
                record = {"steps": 4, "best_step": 3, "history": history}
                (out / "training.json").write_text(json.dumps(record))
            else:
                (out / "report").mkdir(exist_ok=True)
                subsets = [{"track_hours": 2.5, "recordings": 7}, {"recordings": 3}]
                (out / "report/report.json").write_text(json.dumps({"subsets": subsets}))

    monkeypatch.setattr(iterations, "run_together", pretend)
    run = tmp_path / "run"
    loop = Loop(config, training_pool, Path("N"), "audioset", run, 3, 0.5, ("cuda:0", "cuda:1"))
    done = iterate(loop)
    kinds = [words[0] for words in asked]
    assert kinds == ["train", "decompose", "decompose", "train", "decompose", "decompose", "train"]
    first, separate, other, second = asked[:4]
    assert first[1:] == [
        *(str(run / "iteration-1.yaml"), "--pool", str(training_pool)),
        *("--out", str(run / "iteration-1")),
    ]
    assert separate[1:4] == ["N", "--corpus", "audioset"]
    told = dict(zip(separate[4::2], separate[5::2], strict=True))
    assert told == {
        "--model": f"trained:{run / 'iteration-1'}",
        "--out": str(run / "tracks-1"),
        "--iteration": "1",
        "--seed": "0",
        "--threshold": "-60.0",
        "--self-separate": "-60.0",
        "--least-share": "0.0",
        "--correlation": "1.0",
        "--similarity": "1.0",
        "--device": "cuda:0",
        "--shard-index": "0",
        "--shard-count": "2",
    }
    assert other[-6:] == ["--device", "cuda:1", "--shard-index", "1", "--shard-count", "2"]
    assert second[-2:] == ["--tracks", str(run / "tracks-1")]
    written = [yaml.safe_load((run / f"iteration-{n}.yaml").read_text()) for n in (1, 2, 3)]
    assert [one["model"]["start"] for one in written] == [
        None,
        str(run / "iteration-1/model"),
        str(run / "iteration-2/model"),
    ]
    assert [one["trainer"]["max_steps"] for one in written] == [4, 2, 2]
    hours = 20 * 1.2 / 3600
    assert done[0] == Iteration(
        1, 4, pytest.approx(hours, rel=1e-3), 0.0, 0, 0, {"si_sdr_i": 1.5, "silence_sdr": 9.0}
    )
    assert (done[2].track_hours, done[2].recordings, done[2].self_separate) == (2.5, 7, 3)
    assert len(json.loads((run / "iterations.json").read_text())) == 3


def test_command_that_fails_ends_the_loop() -> None:
    with pytest.raises(CommandError) as error:
        run_together([[sys.executable, "-c", "raise SystemExit(3)"], [sys.executable, "-c", ""]])
    assert error.value.status == 3


LOOP = """
import sys
from baselines.training.commands import CommandError, run_together
inner = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143));"
inner += "print('ready', flush=True); time.sleep(30)"
try:
    run_together([[sys.executable, "-c", inner]])
except CommandError as error:
    print("ended", error.status, flush=True)
"""


def test_signal_to_end_reaches_the_command() -> None:
    process = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "ended 143\n"
    assert time.monotonic() - started < 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_loop_from_the_command_line_killed_in_between(
    tmp_path: Path, training_pool: Path, config: TrainingConfig
) -> None:
    """Two iterations; killed in the first training and once the tracks are made."""
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    recordings = natural(tmp_path / "natural")
    weights = []
    for name, kills in (
        ("whole", ()),
        ("killed", ("iteration-1/checkpoints/last.ckpt", "tracks-1/README.md")),
    ):
        out = tmp_path / name
        words = [sys.executable, "-m", "hive", "train", str(file), "--pool", str(training_pool)]
        words += ["--natural", str(recordings), "--iterations", "2", "--further", "0.5"]
        words += ["--out", str(out)]
        for kill in kills:
            process = subprocess.Popen(words, start_new_session=True)
            while process.poll() is None and not (out / kill).exists():
                time.sleep(0.02)
            subprocess.run(["kill", "-9", f"-{process.pid}"], check=False)
            process.wait()
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Iterations" in done.stdout
        told = json.loads((out / "iterations.json").read_text())
        assert [one["steps"] for one in told] == [4, 2]
        assert told[1]["recordings"] == 2
        assert told[1]["track_hours"] == pytest.approx(4 * 5 / 3600)
        weights.append((out / "iteration-2/model/model.safetensors").read_bytes())
        shards = sorted((out / "tracks-1/data").rglob("*.tar"))
        weights[-1] += b"".join(shard.read_bytes() for shard in shards)
    assert weights[0] == weights[1]
