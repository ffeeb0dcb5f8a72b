"""Recordings of one's own, of any length, as they go by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from baselines import recording
from baselines.apply import Job, Separated, separate_file
from baselines.channels import Channels
from baselines.recording import Recording, Resampler, writing
from hive.errors import HiveError
from hive.inference import Item, Request, item_seed
from hive.inference import separate as run_model
from hive.models import load
from hive.separator import Query

MODULE = """
import torch

from baselines.adapter import Adapter, normal
from baselines.facts import Facts
from baselines.levels import Level
from baselines.windows import Windows


class Filter(Adapter):
    # Differs from window to window, hears 10 ms of surroundings, draws noise.
    def __init__(self):
        super().__init__(
            Facts(
                name="filter",
                native_rate=16000,
                windows=Windows(0.5, context=0.05, fade=0.1, shortest=0.1),
                negatives="emulated",
                deterministic=False,
                level=Level("rms", 0.1),
            ),
            windows_at_once=3,
        )

    def call(self, windows, queries, generators):
        kernel = torch.hann_window(161).reshape(1, 1, -1)
        smooth = torch.nn.functional.conv1d(windows[:, None], kernel / 80, padding=80)[:, 0]
        return smooth + 0.01 * normal(generators, windows.shape[1:], "cpu")

    def meaning(self, text):
        return text.title()


class Exact(Adapter):
    def __init__(self, level: float = 1.0):
        super().__init__(
            Facts("exact", 16000, Windows(0.5, fade=0.1), "refused")
        )
        self._gain = level

    def call(self, windows, queries, generators):
        return self._gain * windows


class Broken(Exact):
    def call(self, windows, queries, generators):
        if windows.shape[-1] < 8000:
            raise RuntimeError("too short")
        return windows / 0
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models_of_apply.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(recording, "_BLOCK_SECONDS", 0.37)
    return tmp_path


