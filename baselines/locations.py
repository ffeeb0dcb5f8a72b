"""Where a saved network is: a folder, this package, the store of checkpoints, or the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from baselines import architectures
from baselines.storage import CONFIG, WEIGHTS
from hive.checkpoints import catalogue, store
from hive.checkpoints.catalogue import suggestion
from hive.errors import HiveError

SHIPPED = Path(__file__).resolve().parent / "weights"
"""Networks that are part of this package, a folder each."""
RUN_MODEL = "model"
"""Folder of the network in that of a run of `hive-bench train`; it is there once that has ended."""
_RUN_RECORD = "run.json"
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Download:
    """How the hub is asked.

    Attributes:
        revision: Branch, tag or commit; None for `main`.
        cache_dir: Where files are kept; None for the hub's own cache.
        force: Whether to fetch what is there already.
        local_only: Whether to ask nothing of the hub.
        token: Token of the hub; None for the one that is kept, False for none.
    """

    revision: str | None = None
    cache_dir: str | Path | None = None
    force: bool = False
    local_only: bool = False
    token: str | bool | None = None


def shipped() -> tuple[str, ...]:
    """Return the names of the networks that are part of this package."""
    return tuple(sorted(file.parent.name for file in SHIPPED.glob(f"*/{CONFIG}")))


def published() -> tuple[str, ...]:
    """Return the names of the checkpoints that are networks of this package."""
    return tuple(name for kind in architectures.names() for name in catalogue.names(kind))


def locate(source: str | Path, download: Download | None = None) -> Path:
    """Return the folder of a network, fetched from the hub if it is there.

    Args:
        source: A folder of a network or of a run of `hive-bench train`, a name of `shipped` or
            `published`, or OWNER/NAME on the hub.
        download: How to ask the hub.

    Raises:
        HiveError: If there is nothing of that name, or it cannot be fetched.
    """
    download = download or Download()
    folder, name = Path(source).expanduser(), str(source)
    on_hub = not folder.exists() and name not in (*shipped(), *published())
    if download.revision is not None and not on_hub:
        raise HiveError(
            f"{source}: revision {download.revision} is asked for, but this is not on the hub",
            "leave the revision out",
        )
    if folder.is_dir():
        return _in_run(folder)
    if folder.exists():
        raise HiveError(
            f"{folder}: is a file, not the folder of a network",
            f"give the folder that holds {CONFIG} and {WEIGHTS}; published checkpoints are "
            "converted by hive-bench checkpoints convert",
        )
    if name in shipped():
        return SHIPPED / name
    if name in published():
        status = store.inspect(name)
        if status.state != "ready":
            problem = status.problem or "it is not here"
            raise HiveError(f"checkpoint {name}: {problem}", store.remedy(name))
        return status.folder
    if _REPO.fullmatch(name):
        return _fetch(name, download)
    choices = (*shipped(), *published())
    raise HiveError(
        f"{source}: there is no such folder, nor a network of that name",
        (f"{suggestion(name, choices)}; " if choices else "")
        + "networks on the hub are called OWNER/NAME",
    )


def _in_run(folder: Path) -> Path:
    """Return the network of the folder of a run; any other folder as it is."""
    if (folder / CONFIG).exists():
        return folder
    if (folder / RUN_MODEL / CONFIG).exists():
        return folder / RUN_MODEL
    if (folder / _RUN_RECORD).exists():
        raise HiveError(
            f"{folder}: is a run that has not ended, so it has no network yet",
            "let it end: hive-bench train with the same --out and --resume auto",
        )
    return folder


def _fetch(repo: str, download: Download) -> Path:
    """Fetch the two files of a network, both of the same commit; return their folder."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    from baselines.publication import explain
    from hive.checkpoints.install import hub_answers

    file, revision = CONFIG, download.revision
    # If the hub cannot be reached, what its client keeps is used.
    local_only = download.local_only or not hub_answers()
    try:
        for file in (CONFIG, WEIGHTS):
            found = Path(
                hf_hub_download(
                    repo,
                    file,
                    revision=revision,
                    cache_dir=download.cache_dir,
                    force_download=download.force,
                    local_files_only=local_only,
                    token=download.token,
                )
            )
            revision = found.parent.name
    except Exception as error:  # the hub's client has many, and those of its transport
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise HiveError(
                f"{repo} on the hub: holds no {file}",
                "only networks that hive-bench saved, as safetensors, can be loaded",
            ) from error
        raise explain(error, f"{repo} on the hub: {file}") from error
    return found.parent
