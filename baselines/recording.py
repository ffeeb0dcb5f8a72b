"""Recordings of any length, read, resampled and written as they go by."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from baselines.channels import Channels, choose
from hive.audio import RESAMPLER, Float, probe, read
from hive.errors import HiveError
from hive.files import atomic_open

#: By suffix: container and kind of samples.
KINDS = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_24")}
_BLOCK_SECONDS = 30.0
_WAV_BYTES = 0xF000_0000  # a WAV file counts its bytes in 32 bits; beyond that it is an RF64
_FLAC_CHANNELS, _FLAC_RATE = 8, 655_350  # the most that the format holds
_QUALITY = RESAMPLER.removeprefix("soxr ")


class Recording:
    """A recording that is read in blocks.

    Args:
        path: Audio file.
        channels: What to make of its channels.

    Attributes:
        path: See above.
        frames: Its length in samples.
        sample_rate: Its rate, Hz.
        channels: Number of channels of the blocks.

    Raises:
        HiveError: If it is missing, a folder, no audio file or without samples.
    """

    def __init__(self, path: Path, channels: Channels = Channels.each) -> None:
        if path.is_dir():
            raise HiveError(f"{path}: is a folder, not an audio file", "name one recording in it")
        info = probe(path)
        self.path, self._policy = path, channels
        self.frames, self.sample_rate = info.frames, info.sample_rate
        self.channels = info.channels if channels is Channels.each else 1

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    def blocks(self) -> Iterator[Float]:
        """Yield all samples, shapes (n, channels), about half a minute at a time.

        Raises:
            HiveError: If the file cannot be decoded, ends before its header says, or its samples
                are not finite.
        """
        size = max(1, round(_BLOCK_SECONDS * self.sample_rate))
        for start in range(0, self.frames, size):
            stop = min(start + size, self.frames)
            samples, _ = read(self.path, start, stop)
            if len(samples) != stop - start:
                raise HiveError(
                    f"{self.path}: ends after {(start + len(samples)) / self.sample_rate:.3f} s, "
                    f"before its header says ({self.seconds:.3f} s)",
                    "replace the file",
                )
            yield choose(samples, self._policy)


class Resampler:
    """`hive.audio.resample` for sound that arrives in blocks, with equal results.

    Args:
        source_rate: Rate of what is pushed, Hz.
        target_rate: Rate of what is returned, Hz.
        channels: Number of channels.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int) -> None:
        self._stream: Any = None
        if source_rate != target_rate:
            self._stream = soxr.ResampleStream(
                source_rate, target_rate, channels, dtype="float32", quality=_QUALITY
            )
        self._nothing = np.zeros((0, channels), dtype=np.float32)

    def push(self, block: Float) -> Float:
        """Take the next samples, shape (n, channels), and return what is ready, shape (m, ...)."""
        if self._stream is None:
            return block
        ready: Float = self._stream.resample_chunk(np.ascontiguousarray(block))
        return ready

    def end(self) -> Float:
        """Return the rest."""
        if self._stream is None:
            return self._nothing
        rest: Float = self._stream.resample_chunk(self._nothing, last=True)
        return rest


class Writer:
    """An audio file that is being written; see `writing`.

    Args:
        file: The open file.
        frames: Its final length in samples.

    Attributes:
        clipped: Samples beyond full scale that FLAC could not hold.
        energy: Sum of the squares of the samples.
    """

    def __init__(self, file: soundfile.SoundFile, frames: int) -> None:
        self._file, self._missing = file, frames
        self.clipped = 0
        self.energy = 0.0

    def write(self, samples: Float) -> Float:
        """Write the next samples, shape (n, channels); return those that still fit."""
        samples = samples[: self._missing]
        self._missing -= len(samples)
        self.energy += energy(samples)
        if self._file.format == "FLAC":
            self.clipped += int(np.count_nonzero(np.abs(samples) > 1.0))
        self._file.write(samples)
        return samples

    def finish(self) -> Float:
        """Pad with zeros to the final length; return them."""
        return self.write(np.zeros((self._missing, self._file.channels), dtype=np.float32))


@contextlib.contextmanager
def writing(path: Path, sample_rate: int, channels: int, frames: int) -> Iterator[Writer]:
    """Write an audio file that appears under its name only when it is whole.

    Args:
        path: WAV (32-bit float) or FLAC (24-bit), by its suffix.
        sample_rate: Rate, Hz.
        channels: Number of channels.
        frames: Length in samples; what is written beyond it is dropped.

    Yields:
        What takes the samples.

    Raises:
        HiveError: If it cannot be written, or cannot hold such sound.
    """
    container, subtype = KINDS[path.suffix.lower()]
    if container == "WAV" and frames * channels * 4 > _WAV_BYTES:
        container = "RF64"
    if container == "FLAC" and (channels > _FLAC_CHANNELS or sample_rate > _FLAC_RATE):
        raise HiveError(
            f"{path}: {container} holds no {channels} channels at {sample_rate} Hz",
            "name it .wav",
        )
    try:
        with (
            atomic_open(path) as handle,
            soundfile.SoundFile(
                handle.fileno(),
                "w",
                samplerate=sample_rate,
                channels=channels,
                format=container,
                subtype=subtype,
                closefd=False,
            ) as file,
        ):
            yield Writer(file, frames)
    except soundfile.LibsndfileError as error:
        raise HiveError(
            f"{path}: cannot be written ({error})",
            "free some space, or write elsewhere; then run the same command again",
        ) from error


def energy(samples: Float) -> float:
    """Return the sum of squares, computed in float64."""
    flat = samples.astype(np.float64).ravel()
    return float(np.dot(flat, flat))
