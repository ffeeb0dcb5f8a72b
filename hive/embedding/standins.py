"""Stand-ins for CLAP where its weights are not at hand. Their values compare with nothing.

They take the same windows through the same front end, so tests, demonstrations and plumbing run
anywhere; every table marks them.

standin:logmel512
    Of each of 64 log-mel bands: mean, standard deviation, and how much of it is modulation of
    0.25-2 Hz and of 2-8 Hz; squashed to -1..1, projected to 512 dimensions by a seeded matrix,
    normalised. Sounds of one class mostly come nearer to each other than to others (of procedural
    sounds, mean cosine 0.90 against 0.06). A Hive class that can be synthesised is embedded, as
    a text, as the mean of three procedural clips of it; any other text as a vector drawn by its
    characters, near nothing.
standin:htsat-random
    HTSAT as transformers builds it (`ClapAudioModelWithProjection`), in a tiny configuration with
    seeded weights: the arithmetic of LPAPS on real layers. It takes no texts.

All numbers drawn come from `hive.seeding`, so they are the same everywhere; vectors agree between
machines to float32 rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hive.embedding.base import RATE, Embedded, Embedder, EmbeddingInfo, Float32
from hive.embedding.windows import full
from hive.errors import HiveError
from hive.seeding import Stream

if TYPE_CHECKING:
    import torch

SEED = 0
DIMENSIONS = 512
CLIPS, CLIP_SECONDS = 3, 5.0  # of a class, as a text; 5 s fill a window twice
_FRAMES_A_SECOND = 100
_MODULATIONS = ((0.25, 2.0), (2.0, 8.0))  # Hz
#: Centre and spread of each kind of value over procedural sounds: dB, then logarithms of dB.
_MEAN, _DEVIATION, _MODULATION = (-43.0, 30.0), (2.5, 0.8), (2.0, 0.8)

_LOGMEL = EmbeddingInfo(
    name="standin:logmel512",
    title="statistics of log-mel bands, projected (stand-in)",
    standin=True,
    has_layers=False,
    has_text=True,
)
_HTSAT = EmbeddingInfo(
    name="standin:htsat-random",
    title="a tiny HTSAT with random weights (stand-in)",
    standin=True,
    has_layers=True,
    has_text=False,
    text_reason="random weights know no texts",
    text_remedy=f"use {_LOGMEL.name}, or a trained embedding",
)
_INFOS = {info.name: info for info in (_LOGMEL, _HTSAT)}
NAMES = tuple(_INFOS)


def info(name: str) -> EmbeddingInfo:
    """Return what a stand-in is.

    Raises:
        HiveError: There is no such stand-in.
    """
    if name not in _INFOS:
        raise HiveError(f"there is no embedding {name!r}", f"stand-ins are {', '.join(NAMES)}")
    return _INFOS[name]


def make(name: str, device: str = "cpu") -> Embedder:
    """Return a stand-in, ready for use on a torch device.

    Raises:
        HiveError: There is no such stand-in.
    """
    makers: dict[str, Callable[[str], Embedder]] = {
        _LOGMEL.name: LogMelStatistics,
        _HTSAT.name: RandomHTSAT,
    }
    return makers[info(name).name](device)


class LogMelStatistics:
    """`standin:logmel512`.

    Args:
        device: Where spectrograms are computed.
    """

    info = _LOGMEL

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def audio(self, windows: Float32, *, layers: bool = False) -> Embedded:
        """Embed windows, shape (B, WINDOW), samples in -1..1 at `RATE`.

        Raises:
            HiveError: Layers are asked for.
        """
        if layers:
            raise HiveError(f"embedding {_LOGMEL.name} has no layers", f"use {_HTSAT.name}")
        import torch

        with torch.inference_mode():
            bands = _log_mel(windows, self.device)[:, 0].cpu().numpy()
        values = _statistics(bands.astype(np.float64))
        return Embedded(_unit(values @ _projection(values.shape[1])))

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts as unit vectors, shape (N, 512)."""
        return np.concatenate([self._text(text) for text in texts])

    def _text(self, text: str) -> Float32:
        """Embed one text as a vector of shape (1, 512)."""
        from hive.sources import synth

        if text not in synth.classes():
            drawn = Stream(SEED, _LOGMEL.name, text, "text").uniforms(DIMENSIONS, -1, 1)
            return _unit(drawn[np.newaxis])
        clips = [synth.synthesise(text, SEED, index, CLIP_SECONDS, RATE) for index in range(CLIPS)]
        vectors = [self.audio(full(clip.astype(np.float32))[np.newaxis]).vectors for clip in clips]
        mean: npt.NDArray[np.float64] = np.mean(vectors, axis=0, dtype=np.float64)
        return _unit(mean)


