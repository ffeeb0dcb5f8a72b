"""The command `separate`, as a user meets it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from hive.errors import HiveError
from hive.main import build

MODULE = """
from baselines.adapter import Adapter
from baselines.facts import Facts
from baselines.windows import Windows


class Half(Adapter):
    def __init__(self, negatives: str = "native"):
        super().__init__(Facts("half", 16000, Windows(0.5, fade=0.1), negatives))

    def call(self, windows, queries, generators):
        return 0.5 * windows

    def meaning(self, text):
        return {"barking": "Dog", "rain": "Rain"}.get(text, text)
"""
MIDDLE = slice(1500, -1500)  # sound that ends abruptly rings when it is resampled
WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models_of_separate.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    time = np.arange(33075)[:, None] / 22050
    tones = 0.3 * np.sin(2 * np.pi * np.array([300.0, 440.0]) * time)
    soundfile.write("in.wav", tones.astype(np.float32), 22050, subtype="FLOAT")
    return tmp_path


def _run(*arguments: str, model: str = "python:models_of_separate:Half") -> str:
    line = ["separate", "in.wav", *arguments, "-o", "out.wav", "--device", "cpu"]
    result = CliRunner().invoke(build(), [*line, "--model", model], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _read(name: str) -> np.ndarray:
    return soundfile.read(name, dtype="float32", always_2d=True)[0]


def test_it_says_what_it_did() -> None:
    told = _run("barking", "--without", "rain", "--without", "Speech", "--residual", "rest.wav")
    assert told.splitlines()[:3] == [
        "out.wav: barking (taken for Dog), 6.0 dB below the input",
        "Dropped: rain (taken for Rain), Speech, told to the network",
        "rest.wav: the rest, input minus output",
    ]
    assert told.splitlines()[3].startswith("1.50 s, 2 channels at 22050 Hz, by half in ")
    mixture, result, rest = _read("in.wav"), _read("out.wav"), _read("rest.wav")
    np.testing.assert_array_equal(rest, mixture - result)
    assert np.abs(result - 0.5 * mixture)[MIDDLE].max() < 2e-3


def test_emulated_negatives_are_called_so() -> None:
    option = ("--option", "negatives=emulated")
    assert "Dropped: rain (taken for Rain), taken out of the mixture first" in _run(
        "Dog", "--without", "rain", *option
    )
    assert "Dropped" not in _run("Dog", *option)


def test_json() -> None:
    told = json.loads(_run("barking", "--without", "rain", "--json", "--channels", "mean"))
    assert told.pop("elapsed") > 0
    assert told.pop("level_db") == pytest.approx(-6.02, abs=0.05)
    assert told == {
        "output": "out.wav",
        "residual": None,
        "query": "barking",
        "taken_for": {"barking": "Dog", "rain": "Rain"},
        "negatives": ["rain"],
        "negatives_were": "native",
        "model": "half",
        "seconds": 1.5,
        "sample_rate": 22050,
        "channels": 1,
        "clipped": 0,
    }
    assert _read("out.wav").shape == (33075, 1)


def test_a_silent_result_is_called_so() -> None:
    assert _run("Dog", model="silence").startswith("out.wav: Dog, silent\n")


def test_a_worker_in_another_environment(here: Path) -> None:
    command = shlex.join([sys.executable, str(WORKER)])
    told = _run("Dog", "--without", "Cat", model=f"process:{command}")
    assert "out.wav: Dog, 6." in told
    assert "Dropped: Cat\n" in told  # how, the worker does not say
    assert "by halver in" in told
    assert np.abs(_read("out.wav") - 0.5 * _read("in.wav"))[MIDDLE].max() < 2e-3


def test_estimates_on_disk(here: Path) -> None:
    estimates = here / "estimates"
    estimates.mkdir()
    soundfile.write(estimates / "in.s1.wav", 0.1 * _read("in.wav")[:, 0], 22050, subtype="FLOAT")
    _run("Dog", "--channels", "first", model=f"files:{estimates}")
    np.testing.assert_allclose(_read("out.wav"), 0.1 * _read("in.wav")[:, :1], atol=1e-6)


def test_the_input_is_never_written_over(here: Path) -> None:
    before = (here / "in.wav").read_bytes()
    with pytest.raises(HiveError, match=r"in\.wav: is the input"):
        _run("Dog", "--residual", "in.wav")
    assert (here / "in.wav").read_bytes() == before


def test_help_has_an_example_and_the_default_model() -> None:
    result = CliRunner().invoke(build(), ["separate", "--help"], env={"COLUMNS": "200"})
    assert 'hive-bench separate street.wav "dog"' in result.output
    assert "clearsep-mini" in result.output
