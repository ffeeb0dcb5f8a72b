"""Training without shards: mixtures made on the fly, from a pool or a packed pool.

    from hive.mixing.stream import MixtureStream, Planned, StreamLoader, open_reader

    stream = MixtureStream(Planned(Path("train.parquet")), open_reader(Path("PACK")), batch_size=64)
    for batch in StreamLoader(stream, num_workers=4):
        ...

Recipes (`recipe`, `planned` over `compact`) say what a mixture is made of, readers (`readers`) give
its samples, `mixer` makes it; `order` and `division` say which mixtures a rank makes, and when.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hive.mixing.stream.dataset import MixtureStream
    from hive.mixing.stream.loader import StreamLoader
    from hive.mixing.stream.planned import Planned
    from hive.mixing.stream.readers import FileReader, PackReader, open_reader
    from hive.mixing.stream.recipe import Drawn

_PLACES = {
    "Drawn": "recipe",
    "FileReader": "readers",
    "MixtureStream": "dataset",
    "PackReader": "readers",
    "Planned": "planned",
    "StreamLoader": "loader",
    "open_reader": "readers",
}

__all__ = [
    "Drawn",
    "FileReader",
    "MixtureStream",
    "PackReader",
    "Planned",
    "StreamLoader",
    "open_reader",
]


def __getattr__(name: str) -> Any:
    # The dataset and the loader need torch, which takes seconds to import.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
