"""Files of a dataset on the Hugging Face hub: at one commit, cached, resumable."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError
from hive.files import explained

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_ADDRESS = re.compile(
    r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<inside>.*))?"
)
#: Picks names among those of a repository.
Choose = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class HubDataset:
    """A dataset repository, or a part of it.

    Attributes:
        repo: `OWNER/NAME`.
        revision: Branch, tag or commit; None for the main branch.
        inside: File or folder in it; empty for all.
    """

    repo: str
    revision: str | None = None
    inside: str = ""


@dataclass(frozen=True)
class Fetched:
    """Files of one commit.

    Attributes:
        commit: Its hash.
        files: Where each file is now, by its name in the repository.
    """

    commit: str
    files: dict[str, Path]


def parse(text: str) -> HubDataset | None:
    """Read `OWNER/NAME` or `hf://datasets/OWNER/NAME[@REVISION][/PATH]`; None for other texts."""
    if _ID.fullmatch(text):
        return HubDataset(text)
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    # The hub's addresses write the slash of a branch such as refs/pr/2 so that it is no slash.
    revision = (found["revision"] or "").replace("%2F", "/").replace("%2f", "/")
    return HubDataset(found["repo"], revision or None, (found["inside"] or "").strip("/"))


def fetch(wanted: HubDataset, choose: Choose) -> Fetched:
    """Get files of a dataset; an interrupted download goes on, and what is cached stays.

    Without a connection what the cache holds is taken.

    Args:
        wanted: The dataset.
        choose: Picks names among those of the repository.

    Raises:
        HiveError: If the hub cannot be reached, there is no such dataset, it asks for a login, or
            the disk is full.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    page = f"https://huggingface.co/datasets/{wanted.repo}"
    try:
        about = HfApi().dataset_info(wanted.repo, revision=wanted.revision)
        commit = str(about.sha)
        names = choose([one.rfilename for one in about.siblings or []])
        with explained("the cache of the hub (HF_HOME)"):
            files = {
                name: Path(
                    # By branch, not commit, so that the cache knows it without a connection too.
                    hf_hub_download(
                        wanted.repo, name, repo_type="dataset", revision=wanted.revision
                    )
                )
                for name in names
            }
    except GatedRepoError as error:
        raise HiveError(
            f"{page} asks for a login", "accept its terms there, then run `hf auth login`"
        ) from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        return _from_cache(wanted, choose, page, error)
    except HfHubHTTPError as error:
        raise HiveError(
            f"{page}: {_first_line(error)}",
            "check its name; if it is right, run the same command again: it goes on",
        ) from error
    except OSError as error:
        return _from_cache(wanted, choose, page, error)
    if not all(commit in path.parts for path in files.values()):
        raise HiveError(f"{page} changed while it was being fetched", "run the same command again")
    return Fetched(commit, files)


def _from_cache(wanted: HubDataset, choose: Choose, page: str, cause: Exception) -> Fetched:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    names: Sequence[str] = ()
    with contextlib.suppress(LocalEntryNotFoundError):
        folder = Path(
            snapshot_download(
                wanted.repo,
                repo_type="dataset",
                revision=wanted.revision,
                local_files_only=True,
            )
        )
        names = choose([file.relative_to(folder).as_posix() for file in _files(folder)])
    if not names:
        raise HiveError(
            f"{page} cannot be reached ({_first_line(cause)})",
            "check the connection and that HF_HUB_OFFLINE is not set; the same command goes on",
        ) from cause
    return Fetched(folder.name, {name: folder / name for name in names})


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
