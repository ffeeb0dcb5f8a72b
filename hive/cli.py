"""Sub-commands of `hive-bench` about data, checkpoints and the installation.

Only typer and modules that import no more are imported here; everything else is imported by the
command that needs it, so that `hive-bench --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hive.checkpoints.cli import app as checkpoints_app
from hive.contamination.cli import app as contamination_app
from hive.curation.afc.cli import app as afc_app
from hive.curation.cli import app as curation_app
from hive.curation.cooccurrence_cli import app as cooccurrence_app
from hive.engine.cli import app as engine_app
from hive.metrics.cli import app as metrics_app
from hive.options import JsonFlag
from hive.pool.cli import app as pool_app
from hive.publishing.cli import app as publishing_app
from hive.shards.cli import app as shards_app
from hive.sources.cli import app as sources_app

app = typer.Typer()
app.add_typer(sources_app, name="sources")
app.add_typer(pool_app, name="pool")
app.add_typer(curation_app)
app.add_typer(engine_app)
app.add_typer(afc_app, name="afc")
app.add_typer(cooccurrence_app, name="cooccurrence")
app.add_typer(shards_app)
app.add_typer(publishing_app)
app.add_typer(checkpoints_app, name="checkpoints")
app.add_typer(metrics_app)
app.add_typer(contamination_app)


@app.command()
def labels(
    label: Annotated[str | None, typer.Argument(help="Name, AudioSet id or alias.")] = None,
    with_: Annotated[
        str | None, typer.Option("--with", help="Say whether LABEL may be mixed with this one.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the 283 classes, or look one up: parents, siblings, merges, compatible labels.

    Example: hive-bench labels "honking" --with "Traffic noise, roadway noise"
    """
    from hive import console, cooccurrence
    from hive import labels as table

    if label is None:
        rows = [
            {"id": entry.mid, "name": entry.name, "parents": list(entry.parents)}
            for entry in table.all_labels()
        ]
        if as_json:
            console.print_json(rows)
        else:
            cells = [(row["id"], row["name"], ", ".join(row["parents"])) for row in rows]
            console.print_table(["id", "name", "parents"], cells)
        return
    entry = table.find(label)
    if with_ is not None:
        other = table.find(with_)
        verdict = cooccurrence.allowed(entry, other)
        reason = cooccurrence.explain(entry, other)
        if as_json:
            value = {"labels": [entry.name, other.name], "compatible": verdict, "why": reason}
            console.print_json(value)
        else:
            console.out.print("yes:" if verdict else "no:", reason, markup=False)
        return
    facts: dict[str, Any] = {
        "id": entry.mid,
        "name": entry.name,
        "parents": list(entry.parents),
        "siblings": [sibling.name for sibling in table.siblings(entry)],
        "merged from AudioSet": list(entry.merged),
        "compatible": [other.name for other in cooccurrence.compatible(entry)],
    }
    if as_json:
        console.print_json(facts)
    else:
        shown = [
            (key, "; ".join(value) if isinstance(value, list) else value)
            for key, value in facts.items()
        ]
        console.print_table(["", entry.name], shown)


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Say what is here, what is missing, and how to get it.

    Example: hive-bench doctor
    """
    from hive import console
    from hive.doctor import examine

    findings = examine()
    if as_json:
        console.print_json([vars(finding) for finding in findings])
    else:
        console.print_table(
            ["", "what", "found", "remedy"],
            [
                ({True: "ok", False: "missing", None: "-"}[f.ok], f.what, f.found, f.remedy)
                for f in findings
            ],
        )
    if any(finding.ok is False and finding.required for finding in findings):
        raise typer.Exit(1)
