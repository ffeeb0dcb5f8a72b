from __future__ import annotations

import hashlib
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hive import audio
from hive.errors import HiveError


def write(path: Path, samples: np.ndarray, rate: int, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("crop", [(0.0, 4.0), (1.123046875, 5.123046875), (3.0, 7.0)])
def test_a_crop_is_what_the_literal_way_gives(
    tmp_path: Path, rate: int, crop: tuple[float, float]
) -> None:
    """Read the chunk, average, resample all of it, cut: the same to 16-bit rounding."""
    stereo = 0.3 * np.random.default_rng(rate).standard_normal((rate * 9, 2))
    path = write(tmp_path / "a.wav", stereo, rate, subtype="FLOAT")
    got = audio.read_crop(path, (1.0, 8.0), crop, 44100)
    chunk = soundfile.read(path)[0][rate : 8 * rate].mean(axis=1)
    whole = librosa.resample(chunk, orig_sr=rate, target_sr=44100, res_type="soxr_hq")
    start = int(crop[0] * 44100)
    want = whole[start : start + 4 * 44100]
    assert got.shape == (4 * 44100,)
    assert np.abs(got - want).max() < 2**-17


def test_a_short_chunk_is_padded_with_zeros(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full(44100, 0.5), 44100)
    got = audio.read_crop(path, (0.0, 1.0), (0.5, 2.0), 44100)
    assert np.all(got[:22050] == 0.5)
    assert np.all(got[22050:] == 0.0)
    assert len(got) == 66150


def test_an_end_slightly_past_the_file_is_tolerated_and_more_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full(44100 - 10, 0.5), 44100)
    assert len(audio.read_crop(path, (0.0, 1.0), (0.0, 1.0), 44100)) == 44100
    short = write(tmp_path / "b.wav", np.full(44100 - 11, 0.5), 44100)
    with pytest.raises(HiveError, match=r"b\.wav.*does not lie inside"):
        audio.read_crop(short, (0.0, 1.0), (0.0, 1.0), 44100)


def test_files_that_are_no_audio_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "empty.wav").write_bytes(b"")
    write(tmp_path / "none.wav", np.zeros(0), 44100)
    with pytest.raises(HiveError, match=r"text\.wav: not a readable audio file"):
        audio.probe(tmp_path / "text.wav")
    with pytest.raises(HiveError, match=r"empty\.wav.*the file is empty"):
        audio.probe(tmp_path / "empty.wav")
    with pytest.raises(HiveError, match=r"none\.wav: holds no samples"):
        audio.probe(tmp_path / "none.wav")
    with pytest.raises(HiveError, match=r"gone\.wav: no such file"):
        audio.probe(tmp_path / "gone.wav")


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", 0.1 * np.random.default_rng(0).standard_normal(88200), 44100)
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(HiveError, match=r"a\.flac"):
        audio.read_crop(path, (0.0, 2.0), (0.0, 2.0), 44100)


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.array([0.0, np.nan, 0.0]), 44100, subtype="FLOAT")
    with pytest.raises(HiveError, match="not finite"):
        audio.read(path)


@pytest.mark.parametrize("audio_format", ["flac", "wav"])
@pytest.mark.parametrize("bits", [16, 24])
@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_encoding_is_lossless(audio_format: audio.AudioFormat, bits: int, seed: int) -> None:
    top = 1 << (bits - 1)
    integers = np.random.default_rng(seed).integers(-top, top, 3000).astype(np.int32)
    integers[:2] = (-top, top - 1)
    data = audio.encode(integers, 44100, audio_format, bits)
    back, rate = audio.decode_integers(data, bits)
    assert rate == 44100
    assert np.array_equal(back, integers)
    assert np.array_equal(audio.decode(data)[0], (integers / top).astype(np.float32))
    assert data == audio.encode(integers, 44100, audio_format, bits)


def test_rounding_to_integers() -> None:
    samples = np.array([0.0, 1 / 32768, -1.0, 32767 / 32768, 0.4 / 32768])
    assert audio.to_integers(samples).tolist() == [0, 1, -32768, 32767, 0]
    with pytest.raises(ValueError, match="do not fit"):
        audio.to_integers(np.array([1.0]))


def test_the_pcm_hash_is_of_little_endian_integers() -> None:
    integers = np.array([1, -2, 300], dtype=np.int32)
    raw = b"\x01\x00\xfe\xff\x2c\x01"
    assert audio.pcm_sha256(integers) == hashlib.sha256(raw).hexdigest()


def test_rms() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(44100) / 44100)
    assert audio.rms(tone) == pytest.approx(0.5 / np.sqrt(2), rel=1e-9)
    assert audio.rms(np.zeros(0)) == 0.0


def test_frame_levels() -> None:
    samples = np.concatenate([np.zeros(4410), np.full(4410, 0.1), np.full(100, 1.0)])
    levels = audio.frame_levels(samples.astype(np.float32), 44100)
    assert levels.tolist() == [0, 108, 128]


@pytest.mark.parametrize("cutoff", [4000, 8000, 11025])
def test_bandwidth_of_an_upsampled_clip(cutoff: int) -> None:
    narrow = np.random.default_rng(0).standard_normal(2 * cutoff * 3).astype(np.float32) * 0.1
    wide = audio.resample(narrow, 2 * cutoff, 44100)
    assert audio.bandwidth(wide, 44100) == pytest.approx(cutoff, rel=0.05)
    assert audio.bandwidth(np.zeros(44100, np.float32), 44100) == 0.0
