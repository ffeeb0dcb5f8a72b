"""Query embeddings by the text tower of a published CLAP, frozen.

AudioSep asks with the text as it is, CLAPSep and ClearSep with "the sound of ..." before it; they
use two different files (`hive-bench checkpoints list`). A text is encoded once: vectors are
remembered, and kept on disk under a key of everything that they depend on. The audio tower is never
loaded. The text tower stays on the CPU, outside of the state dict and the count of parameters.

Neither paper says what several texts are, as for several sounds to drop. Two ways are offered:
"mean", the mean of the unit vectors, scaled to length 1 again; and "sentence", one text in the
words of CLAPSep's evaluation lists: "The sounds of A, B and C". Both take each text once and in
alphabetical order, so the order of the query changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.queries.encoder import Query, QueryEncoder
from hive.checkpoints import catalogue
from hive.checkpoints.store import inspect, path, remedy
from hive.embedding.base import EmbeddingInfo
from hive.embedding.cache import FeatureCache
from hive.embedding.clap import TOKENS, ClapText
from hive.embedding.registry import KIND, describe
from hive.errors import HiveError
from hive.files import sha256_json

_REVISION = 1
"""Part of the keys on disk; it grows when the same text gets another vector."""
_SEVERAL = ("mean", "sentence")
_SLOT = "{}"


class ClapTextEncoder(QueryEncoder):
    """Unit vectors of texts by CLAP; nothing is learned.

    The checkpoint is needed when the first text comes that is not remembered, so networks can be
    built, counted and converted without it.

    Args:
        checkpoint: Name in the catalogue of checkpoints.
        template: What the text is put into, with one {}.
        several: How a query of several texts becomes one vector: "mean" or "sentence".
        dim: Size of an embedding, E; 512 for all published ones.
        sha256: Hash of the published file that a network was trained with; None for any.

    Raises:
        HiveError: If an argument has a wrong value.
    """

    kind = "clap"

    def __init__(
        self,
        checkpoint: str = "clap-music-speech-audioset",
        template: str = _SLOT,
        several: str = "mean",
        dim: int = 512,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        _check(checkpoint, template, several, dim)
        self.checkpoint = checkpoint
        self.template = template
        self.several = several
        self.dim = dim
        self._wanted = sha256
        self._known: dict[str, Tensor] = {}

    def prepare(self, queries: Sequence[Query]) -> Tensor:
        """Encode queries.

        Args:
            queries: B tuples of texts; an empty tuple asks nothing.

        Returns:
            Unit vectors, float32, shape (B, E); rows of zeros where nothing is asked.

        Raises:
            HiveError: If a text is blank, or the checkpoint is not here, is damaged, has no
                tokenizer, is not the one asked for, or makes vectors of another size.
        """
        wanted = [self._texts(query) for query in queries]
        self._encode({text for texts in wanted for text in texts})
        rows = [self._row(texts) for texts in wanted]
        return torch.stack(rows) if rows else torch.zeros(0, self.dim, device="cpu")

    def forward(self, prepared: Tensor) -> Tensor:
        """Return what `prepare` made, shape (B, E)."""
        return prepared

    def config(self) -> dict[str, Any]:
        """Return the options, with the hash of the published file if the checkpoint is here."""
        return {
            "kind": self.kind,
            "checkpoint": self.checkpoint,
            "template": self.template,
            "several": self.several,
            "dim": self.dim,
            "sha256": self._wanted or _source(self.checkpoint),
        }

    def _texts(self, query: Query) -> list[str]:
        """What is encoded for a query, in the model's words."""
        texts = sorted({text.strip() for text in query})
        if "" in texts:
            raise HiveError(
                f"query {list(query)!r}: a text is blank", "name a sound, such as 'dog'"
            )
        if self.several == "sentence" and len(texts) > 1:
            return [f"The sounds of {', '.join(texts[:-1])} and {texts[-1]}"]
        return [self.template.replace(_SLOT, text) for text in texts]

    def _row(self, texts: list[str]) -> Tensor:
        if not texts:
            return torch.zeros(self.dim, device="cpu")
        if len(texts) == 1:
            return self._known[texts[0]]
        mean = torch.stack([self._known[text] for text in texts]).mean(dim=0)
        return torch.nn.functional.normalize(mean, dim=0)

    def _encode(self, texts: set[str]) -> None:
        """Make sure that these texts are known: from the disk, or by the text tower."""
        new = sorted(texts - self._known.keys())
        if not new:
            return
        info = self._available()
        cache = FeatureCache()
        for text in new:
            key = sha256_json(["query", _REVISION, info.checkpoint_sha256, TOKENS, text])
            kept = cache.read(key, "vector")
            if kept is None:
                kept = (_embed(path(self.checkpoint), str(info.checkpoint_sha256), text),)
                cache.write(key, "vector", kept)
            if kept[0].shape != (self.dim,):
                raise HiveError(
                    f"checkpoint {self.checkpoint}: its embeddings have {kept[0].size} values, the "
                    f"query encoder is configured for {self.dim}",
                    "correct checkpoint or dim in the encoder's configuration",
                )
            self._known[text] = torch.from_numpy(kept[0].copy())

    def _available(self) -> EmbeddingInfo:
        info = describe(self.checkpoint)
        if info.reason or info.text_reason:
            raise HiveError(
                f"query encoder clap: {info.reason or info.text_reason}",
                info.remedy or info.text_remedy,
            )
        here = _source(self.checkpoint)
        if self._wanted not in (None, here):
            raise HiveError(
                f"query encoder clap: the network was trained with a {self.checkpoint} made from "
                f"a file with SHA-256 {str(self._wanted)[:12]}…, the one here is from "
                f"{str(here)[:12]}…",
                f"remove {path(self.checkpoint)} and run: {remedy(self.checkpoint)}",
            )
        return info


def _source(checkpoint: str) -> str | None:
    """Return the hash of the file that a checkpoint was converted from, if it is here."""
    status = inspect(checkpoint)
    return str(status.manifest["source"]["sha256"]) if status.state == "ready" else None


def _embed(folder: Path, sha256: str, text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the unit vector of a text, shape (E,)."""
    return _text_tower(folder, sha256)(text)


@lru_cache(maxsize=2)
def _text_tower(folder: Path, sha256: str) -> ClapText:  # the hash is there for the cache
    return ClapText(folder)


def _check(checkpoint: str, template: str, several: str, dim: int) -> None:
    if checkpoint not in catalogue.names(KIND):
        raise HiveError(
            f"query encoder clap: checkpoint {checkpoint!r} is not known",
            catalogue.suggestion(str(checkpoint), catalogue.names(KIND)),
        )
    if not isinstance(template, str) or template.count(_SLOT) != 1:
        raise HiveError(
            f"query encoder clap: template is {template!r}",
            "write {} where the text goes, once, such as 'the sound of {}'",
        )
    if several not in _SEVERAL:
        raise HiveError(
            f"query encoder clap: several is {several!r}", f"give one of {', '.join(_SEVERAL)}"
        )
    if type(dim) is not int or dim < 1:
        raise HiveError(f"query encoder clap: dim is {dim!r}", "give a whole number above 0")
