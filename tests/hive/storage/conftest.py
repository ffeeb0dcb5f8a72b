from __future__ import annotations

import runpy
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hive.storage import place, remove_folder

_SERVER = runpy.run_path(str(Path(__file__).parents[2] / "s3_server.py"))
s3_server, s3, new_client = (_SERVER[name] for name in ("s3_server", "s3", "new_client"))


@pytest.fixture
def memory() -> Iterator[Path]:
    """An empty remote folder of this process."""
    folder = place(f"memory://{uuid.uuid4().hex}")
    yield folder
    remove_folder(folder)
