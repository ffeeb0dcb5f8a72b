"""`hive-bench train`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hive.options import place_option

if TYPE_CHECKING:
    from baselines.training.run import Trained
    from baselines.training.sections import TrainingConfig

app = typer.Typer()


class Resume(str, Enum):
    """What becomes of a run that is in the folder."""

    auto = "auto"
    never = "never"


class Precision(str, Enum):
    """Arithmetic of the forward pass."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


@app.command(
    epilog="Example: hive-bench train audiosep-mini --pool POOL --out runs/mini "
    "--set data.batch_size=8",
)
def train(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A shipped name, see --list, or a file.")
    ] = None,
    pool: Annotated[
        Path | None, place_option(help="Pool, or packed pool, to make mixtures of while training.")
    ] = None,
    plan: Annotated[
        Path | None, place_option(help="Mixture table over the pool; without it, they are drawn.")
    ] = None,
    shards: Annotated[
        Path | None, typer.Option(metavar="DATASET", help='Folder with shards, or "mini".')
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(metavar="DATASET", help="Tracks of natural recordings, beside the pool."),
    ] = None,
    natural: Annotated[
        str | None,
        typer.Option(
            metavar="RECORDINGS",
            help="Natural recordings to separate between trainings; CORPUS:FOLDER, or your own.",
        ),
    ] = None,
    iterations: Annotated[
        int, typer.Option(min=1, help="Trainings, with the data engine in between.")
    ] = 1,
    further: Annotated[
        float, typer.Option(min=0.0, help="Length of the later trainings, of the first.")
    ] = 0.25,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Folder of the run.", show_default=False)
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be given several times."),
    ] = None,
    resume: Annotated[
        Resume, typer.Option(help="Go on with the run that is in the folder, or refuse to.")
    ] = Resume.auto,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs, or processes on a CPU; trainer.devices.")
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Arithmetic; trainer.precision.")
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network; trainer.compile.")
    ] = False,
    fast_dev_run: Annotated[
        bool,
        typer.Option(
            "--fast-dev-run", help="Two small steps and a validation, to see that all fits."
        ),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the shipped configurations.")] = False,
    fields: Annotated[bool, typer.Option("--fields", help="List all settings.")] = False,
) -> None:
    """Train a separation network; the same command goes on with a run that was stopped.

    Sound comes from a pool, whose clips are mixed while training (--pool, with --plan in the order
    of a mixture table), or from rendered mixtures (--shards).
    """
    if list_ or fields:
        _list_configs() if list_ else _list_fields()
        return
    settings = list(override or ())
    settings += [f"trainer.devices={devices}"] if devices else []
    settings += [f"trainer.precision={precision.value}"] if precision else []
    settings += ["trainer.compile=true"] if compile_ else []
    loaded = _load(config, settings)
    source = _source(pool, plan, shards)
    if (natural is None) != (iterations == 1):
        raise typer.BadParameter(
            "--natural and --iterations go together", param_hint="--iterations"
        )
    if out is None and not fast_dev_run:
        raise typer.BadParameter("say where the run's folder is to be", param_hint="--out")
    _check_installed()
    if fast_dev_run:
        _try_out(loaded, source, pool, tracks, out)
    elif out is not None and natural is not None:
        if pool is None or plan is not None or tracks is not None:
            raise typer.BadParameter("--iterations needs --pool alone", param_hint="--iterations")
        _iterate(loaded, pool, natural, out, iterations, further)
    elif out is not None:
        _train(loaded, source, pool, tracks, out, go_on=resume is Resume.auto)


def _load(config: str | None, settings: list[str]) -> TrainingConfig:
    from baselines.training.config import load_config

    if config is None:
        raise typer.BadParameter(
            "say which configuration; --list shows those shipped", param_hint="CONFIG"
        )
    return load_config(config, settings)


def _source(pool: Path | None, plan: Path | None, shards: Path | None) -> Path:
    """Return where the sound comes from."""
    if plan is not None and pool is None:
        raise typer.BadParameter("a plan needs the --pool of its clips", param_hint="--plan")
    sound = pool or shards
    if sound is None or (pool is not None and shards is not None):
        raise typer.BadParameter("give one of --pool and --shards", param_hint="--pool")
    return plan or sound


def _check_installed() -> None:
    from importlib.util import find_spec

    from hive.errors import HiveError

    if find_spec("lightning") is None:
        raise HiveError("training needs lightning, which is not installed", "pip install lightning")


