"""Fréchet audio distance of two folders of audio files, of any rate and length.

Files that lie directly in a folder count; channels are averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hive import audio
from hive.embedding.base import Float32
from hive.embedding.extract import Extractor
from hive.errors import HiveError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"})


def audio_files(folder: Path) -> list[Path]:
    """List the audio files directly in a folder, sorted by name.

    Raises:
        HiveError: There is no such folder, or no audio file in it.
    """
    if not folder.is_dir():
        raise HiveError(f"{folder}: no such folder", "give a folder of audio files")
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not files:
        raise HiveError(
            f"{folder}: holds no audio files",
            "give the folder in which the files lie themselves, as WAV, FLAC, OGG, MP3 or AIFF",
        )
    return files


def read_mono(path: Path) -> tuple[Float32, int]:
    """Read a file as mono samples, shape (T,), and their rate.

    Raises:
        HiveError: The file cannot be decoded or holds no samples.
    """
    samples, rate = audio.read(path)
    if not len(samples):
        raise HiveError(f"{path}: holds no samples", "remove or replace the file")
    return audio.to_mono(samples), rate


def embed_files(
    files: list[Path], extractor: Extractor, keep: bool, advance: Callable[[], None]
) -> list[Float32]:
    """Embed the sliding windows of files.

    Args:
        files: Audio files.
        extractor: The embedding.
        keep: Whether to keep the vectors in the extractor's cache.
        advance: Called after each file.

    Returns:
        Unit vectors of each file, shape (W, 512) each, one for every second begun.

    Raises:
        HiveError: A file cannot be read or embedded; it is named.
    """
    vectors = []
    for path in files:
        samples, rate = read_mono(path)
        try:
            vectors.append(extractor.windows(samples, rate, keep))
        except ValueError as error:
            raise HiveError(f"{path}: {error}", "remove or replace the file") from error
        advance()
    return vectors
