"""Put a trained mini into the package, with its card, training log and attributions.

    python -m baselines.minis.ship runs/clearsep-mini --pool POOL --scores SCORES --scores SILENCE

The folder `baselines/weights/NAME` gets the network with weight matrices in bfloat16, the run's
configuration, record and log, and a table of every recording that was trained on, by whom, and
under what licence, and the same of other runs that it owes weights to (`baselines.minis.lineage`).
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from baselines.cards.facts import CardFacts, DataFacts, Result, TrainingFacts
from baselines.data.module import TrainingData
from baselines.locations import SHIPPED
from baselines.minis.lineage import Lineage, read_record
from baselines.minis.prepare import may_train
from baselines.pretrained import load_pretrained
from baselines.training.folder import CONFIG, RECORD
from baselines.training.logs import STEPS
from baselines.training.record import training_facts
from baselines.training.sections import TrainingConfig
from baselines.training.state import RunState
from hive.claims import describe, differences
from hive.errors import HiveError
from hive.files import write_bytes
from hive.licences.names import normalise
from hive.pool.store import read_pool

LICENCE = "CC-BY-SA-4.0"
ATTRIBUTION = "ATTRIBUTION.csv"
METRICS = ("si_sdr_i", "silence_sdr")
SUMMARY = {
    "audiosep-mini": "A small AudioSep that is part of the package: for demonstrations and tests, "
    "and as a yardstick that any system trained on more should beat.",
    "clearsep-mini": "A small ClearSep that is part of the package: for demonstrations and tests, "
    "and as a yardstick that any system trained on more should beat. It also knows what to drop, "
    "and is meant to be silent where the sound asked for is absent.",
}
LIMITS = (
    "Trained on some 700 recordings and on synthesised sound: expect it to know the timbres that "
    "it has heard, and to take one class for another where they sound alike.",
    "Classes that it was not trained on are refused by name.",
    "No basis for published comparisons of methods: the architectures it is named after are ten "
    "times its size and were trained on thousands of hours.",
)


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a run of hive-bench train that ended.")],
    pool: Annotated[Path, typer.Option(help="The pool that it was trained on.")],
    scores: Annotated[
        list[Path] | None, typer.Option(help="Runs of hive-bench evaluate, for the card.")
    ] = None,
    before: Annotated[
        Path | None, typer.Option(help="Run whose best weights it began with, ended or not.")
    ] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Run whose best weights to average with, ended or not.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of these in the average.")
    ] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder that the network's is made in.")] = SHIPPED,
) -> None:
    """Put a trained mini into the package."""
    record = read_record(run)
    config = TrainingConfig.model_validate(record["config"])
    if config.name not in SUMMARY:
        raise HiveError(f"{run}: {config.name} is no mini", f"train {' or '.join(SUMMARY)}")
    if not record["finished"]:
        raise HiveError(f"{run}: the run has not ended", "let it end: hive-bench train")
    lineage = Lineage(before, beside, share)
    lineage.check(run, record)
    model = load_pretrained(run)
    lineage.average(model)
    trained = _trained(pool, config, model.sample_rate, record["data"])
    state = RunState(
        step=record["steps"],
        mixtures=record["mixtures"],
        seconds=record["hours"] * 3600,
        best_step=record["best_step"],
        history=record["history"],
    )
    told = training_facts(config, record["data"], pool.name, state)
    facts = CardFacts(
        name=config.name,
        summary=SUMMARY[config.name],
        licence=LICENCE,
        licence_note="Part of the recordings are CC BY-SA, so the weights are, with the "
        "attributions below; the others ask for attribution at most.",
        training=_with_data(told, trained, record["data_fingerprint"], lineage.told()),
        results=tuple(result for folder in scores or () for result in _results(folder)),
        results_note="Recordings that no training mixture held, none of them rendered or "
        "synthesised; hive-bench evaluate, mixtures of 10 s.",
        limits=LIMITS,
        attributions=_authors(trained),
        attributions_file=ATTRIBUTION,
    )
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / ATTRIBUTION
        write_bytes(table, _attribution(trained))
        extra = [run / CONFIG, run / RECORD, run / STEPS, table, *lineage.files(Path(folder))]
        model.save_pretrained(out / config.name, facts=facts, extra_files=extra, storage="bfloat16")


def _trained(pool: Path, config: TrainingConfig, rate: int, data: dict[str, Any]) -> pa.Table:
    """Return the clips that a run was trained on.

    Raises:
        HiveError: If the pool is not the one that it was trained on, so that others would be named
            as authors; if a recording does not allow the licence of the weights.
    """
    now = TrainingData(pool, config.data, sample_rate=rate, seed=config.trainer.seed).identity()
    if changed := differences(data, now):
        raise HiveError(
            f"{pool} is not the pool that the run was trained on:\n{describe(changed)}",
            "give the one that it was",
        )
    clips, _ = read_pool(pool)
    trained = clips.filter(pc.equal(clips["split"], config.data.split))
    recordings: dict[str, list[dict[str, str]]] = defaultdict(list)
    for clip in trained.select(["recording_id", "licence", "source"]).to_pylist():
        if clip["source"] != "synth":
            recordings[clip["recording_id"]].append(clip)
    if wrong := sorted(name for name, some in recordings.items() if not may_train(some)):
        raise HiveError(
            f"{pool}: {wrong[0]} was trained on, whose licence does not allow weights under "
            f"{LICENCE}",
            "train without it: make the pool with baselines.minis.prepare",
        )
    return trained


def _with_data(
    told: TrainingFacts, clips: pa.Table, fingerprint: str, lineage: dict[str, str]
) -> TrainingFacts:
    """Say what the clips are that the run drew its mixtures from."""
    parts = []
    for synthetic, name, description in (
        (False, "recordings", "free recordings of software packages, see the attributions"),
        (True, "synthesised", "made by the procedural synthesiser of this package"),
    ):
        rows = clips.filter(
            pa.array([(one == "synth") is synthetic for one in clips["source"].to_pylist()])
        )
        licences = Counter(normalise(text) for text in rows["licence"].to_pylist())
        seconds = pc.sum(pc.subtract(rows["end_second"], rows["start_second"])).as_py() or 0.0
        parts.append(
            DataFacts(
                name=name,
                description=f"Clips of 10 s, {description}.",
                fingerprint=fingerprint,
                clips=rows.num_rows,
                hours=seconds / 3600,
                licences=dict(licences),
            )
        )
    data = tuple(part for part in parts if part.clips)
    return told.model_copy(update={"data": data, "recipe": {**lineage, **told.recipe}})


def _results(folder: Path) -> Iterator[Result]:
    """Read the means and intervals of a run of `hive-bench evaluate`."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for one in results["aggregates"]:
        # "flat" is the mean of all items, whatever their number of sources.
        if one["metric"] in METRICS and one["group"] != "flat" and one["mean"] is not None:
            group = "all" if one["group"] == "overall" else f"{one['group']} sources"
            yield Result(
                data=f"{results['dataset']['name']}, {results['dataset']['split']} split",
                group=group,
                metric=one["metric"],
                value=one["mean"],
                low=one["ci_low"],
                high=one["ci_high"],
                count=one["n"],
            )


def _authors(clips: pa.Table) -> tuple[str, ...]:
    """Return the authors, each with the number of clips."""
    named = Counter(_public(text) for text in clips["attribution"].to_pylist() if text)
    return tuple(f"{author} ({count} clips)" for author, count in sorted(named.items()))


def _attribution(clips: pa.Table) -> bytes:
    """Return a table of all clips that are not synthesised: what, by whom, under what licence."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("recording", "label", "author", "licence"))
    rows = zip(
        *(clips[name].to_pylist() for name in ("recording_id", "label", "attribution", "licence")),
        clips["source"].to_pylist(),
        strict=True,
    )
    writer.writerows(
        sorted(
            {
                (recording, label, _public(author), licence)
                for recording, label, author, licence, source in rows
                if source != "synth"
            }
        )
    )
    return text.getvalue().encode()


def _public(author: str) -> str:
    """Leave addresses of electronic mail out of a name."""
    return re.sub(r"\s*<?\S+@\S+>?", "", author).strip()


if __name__ == "__main__":
    try:
        typer.run(main)
    except HiveError as error:
        sys.exit(f"Error: {error}")
