"""Fréchet audio distance by fadtk itself with an embedding of ours: a check of `hive.metrics.fad`.

fadtk (Gui et al., ICASSP 2024; version 1.1) brings files to 48 kHz with a Kaiser-windowed filter,
stores them as 16-bit WAV, rounds them to 16 bits once more, embeds a window of 10 s every second,
stores vectors as float16, and averages them file by file, in float16; it then takes the general
eigenvectors of the product of the covariances. On the same vectors its arithmetic and ours agree to
1e-8. Storage as float16 moves values in the sixth decimal. Rounding to 16 bits is heard in quiet
passages by embeddings of decibels, and the filters differ near 22 kHz: from files of recordings,
values of 0.01 to 0.03 came out 0.3 % to 6 % apart.

The conversion is done here with the same filter, because torchaudio's reader and writer need
FFmpeg. fadtk writes only below the work folder. What importing it changes in the process (root
logger, exception hook, gradients) is put back.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hive import audio
from hive.embedding.base import RATE, Embedder, Float32
from hive.embedding.windows import sliding
from hive.errors import HiveError
from hive.files import write_bytes
from hive.metrics.folders import audio_files, read_mono

_AT_ONCE = 10  # windows a call of the embedder
_INT16 = 32767.0
#: fadtk's settings of torchaudio's resampler: those of librosa's "kaiser_best".
_FILTER = {
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 14.769656459379492,
}


def fad_by_fadtk(
    reference_folder: Path, estimate_folder: Path, embedder: Embedder, work_folder: Path
) -> float:
    """Return the distance that fadtk computes between two folders of audio files.

    Args:
        reference_folder: Audio files of the one set, of any rate, longer than a second each.
        estimate_folder: Audio files of the other.
        embedder: The embedding.
        work_folder: Where fadtk keeps converted audio, vectors and moments; empty, or not there.

    Raises:
        HiveError: fadtk is not installed, the work folder is not empty, a folder holds no audio,
            or a file cannot be read or is too short.
    """
    if work_folder.exists() and any(work_folder.iterdir()):
        raise HiveError(
            f"{work_folder}: is not empty", "give an empty folder: fadtk believes what it finds"
        )
    sides = {"reference": reference_folder, "evaluated": estimate_folder}
    files = {side: audio_files(folder) for side, folder in sides.items()}
    with _contained():
        fadtk = load_fadtk()
        scorer = fadtk.FrechetAudioDistance(model_loader(embedder), audio_load_worker=1)
        for side, paths in files.items():
            for number, path in enumerate(paths):
                # fadtk looks for its own conversion first, under this name beside the file.
                name = f"{number:07d}.wav"
                data = _converted(path)
                write_bytes(work_folder / side / "convert" / str(RATE) / name, data)
                scorer.cache_embedding_file(work_folder / side / name)
        # Its progress bars go to standard error.
        with contextlib.redirect_stderr(io.StringIO()):
            return float(scorer.score(work_folder / "reference", work_folder / "evaluated"))


def model_loader(embedder: Embedder) -> Any:
    """Return an embedding as a `fadtk.ModelLoader`, windows and rounding as in its CLAP loader.

    Raises:
        HiveError: fadtk is not installed.
    """
    import torch

    loader = load_fadtk().ModelLoader

    class HiveModel(loader):  # type: ignore[misc,valid-type]  # fadtk is imported late
        """An embedding of this package."""

        def __init__(self) -> None:
            super().__init__(embedder.info.name.replace(":", "-"), 512, RATE)

        def load_model(self) -> None:
            self.model = embedder

        def _get_embedding(self, samples: npt.NDArray[np.float64]) -> torch.Tensor:
            rounded = (np.clip(samples, -1, 1) * _INT16).astype(np.int16)
            windows = sliding((rounded / _INT16).astype(np.float32))
            parts = [
                embedder.audio(windows[start : start + _AT_ONCE].copy()).vectors
                for start in range(0, len(windows), _AT_ONCE)
            ]
            return torch.from_numpy(np.concatenate(parts))

    return HiveModel()


def _converted(path: Path) -> bytes:
    """A file as mono 16-bit WAV at 48 kHz, resampled as fadtk does."""
    import torch

    transforms: Any = importlib.import_module("torchaudio.transforms")
    samples, rate = read_mono(path)
    if len(samples) <= rate:
        raise HiveError(
            f"{path}: lasts {len(samples) / rate:.3f} s; fadtk takes the covariance of each file's "
            "windows, one a second",
            "give files of more than a second, or use the engine of this package",
        )
    resampled: Float32 = transforms.Resample(rate, RATE, **_FILTER)(
        torch.from_numpy(samples)
    ).numpy()
    limited = np.clip(resampled, -1, 1 - 2.0**-15)
    return audio.encode(audio.to_integers(limited), RATE, "wav")


def load_fadtk() -> Any:
    """Import fadtk without what it does to the process."""
    with _contained():
        try:
            return importlib.import_module("fadtk")
        except ImportError as error:
            raise HiveError("fadtk is not installed", "pip install fadtk") from error


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Put back root logger, exception hook and gradient mode."""
    import torch

    root, hook, gradients = logging.getLogger(), sys.excepthook, torch.is_grad_enabled()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        sys.excepthook = hook
        root.handlers[:] = handlers
        root.setLevel(level)
