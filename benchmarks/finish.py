"""The end of a run: results as soon as all parts are there, whoever made them.

Results are a function of the parts in the order of the plan, so it does not matter how many
processes made them, or which of them puts the results together. Several may do so at once: what
they write is the same. Only where a part with failures is made again at that moment may one have
read the old one; so each looks again after it has written, and begins anew if there is news.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import summary
from benchmarks.catalogue import Selection
from benchmarks.parts import RunFolder
from benchmarks.plan import Plan
from benchmarks.results import Results, write_results
from benchmarks.shares import owners
from hive.execution.engine import Share
from hive.files import sha256_json

_LISTED = 10  # jobs that are named in a message


@dataclass(frozen=True)
class Facts:
    """What the results say of a run beside its parts; every process that opens it finds the same.

    Attributes:
        identity: Everything that the scores depend on.
        selection: The metrics.
        model: Fields of `ModelRecord`.
        options: Options of the model.
        judge: Fields of `JudgeRecord`, if there is a judge.
    """

    identity: dict[str, Any]
    selection: Selection
    model: dict[str, Any]
    options: dict[str, str]
    judge: dict[str, Any] | None


@dataclass(frozen=True)
class Unfinished:
    """A run of which parts are missing, which other jobs may be making.

    Attributes:
        mixtures: Mixtures whose scores are missing.
        of: Mixtures of the run.
        jobs: Numbers of the jobs in the array whose parts are missing.
    """

    mixtures: int
    of: int
    jobs: tuple[int, ...]

    def __str__(self) -> str:
        jobs = ", ".join(map(str, self.jobs[:_LISTED])) + (", ..." if self.jobs[_LISTED:] else "")
        return (
            f"{self.mixtures} of {self.of} mixtures are missing, of the jobs with --shard-index "
            f"{jobs}. The last job to end writes the results; the command without "
            "--shard-index and --shard-count makes whatever is missing"
        )

    def describe(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {"finished": False, "missing": asdict(self)}


def finish(folder: RunFolder, plan: Plan, facts: Facts, share: Share) -> Results | Unfinished:
    """Write the results of a run, if all its parts are there.

    Args:
        folder: Its folder.
        plan: Its chunks.
        facts: What else is known of it.
        share: Which job this is of how many, for what is said of the others.

    Returns:
        The results, or what is missing.
    """
    names = [chunk.name for chunk in plan.chunks]
    while True:
        there = folder.files()
        if any(f"{name}.parquet" not in there for name in names):
            return _missing(plan, there, share)
        results, scores = summary.summarise_run(
            folder=folder,
            names=names,
            task=plan.task.name,
            selection=facts.selection,
            dataset=plan.record(),
            model=facts.model,
            settings={**facts.identity["settings"], "options": facts.options},
            settings_hash=sha256_json(facts.identity),
            judge=facts.judge,
        )
        write_results(folder.path, results, scores)
        if folder.files() == there:
            return results


def _missing(plan: Plan, there: frozenset[str], share: Share) -> Unfinished:
    of_job = owners(plan.weights(plan.chunks), share.count)
    lacking = [
        (chunk, job)
        for chunk, job in zip(plan.chunks, of_job, strict=True)
        if f"{chunk.name}.parquet" not in there
    ]
    return Unfinished(
        mixtures=sum(len(chunk.mix_ids) for chunk, _ in lacking),
        of=len(plan.entries),
        jobs=tuple(sorted({job for _, job in lacking})),
    )
