"""CLAP as an embedding of windows of 10 s and of texts.

The network is transformers' with the weights of LAION-CLAP (`hive.checkpoints.clap`). As in
LAION-CLAP, the 1001 frames of a window are stretched to the 1024 that the network takes, and a
text is cut or padded to 77 tokens. Nothing is quantised, and nothing drawn at random.

Vectors are the same bits whatever is embedded beside them on the CPU: there, a batch is no faster
than one window after the other, and the sums of a larger matrix may be taken in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hive.embedding.base import WINDOW, Embedded, EmbeddingInfo, Float32
from hive.errors import HiveError

if TYPE_CHECKING:
    import torch

TOKENS = 77
"""Length to which LAION-CLAP pads and cuts texts."""


class ClapText:
    """The text tower of a converted CLAP, with its tokenizer.

    Args:
        folder: The converted checkpoint.
        device: A torch device.

    Raises:
        HiveError: If the folder holds no converted CLAP, or no tokenizer.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        import torch

        from hive.checkpoints.clap import load_tokenizer, load_tower

        self._tokenizer = load_tokenizer(folder, folder, "fetch the checkpoint again")
        self._device = torch.device(device)
        self._tower = load_tower(folder, "text").to(self._device)

    def __call__(self, text: str) -> Float32:
        """Embed a text, exactly as given.

        One at a time: on the CPU a batch is no faster, and a vector must not depend on what is
        embedded beside it.

        Returns:
            A unit vector, shape (512,) for the published checkpoints.
        """
        import torch

        assert not self._tower.training  # noqa: S101
        tokens = self._tokenizer(
            [text], padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        with torch.inference_mode(), exact_float32(), self._device:
            vector = _unit(self._tower(**tokens.to(self._device)).text_embeds)[0]
        values: Float32 = vector.cpu().numpy()
        return values


class ClapEmbedder:
    """A converted CLAP. The text tower is loaded when the first text comes.

    Args:
        folder: The converted checkpoint.
        info: What it is.
        device: A torch device.

    Raises:
        HiveError: If the folder holds no converted CLAP.
    """

    def __init__(self, folder: Path, info: EmbeddingInfo, device: str = "cpu") -> None:
        import torch

        from hive.checkpoints.clap import load_tower

        self.info = info
        self._folder = folder
        self.device = device
        self._device = torch.device(device)
        self._audio = load_tower(folder, "audio").to(self._device)
        self._text: ClapText | None = None
        self._known: dict[str, Float32] = {}

    def audio(self, windows: Float32, *, layers: bool = False) -> Embedded:
        """Embed windows.

        Args:
            windows: Samples at 48 kHz, shape (B, 480000), B of 1 or more.
            layers: Also give the outputs of the four Swin stages: the first three after merging,
                the last before the final norm. For HTSAT-base these are (B, 1024, 256),
                (B, 256, 512), (B, 64, 1024) and (B, 64, 1024), rows being tokens of a 2-d grid.

        Returns:
            Unit vectors (B, 512), and the layers if asked for.

        Raises:
            ValueError: If the shape is another, or a sample is not finite.
        """
        import torch

        if windows.ndim != 2 or windows.shape[1] != WINDOW or len(windows) == 0:
            raise ValueError(f"windows have shape {windows.shape}, not (B, {WINDOW}) with B >= 1")
        bad = np.flatnonzero(~np.isfinite(windows).all(axis=1))
        if bad.size:
            raise ValueError(f"window {int(bad[0])} holds NaN or infinity")
        batch = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
        size = 1 if self._device.type == "cpu" else len(batch)
        with torch.inference_mode(), exact_float32():
            done = [
                self._forward(part.to(self._device), layers) for part in torch.split(batch, size)
            ]
        vectors, *taps = (
            np.concatenate([part.cpu().numpy() for part in parts])
            for parts in zip(*done, strict=True)
        )
        return Embedded(vectors, tuple(taps) if layers else None)

    def text(self, texts: Sequence[str]) -> Float32:
        """Embed texts, each exactly as given. A text is embedded once; later calls remember it.

        Returns:
            Unit vectors (N, 512).

        Raises:
            HiveError: If the tokenizer is not here.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._text = self._text or self._load_text()
            self._known |= {text: self._text(text) for text in new}
        width = self._audio.config.projection_dim
        return np.array([self._known[text] for text in texts], np.float32).reshape(-1, width)

    def _forward(self, windows: torch.Tensor, layers: bool) -> tuple[torch.Tensor, ...]:
        from hive.embedding.frontend import log_mel

        assert not self._audio.training  # noqa: S101  # batch norm would learn from the signals
        out = self._audio(log_mel(windows), output_hidden_states=layers)
        vectors = _unit(out.audio_embeds)
        if not layers:
            return (vectors,)
        # hidden_states[0] is the patch embedding; each is (B, channels, rows, columns).
        taps = (stage.flatten(2).transpose(1, 2) for stage in out.hidden_states[1:])
        return (vectors, *taps)

    def _load_text(self) -> ClapText:
        if not self.info.has_text:
            raise HiveError(
                f"{self.info.name} embeds no texts here: {self.info.text_reason}",
                self.info.text_remedy,
            )
        return ClapText(self._folder, self.device)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Full float32 products on GPUs: no TF32 and no autocast, which change the third digit."""
    import torch

    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    matmul.allow_tf32 = convolution.allow_tf32 = False
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.nn.functional.normalize(vectors, dim=-1)
