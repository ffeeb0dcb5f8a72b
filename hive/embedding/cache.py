"""What embedders said of signals that come again, kept on disk.

Systems are scored against the same references again and again, and a forward pass of CLAP costs
0.4 s on a core. Runs keep the references, and what the sanity rows of a report put in place of
estimates (the mixture, for one); estimates of systems are not kept. A signal's features lie in up
to five files, one a part, under a key that is the hash of everything the features depend on. Parts
are whole files, so an entry grows by another file, and two processes that write the same part write
the same bytes.

A file is a SHA-256 followed by a safetensors payload; the hash covers the key, the name of the part
and the payload, so a file that is damaged, cut off or belongs elsewhere is not believed, and is
written anew. Values are float32 and come back bit by bit.

Vectors take 2 KB a signal of 10 s and windows 20 KB. They have no limit: those of the references of
350,000 items take about 8 GB. Layers take 2 MB (HTSAT-base), so no more of them are kept once they
fill `LAYERS_LIMIT`. To make room, delete the folder "layers" or "vectors".
"""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hive.embedding.base import EmbeddingInfo, Float32
from hive.errors import HiveError
from hive.files import sha256_json, write_bytes

REVISION = 2
"""Number of what the parts mean; it grows when windows, stand-ins or resampling change."""
LAYERS_LIMIT = 20 * 2**30
"""Bytes of layers above which no more are kept. Processes that run at the same time may each add a
sixteenth of this before they notice."""

Part: TypeAlias = Literal["vector", "windows", "tail", "layers", "tail_layers"]
_LARGE = ("layers", "tail_layers")
_DIGEST = hashlib.sha256().digest_size


def default_folder() -> Path:
    """Return the folder of the cache: `$HIVE_CACHE/embeddings`, or one in the home folder."""
    base = os.environ.get("HIVE_CACHE")
    return (Path(base).expanduser() if base else Path.home() / ".cache" / "hive") / "embeddings"


def feature_key(
    samples: Float32, rate: int, resampler: str, info: EmbeddingInfo, device: str
) -> str:
    """Return the key of a signal's features: 64 hexadecimal digits.

    Args:
        samples: The signal before resampling, shape (T,).
        rate: Its rate in Hz.
        resampler: Name of what brings it to the embedder's rate.
        info: The embedding; its name and checkpoint are part of the key.
        device: Kind of device, such as "cpu": sums are rounded differently on others.
    """
    data = np.ascontiguousarray(samples, dtype="<f4")
    facts: list[Any] = [
        hashlib.sha256(data.data).hexdigest(),
        rate,
        resampler,
        info.name,
        info.checkpoint_sha256,
        device,
        REVISION,
    ]
    return sha256_json(facts)


class FeatureCache:
    """Features on disk; safe to use from several processes at once.

    Args:
        folder: Where to keep them; made when something is written.
        layers_limit: Bytes of layers above which no more are kept.
    """

    def __init__(self, folder: Path | None = None, layers_limit: int = LAYERS_LIMIT) -> None:
        self.folder = folder if folder is not None else default_folder()
        self._limit = layers_limit
        self._layer_bytes: int | None = None  # as last counted
        self._added = 0  # since then
        self._writable = True

    def read(self, key: str, part: Part) -> tuple[Float32, ...] | None:
        """Return the arrays of a part, or None if it is not here or not whole."""
        try:
            data = self._path(key, part).read_bytes()
        except OSError:
            return None
        payload = data[_DIGEST:]
        if data[:_DIGEST] != _digest(key, part, payload):
            return None
        try:
            tensors = load(payload)
        except SafetensorError:
            return None
        return tuple(tensors[name] for name in sorted(tensors))

    def write(self, key: str, part: Part, arrays: tuple[Float32, ...]) -> None:
        """Keep the arrays of a part.

        A folder that cannot be written to is reported once, as a warning: the values are there,
        only not for next time.
        """
        if not self._writable or (part in _LARGE and not self._has_room(arrays)):
            return
        payload = save(
            {str(index): np.ascontiguousarray(array) for index, array in enumerate(arrays)}
        )
        try:
            write_bytes(self._path(key, part), _digest(key, part, payload) + payload)
        except (OSError, HiveError) as error:
            self._writable = False
            warnings.warn(f"embeddings are not kept: {error}", RuntimeWarning, stacklevel=2)

    def _path(self, key: str, part: Part) -> Path:
        kind = "layers" if part in _LARGE else "vectors"
        return self.folder / kind / key[:2] / f"{key}.{part}"

    def _has_room(self, arrays: tuple[Float32, ...]) -> bool:
        if self._layer_bytes is None or self._added > self._limit // 16:
            self._layer_bytes, self._added = _size(self.folder / "layers"), 0
        new = sum(array.nbytes for array in arrays)
        if self._layer_bytes + self._added + new > self._limit:
            return False
        self._added += new
        return True


def _digest(key: str, part: Part, payload: bytes) -> bytes:
    digest = hashlib.sha256(f"{key} {part}\n".encode())
    digest.update(payload)
    return digest.digest()


def _size(folder: Path) -> int:
    """Bytes of the files in the folders of a folder; what vanishes meanwhile does not count."""
    total = 0
    for path in folder.glob("*/*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
