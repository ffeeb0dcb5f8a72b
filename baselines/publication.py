"""Putting the folder of a network on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from baselines.storage import CARD, WEIGHTS, read_description
from hive.errors import HiveError
from hive.publishing.faults import judge


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    commit_message: str = "Network saved by hive-bench",
    private: bool | None = None,
    token: str | None = None,
    branch: str | None = None,
    create_pr: bool = False,
) -> str:
    """Put a saved network into a model repository on the hub, in one commit.

    Args:
        folder: The folder, with its card and all files beside; none of its folders go along.
        repo_id: OWNER/NAME; it is made where it is missing.
        commit_message: What the commit is called.
        private: Whether a new repository is private; None for the owner's default.
        token: Token of the hub; None for the one that `hf auth login` keeps.
        branch: Branch, made where it is missing; None for `main`.
        create_pr: Whether to offer it as a pull request.

    Returns:
        Address of the commit, or of the pull request.

    Raises:
        HiveError: If the folder is no saved network, or the hub does not take it.
    """
    from huggingface_hub import HfApi

    read_description(folder)
    for name in (WEIGHTS, CARD):
        if not (folder / name).is_file():
            raise HiveError(
                f"{folder}: holds no {name}", "save the network first: hive-bench weights export"
            )
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    api = HfApi(token=token, library_name="hive-bench")
    try:
        repo = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if branch is not None and not create_pr:
            api.create_branch(repo, branch=branch, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=files,
            commit_message=commit_message,
            revision=branch,
            create_pr=create_pr,
        )
    except Exception as error:  # the hub's client has many, and those of its transport
        raise explain(error, f"{repo_id} on the hub") from error
    # Without a change there is no request, and the address is that of the last commit.
    return commit.pr_url or commit.commit_url


def explain(error: Exception, what: str) -> HiveError:
    """Return what a failed request to the hub means for the user.

    Args:
        error: Exception of `huggingface_hub` or of its transport.
        what: What was asked for.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError):
        return HiveError(
            f"{what}: is not in the cache, and the hub cannot be asked",
            "connect, unset HF_HUB_OFFLINE, and run it again; or download the files by hand and "
            "give their folder",
        )
    fault = judge(error)
    return HiveError(f"{what}: {fault.problem}", fault.remedy or "run it again in a while")