def _noise(length: int, channels: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((length, channels), dtype=np.float32)
    return np.float32(0.1) * noise


def _write(samples: np.ndarray, rate: int, name: str = "in.wav") -> Path:
    soundfile.write(name, samples, rate, subtype="FLOAT")
    return Path(name)


def _read(name: str | Path) -> np.ndarray:
    return soundfile.read(name, dtype="float32", always_2d=True)[0]


def _separate(model: str = "Filter", **changes) -> Separated:
    given = {"source": Path("in.wav"), "target": Path("out.wav"), "query": "dog", "device": "cpu"}
    return separate_file(Job(**{**given, "model": f"python:models_of_apply:{model}", **changes}))


def _whole(samples: np.ndarray, rate: int, negatives: tuple[str, ...] = ()) -> np.ndarray:
    """The way of the benchmark: each channel in one piece."""
    model = load("python:models_of_apply:Filter")
    estimates = []
    for channel in samples.T:
        item = Item("in", "s1", item_seed(0, "in", "dog"), rate)
        request = Request(np.ascontiguousarray(channel), Query("dog", negatives), item)
        estimates += run_model(model, [request], rate)
    return np.stack([each.samples for each in estimates], axis=1)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_as_it_goes_by_or_in_one_piece(rate: int, channels: int) -> None:
    samples = _noise(2 * rate + 4321, channels)
    samples[rate : rate + rate // 2] = 0.0
    _write(samples, rate)
    done = _separate(residual=Path("rest.wav"))
    result = _read("out.wav")
    assert result.shape == samples.shape
    assert soundfile.info("out.wav").samplerate == rate
    assert np.abs(result - _whole(samples, rate)).max() < 1e-5
    np.testing.assert_array_equal(_read("rest.wav"), samples - result)
    assert (done.channels, done.sample_rate) == (channels, rate)
    assert done.seconds == pytest.approx(len(samples) / rate)


@pytest.mark.parametrize("length", [1, 441, 4410, 22050, 22051])
def test_short_recordings(length: int) -> None:
    samples = _noise(length, 2)
    _write(samples, 44100)
    _separate()
    assert np.abs(_read("out.wav") - _whole(samples, 44100)).max() < 1e-5


def test_negatives_are_told_of() -> None:
    samples = _noise(20000, 1)
    _write(samples, 16000)
    done = _separate(negatives=("rain", "Cat"))
    assert done.negatives_were == "emulated"
    assert done.taken_for == {"dog": "Dog", "rain": "Rain", "Cat": "Cat"}
    assert np.abs(_read("out.wav") - _whole(samples, 16000, ("rain", "Cat"))).max() < 1e-5
    assert np.abs(_read("out.wav") - _whole(samples, 16000)).max() > 0.01


def test_equal_channels_stay_equal() -> None:
    _write(np.repeat(_noise(30000, 1), 2, axis=1), 22050)
    _separate()
    result = _read("out.wav")
    np.testing.assert_array_equal(result[:, 0], result[:, 1])


@pytest.mark.parametrize("policy", [Channels.mean, Channels.first])
def test_one_channel_of_several(policy: Channels) -> None:
    samples = _noise(30000, 3)
    _write(samples, 44100)
    done = _separate(channels=policy, residual=Path("rest.wav"))
    one = samples.mean(axis=1) if policy is Channels.mean else samples[:, 0]
    assert done.channels == 1
    assert np.abs(_read("out.wav") - _whole(one[:, None], 44100)).max() < 1e-5
    np.testing.assert_allclose(_read("out.wav") + _read("rest.wav"), one[:, None], atol=1e-6)


def test_models_that_take_the_whole_have_channels_and_residual_too() -> None:
    samples = _noise(3000, 2)
    _write(samples, 44100)
    done = _separate(model="Filter", channels=Channels.mean, residual=Path("rest.wav"))
    same = separate_file(
        Job(
            Path("in.wav"),
            Path("same.wav"),
            "dog",
            "mixture",
            channels=Channels.first,
            residual=Path("none.wav"),
        )
    )
    assert (done.model, same.model) == ("filter", "mixture")
    np.testing.assert_array_equal(_read("same.wav"), samples[:, :1])
    assert not _read("none.wav").any()
    assert same.level_db == pytest.approx(0.0)
    assert same.negatives_were is None


def test_silence_stays_silent() -> None:
    _write(np.zeros((30000, 2), np.float32), 44100)
    done = _separate(residual=Path("rest.wav"))
    assert not _read("out.wav").any()
    assert not _read("rest.wav").any()
    assert done.level_db is None


@pytest.mark.parametrize("gain", [0.5, 4.0])
def test_how_loud_the_result_is(gain: float) -> None:
    _write(_noise(20000, 2), 16000)
    done = _separate("Exact", options={"level": str(gain)})
    assert done.level_db == pytest.approx(20 * np.log10(gain), abs=1e-3)
    assert done.clipped == 0


def test_flac_clips_and_counts() -> None:
    samples = _noise(20000, 2)
    _write(samples, 16000)
    done = _separate("Exact", target=Path("out.flac"), options={"level": "8"})
    over = int(np.count_nonzero(np.abs(8 * samples) > 1))
    assert abs(done.clipped - over) <= 2
    assert np.abs(_read("out.flac") - np.clip(8 * samples, -1, 1)).max() < 1e-5
    assert soundfile.info("out.flac").subtype == "PCM_24"


def test_progress_is_told() -> None:
    _write(_noise(48000, 1), 16000)
    told: list[tuple[float, float]] = []
    job = Job(Path("in.wav"), Path("out.wav"), "dog", "python:models_of_apply:Exact")
    separate_file(job, lambda now, whole: told.append((now, whole)))
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == (pytest.approx(3.0), 3.0)


def test_input_that_cannot_be_used(here: Path) -> None:
    cases = {"nan.wav": np.nan, "inf.wav": np.inf}
    for name, value in cases.items():
        samples = _noise(20000, 1)
        samples[15000] = value
        _write(samples, 16000, name)
    _write(np.zeros((0, 1), np.float32), 16000, "empty.wav")
    (here / "nothing.wav").write_bytes(b"")
    (here / "text.wav").write_text("this is no sound")
    (here / "folder").mkdir()
    problems = {
        "nan.wav": "holds samples that are not finite",
        "inf.wav": "holds samples that are not finite",
        "empty.wav": "holds no samples",
        "nothing.wav": "the file is empty",
        "text.wav": "not a readable audio file",
        "folder": "is a folder",
        "none.wav": "no such file",
    }
    for name, problem in problems.items():
        with pytest.raises(HiveError, match=f"{name}: .*{problem}"):
            _separate(source=Path(name))
        assert not (here / "out.wav").exists()
    left = {path.name for path in here.iterdir()} - {"__pycache__", "models_of_apply.py"}
    assert left == set(problems) - {"none.wav"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"target": "in.wav"}, r"in\.wav: is the input"),
        ({"target": "./in.wav"}, "is the input"),
        ({"target": "link.wav"}, r"link\.wav: is the input"),
        ({"residual": "in.wav"}, r"in\.wav: is the input"),
        ({"residual": "out.wav"}, "output and residual"),
        ({"residual": "rest.mp3"}, r"rest\.mp3: cannot write this kind"),
        ({"target": "folder.wav"}, r"folder\.wav: is a folder"),
        ({"query": " "}, "a query is empty"),
        ({"negatives": ("",)}, "a query is empty"),
        ({"model": "python:models_of_apply:Exact", "negatives": ("Cat",)}, "no negative queries"),
        ({"model": "python:models_of_apply:Broken"}, r"failed on in\.wav: .*NaN"),
        ({"model": "irm"}, "needs the true source"),
    ],
)
def test_what_cannot_be_done(here: Path, changes: dict, problem: str) -> None:
    samples = _noise(20000, 1)
    _write(samples, 16000)
    os.link("in.wav", "link.wav")
    (here / "folder.wav").mkdir()
    before = sorted(path.name for path in here.iterdir())
    for name in ("source", "target", "residual"):
        if name in changes:
            changes[name] = Path(changes[name])
    given = {"source": Path("in.wav"), "target": Path("out.wav"), "query": "dog"}
    with pytest.raises(HiveError, match=problem):
        separate_file(Job(**{**given, "model": "python:models_of_apply:Filter", **changes}))
    np.testing.assert_array_equal(_read("in.wav"), samples)
    after = sorted(path.name for path in here.iterdir() if path.name != "__pycache__")
    assert after == [name for name in before if name != "__pycache__"]


