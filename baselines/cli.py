"""Sub-commands of `hive-bench` about models: `models`, `separate` and `weights`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from baselines.channels import Channels
from baselines.experiments.cli import app as experiment_app
from baselines.training.cli import app as training_app
from baselines.weights_cli import app as weights_app
from hive.options import JsonFlag

if TYPE_CHECKING:
    from baselines.apply import Separated

#: Models of `separate`: the better one of those that are part of the package, and the one that can
#: be told what to drop.
DEFAULT_MODEL, WITH_NEGATIVES = "audiosep-mini", "clearsep-mini"

app = typer.Typer()
app.add_typer(weights_app, name="weights")
app.add_typer(training_app)
app.add_typer(experiment_app)


@app.command(
    epilog="Example: hive-bench models --json",
)
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that are installed, and what the others lack.

    Besides the names listed, every --model takes trained:FOLDER (a network or run of one's own, or
    OWNER/NAME on the hub), python:package.module:Class, process:COMMAND (a worker in another
    environment) and files:FOLDER (estimates on disk).
    """
    from hive.console import out, print_json, print_table
    from hive.models import listings

    found = listings()
    if as_json:
        print_json(
            [
                {
                    **{key: value for key, value in vars(each).items() if key != "missing"},
                    "available": not each.missing,
                    "missing": [
                        {"problem": error.problem, "remedy": error.remedy} for error in each.missing
                    ],
                }
                for each in found
            ]
        )
        return
    rows = []
    for each in found:
        rate = {None: "?", 0: "any"}.get(each.sample_rate, f"{each.sample_rate} Hz")
        kind = "generative" if each.generative else "oracle" if each.uses_reference else ""
        ready = "no" if each.missing else "yes"
        rows.append(
            (each.name, rate, kind, "yes" if each.takes_negatives else "", ready, each.summary)
        )
    print_table(["model", "rate", "kind", "negatives", "ready", "what it is"], rows)
    notes = [f"  {each.name}: {error}" for each in found for error in each.missing]
    if notes:
        notes.insert(0, "Not ready:")
    notes.append("Also: trained:FOLDER, python:package.module:Class, process:COMMAND, files:FOLDER")
    out.print("\n".join(notes), highlight=False, markup=False, soft_wrap=True)


@app.command(
    epilog='Example: hive-bench separate street.wav "dog" --without speech -o dog.wav',
)
def separate(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Audio file of any rate, length and channels.")
    ],
    query: Annotated[str, typer.Argument(help="The sound to keep.")],
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.wav", help="WAV or FLAC file to write.")
    ],
    without: Annotated[
        list[str] | None, typer.Option(help="A sound to drop; may be given several times.")
    ] = None,
    residual: Annotated[
        Path | None,
        typer.Option(metavar="REST.wav", help="File for the rest: the input minus the output."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Model, see hive-bench models. Default: {DEFAULT_MODEL}, with --without "
            f"{WITH_NEGATIVES}."
        ),
    ] = None,
    channels: Annotated[
        Channels, typer.Option(help="Each channel by itself, their mean, or the first one.")
    ] = Channels.each,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the model; may be given several times."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of models that draw random numbers.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Keep what a query names in a recording of your own.

    The result has the input's rate, channels and length. To drop a sound, take the --residual.
    """
    import dataclasses

    from baselines.apply import Job, separate_file
    from hive.console import err, out, print_json, progress
    from hive.models import parse_options

    job = Job(
        source,
        target,
        query,
        model or (WITH_NEGATIVES if without else DEFAULT_MODEL),
        negatives=tuple(without or ()),
        residual=residual,
        channels=channels,
        options=parse_options(option or []),
        device=device,
        seed=seed,
    )
    with progress() as bar:
        task = bar.add_task("separating, seconds", total=None)
        done = separate_file(job, lambda now, whole: bar.update(task, completed=now, total=whole))
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    out.print("\n".join(_account(done)), highlight=False, markup=False, soft_wrap=True)
    if done.clipped:
        err.print(f"{done.clipped} samples were beyond full scale and are clipped", style="yellow")


def _account(done: Separated) -> Iterator[str]:
    """Tell in sentences what was done."""

    def named(text: str) -> str:
        meaning = done.taken_for[text]
        return text if meaning == text else f"{text} (taken for {meaning})"

    if done.level_db is None:
        level = "silent"
    else:
        level = f"{abs(done.level_db):.1f} dB {'below' if done.level_db < 0 else 'above'} the input"
    yield f"{done.output}: {named(done.query)}, {level}"
    if done.negatives:
        how = {"native": ", told to the network", "emulated": ", taken out of the mixture first"}
        dropped = ", ".join(map(named, done.negatives))
        yield f"Dropped: {dropped}{how.get(done.negatives_were or '', '')}"
    if done.residual:
        yield f"{done.residual}: the rest, input minus output"
    yield (
        f"{done.seconds:.2f} s, {done.channels} channel{'s' * (done.channels != 1)} at "
        f"{done.sample_rate} Hz, by {done.model} in {done.elapsed:.1f} s"
    )
