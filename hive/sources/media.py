"""Extracting the audio of corpora that come as video, to FLAC beside each video.

The first audio track is kept at its own rate and with its own channels, as 16 bits: lossy sound
that decodes to more than full scale is clipped there, as in any player. It is decoded by
torchcodec where FFmpeg's libraries are found, else by the program `ffmpeg`. What was extracted
before stays, so an interrupted run goes on; a video that cannot be decoded is told of, and the
rest goes on.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile

from hive.errors import HiveError
from hive.execution import Engine, run_tasks, tick
from hive.files import TEMPORARY_SUFFIX, atomic_open, explained, remove_temporaries
from hive.sources.corpus import Problem
from hive.sources.shelf import AUDIO_SUFFIXES, VIDEO_SUFFIXES

VIDEOS_A_TASK = 32
SECONDS_A_BLOCK = 30
_NO_MORE = "No audio frames were decoded"
#: Torchcodec begins a message with the function, file and line of its own source.
_ORIGIN = re.compile(r"^\w+, \S+\.cpp:\d+, ")
_REMEDY = "fetch it again, or leave it out"


@dataclass(frozen=True)
class Extraction:
    """What was done below a root.

    Attributes:
        written: Videos whose audio was extracted now.
        kept: Videos whose audio was there before.
        problems: Videos that could not be decoded.
    """

    written: int
    kept: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Batch:
    root: Path
    names: tuple[str, ...]
    backend: str


def extract(root: Path, workers: int = 1) -> Extraction:
    """Extract the audio of all videos below a folder, each to a FLAC of the same name beside it.

    Args:
        root: Folder of the corpus; files whose names begin with a dot are passed over.
        workers: Worker processes.

    Returns:
        How many tracks were written and kept, and what could not be decoded.

    Raises:
        HiveError: There is no such folder, it holds no video, there is nothing to decode with, or
            the disk is full.
    """
    if not root.is_dir():
        raise HiveError(f"{root}: no such folder", "give the folder of the corpus")
    videos = sorted(_videos(root))
    if not videos:
        raise HiveError(
            f"{root}: holds no video ({', '.join(VIDEO_SUFFIXES)})", "give the folder of the corpus"
        )
    remove_temporaries(root)
    wanted = [name for name in videos if not _has_audio(root / name)]
    if not wanted:
        return Extraction(0, len(videos), ())
    chosen = backend()
    batches = [
        _Batch(root, tuple(wanted[start : start + VIDEOS_A_TASK]), chosen)
        for start in range(0, len(wanted), VIDEOS_A_TASK)
    ]
    outcome = run_tasks(
        _extract_batch,
        batches,
        engine=Engine(workers=workers),
        title="extracting audio",
        total=len(wanted),
    )
    problems = [problem for found in outcome.check("batches of videos") for problem in found]
    return Extraction(len(wanted) - len(problems), len(videos) - len(wanted), tuple(problems))


def backend() -> str:
    """Return what decodes videos here, `torchcodec` or `ffmpeg`.

    Raises:
        HiveError: Neither is there.
    """
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        if shutil.which("ffmpeg") is None:
            raise HiveError(
                "neither FFmpeg's libraries nor the program ffmpeg are here to decode videos",
                "install FFmpeg (apt install ffmpeg, brew install ffmpeg, or conda install -c "
                "conda-forge ffmpeg) and run the same command again",
            ) from None
        return "ffmpeg"
    return "torchcodec"


def _videos(root: Path) -> Iterator[str]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _has_audio(video: Path) -> bool:
    return any(video.with_suffix(suffix).is_file() for suffix in AUDIO_SUFFIXES)


def _extract_batch(batch: _Batch) -> list[Problem]:
    problems = []
    for name in batch.names:
        video = batch.root / name
        try:
            with explained(video.with_suffix(".flac")):
                _BACKENDS[batch.backend](video, video.with_suffix(".flac"))
        except _UndecodableError as error:
            problems.append(Problem(name, str(error), _REMEDY))
        tick()
    return problems


class _UndecodableError(Exception):
    """This one video cannot be decoded."""


def _by_torchcodec(video: Path, target: Path) -> None:
    from torchcodec.decoders import AudioDecoder

    try:
        decoder = AudioDecoder(str(video))
    except ValueError as error:
        raise _UndecodableError("holds no audio") from error
    except (RuntimeError, OSError) as error:
        raise _UndecodableError(f"cannot be decoded ({_first_line(error)})") from error
    with atomic_open(target) as handle:
        try:
            _write(handle, decoder)
        except soundfile.LibsndfileError as error:
            raise _UndecodableError(f"cannot be stored as FLAC ({error})") from error


def _write(handle: IO[bytes], decoder: Any) -> None:
    rate, channels = decoder.metadata.sample_rate, decoder.metadata.num_channels
    with soundfile.SoundFile(handle, "w", rate, channels, "PCM_16", format="FLAC") as out:
        for start in range(0, 1 << 62, SECONDS_A_BLOCK):
            try:
                block = decoder.get_samples_played_in_range(start, start + SECONDS_A_BLOCK)
            except RuntimeError as error:
                if start and _NO_MORE in str(error):
                    return
                raise _UndecodableError(f"cannot be decoded ({_first_line(error)})") from error
            samples = block.data.numpy().T * np.float32(32768.0)
            out.write(np.clip(np.rint(samples), -32768, 32767).astype(np.int16))


def _by_program(video: Path, target: Path) -> None:
    # A FLAC that is piped cannot state its length, so the program writes the temporary file.
    temporary = target.with_name(f".{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    # Nothing that a hostile container names is fetched; a name with a leading dash is no option.
    command += ["-protocol_whitelist", "file", "-i", f"file:{video.absolute()}"]
    command += ["-map", "0:a:0", "-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"]
    try:
        ended = subprocess.run(
            [*command, f"file:{temporary.absolute()}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if ended.returncode or not _holds_samples(temporary):
            said = ended.stderr.strip() or "no sample came out"
            if os.strerror(errno.ENOSPC) in said:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if "matches no streams" in said:
                raise _UndecodableError("holds no audio")
            raise _UndecodableError(f"cannot be decoded ({said.splitlines()[-1]})")
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _holds_samples(path: Path) -> bool:
    try:
        return bool(soundfile.info(path).frames > 0)
    except (soundfile.LibsndfileError, OSError):
        return False


def _first_line(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _ORIGIN.sub("", text)


_BACKENDS: dict[str, Callable[[Path, Path], None]] = {
    "torchcodec": _by_torchcodec,
    "ffmpeg": _by_program,
}
