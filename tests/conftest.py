"""Fixtures that several test folders share."""

from __future__ import annotations

import os
import signal

# Programs that are started in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before a numerical library is imported and starts its threads: the cores are shared with worker
# processes, and sums that are split among threads differ in their last digits.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HIVE_QUIET", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import csv
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("hive", deadline=None)
hypothesis.settings.load_profile("hive")

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"

MakeManifest = Callable[..., Path]


@pytest.fixture
def shared() -> Path:
    """The reference material beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference material (../shared) is not here")
    return SHARED


@pytest.fixture
def hf_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache of this test alone."""
    import datasets

    cache = tmp_path / "hf" / "datasets"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    return cache


def noise(seconds: float, rate: int = 44100, seed: int = 0, level: float = 0.1) -> np.ndarray:
    """Seeded white noise."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (level * samples).clip(-1, 1)


#: Labels of which any two may be mixed, in some scene with all of them.
LABELS = (
    "Typing",
    "Air conditioning",
    "Male speech, man speaking",
    "Printer",
    "Telephone",
    "Cough",
)


@pytest.fixture
def make_manifest(tmp_path: Path) -> MakeManifest:
    """Write recordings and their manifest: `per_label` recordings of noise for each label."""

    def make(
        folder: str = "recordings",
        labels: tuple[str, ...] = LABELS,
        per_label: int = 6,
        seconds: float = 3.0,
        rate: int = 44100,
        suffix: str = "wav",
    ) -> Path:
        root = tmp_path / folder
        root.mkdir()
        rows = []
        for number, label in enumerate(labels):
            for take in range(per_label):
                name = f"{number}_{take}.{suffix}"
                seed = 1000 * number + take
                soundfile.write(root / name, noise(seconds, rate, seed), rate)
                rows.append({"path": name, "label": label, "licence": "CC0-1.0", "author": "A"})
        with (root / "manifest.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return root / "manifest.csv"

    return make