def _train(
    config: TrainingConfig,
    source: Path,
    pool: Path | None,
    tracks: Path | None,
    out: Path,
    *,
    go_on: bool,
) -> None:
    from baselines.training.run import train as run
    from baselines.training.stopping import Stopped
    from hive.console import say

    try:
        trained = run(config, source, out, pool=pool, tracks=tracks, go_on=go_on)
    except Stopped as stopped:
        say(f"{stopped}; the state is in {out / 'checkpoints'}. To go on: {_command()}")
        raise typer.Exit(128 + stopped.number) from stopped
    if trained.model is not None:
        _tell(trained)


def _iterate(
    config: TrainingConfig, pool: Path, natural: str, out: Path, iterations: int, further: float
) -> None:
    from baselines.training.commands import CommandError
    from baselines.training.iterations import Loop, iterate
    from hive.console import print_table, say

    corpus, colon, place = natural.partition(":")
    count = config.trainer.devices
    loop = Loop(
        config=config,
        pool=pool,
        natural=Path(place if colon else natural),
        corpus=corpus if colon else "folder",
        folder=out,
        iterations=iterations,
        further=further,
        devices=tuple(f"cuda:{n}" for n in range(count)) if count > 1 else ("auto",),
    )
    try:
        done = iterate(loop)
    except CommandError as error:
        say(f"{error}. To go on: {_command()}")
        raise typer.Exit(error.status) from error
    heads = {
        "si_sdr_i": "SI-SDRi",
        "si_sdr_i_2mix": "2 mix",
        "si_sdr_i_3mix": "3 mix",
        "sdr_plain_i": "SDRi",
        "silence_sdr": "silence",
    }
    rows = [
        (
            one.iteration,
            one.steps,
            round(one.clip_hours, 2),
            round(one.track_hours, 2),
            one.recordings,
            one.self_separate,
            *(f"{one.scores[name]:.2f}" if name in one.scores else "-" for name in heads),
        )
        for one in done
    ]
    limits = (config.data.tracks.independent_db, config.data.tracks.self_separate_db)
    columns = ["", "steps", "clips h", "tracks h", *(f"> {limit:g} dB" for limit in limits)]
    print_table([*columns, *heads.values()], rows, title="Iterations; validation in dB")


def _try_out(
    config: TrainingConfig,
    source: Path,
    pool: Path | None,
    tracks: Path | None,
    out: Path | None,
) -> None:
    import tempfile

    from baselines.training.run import quick

    with tempfile.TemporaryDirectory(prefix="hive-train-") as temporary:
        folder = out or Path(temporary) / "run"
        _train(quick(config), source, pool, tracks, folder, go_on=False)


def _tell(trained: Trained) -> None:
    """Print the scores of the trained network, and what to do with it."""
    from baselines.training.record import best_scores, table
    from hive.console import out, print_table

    rows = [
        (group or "all", name, f"{value:.2f}")
        for group, name, value in table(best_scores(trained.state))
    ]
    print_table(["mixtures of", "score", "dB"], rows, title=f"Step {trained.state.best_step}")
    command = f"--model trained:{trained.folder}"
    out.print(f"The trained network is in {trained.model}", highlight=False, soft_wrap=True)
    out.print(f"hive-bench evaluate {command} --out SCORES", highlight=False, soft_wrap=True)
    out.print(
        f'hive-bench separate INPUT.wav "dog" {command} -o OUT.wav', highlight=False, soft_wrap=True
    )


def _command() -> str:
    """Return the command that goes on with this run."""
    import shlex
    import sys

    words = ["hive-bench", *sys.argv[1:]]
    return shlex.join(word for word in words if word not in ("--resume=never",))


def _list_configs() -> None:
    from baselines.training.config import load_config, shipped
    from hive.console import print_table

    rows = []
    for name, path in shipped().items():
        config = load_config(path)
        ranks = config.trainer.devices * config.trainer.num_nodes
        batch = config.data.batch_size * config.trainer.accumulate * ranks
        length = config.trainer.max_steps or f"{config.trainer.max_epochs} epochs"
        rows.append(
            (
                name,
                config.model.preset,
                config.loss.kind,
                config.schedule.kind,
                batch,
                f"{config.data.seconds:g} s",
                length,
            )
        )
    print_table(["name", "sizes", "loss", "schedule", "batch", "length", "steps"], rows)


def _list_fields() -> None:
    from rich.padding import Padding
    from rich.text import Text

    from baselines.training.config import fields
    from hive.console import out

    for name, default, description in fields():
        out.print(Text.assemble((name, "bold"), f" = {default}" if default else ""))
        out.print(Padding(Text(description), (0, 0, 0, 4)))