@dataclass(frozen=True)
class Size:
    """Size of an HTSAT.

    Attributes:
        width: Channels of the patch embedding; each stage but the last doubles them.
        depths: Blocks of the four stages.
        heads: Attention heads of the four stages.
    """

    width: int
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]


TINY = Size(16, (1, 1, 1, 1), (2, 2, 4, 4))
BASE = Size(128, (2, 2, 12, 2), (4, 8, 16, 32))
"""Size of CLAP's HTSAT-base, to see what a pass costs."""


class RandomHTSAT:
    """`standin:htsat-random`.

    Args:
        device: Where the network runs.
        size: Size of the network.
    """

    info = _HTSAT

    def __init__(self, device: str = "cpu", size: Size = TINY) -> None:
        self.device = device
        self._model = _network(size).to(device)

    def audio(self, windows: Float32, *, layers: bool = False) -> Embedded:
        """Embed windows, shape (B, WINDOW), samples in -1..1 at `RATE`."""
        import torch

        from hive.embedding.clap import exact_float32

        with torch.inference_mode(), exact_float32():
            output = self._model(_log_mel(windows, self.device), output_hidden_states=layers)
            vectors = torch.nn.functional.normalize(output.audio_embeds, dim=-1).cpu().numpy()
            stages = None
            if layers:  # the first hidden state is the input of the first stage
                stages = tuple(
                    state.flatten(2).transpose(1, 2).contiguous().cpu().numpy()
                    for state in output.hidden_states[1:]
                )
        return Embedded(vectors, stages)

    def text(self, texts: Sequence[str]) -> Float32:
        """Raise HiveError: there is no text tower."""
        raise HiveError(f"embedding {_HTSAT.name}: {_HTSAT.text_reason}", _HTSAT.text_remedy)


def _log_mel(windows: Float32, device: str) -> torch.Tensor:
    import torch

    from hive.embedding.frontend import log_mel

    return log_mel(torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(device))


def _statistics(bands: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is kept of log-mel bands (B, frames, bands): values in -1..1, shape (B, 4 * bands)."""
    num_frames = bands.shape[1]
    mean = bands.mean(axis=1)
    centred = bands - mean[:, np.newaxis]
    power = 2 * np.abs(np.fft.rfft(centred, axis=1)) ** 2 / num_frames**2
    hertz = np.arange(power.shape[1]) * _FRAMES_A_SECOND / num_frames
    kinds = [(mean, _MEAN), (np.log1p(bands.std(axis=1)), _DEVIATION)]
    for low, high in _MODULATIONS:
        part = power[:, (hertz >= low) & (hertz < high)].sum(axis=1)
        kinds.append((np.log1p(np.sqrt(part)), _MODULATION))
    return np.hstack([np.tanh((values - centre) / spread) for values, (centre, spread) in kinds])


@lru_cache(maxsize=1)
def _projection(size: int) -> npt.NDArray[np.float64]:
    """Random directions, shape (size, DIMENSIONS); inner products keep their ratios, roughly."""
    drawn = Stream(SEED, _LOGMEL.name, 0, "projection").uniforms(size * DIMENSIONS, -1, 1)
    return drawn.reshape(size, DIMENSIONS)


def _unit(vectors: npt.NDArray[np.float64]) -> Float32:
    """Rows of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32 = (vectors / lengths).astype(np.float32)
    return unit


def _network(size: Size) -> Any:
    """An HTSAT with weights drawn by their names, in evaluation mode."""
    import torch
    import transformers

    from hive.embedding.frontend import MELS

    library: Any = transformers  # its classes are only partly typed
    config = library.ClapAudioConfig(
        num_mel_bins=MELS,
        patch_embeds_hidden_size=size.width,
        hidden_size=8 * size.width,
        depths=list(size.depths),
        num_attention_heads=list(size.heads),
        projection_dim=DIMENSIONS,
    )
    with torch.random.fork_rng(devices=[]):  # building draws weights, which are replaced below
        model = library.ClapAudioModelWithProjection(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                continue  # scale 1 and shift 0, as built
            stream = Stream(SEED, _HTSAT.name, name, "weights")
            # Uniform of variance 1 / fan-in, so that signals keep their size from layer to layer.
            fan_in = parameter[0].numel() if parameter.ndim > 1 else parameter.numel()
            bound = (3 / fan_in) ** 0.5
            drawn = stream.uniforms(parameter.numel(), -bound, bound).astype(np.float32)
            parameter.copy_(torch.from_numpy(drawn).reshape(parameter.shape))
        statistics = model.audio_model.audio_encoder.batch_norm
        statistics.running_mean.fill_(_MEAN[0])
        statistics.running_var.fill_(_MEAN[1] ** 2)
    return model.eval()
