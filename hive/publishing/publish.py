"""Publish a dataset: look, ask, send what is missing, compare, name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hive.errors import HiveError
from hive.publishing.checks import check_licences, check_private
from hive.publishing.hub import Repository
from hive.publishing.selection import File, check_finished, check_limits, select
from hive.publishing.transfer import send
from hive.shards.card_text import loading
from hive.shards.edition import Edition
from hive.shards.facts import DatasetFacts
from hive.tables import SPLITS

NO_SPLITS = "none"
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_OWN = ".gitattributes"  # the hub writes it


@dataclass(frozen=True)
class Wish:
    """What to publish, and how.

    Attributes:
        repo: OWNER/NAME.
        revision: Branch.
        private: Make the repository private, where it is made.
        message: Message of the commits; a default where empty.
        tag: Name for the commit; none where empty.
        create_pr: Offer the files as a pull request.
        splits: Splits whose shards are published; None for all.
        delete_missing: Remove files from the repository that the dataset has not got.
        accept: What was found and is accepted: "licences", "names".
        workers: Files sent at a time.
    """

    repo: str
    revision: str = "main"
    private: bool = False
    message: str = ""
    tag: str = ""
    create_pr: bool = False
    splits: tuple[str, ...] | None = None
    delete_missing: bool = False
    accept: frozenset[str] = frozenset()
    workers: int = 4

    def __post_init__(self) -> None:
        checks = [(_REPO, self.repo, "--repo", "write OWNER/NAME")]
        checks.append((_REVISION, self.revision, "--revision", "write the name of a branch"))
        if self.tag:
            checks.append((_TAG, self.tag, "--tag", "write a name such as v1.0"))
        for pattern, value, option, remedy in checks:
            if not pattern.fullmatch(value) or ".." in value:
                raise HiveError(f"{option} {value!r} cannot be a name on the hub", remedy)
        if self.create_pr and (self.tag or self.revision != "main"):
            raise HiveError(
                "--create-pr cannot go with --tag or --revision",
                "merge the pull request on the hub, then publish again with --tag",
            )


@dataclass(frozen=True)
class Change:
    """How a repository differs from what it is to hold.

    Attributes:
        missing: Files that it has not got, or with other content.
        other: Files there that are not of the dataset.
        removed: Those of them that are to be removed.
    """

    missing: tuple[File, ...]
    other: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is something to do."""
        return bool(self.missing or self.removed)


@dataclass(frozen=True)
class Published:
    """What was published, or would be.

    Attributes:
        repo: OWNER/NAME.
        page: Address of its page.
        loading: The call by which stock `datasets` opens it.
        files: Number of files that the repository is to hold.
        bytes: Their size.
        change: What was (or would be) sent and removed.
        commit: The commit; empty in a dry run.
        request: Number of the pull request; 0 where there is none.
    """

    repo: str
    page: str
    loading: str
    files: int
    bytes: int
    change: Change
    commit: str = ""
    request: int = 0


def parse_splits(text: str | None) -> tuple[str, ...] | None:
    """Read `--splits`: names by comma, or `none`.

    Raises:
        HiveError: If there is no such split.
    """
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")]
    if names == [NO_SPLITS]:
        return ()
    if unknown := [name for name in names if name not in SPLITS]:
        raise HiveError(
            f"--splits: {unknown[0]!r} is no split", f"write {', '.join(SPLITS)}, or {NO_SPLITS}"
        )
    return tuple(split for split in SPLITS if split in names)


