"""Estimates on disk as a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from baselines.adapters.files import FilesSeparator
from hive.errors import HiveError
from hive.inference import Item, Request, separate
from hive.models import load
from hive.separator import Query

RATE = 16000


def _tone(length: int = RATE, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(length) / rate)).astype(np.float32)


def _read(folder: Path, mix_id: str = "mix-1", source_id: str = "s1", length: int = RATE):
    item = Item(mix_id, source_id, 0, RATE)
    request = Request(np.zeros(length, np.float32), Query("Dog"), item)
    return separate(load(f"files:{folder}"), [request], RATE)[0]


@pytest.mark.parametrize("name", ["mix-1/s1.wav", "mix-1/s1.flac", "mix-1.s1.wav", "mix-1.s1.flac"])
def test_the_four_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    tone = np.rint(_tone() * 2**15) / 2**15
    soundfile.write(path, tone, RATE, subtype="PCM_16")
    estimate = _read(tmp_path)
    assert np.array_equal(estimate.samples, tone.astype(np.float32))
    assert estimate.flags == ()


def test_another_rate_is_resampled_and_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mix-1.s1.wav", _tone(44100, 44100), 44100, subtype="FLOAT")
    estimate = _read(tmp_path)
    assert "resampled" in estimate.flags
    assert np.abs(estimate.samples[500:-500] - _tone()[500:-500]).max() < 1e-3


def test_another_length_is_mended_and_flagged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mix-1.s1.wav", _tone(RATE - 7), RATE, subtype="FLOAT")
    estimate = _read(tmp_path)
    assert estimate.flags == ("length_fixed",)
    assert not estimate.samples[-7:].any()


def test_a_missing_file_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(HiveError, match=r"mix-1/s1\.wav: no estimate here, nor as mix-1\.s1\.flac"):
        _read(tmp_path)


def test_stereo_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mix-1.s1.wav", np.zeros((10, 2)), RATE)
    with pytest.raises(HiveError, match="2 channels"):
        _read(tmp_path)


def test_a_file_that_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "mix-1.s1.wav").write_text("not audio")
    with pytest.raises(HiveError, match=r"mix-1\.s1\.wav: not a readable audio file"):
        _read(tmp_path)


@pytest.mark.parametrize("mix_id", ["../other", "/etc/passwd", "", "a/b"])
def test_names_cannot_leave_the_folder(tmp_path: Path, mix_id: str) -> None:
    with pytest.raises(HiveError, match="cannot name a file"):
        _read(tmp_path, mix_id)


def test_a_batch_is_padded_to_the_longest(tmp_path: Path) -> None:
    for name, length in (("s1", 10), ("s2", 20)):
        soundfile.write(tmp_path / f"mix-1.{name}.wav", _tone(length), RATE, subtype="FLOAT")
    model = FilesSeparator(str(tmp_path))
    items = [Item("mix-1", name, 0, RATE) for name in ("s1", "s2")]
    output = model.separate(torch.zeros(2, 20), [Query("a"), Query("b")], items)
    assert output.shape == (2, 20)
    assert not output[0, 10:].any()
