"""From a mixture that was separated and scored to its rows in a part of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.examples import write_example
from benchmarks.parts import ESTIMATE, Part, VectorKey

if TYPE_CHECKING:
    from benchmarks.judging import Judged
    from benchmarks.scoring import Outcome
    from benchmarks.separation import Attempt
    from benchmarks.tasks import Float, Target


class Recorder:
    """Adds mixtures to parts, and writes the sound of those that are kept.

    Args:
        task: Name of the task.
        folder: Folder of the run.
        sample_rate: Rate of the data in Hz.
        kept: For each mixture whose sound is kept, which of its queries (`benchmarks.examples`).
    """

    def __init__(self, task: str, folder: Path, sample_rate: int, kept: Mapping[str, int]) -> None:
        self._task, self._folder, self._rate, self._kept = task, folder, sample_rate, kept

    def add(self, part: Part, attempt: Attempt, outcome: Outcome, judged: Judged) -> None:
        """Add a mixture to a part."""
        part.residual = max(part.residual, outcome.residual)
        part.vectors |= _vectors(attempt.sample.key, outcome)
        errors = {**attempt.errors, **outcome.scored.errors}
        for number, target in enumerate(attempt.targets):
            name = target.source_id
            key = {"mix_id": attempt.sample.key, "source_id": name}
            part.rows += self._sanity_rows(attempt, target, outcome)
            if name in errors:
                part.failures.append({**key, "error": errors[name]})
                continue
            gaps = {**outcome.scored.gaps.get(name, {}), **judged.gaps.get(name, {})}
            part.failures += [
                {**key, "metric": metric, "error": error} for metric, error in gaps.items()
            ]
            part.rows.append(self._row(attempt, target, outcome) | judged.values.get(name, {}))
            if self._is_kept(attempt, number):
                part.examples.append(self._example(attempt, target))

    def _row(self, attempt: Attempt, target: Target, outcome: Outcome) -> dict[str, Any]:
        estimate = attempt.estimates[target.source_id]
        return {
            **self._about(attempt, target),
            "row": ESTIMATE,
            "seconds": estimate.seconds,
            "flags": [*estimate.flags, *outcome.scored.flags.get(target.source_id, ())],
            **outcome.scored.values[target.source_id],
        }

    def _sanity_rows(
        self, attempt: Attempt, target: Target, outcome: Outcome
    ) -> list[dict[str, Any]]:
        values = {
            row: scored.values[target.source_id]
            for row, scored in outcome.sanity.items()
            if target.source_id in scored.values
        }
        # What falls out of the model's own scores is there for every item.
        anchors = outcome.scored.anchors.get(target.source_id, {})
        if anchors:
            values["mixture"] = anchors | values.get("mixture", {})
        about = self._about(attempt, target)
        return [{**about, "row": row, **found} for row, found in values.items()]

    def _about(self, attempt: Attempt, target: Target) -> dict[str, Any]:
        return {
            "task": self._task,
            "mix_id": attempt.sample.key,
            "source_id": target.source_id,
            "num_sources": len(attempt.sample.sources),
            "label": target.label,
            "query": target.query,
            "negatives": list(target.negatives),
            "recording_id": target.recording_id,
        }

    def _is_kept(self, attempt: Attempt, number: int) -> bool:
        chosen = self._kept.get(attempt.sample.key)
        return chosen is not None and chosen % len(attempt.targets) == number

    def _example(self, attempt: Attempt, target: Target) -> dict[str, Any]:
        sample = attempt.sample
        reference = sample.sources.get(target.source_id) if target.has_reference else None
        return {
            "mix_id": sample.key,
            "source_id": target.source_id,
            "num_sources": len(sample.sources),
            "label": target.label,
            "mixture": self._write(attempt, target, "mixture", sample.mixture),
            "reference": reference
            if reference is None
            else self._write(attempt, target, "reference", reference),
            "estimate": self._write(
                attempt, target, "estimate", attempt.estimates[target.source_id].samples
            ),
        }

    def _write(self, attempt: Attempt, target: Target, what: str, samples: Float) -> str:
        name = f"{attempt.sample.key}.{target.source_id}.{what}"
        return write_example(self._folder, name, samples, self._rate)


def _vectors(mix_id: str, outcome: Outcome) -> dict[VectorKey, Float]:
    found = {
        (embedding, feature, what, mix_id, source_id): vector
        for (embedding, feature, what, source_id), vector in outcome.scored.vectors.items()
    }
    for row, scored in outcome.sanity.items():
        for (embedding, feature, what, source_id), vector in scored.vectors.items():
            if what == "estimate":
                found[embedding, feature, row, mix_id, source_id] = vector
    return found
