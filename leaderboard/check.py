"""Whether a run may stand on the leaderboard: its files against their schema and each other.

`results.json` must follow the published schema, `scores.parquet` must have the columns that it
names, and every number in the results must be the one that the rows give. What cannot be seen from
the two files, such as whether the scores belong to the sound, is not checked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.results import Results
from leaderboard import aggregates, rows
from leaderboard.findings import RESULTS, SCORES, Finding

MAX_BYTES = 256 * 2**20  # of results.json


def check_run(folder: Path) -> list[Finding]:
    """Check a run.

    Args:
        folder: Folder with `results.json` and `scores.parquet`.

    Returns:
        The findings; none if all is well.
    """
    results, findings = _read_results(folder / RESULTS)
    if results is None:
        return findings
    findings += _examples(folder, results)
    table, faults = rows.read(folder / SCORES, results)
    findings += faults
    if table is not None:
        findings += rows.check(results, table)
        findings += aggregates.compare(results, table)
    return findings


def _read_results(path: Path) -> tuple[Results | None, list[Finding]]:
    if not path.is_file():
        return None, [Finding(RESULTS, "", "no such file", "name the --out folder of a run")]
    if path.stat().st_size > MAX_BYTES:
        return None, [Finding(RESULTS, "", f"larger than {MAX_BYTES >> 20} MiB")]
    text = path.read_bytes()
    try:
        json.loads(text, parse_constant=_refuse)
        return Results.model_validate_json(text, strict=True), []
    except ValidationError as error:
        return None, [
            Finding(RESULTS, ".".join(map(str, fault["loc"])), fault["msg"])
            for fault in error.errors(include_url=False, include_input=False)
        ]
    except (ValueError, RecursionError) as error:
        return None, [Finding(RESULTS, "", f"not JSON: {error}")]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not strict JSON")


def _examples(folder: Path, results: Results) -> list[Finding]:
    findings = []
    home = folder.resolve() / "examples"
    for index, example in enumerate(results.examples):
        for kind in ("mixture", "reference", "estimate"):
            name = getattr(example, kind)
            if name is None:
                continue
            field = f"examples[{index}].{kind}"
            path = (folder / name).resolve()
            if path.parent != home:
                findings.append(Finding(RESULTS, field, f"{name!r} is outside the run's examples"))
            elif not path.is_file():
                findings.append(Finding(RESULTS, field, f"{name!r}: no such file"))
            elif not _is_flac(path):
                findings.append(Finding(RESULTS, field, f"{name!r} is not a FLAC file"))
    return findings


def _is_flac(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(4) == b"fLaC"
