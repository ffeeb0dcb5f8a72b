"""The folder of converted checkpoints, and what is in it.

Each checkpoint is a folder `$HIVE_CHECKPOINTS/NAME` (by default `~/.cache/hive/checkpoints/NAME`)
with `model.safetensors`, `config.json`, the tokenizer's files if it has a text tower, and
`checkpoint.json`, which says where all that came from and hashes it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hive.checkpoints.catalogue import find

VARIABLE = "HIVE_CHECKPOINTS"
MANIFEST = "checkpoint.json"
WEIGHTS = "model.safetensors"
SCHEMA = 1
State: TypeAlias = Literal["absent", "ready", "damaged"]


@dataclass(frozen=True)
class Status:
    """What is here of a checkpoint.

    Attributes:
        name: Its name.
        folder: Where it is, or would be.
        state: "ready" if all files of the manifest are there with their sizes.
        problem: What is wrong if it is damaged.
        has_tokenizer: Whether the tokenizer's files are there, if it takes any.
        manifest: Content of `checkpoint.json`; empty unless ready.
    """

    name: str
    folder: Path
    state: State
    problem: str = ""
    has_tokenizer: bool = False
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str | None:
        """Hash of the converted weights, as the manifest has it."""
        digest: str | None = self.manifest.get("files", {}).get(WEIGHTS, {}).get("sha256")
        return digest


def root() -> Path:
    """Return the folder of all checkpoints."""
    given = os.environ.get(VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".cache" / "hive" / "checkpoints"


def path(name: str) -> Path:
    """Return the folder of a checkpoint, whether or not it is there.

    Raises:
        HiveError: If no such checkpoint is known.
    """
    return root() / find(name).name


def state(name: str) -> State:
    """Return "absent", "ready" or "damaged", by the manifest and the sizes of the files."""
    return inspect(name).state


def inspect(name: str) -> Status:
    """Look at the manifest and the sizes of the files; nothing is hashed or loaded.

    Raises:
        HiveError: If no such checkpoint is known.
    """
    entry, folder = find(name), path(name)
    if not folder.exists():
        return Status(name, folder, "absent")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sizes = {file: int(about["size"]) for file, about in manifest["files"].items()}
        hashed = all(isinstance(about["sha256"], str) for about in manifest["files"].values())
        if manifest["schema"] != SCHEMA or manifest["name"] != name or not hashed:
            raise ValueError("of another version or another checkpoint")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Status(name, folder, "damaged", f"{MANIFEST} cannot be used ({error!r})")
    for file in (WEIGHTS, *sizes):
        there = folder / file
        if file not in sizes or not there.is_file() or there.stat().st_size != sizes[file]:
            return Status(name, folder, "damaged", f"{file} is missing or has another size")
    wanted = entry.tokenizer.files if entry.tokenizer else ()
    return Status(name, folder, "ready", "", all(f in sizes for f in wanted), manifest)


def remedy(name: str) -> str:
    """Return the command that gets a checkpoint."""
    return f"hive-bench checkpoints fetch {name}"
