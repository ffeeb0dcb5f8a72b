"""Places of files: local folders, and remote ones (`s3://`, `hf://`, ...) through fsspec.

`place` turns what a user writes into something with the methods of `pathlib.Path`: a `Path`, or a
`Remote` for an address, which the rest of the package treats alike. What `Path` cannot do remotely
is beside it: opening audio, putting a whole file in one step, reading many small files at once.
"""

from hive.storage.files import (
    open_audio,
    open_stream,
    put,
    put_bytes,
    put_new,
    read_many,
    remove,
    remove_folder,
    stamp,
)
from hive.storage.places import folder_name, is_address, is_remote, place

__all__ = [
    "folder_name",
    "is_address",
    "is_remote",
    "open_audio",
    "open_stream",
    "place",
    "put",
    "put_bytes",
    "put_new",
    "read_many",
    "remove",
    "remove_folder",
    "stamp",
]
