"""The commands `models` and `separate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from hive.errors import HiveError
from hive.main import build
from hive.models import Listing

MODULE = """
import torch


class Invert:
    sample_rate = 16000
    generative = False
    takes_negatives = True

    def separate(self, mixtures, queries):
        assert all(query.text == "Dog" for query in queries)
        return -mixtures * len(queries[0].negatives)


class Loud(Invert):
    sample_rate = 0

    def separate(self, mixtures, queries):
        return 10 * mixtures


class Fails(Invert):
    def separate(self, mixtures, queries):
        raise RuntimeError("out of memory")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models_of_cli.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(build(), list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _separate(model: str, *arguments: str, source: str = "in.wav", target: str = "out.wav") -> str:
    spec = f"python:models_of_cli:{model}" if model[0].isupper() else model
    return _run("separate", source, "Dog", "--model", spec, "-o", target, *arguments)


def _write_tones(path: Path, rate: int, length: int, channels: int) -> np.ndarray:
    time = np.arange(length) / rate
    tones = [0.3 * np.sin(2 * np.pi * 300 * (1 + c) * time) for c in range(channels)]
    samples = np.stack(tones, axis=1).astype(np.float32)
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return samples


def test_models_as_json() -> None:
    found = {each["name"]: each for each in json.loads(_run("models", "--json"))}
    assert found["irm"] == {
        "name": "irm",
        "summary": found["irm"]["summary"],
        "sample_rate": 0,
        "generative": False,
        "uses_reference": True,
        "takes_negatives": False,
        "available": True,
        "missing": [],
    }


def test_models_as_a_table() -> None:
    shown = _run("models")
    for word in ("mixture", "silence", "irm", "oracle", "trained:FOLDER", "files:FOLDER"):
        assert word in shown


def test_what_is_not_ready_says_why_below_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    why = HiveError("checkpoint dog: it is not here", "hive-bench checkpoints fetch dog")
    listing = Listing("dog", "A dog.", 32000, False, False, True, (why,))
    monkeypatch.setattr("hive.models.listings", lambda: [listing])
    table, _, notes = _run("models").partition("└")
    assert "Not ready:\n  dog: checkpoint dog: it is not here. Remedy: hive-bench check" in notes
    assert "fetch" not in table


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("rate", "length"), [(44100, 44101), (22050, 30000), (16000, 16000)])
def test_any_rate_and_channels_keep_their_shape(
    here: Path, rate: int, length: int, channels: int
) -> None:
    samples = _write_tones(here / "in.wav", rate, length, channels)
    _separate("Invert", "--without", "Cat", "--without", "Rain")
    result, found = soundfile.read(here / "out.wav", dtype="float32", always_2d=True)
    assert found == rate
    assert result.shape == samples.shape
    middle = slice(1500, -1500)
    assert np.abs(result[middle] + 2 * samples[middle]).max() < 2e-3


def test_flac_is_written_and_clipping_told(here: Path) -> None:
    _write_tones(here / "in.wav", 16000, 1600, 1)
    told = _separate("Loud", target="out.flac")
    assert soundfile.info(here / "out.flac").subtype == "PCM_24"
    assert "beyond full scale" in told
    _separate("Loud")
    assert np.abs(soundfile.read(here / "out.wav")[0]).max() == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(
    ("model", "arguments", "target", "problem"),
    [
        ("irm", (), "out.wav", "needs the true source"),
        ("mixture", ("--without", "Cat"), "out.wav", "takes no negative queries"),
        ("mixture", (), "out.mp3", r"out\.mp3: cannot write this kind"),
        ("mixtur", (), "out.wav", "no model 'mixtur'"),
        ("Fails", (), "out.wav", r"failed on in\.wav: out of memory"),
        ("Invert", ("--option", "a=b"), "out.wav", "unknown option 'a'"),
    ],
)
def test_what_is_wrong_is_said(
    here: Path, model: str, arguments: tuple[str, ...], target: str, problem: str
) -> None:
    _write_tones(here / "in.wav", 16000, 1600, 1)
    with pytest.raises(HiveError, match=problem):
        _separate(model, *arguments, target=target)
    assert not (here / target).exists()


def test_no_such_input(here: Path) -> None:
    with pytest.raises(HiveError, match=r"none\.wav: no such file"):
        _separate("mixture", source="none.wav")


def test_a_failed_write_leaves_the_old_file(here: Path) -> None:
    _write_tones(here / "in.wav", 16000, 1600, 1)
    (here / "out.wav").write_text("before")
    with pytest.raises(HiveError):
        _separate("Fails")
    assert (here / "out.wav").read_text() == "before"
