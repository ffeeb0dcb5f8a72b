"""What embeddings say of signals: one forward pass serves all metrics.

A signal is resampled to 48 kHz by the package's one resampler and embedded in at most three calls:
its `full` window (vector and layers; also the first sliding window, where the two are the same),
its other sliding windows, and its `tail`. Calls never mix signals and are the same whatever is
asked for, so values do not depend on what else is scored, on an interruption, or on what the cache
holds already. No window is embedded twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hive import audio
from hive.embedding import windows as cut
from hive.embedding.base import RATE, WINDOW, Embedded, Embedder, Float32
from hive.embedding.cache import FeatureCache, Part, feature_key
from hive.metrics.info import Feature
from hive.metrics.validate import SILENCE_RMS

_AT_ONCE = 10  # sliding windows a call: a sound of 10 s takes one

Layers = tuple[Float32, ...]


@dataclass(frozen=True)
class Features:
    """What an embedding says of one signal of up to 10 s.

    Attributes:
        silent: Whether the signal's root mean square lies below 1e-6.
        vector: Unit vector of the whole signal, shape (512,).
        windows: Unit vectors of its sliding windows, shape (W, 512), if asked for.
        layers: Outputs of the network's stages for the whole signal, each of shape
            (tokens, channels), if asked for.
        tail_vector: Vector of its `hive.embedding.windows.tail`, shape (512,), if asked for.
        tail_layers: Layers of that, if asked for.
    """

    silent: bool
    vector: Float32
    windows: Float32 | None = None
    layers: Layers | None = None
    tail_vector: Float32 | None = None
    tail_layers: Layers | None = None


class Extractor:
    """Embeds signals and texts for metrics.

    Args:
        embedder: The loaded embedding.
        cache: Where to keep what is asked for with `keep`; None for nowhere.
    """

    def __init__(self, embedder: Embedder, cache: FeatureCache | None = None) -> None:
        self.embedder = embedder
        self.cache = cache
        self._texts: dict[str, Float32] = {}

    def features(
        self,
        samples: npt.NDArray[np.floating[Any]],
        rate: int,
        wanted: frozenset[Feature] = frozenset({"vector"}),
        keep: bool = False,
    ) -> Features:
        """Embed one signal.

        Args:
            samples: Mono signal of up to 10 s, full scale 1.0, shape (T,).
            rate: Its rate in Hz.
            wanted: What metrics need; the vector always comes along, "text" means nothing here.
            keep: Whether the signal will come again, as references do, so that its features are
                taken from the cache or put there.

        Raises:
            ValueError: The signal is empty, longer than 10 s, not one-dimensional or holds NaN or
                Inf; the rate is not positive; the embedding has no layers; or it gave a value that
                is not finite.
        """
        signal = _checked(samples, rate)
        if len(signal) > 10 * rate:
            raise ValueError(
                f"the signal lasts {len(signal) / rate:.3f} s; embeddings of whole signals take "
                "up to 10 s"
            )
        if "layers" in wanted and not self.embedder.info.has_layers:
            raise ValueError(f"embedding {self.embedder.info.name} has no layers")
        parts: list[Part] = ["vector"]
        parts += [part for part in ("windows", "layers", "tail") if part in wanted]
        if {"layers", "tail"} <= wanted:
            parts.append("tail_layers")
        found = self._parts(signal, rate, parts, keep)
        return Features(
            silent=audio.rms(signal) < SILENCE_RMS,
            vector=found["vector"][0],
            windows=found["windows"][0] if "windows" in found else None,
            layers=found.get("layers"),
            tail_vector=found["tail"][0] if "tail" in found else None,
            tail_layers=found.get("tail_layers"),
        )

    def windows(
        self, samples: npt.NDArray[np.floating[Any]], rate: int, keep: bool = False
    ) -> Float32:
        """Embed the sliding windows of a signal of any length; arguments as `features`.

        Returns:
            Unit vectors, shape (W, 512), one for every second begun.
        """
        return self._parts(_checked(samples, rate), rate, ["windows"], keep)["windows"][0]

    def text(self, text: str) -> Float32:
        """Embed one text, on its own, as a unit vector of shape (512,).

        Raises:
            HiveError: The embedding takes no texts here.
            ValueError: The embedding gave a value that is not finite.
        """
        if text not in self._texts:
            vector = self.embedder.text([text])[0]
            _check_finite(vector, self.embedder.info.name)
            self._texts[text] = vector
        return self._texts[text]

    def _parts(
        self, samples: Float32, rate: int, parts: Sequence[Part], keep: bool
    ) -> dict[Part, Layers]:
        found: dict[Part, Layers] = {}
        cache = self.cache if keep else None
        key = ""
        if cache is not None:
            info = self.embedder.info
            device = self.embedder.device.partition(":")[0]
            key = feature_key(samples, rate, audio.RESAMPLER, info, device)
            for part in parts:
                kept = cache.read(key, part)
                if kept is not None:
                    found[part] = kept
        missing = [part for part in parts if part not in found]
        if missing:
            known = found["vector"][0] if "vector" in found else None
            layers = not {"layers", "tail_layers"}.isdisjoint(missing)
            computed = _Pass(self.embedder, samples, rate, layers, known)
            for part in missing:
                found[part] = computed.part(part)
                if cache is not None:
                    cache.write(key, part, found[part])
        return found


class _Pass:
    """The calls of the embedder for one signal, made when first needed."""

    def __init__(
        self,
        embedder: Embedder,
        samples: Float32,
        rate: int,
        layers: bool,
        vector: Float32 | None,
    ) -> None:
        resampled = audio.resample(samples, rate, RATE)
        # Resamplers round the length up; a sound of 10 s stays one.
        self._samples = resampled[:WINDOW] if len(samples) <= 10 * rate else resampled
        self._embedder = embedder
        self._layers = layers
        self._vector = vector

    def part(self, part: Part) -> Layers:
        """Return the arrays of one part."""
        if part == "vector":
            return (self._full.vectors[0],)
        if part == "layers":
            return _first(self._full)
        if part == "windows":
            return (self._windows(),)
        return (self._tail.vectors[0],) if part == "tail" else _first(self._tail)

    @cached_property
    def _full(self) -> Embedded:
        return self._call(cut.full(self._samples)[np.newaxis], self._layers)

    @cached_property
    def _tail(self) -> Embedded:
        window = cut.tail(self._samples)
        if np.array_equal(window, cut.full(self._samples)) and "_full" in self.__dict__:
            return self._full
        return self._call(window[np.newaxis], self._layers)

    def _windows(self) -> Float32:
        """Vectors of the sliding windows; those equal to `full` or the one before are copied."""
        sliding = cut.sliding(self._samples)
        whole = cut.full(self._samples) if len(self._samples) <= WINDOW else None
        source: list[int] = []  # of each window: the window it takes its vector from, or -1
        for index, window in enumerate(sliding):
            if whole is not None and np.array_equal(window, whole):
                source.append(-1)
            elif index and np.array_equal(window, sliding[index - 1]):
                source.append(source[-1])
            else:
                source.append(index)
        vectors: dict[int, Float32] = {}
        if -1 in source:
            vectors[-1] = self._vector if self._vector is not None else self._full.vectors[0]
        own = sorted({index for index in source if index >= 0})
        for start in range(0, len(own), _AT_ONCE):
            part = own[start : start + _AT_ONCE]
            vectors.update(zip(part, self._call(sliding[part], False).vectors, strict=True))
        return np.stack([vectors[index] for index in source])

    def _call(self, batch: Float32, layers: bool) -> Embedded:
        embedded = self._embedder.audio(batch, layers=layers)
        for array in (embedded.vectors, *(embedded.layers or ())):
            _check_finite(array, self._embedder.info.name)
        return embedded


def _checked(samples: npt.NDArray[np.floating[Any]], rate: int) -> Float32:
    array = np.asarray(samples)
    if array.ndim != 1 or not array.size or array.dtype.kind != "f":
        raise ValueError(
            f"a signal must hold floats of shape (T,), not {array.dtype} of shape {array.shape}"
        )
    if rate < 1:
        raise ValueError(f"the sample rate is {rate}; it must be positive")
    signal = array.astype(np.float32)
    if not np.isfinite(signal).all():
        raise ValueError("the signal holds NaN or Inf")
    return signal


def _check_finite(values: Float32, name: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"embedding {name} gave values that are not finite")


def _first(embedded: Embedded) -> Layers:
    return tuple(layer[0] for layer in cast(Layers, embedded.layers))
