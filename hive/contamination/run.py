"""The whole probe: fingerprints of the test and of each training set, the search, the report.

OUT/contamination.json   the report (hive.contamination.report)
OUT/matches.csv          the surest match of each clip, training set and kind of evidence
OUT/clean.txt            names of the mixtures without a source that was found
OUT/problems.csv         what could not be read or judged
OUT/index.html           a page, with tables/ and plots/
CACHE/<set>/             fingerprints and index of each set; CACHE/matches/ what tasks found
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hive.contamination.declared import Declared, Kind, declare, items
from hive.contamination.findings import Findings
from hive.contamination.page import write_contamination_page
from hive.contamination.report import NAME, Report, make_report, write_report
from hive.contamination.stems import fill_from_stems
from hive.contamination.store import fill, parts
from hive.contamination.subject import Problem, Subject
from hive.contamination.tally import tally
from hive.contamination.volumes import build_volumes, controls, search
from hive.errors import HiveError
from hive.execution import Engine
from hive.files import locked, sha256_json, write_records, write_text
from hive.storage import is_remote

CACHE = ".hive"
MATCHES, CLEAN, PROBLEMS = "matches.csv", "clean.txt", "problems.csv"
_TESTABLE = (Kind.DATASET, Kind.TABLE, Kind.POOL)


@dataclass(frozen=True)
class Probe:
    """What to probe.

    Attributes:
        test: The test: a dataset, `mini`, a mixture table or a pool.
        against: Declared training sets (see `hive.contamination.declared`).
        split: Split of the test.
        against_split: Split of the training sets, for those that have splits; or "all".
        pool: Pool that holds the clips of mixture tables, if any.
    """

    test: str
    against: tuple[str, ...]
    split: str = "test"
    against_split: str = "train"
    pool: Path | None = None


def contamination(probe: Probe, out: Path, cache: Path | None, engine: Engine) -> Report:
    """Seek the clips of a test in training sets, and write what was found.

    Args:
        probe: What to seek where.
        out: Folder to write to.
        cache: Folder for fingerprints, of this machine or shared by all machines of the engine;
            `.hive` below `out` when None.
        engine: Who does the work.

    Returns:
        The report, also in `out`.

    Raises:
        HiveError: If a set is not there or cannot be listed, or the cache is remote.
    """
    cache = out / CACHE if cache is None else cache
    if is_remote(cache):
        raise HiveError(
            f"{cache}: an index is mapped into memory, which needs a local folder", "give --cache"
        )
    tested = declare(probe.test, probe.split, probe.pool)
    if tested.kind not in _TESTABLE:
        raise HiveError(
            f"{probe.test}: a {tested.kind.value} is no test", "give a dataset, `mini` or a pool"
        )
    sets = [declare(text, probe.against_split, probe.pool) for text in probe.against]
    if len(set(probe.against)) < len(sets) or not sets:
        raise HiveError("--against names no training set, or one twice", "name each one once")
    with locked(cache / "run.lock", f"{cache}: another probe is using it"):
        findings, backwards = _seek(tested, sets, cache, engine)
        problems = [*findings.subject.problems(_store(cache, tested)), *findings.problems]
    counts = tally(findings.subject, findings.flags)
    report = make_report(findings, counts, backwards)
    findings.write(out / MATCHES)
    write_records(out / PROBLEMS, Problem, problems)
    write_text(out / CLEAN, "".join(f"{name}\n" for name in counts.clean))
    write_contamination_page(out, report)
    write_report(out / NAME, report)
    return report


def _seek(
    tested: Declared, sets: Sequence[Declared], cache: Path, engine: Engine
) -> tuple[Findings, tuple[int, int]]:
    """Return what was found, and the pieces found and sought backwards."""
    _fill(tested, cache, engine, "Fingerprints of the test")
    store = _store(cache, tested)
    findings = Findings(Subject(tested, store), sets)
    probes = parts(store)
    turned: set[tuple[str, float]] = set()

    def forwards(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            if row["backwards"]:
                turned.add((row["clip_id"], row["test_second"]))
            else:
                yield row

    heard = False
    for number, one in enumerate(sets):
        if one.kind is Kind.LIST:
            findings.add_list(number)
            continue
        heard = True
        _fill(one, cache, engine, f"Fingerprints of {one.text}")
        theirs = _store(cache, one)
        findings.add_store(number, theirs)
        volumes = build_volumes(theirs, engine)
        found = search(probes, volumes, cache / "matches", engine)
        findings.add_sounds(number, forwards(found))
    return findings, (len(turned), controls(probes) if heard else 0)


def _fill(declared: Declared, cache: Path, engine: Engine, title: str) -> None:
    store = _store(cache, declared)
    if declared.kind is Kind.DATASET:
        fill_from_stems(store, declared.root, declared.split, engine, title)
    else:
        fill(store, items(declared), engine, title)


def _store(cache: Path, declared: Declared) -> Path:
    """Return the folder for the fingerprints of a set."""
    root = declared.root if is_remote(declared.root) else declared.root.resolve()
    identity = [declared.kind.value, str(root), declared.corpus, declared.split, str(declared.pool)]
    name = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")[:32]
    return cache / f"{name or 'set'}-{sha256_json(identity)[:8]}"