def publish(
    dataset: Path, wish: Wish, *, dry_run: bool = False, say: Callable[[str], None]
) -> Published:
    """Publish a finished dataset; interrupted, the same call goes on.

    Args:
        dataset: Folder of the dataset.
        wish: What to publish, and how.
        dry_run: Only look what would be done.
        say: Tells the user how it goes.

    Raises:
        HiveError: If the dataset is not fit to be published, or the hub refuses.
    """
    facts = check_finished(dataset)
    _check_splits(facts, wish)
    repository = Repository(wish.repo, wish.revision, say)
    edition = Edition(wish.repo, wish.revision, wish.splits, repository.endpoint)
    if "licences" not in wish.accept:
        check_licences(facts, edition)
    with tempfile.TemporaryDirectory(prefix="hive-publish-") as work:
        files = select(dataset, facts, edition, Path(work))
        check_limits(files)
        change = _compare(repository, files, wish)
        for file in change.missing:
            file.check_size()
        if "names" not in wish.accept:
            check_private(f.path for f in change.missing if not f.name.startswith("data/"))
        found = Published(
            wish.repo,
            edition.page,
            loading(facts, edition),
            len(files),
            sum(file.size for file in files),
            change,
        )
        if wish.tag and repository.exists():
            _check_tag(repository, wish.tag, change)
        if dry_run:
            return found
        repository.prepare(wish.private)
        return _send(repository, wish, facts, files, found, say)


def _send(
    repository: Repository,
    wish: Wish,
    facts: DatasetFacts,
    files: list[File],
    found: Published,
    say: Callable[[str], None],
) -> Published:
    # Once more: a branch that was just made holds what main does.
    change = _compare(repository, files, wish)
    if wish.tag:
        _check_tag(repository, wish.tag, change)
    message = wish.message or f"{facts.mixtures} mixtures"
    request = 0
    if change and wish.create_pr:
        request = repository.open_pull_request(message)
        say(f"pull request {request}: {found.page}/discussions/{request}")
        change = _compare(repository, files, wish)
    if change:
        send(
            repository,
            change.missing,
            change.removed,
            message,
            there=len(files) - len(change.missing),
            workers=wish.workers,
        )
    # That very commit is compared and tagged: others may write there too.
    commit = repository.head()
    if change or wish.tag:
        wrong = _compare(repository, files, wish, commit).missing
        if wrong:
            raise HiveError(
                f"{wish.repo}: {len(wrong)} files are not as they were sent, such as "
                f"{wrong[0].name}",
                "run the same command again; if it stays so, see who else writes there",
            )
    if request:
        repository.announce(request)
    if wish.tag:
        repository.tag(wish.tag, commit)
    return replace(found, change=change, commit=commit, request=request)


def _compare(repository: Repository, files: list[File], wish: Wish, commit: str = "") -> Change:
    """Return how a repository differs from the files, by the sizes and hashes that the hub has.

    Args:
        repository: The repository.
        files: What it is to hold.
        wish: What to publish, and how.
        commit: Look at this commit; at the newest of the branch by default.

    Raises:
        HiveError: If it holds shards that the card's patterns would take for this dataset's.
    """
    there = repository.tree(commit) if repository.exists() else {}
    missing = [f for f in files if f.name not in there or not there[f.name].holds(f)]
    other = sorted(there.keys() - {file.name for file in files} - {_OWN})
    shards = [name for name in other if name.startswith("data/")]
    if shards and not wish.delete_missing:
        raise HiveError(
            f"{wish.repo} holds {len(shards)} files under data/ that are not of this dataset, "
            f"such as {shards[0]}: loaders would mix them with it",
            "add --delete-missing to remove them, or publish to another --repo or --revision",
        )
    return Change(tuple(missing), tuple(other), tuple(other if wish.delete_missing else ()))


def _check_splits(facts: DatasetFacts, wish: Wish) -> None:
    absent = [split for split in wish.splits or () if split not in facts.splits]
    if absent:
        raise HiveError(
            f"--splits: the dataset has no split {absent[0]!r}",
            f"it has {', '.join(facts.splits)}",
        )


def _check_tag(repository: Repository, tag: str, change: Change) -> None:
    """Stop before anything is sent if a tag is taken."""
    taken = repository.tagged(tag)
    if taken is not None and (change or taken != repository.head()):
        raise HiveError(
            f"{repository.name}: there is a tag {tag!r} already, on commit {taken[:12]}",
            "choose another --tag, or delete that one on the hub",
        )
