"""CLAP's text tower with drawn weights: what encoding queries costs, without a download.

RoBERTa-base and a projection, 125.3 million weights, as `ClapTextModelWithProjection` of
transformers builds them; time and memory do not depend on what the weights are. Texts become token
numbers by a hash in place of the tokenizer, whose time is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.queries.clap import ClapTextEncoder

_BEGIN, _PAD, _END = 0, 1, 2  # RoBERTa's <s>, <pad>, </s>
_FIRST_WORD = 3
_WORDS = 10  # of a text
#: Larger weights than transformers draws, with which all texts would have nearly the same vector.
_SCALE = 16.0
_SIZES: dict[str, dict[str, Any]] = {
    "published": {},
    "mini": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 1000,
        "projection_dim": 128,
    },
}


class TextTower:
    """A frozen text tower, always in single precision.

    Args:
        preset: "published" or "mini".
        device: Where it is computed.
        seed: Of the weights.

    Attributes:
        dim: Size of a vector, E.
    """

    def __init__(self, preset: str, device: str, seed: int = 0) -> None:
        from transformers import ClapTextConfig, ClapTextModelWithProjection

        config = ClapTextConfig(**_SIZES[preset])  # type: ignore[no-untyped-call]
        self.dim = int(config.projection_dim)
        self._words = config.vocab_size - _FIRST_WORD
        self._device = device
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            model: Any = ClapTextModelWithProjection(config)
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(_SCALE)
        self._model: nn.Module = model.requires_grad_(False).eval().to(device)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    def __call__(self, texts: Sequence[str], tokens: int) -> Tensor:
        """Encode texts, each cut or padded to a number of tokens: unit vectors, shape (B, E)."""
        numbers = torch.tensor([self._tokenise(text, tokens) for text in texts]).to(self._device)
        with torch.no_grad(), torch.autocast(numbers.device.type, enabled=False):
            found = self._model(input_ids=numbers, attention_mask=(numbers != _PAD).long())
            return nn.functional.normalize(found.text_embeds, dim=-1)

    def _tokenise(self, text: str, tokens: int) -> list[int]:
        digest = hashlib.shake_256(text.encode("utf-8")).digest(4 * _WORDS)
        words = [
            _FIRST_WORD + int.from_bytes(digest[at : at + 4], "little") % self._words
            for at in range(0, len(digest), 4)
        ]
        return [_BEGIN, *words, _END, *[_PAD] * tokens][:tokens]


class RememberingEncoder(ClapTextEncoder):
    """Our query encoder as it is, except that the vectors come from a tower with drawn weights.

    Args:
        tower: Makes the vector of a text that is not known yet.
        tokens: Length of a text.
    """

    def __init__(self, tower: TextTower, tokens: int) -> None:
        super().__init__(dim=tower.dim)
        self._tower, self._tokens = tower, tokens

    def _encode(self, texts: set[str]) -> None:
        for text in sorted(texts - self._known.keys()):
            self._known[text] = self._tower([text], self._tokens)[0].cpu()