def test_flac_has_eight_channels_at_most() -> None:
    _write(_noise(2000, 9), 16000)
    with pytest.raises(HiveError, match=r"out\.flac: FLAC holds no 9 channels"):
        _separate(target=Path("out.flac"))
    _separate()
    assert _read("out.wav").shape == (2000, 9)


_FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
from baselines.apply import Job, separate_file
from hive.errors import HiveError
for name in sys.argv[1:]:
    try:
        separate_file(Job(Path("in.wav"), Path(name), "dog", "mixture"))
    except HiveError as error:
        print(error)
"""


def test_a_full_disk(here: Path) -> None:
    _write(_noise(40000, 1), 16000)
    names = ["out.wav", "out.flac"]
    for name in names:
        (here / name).write_text("before")
    command = [sys.executable, "-c", _FULL, *names]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    for name in names:
        assert f"{name}: cannot be written" in told.stdout, told.stderr
        assert (here / name).read_text() == "before"
    assert not list(here.glob(".*.part"))


@pytest.mark.parametrize(
    ("source", "target"), [(48000, 32000), (44100, 32000), (32000, 44100), (8000, 96000), (7, 7)]
)
@pytest.mark.parametrize("length", [1, 1000, 54321])
def test_resampling_in_blocks_is_resampling(source: int, target: int, length: int) -> None:
    samples = _noise(length, 2)
    stream = Resampler(source, target, 2)
    parts, start = [], 0
    for size in [1, 17, 5000, 20000] * 3:
        parts.append(stream.push(samples[start : start + size]))
        start += size
    parts.append(stream.end())
    expected = soxr.resample(samples, source, target, "HQ")
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_long_wav_files_are_rf64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_WAV_BYTES", 1000)
    with writing(Path("long.wav"), 16000, 1, 300) as writer:
        writer.write(_noise(300, 1))
    assert soundfile.info("long.wav").format == "RF64"
    np.testing.assert_array_equal(_read("long.wav"), _noise(300, 1))


def test_blocks_are_the_recording() -> None:
    samples = _noise(10000, 2)
    found = Recording(_write(samples, 8000))
    blocks = list(found.blocks())
    assert {len(block) for block in blocks[:-1]} == {2960}
    np.testing.assert_array_equal(np.concatenate(blocks), samples)
    assert (found.frames, found.seconds) == (10000, 1.25)
