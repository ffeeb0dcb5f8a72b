"""A dataset repository on the hub: what is there, and putting files there.

Built on `huggingface_hub.HfApi`. Its `upload_large_folder` is not used: that takes no commit
message, hashes every file again, and knows only its own cache of what was sent, while SHA256SUMS
and the tree of the repository say what is missing, on any machine and after any interruption.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hive.errors import HiveError
from hive.publishing.faults import FIRST_WAITS, WAITS, Say, persistently
from hive.publishing.selection import File

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub import CommitOperationAdd

Result = TypeVar("Result")

_KIND = "dataset"
_SAMPLE = 512  # bytes that the hub looks at to tell text from binary


@dataclass(frozen=True)
class Remote:
    """A file in a repository.

    Attributes:
        size: Bytes.
        sha256: Its hash, where it is stored as a large file; None for small ones.
        blob: Its git object id.
    """

    size: int
    sha256: str | None
    blob: str

    def holds(self, file: File) -> bool:
        """Return whether it has the content of a local file."""
        if self.sha256 is not None:
            return self.sha256 == file.sha256
        # Small files are plain git objects; nothing large is read for this.
        return self.size == file.size and self.blob == _git_id(file.path)


class Repository:
    """A dataset repository at one branch.

    Args:
        name: OWNER/NAME.
        revision: Branch, or `refs/pr/N`.
        say: Tells the user of what is tried again.
    """

    def __init__(self, name: str, revision: str, say: Say) -> None:
        from huggingface_hub import HfApi, logging
        from huggingface_hub.utils.tqdm import disable_progress_bars, tqdm

        # Both are told by us: retries in messages, progress over all files.
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        disable_progress_bars()
        # Uploads run in several threads; a lock that stays is not deleted by one under another.
        tqdm.set_lock(threading.RLock())
        self.name = name
        self.revision = revision
        self._say = say
        self._answered = False
        self._api = HfApi(library_name="hive-bench")

    @property
    def endpoint(self) -> str:
        """Address of the hub."""
        return str(self._api.endpoint)

    def exists(self) -> bool:
        """Return whether there is such a repository."""
        return self._visibility() is not None

    def prepare(self, private: bool) -> None:
        """Make the repository and the branch (from main) where they are missing.

        Raises:
            HiveError: If it may not be made, or is public and is meant to be private.
        """
        visibility = self._visibility()
        if visibility is None:
            self._do(
                "making the repository",
                lambda: self._api.create_repo(
                    self.name, repo_type=_KIND, private=private, exist_ok=True
                ),
            )
        elif private and visibility == "public":
            raise HiveError(
                f"{self.name} is there and is public",
                "make it private in its settings on the hub, or leave --private out",
            )
        if self.revision not in ("main", *self._refs("branches")) and not self.revision.startswith(
            "refs/"
        ):
            self._do(
                f"making the branch {self.revision}",
                lambda: self._api.create_branch(
                    self.name, branch=self.revision, repo_type=_KIND, exist_ok=True
                ),
            )

    def open_pull_request(self, title: str) -> int:
        """Return the number of one's open pull request of that title, or open one.

        Files are then put into it: `revision` is set to its branch.
        """
        number = self._do("opening a pull request", lambda: self._request(title))
        self.revision = f"refs/pr/{number}"
        return number

    def tree(self, commit: str = "") -> dict[str, Remote]:
        """Return the files of a commit, or of the branch, by name; none where that is missing."""
        from huggingface_hub.errors import RevisionNotFoundError
        from huggingface_hub.hf_api import RepoFile

        def read() -> dict[str, Remote]:
            try:
                return {
                    one.path: Remote(one.size, one.lfs.sha256 if one.lfs else None, one.blob_id)
                    for one in self._api.list_repo_tree(
                        self.name,
                        recursive=True,
                        revision=commit or self.revision,
                        repo_type=_KIND,
                    )
                    if isinstance(one, RepoFile)
                }
            except RevisionNotFoundError:
                return {}

        return self._do("listing the repository", read)

    def head(self) -> str:
        """Return the newest commit of the branch."""
        return str(
            self._do(
                "reading the repository",
                lambda: self._api.repo_info(self.name, repo_type=_KIND, revision=self.revision).sha,
            )
        )

    def upload(self, file: File) -> None:
        """Send the content of a file, unless it is small or there; `commit` names it later."""
        self._do(
            f"sending {file.name}",
            lambda: self._api.preupload_lfs_files(
                self.name,
                [_addition(file)],
                repo_type=_KIND,
                revision=self.revision,
                num_threads=1,
            ),
        )

    def commit(self, files: Sequence[File], gone: Sequence[str], message: str) -> None:
        """Put files under their names, and remove others, in one commit.

        Where all is as it should be, as after a commit whose answer was lost, no commit is made.
        """
        from huggingface_hub import CommitOperationDelete

        attempts = 0

        def send() -> None:
            nonlocal attempts
            left = set(gone)
            if attempts and left:
                left &= set(self.tree())
            attempts += 1
            # Operations keep what the hub said of them, so each attempt needs its own.
            operations: list[Any] = [_addition(file) for file in files]
            operations += [CommitOperationDelete(name) for name in sorted(left)]
            if operations:
                self._api.create_commit(
                    self.name,
                    operations,
                    commit_message=message,
                    repo_type=_KIND,
                    revision=self.revision,
                )

        self._do("committing", send)

    def tagged(self, tag: str) -> str | None:
        """Return the commit that a tag names; None where there is no such tag."""
        return self._refs("tags").get(tag)

    def tag(self, tag: str, commit: str) -> None:
        """Name a commit.

        Raises:
            HiveError: If the tag names another one.
        """

        def name_it() -> None:
            there = self.tagged(tag)
            if there is None:
                self._api.create_tag(self.name, tag=tag, revision=commit, repo_type=_KIND)
            elif there != commit:
                raise HiveError(
                    f"{self.name}: tag {tag!r} names commit {there[:12]}, not {commit[:12]}",
                    "choose another --tag",
                )

        self._do(f"tagging {tag}", name_it)

    def announce(self, number: int) -> None:
        """Take a pull request out of the draft state."""

        def set_open() -> None:
            details = self._api.get_discussion_details(self.name, number, repo_type=_KIND)
            if details.status == "draft":
                self._api.change_discussion_status(self.name, number, "open", repo_type=_KIND)

        self._do("opening the pull request", set_open)

    def _request(self, title: str) -> int:
        me = self._api.whoami()["name"]
        for one in self._api.get_repo_discussions(
            self.name, author=me, discussion_type="pull_request", repo_type=_KIND
        ):
            if one.title == title and one.status in ("open", "draft"):
                return int(one.num)
        return int(self._api.create_pull_request(self.name, title, repo_type=_KIND).num)

    def _visibility(self) -> str | None:
        from huggingface_hub.errors import RepositoryNotFoundError

        def read() -> str | None:
            try:
                info = self._api.repo_info(self.name, repo_type=_KIND)
            except RepositoryNotFoundError:
                return None
            return "private" if info.private else "public"

        return self._do("asking the hub", read)

    def _refs(self, kind: str) -> dict[str, str]:
        refs = self._do(
            "listing branches", lambda: self._api.list_repo_refs(self.name, repo_type=_KIND)
        )
        return {ref.name: ref.target_commit for ref in getattr(refs, kind)}

    def _do(self, what: str, action: Callable[[], Result]) -> Result:
        # A hub that never answered is probably out of reach; one that did will be back.
        waits = WAITS if self._answered else FIRST_WAITS
        result = persistently(action, what, self._say, waits=waits)
        self._answered = True
        return result


def _addition(file: File) -> CommitOperationAdd:
    """Return the operation that adds a file, with the hash that is known: nothing is read twice."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.lfs import UploadInfo

    operation = CommitOperationAdd(file.name, b"")
    with file.path.open("rb") as handle:
        sample = handle.read(_SAMPLE)
    operation.path_or_fileobj = str(file.path)
    operation.upload_info = UploadInfo(
        sha256=bytes.fromhex(file.sha256), size=file.size, sample=sample
    )
    return operation


def _git_id(path: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
