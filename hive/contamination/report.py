"""`contamination.json`: what was probed, against what, and what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hive._version import __version__
from hive.contamination.findings import KINDS, Findings
from hive.contamination.subject import SILENT_CLIP, TOO_LITTLE, UNREAD
from hive.contamination.tally import Pair, Tally, recordings
from hive.errors import HiveError
from hive.files import write_text
from hive.fingerprint import MIN_EVIDENCE
from hive.fingerprint import VERSION as FINGERPRINT_VERSION

SCHEMA_VERSION: Literal["1.0"] = "1.0"
NAME = "contamination.json"
Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Share(_Record):
    """How many of how many; `share` is null where there are none."""

    found: Count
    of: Count
    share: Annotated[float, Field(ge=0, le=1)] | None


class Kinds(_Record):
    """Shares by the kind of evidence: same recording, same samples, same sound, any of them."""

    recording: Share
    samples: Share
    sound: Share
    any: Share


class Tested(_Record):
    """What was probed. `fingerprint` is that of the dataset in `results.json`; empty for a pool."""

    name: str
    kind: str
    split: str
    fingerprint: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
    clips: Count
    recordings: Count
    mixtures: Count


class TrainingSet(_Record):
    """A declared training set and what of the test is in it."""

    declared: str
    kind: str
    split: str
    items: Count
    hours: Annotated[float, Field(ge=0)]
    unread: Count
    clips: Kinds
    recordings: Share
    mixtures: Share


class Overall(_Record):
    """What is in any of the training sets."""

    clips: Kinds
    recordings: Share
    stems: Share
    mixtures: Share
    whole_mixtures: Share


class ClassRow(_Record):
    """Shares of one class."""

    label: str
    clips: Share
    stems: Share


class SizeRow(_Record):
    """Shares of the mixtures with a number of sources."""

    num_sources: Annotated[int, Field(ge=1)]
    stems: Share
    mixtures: Share
    whole_mixtures: Share


class Limits(_Record):
    """What the fingerprint could not judge, and what it found where nothing is.

    `backwards` counts pieces of test clips that were sought played backwards as well: what is found
    of them is a false alarm, or a sound that is the same backwards.
    """

    unread: Count
    silent: Count
    short_or_steady: Count
    clean_unjudged: Count
    backwards: Share


class Report(_Record):
    """The whole report."""

    schema_version: Literal["1.0"]
    hive_version: str
    fingerprint_version: int
    min_evidence: float
    test: Tested
    training_sets: list[TrainingSet]
    overall: Overall
    classes: list[ClassRow]
    sizes: list[SizeRow]
    limits: Limits


def make_report(findings: Findings, counts: Tally, controls: Pair) -> Report:
    """Put what was found into a report.

    Args:
        findings: What was found.
        counts: Counted.
        controls: Pieces found backwards, and how many were sought.
    """
    subject = findings.subject
    declared = subject.declared
    found = findings.flags.any(axis=(1, 2))
    sets = []
    for number, one in enumerate(findings.sets):
        flags = findings.flags[:, number, :]
        told = findings.facts[number]
        sets.append(
            TrainingSet(
                declared=one.text,
                kind=one.kind.value,
                split=one.split,
                items=told.items,
                hours=round(told.hours, 4),
                unread=told.unread,
                clips=_kinds(flags),
                recordings=_share(recordings(subject, flags.any(axis=1))),
                mixtures=_share(counts.set_some[number] if counts.set_some else (0, 0)),
            )
        )
    return Report(
        schema_version=SCHEMA_VERSION,
        hive_version=__version__,
        fingerprint_version=FINGERPRINT_VERSION,
        min_evidence=MIN_EVIDENCE,
        test=Tested(
            name=declared.text,
            kind=declared.kind.value,
            split=declared.split,
            fingerprint=counts.fingerprint,
            clips=len(found),
            recordings=counts.recordings[1],
            mixtures=counts.some[1],
        ),
        training_sets=sets,
        overall=Overall(
            clips=_kinds(findings.flags.any(axis=1)),
            recordings=_share(counts.recordings),
            stems=_share(counts.stems),
            mixtures=_share(counts.some),
            whole_mixtures=_share(counts.whole),
        ),
        classes=[
            ClassRow(
                label=label,
                clips=_share(pair),
                stems=_share(counts.class_stems.get(label, (0, 0))),
            )
            for label, pair in counts.class_clips.items()
        ],
        sizes=[
            SizeRow(
                num_sources=size,
                stems=_share(counts.size_stems[size]),
                mixtures=_share(counts.size_some[size]),
                whole_mixtures=_share(counts.size_whole[size]),
            )
            for size in counts.size_some
        ],
        limits=Limits(
            unread=subject.judged.count(UNREAD),
            silent=subject.judged.count(SILENT_CLIP),
            short_or_steady=subject.judged.count(TOO_LITTLE),
            clean_unjudged=counts.clean_unjudged,
            backwards=_share(controls),
        ),
    )


def write_report(path: Path, report: Report) -> None:
    """Write a report."""
    write_text(path, report.model_dump_json(indent=2) + "\n")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        HiveError: If it is missing, or is not as the schema has it.
    """
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HiveError(f"{path}: no such report", "run `hive-bench contamination`") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise HiveError(f"{path}: not a report ({error})", "make it with this version") from error


def _kinds(flags: NDArray[np.bool_]) -> Kinds:
    """Return the shares of flags of shape (clips, 3)."""
    of = len(flags)
    shares = {kind: _share((int(flags[:, n].sum()), of)) for n, kind in enumerate(KINDS)}
    return Kinds(**shares, any=_share((int(flags.any(axis=1).sum()), of)))


def _share(pair: Pair) -> Share:
    found, of = pair
    return Share(found=found, of=of, share=found / of if of else None)
