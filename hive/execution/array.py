"""Jobs that divide a run among them: each holds its own share, and all do the same run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hive.claims import claim, describe
from hive.errors import HiveError
from hive.execution.engine import Share
from hive.files import locked, write_json


@contextmanager
def hold_share(folder: Path, share: Share, settings: dict[str, Any], what: str) -> Iterator[None]:
    """Hold a share of a run while its job is at work.

    What the jobs that are at work were asked for is noted beside their locks; once none is, others
    may ask for something else.

    Args:
        folder: Where locks and note are.
        share: Which part is this job's.
        settings: What all jobs must have been asked for alike.
        what: The run, for messages.

    Raises:
        HiveError: If another process holds the same share, or a job with other settings, or of
            another number of jobs, is at work.
    """
    asked = {**settings, "shard_count": share.count}
    busy = f"{folder}: another run is at work on {what}"
    if not share.whole:
        busy += f", shard {share.index} of {share.count}"
    with ExitStack() as held:
        with locked(folder / "start.lock"):
            held.enter_context(locked(_lock(folder, share.index), busy))
            _agree(folder, share, asked, what)
        yield


def _agree(folder: Path, share: Share, asked: dict[str, Any], what: str) -> None:
    note = folder / "jobs.json"
    changed = claim(note, asked)
    if not changed:
        return
    before = next((old for name, old, _ in changed if name == "shard_count"), share.count)
    for index in range(before):
        if index != share.index and _is_held(_lock(folder, index)):
            raise HiveError(
                f"{folder}: jobs with other settings are at work on {what}\n{describe(changed)}",
                "give all jobs of an array the same settings, or wait until the others have ended",
            )
    write_json(note, asked)


def _lock(folder: Path, index: int) -> Path:
    return folder / f"{index}.lock"


def _is_held(path: Path) -> bool:
    try:
        with locked(path, "held"):
            return False
    except HiveError:
        return True
