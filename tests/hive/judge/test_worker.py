"""The worker's own code, in a real process, with a package of the same interface as sam_audio.

The stand-in package follows facebookresearch/sam-audio in what can go wrong: the rate is checked,
sounds are lists of (1, T) tensors that are padded to whole frames by reflection, mixture and
estimate are stacked, and the checkpoint is opened from a folder.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from hive.errors import HiveError
from hive.judge.base import Judge
from hive.judge.client import WORKER, load

SAM_AUDIO = """
import json, os, sys
from pathlib import Path

import torch

# A library that prints must not disturb the replies.
print("sam_audio is loading")
# Modules beside the worker are not to be found from here.
for name in ("client", "standin", "base"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise RuntimeError(f"found the worker's neighbour {name}")


def record(**fields):
    with open(os.environ["RECORD"], "a") as handle:
        handle.write(json.dumps(fields) + "\\n")


def check_folder(name):
    if not Path(name).is_dir():
        raise ValueError(f"{name} is not a folder")
    return json.loads((Path(name) / "config.json").read_text())


class Batch(dict):
    def to(self, device):
        record(device=str(device))
        return Batch({name: value.to(device) for name, value in self.items()})


class SAMAudioJudgeProcessor:
    @classmethod
    def from_pretrained(cls, name):
        check_folder(name)
        return cls()

    def sounds(self, signals):
        assert isinstance(signals, list)
        padded = []
        for signal in signals:
            assert signal.dtype == torch.float32 and signal.ndim == 2 and len(signal) == 1
            missing = -signal.shape[1] % 1920
            padded.append(torch.nn.functional.pad(signal, (0, missing), mode="reflect").T)
        return torch.nn.utils.rnn.pad_sequence(padded, batch_first=True).transpose(1, 2)

    def __call__(self, text=None, input_audio=None, separated_audio=None, sampling_rate=None):
        if sampling_rate != 48000:
            raise ValueError(f"{sampling_rate} Hz")
        assert isinstance(text, list) and all(isinstance(one, str) for one in text)
        assert len(text) == len(input_audio) == len(separated_audio)
        record(text=text, input=[list(x.shape) for x in input_audio],
               separated=[list(x.shape) for x in separated_audio])
        if "too much" in text:
            raise RuntimeError("CUDA out of memory: tried to allocate 2 PiB")
        if "broken" in text:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return Batch(input_ids=torch.tensor([[len(one)] for one in text]),
                     input_values=self.sounds(input_audio),
                     separated_values=self.sounds(separated_audio))


class Output:
    pass


class SAMAudioJudgeModel(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, name):
        config = check_folder(name)
        if "dac_vae_encoder" in config:
            raise TypeError("__init__() got an unexpected keyword argument 'dac_vae_encoder'")
        return cls()

    def forward(self, input_ids, input_values, separated_values):
        assert not self.training and torch.is_inference_mode_enabled()
        stacked = torch.cat([input_values, separated_values])
        mixture, estimate = stacked.chunk(2)
        output = Output()
        output.overall = mixture.abs().amax(dim=2)
        output.recall = estimate.abs().amax(dim=2)
        output.precision = input_ids.to(torch.bfloat16)
        output.faithfulness = 9 + 0 * output.overall
        if 3 in input_ids:
            output.faithfulness = output.faithfulness / 0 * 0
        return output
"""
HUB = """
import os
from pathlib import Path


class GatedRepoError(Exception):
    pass


def snapshot_download(repo_id, revision=None):
    if repo_id != "owner/judge":
        raise GatedRepoError(f"access to {repo_id} is restricted")
    return str(Path(os.environ["SNAPSHOTS"]) / f"{repo_id.replace('/', '--')}@{revision}")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages, two checkpoints and the record of calls."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in (("sam_audio", SAM_AUDIO), ("huggingface_hub", HUB)):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text)
    good, other = folder / "owner--judge@sam_audio", folder / "owner--judge@main"
    for checkpoint, config in ((good, "{}"), (other, '{"dac_vae_encoder": 1}')):
        checkpoint.mkdir()
        (checkpoint / "config.json").write_text(config)
        (checkpoint / "checkpoint.pt").write_bytes(b"weights")
        (checkpoint / "README.md").write_text("of no consequence")
    return folder


@pytest.fixture(scope="module")
def environment(site: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        patch.setenv("SNAPSHOTS", str(site))
        patch.setenv("RECORD", str(site / "record"))
        yield site


def _spec(*arguments: str) -> str:
    return "process:" + shlex.join([sys.executable, str(WORKER), *arguments])


@pytest.fixture(scope="module")
def judge(environment: Path) -> Iterator[Judge]:
    loaded = load(
        _spec("--checkpoint", "owner/judge", "--batch-size", "4"), timeout=60, start_timeout=60
    )
    yield loaded
    loaded.close()


def _calls(site: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (site / "record").read_text().splitlines()]


def _tone(peak: float, num_samples: int = 44100) -> np.ndarray:
    return peak * np.sin(2 * np.pi * 441 * np.arange(num_samples) / 44100)


def test_the_hello_names_checkpoint_and_versions(judge: Judge, site: Path) -> None:
    import torch

    assert (judge.name, judge.standin) == ("sam-audio-judge", False)
    lines = [
        f"{name} {sha256((site / 'owner--judge@sam_audio' / name).read_bytes()).hexdigest()}\n"
        for name in ("checkpoint.pt", "config.json")
    ]
    assert judge.checkpoint_sha256 == sha256("".join(lines).encode()).hexdigest()
    assert judge.details["checkpoint"] == "owner/judge"
    assert judge.details["revision"] == "sam_audio (owner--judge@sam_audio)"
    assert judge.details["torch"] == torch.__version__
    assert judge.details["device"] == "cpu"


def test_a_batch_goes_through_the_model_as_the_package_wants_it(judge: Judge, site: Path) -> None:
    (site / "record").write_text("")
    estimates = np.stack([_tone(0.1), _tone(0.2), _tone(0.3)])
    scores = judge.score(_tone(0.8), estimates, ["dog barking", "Regen", "Zug, Föhn"], 44100)
    call, moved = _calls(site)
    assert call == {
        "text": ["dog barking", "Regen", "Zug, Föhn"],
        "input": [[1, 48000]] * 3,
        "separated": [[1, 48000]] * 3,
    }
    assert moved == {"device": "cpu"}
    # overall: peak of the mixture; recall: of the estimate; precision: of the text; not clamped.
    np.testing.assert_allclose(scores[:, 0], [0.8, 0.8, 0.8], atol=1e-3)
    np.testing.assert_allclose(scores[:, 1], [0.1, 0.2, 0.3], atol=1e-3)
    np.testing.assert_array_equal(scores[:, 2], [11, 5, 9])
    np.testing.assert_array_equal(scores[:, 3], [9, 9, 9])


def test_unequal_lengths_are_not_padded_to_one_another(judge: Judge, site: Path) -> None:
    (site / "record").write_text("")
    signals = [_tone(0.1 * n, length) for n, length in ((1, 44100), (2, 22050), (3, 44100))]
    scores = judge.score(signals, signals, ["a", "b", "c"], 44100)
    assert [call["text"] for call in _calls(site) if "text" in call] == [["a", "c"], ["b"]]
    np.testing.assert_allclose(scores[:, 1], [0.1, 0.2, 0.3], atol=1e-3)


@pytest.mark.parametrize("num_samples", [1, 100, 1764, 4409, 5000])
def test_short_and_silent_sounds_get_a_score(judge: Judge, site: Path, num_samples: int) -> None:
    (site / "record").write_text("")
    silence = np.zeros((1, num_samples))
    scores = judge.score(_tone(0.5, num_samples), silence, ["Dog!"], 44100)
    assert scores[0, 1:].tolist() == [0, 4, 9]
    (shape,) = _calls(site)[0]["input"]  # type: ignore[misc]
    assert shape == [1, max(4800, round(num_samples * 48 / 44.1))]


def test_a_score_that_is_not_finite_and_full_memory_cost_one_item(judge: Judge) -> None:
    failures: dict[int, HiveError] = {}
    queries = ["fine", "nan", "too much"]
    scores = judge.score(
        _tone(0.8), np.stack([_tone(0.1)] * 3), queries, 44100, on_failure=failures.__setitem__
    )
    assert "not finite" in str(failures[1])
    assert "CUDA out of memory" in str(failures[2])
    assert "give a smaller --batch-size" in str(failures[2])
    assert np.isfinite(scores).all(axis=1).tolist() == [True, False, False]


def test_a_broken_card_ends_the_worker_and_a_new_one_goes_on(judge: Judge) -> None:
    with pytest.raises(HiveError, match="ended with exit status 1") as caught:
        judge.score(_tone(0.8), _tone(0.1)[None], ["broken"], 44100)
    assert "CUDA error: device-side assert" in str(caught.value)
    scores = judge.score(_tone(0.8), _tone(0.1)[None], ["fine"], 44100)
    assert scores[0, 3] == 9


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--checkpoint", "owner/judge", "--revision", "main"), "take --revision sam_audio"),
        (("--checkpoint", "owner/closed"), "ask for access at https://huggingface.co/facebook/"),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(
    environment: Path, arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(HiveError, match=told):
        load(_spec(*arguments), start_timeout=60)


def test_the_placeholder_of_the_package_index_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sam_audio.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(HiveError, match="sam_audio of PyPI is an empty placeholder"):
        load(_spec("--checkpoint", str(tmp_path)), start_timeout=60)


def test_the_worker_needs_nothing_of_this_package() -> None:
    text = WORKER.read_text()
    assert "import hive" not in text
    assert "from hive" not in text
    found = subprocess.run(
        [sys.executable, "-I", str(WORKER), "--help"], capture_output=True, text=True, check=True
    )
    assert "--checkpoint" in found.stdout
