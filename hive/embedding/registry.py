"""Embeddings by name: the CLAPs of the catalogue of checkpoints, and the stand-ins.

`names` and `describe` are cheap: they import no network and open no weights.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hive.checkpoints import catalogue, store
from hive.embedding import standins
from hive.embedding.base import Embedder, EmbeddingInfo
from hive.errors import HiveError

DEFAULT = "clap-music-audioset"
"""The embedding of columns that name none."""
KIND = "clap"
PREFIX = "standin:"


def names() -> tuple[str, ...]:
    """Return the names of all embeddings, here or not; the default comes first."""
    return (*catalogue.names(KIND), *standins.NAMES)


def describe(name: str) -> EmbeddingInfo:
    """Say what an embedding is, and whether it can be used here.

    Raises:
        HiveError: If no such embedding is known.
    """
    _known(name)
    return standins.info(name) if name.startswith(PREFIX) else _describe_clap(name)


def load(name: str, device: str = "cpu") -> Embedder:
    """Return an embedding ready for use; a second call gives the same one.

    Raises:
        HiveError: If it is not known, not here, or damaged.
    """
    info = describe(name)
    if not info.available:
        raise HiveError(info.reason, info.remedy)
    return _load(name, device, None if info.standin else store.path(name), info)


@lru_cache(maxsize=4)
def _load(name: str, device: str, folder: Path | None, info: EmbeddingInfo) -> Embedder:
    if folder is None:
        return standins.make(name, device)
    from hive.embedding.clap import ClapEmbedder

    return ClapEmbedder(folder, info, device)


def _known(name: str) -> None:
    if name not in names():
        raise HiveError(f"embedding {name!r} is not known", catalogue.suggestion(name, names()))


def _describe_clap(name: str) -> EmbeddingInfo:
    entry, status = catalogue.find(name), store.inspect(name)
    title = f"LAION-CLAP, {entry.filename}"
    reason = text_reason = ""
    if status.state == "absent":
        reason = f"checkpoint {name} is not here"
    elif status.state == "damaged":
        reason = f"checkpoint {name} in {status.folder} is damaged: {status.problem}"
    elif not status.has_tokenizer:
        text_reason = f"checkpoint {name} has no tokenizer"
    published = status.state != "ready" or status.manifest["source"]["published"] is True
    if not published:
        title = f"LAION-CLAP, weights not known to be {entry.filename}"
    return EmbeddingInfo(
        name=name,
        title=title,
        standin=False,
        has_layers=True,
        has_text=status.has_tokenizer,
        checkpoint=name,
        checkpoint_sha256=status.sha256,
        reason=reason,
        remedy=store.remedy(name) if reason else "",
        text_reason=text_reason,
        text_remedy=store.remedy(name) if text_reason else "",
        published=published,
    )
