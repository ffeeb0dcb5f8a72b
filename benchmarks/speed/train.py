"""Training steps against the published way: `python -m benchmarks.speed.train`.

Both sides start from the same weights, take the same mixtures and use the same loss and optimiser
(`benchmarks.speed.contenders`). They take turns of a few steps in one process; memory is measured
in a process for each. With --curve N, both are trained for N steps and their losses compared.

    python -m benchmarks.speed.train --preset mini --steps 5 --curve 40     # see it work
    python -m benchmarks.speed.train --curve 500 --out training-speed       # on a GPU

Nothing is downloaded: queries are encoded by a text tower of the published size with drawn weights,
mixtures are bands of noise, made before the clock runs.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import this_machine
from benchmarks.speed import curves
from benchmarks.speed.bands import CLASSES, BandMixtures, text
from benchmarks.speed.contenders import (
    BATCHES,
    WINDOWS,
    Contender,
    Mode,
    Setup,
    backend,
    make,
    make_reference,
    synchronise,
)
from benchmarks.speed.memory import peak_memory, tower_device
from benchmarks.speed.texttower import TextTower
from benchmarks.speed.timing import interleaved, median_ratio
from hive import console
from hive.errors import HiveError
from hive.files import write_json

ARCHITECTURES = ("audiosep", "clearsep")
_ROUNDS = 10
_KEPT = 4  # batches that steps take in turn
_OTHER_ORDER = "reference, other order"
_FEWEST = 3  # steps of a curve


def time_steps(
    contenders: dict[Mode, Contender], batches: Sequence[Any], device: str, steps: int
) -> dict[Mode, list[float]]:
    """Time training steps in turns.

    Args:
        contenders: What takes turns; each has one turn that is not counted.
        batches: Taken in a circle.
        device: Torch device, which is waited for at the end of a turn.
        steps: Steps of each that are counted, about.

    Returns:
        Seconds a step of each turn.
    """
    rounds = min(_ROUNDS, steps)
    block = max(1, steps // rounds)
    endless = {mode: itertools.cycle(batches) for mode in contenders}

    def turn(mode: Mode) -> None:
        with backend(mode):
            for batch in itertools.islice(endless[mode], block):
                contenders[mode].step(batch)
            synchronise(device)

    def bound(mode: Mode) -> Callable[[], None]:
        return lambda: turn(mode)

    seconds = interleaved({mode.name: bound(mode) for mode in contenders}, rounds)
    return {mode: [one / block for one in seconds[mode.name]] for mode in contenders}


def summary(setup: Setup, seconds: dict[Mode, list[float]]) -> list[dict[str, Any]]:
    """Return a row for each contender; ratios are against the first."""
    first = next(iter(seconds.values()))
    rows = []
    for mode, times in seconds.items():
        low, middle, high = _quartiles(times)
        rows.append(
            {
                "contender": mode.name,
                "seconds_a_step": {"median": middle, "quartiles": [low, high]},
                "steps_a_second": 1.0 / middle,
                "mixtures_a_second": setup.batch / middle,
                "times_as_fast": median_ratio(first, times),
            }
        )
    return rows


def measure(setup: Setup, modes: Sequence[Mode], steps: int, *, memory: bool) -> dict[str, Any]:
    """Time and weigh contenders; the first one is what the others are compared with."""
    towers = {"reference": TextTower(setup.preset, setup.device)}
    towers["ours"] = towers["reference"]
    if tower_device(setup, Mode("ours")) != setup.device:
        towers["ours"] = TextTower(setup.preset, tower_device(setup, Mode("ours")))
    tower = towers["reference"]
    start = make_reference(setup, tower.dim)
    contenders = {mode: make(setup, mode, towers[mode.side], start) for mode in modes}
    data = BandMixtures(setup.seconds, setup.config.sample_rate, negatives=setup.takes_negatives)
    batches = list(data.batches(_KEPT, setup.batch, seed=0))
    for contender in contenders.values():
        contender.remember([text(number) for number in range(CLASSES)])
    rows = summary(setup, time_steps(contenders, batches, setup.device, steps))
    for contender, row in zip(contenders.values(), rows, strict=True):
        row["trained_parameters"] = _trained(contender.network)
    del contender
    contenders.clear()
    _release()
    for mode, row in zip(modes, rows, strict=True):
        row["memory"] = peak_memory(setup, mode) if memory else None
    return {"text_tower_parameters": tower.parameters, "contenders": rows}


def train_curves(setup: Setup, modes: Sequence[Mode], steps: int) -> dict[str, list[float]]:
    """Train for some steps and return the losses: the reference in two orders, then `modes`."""
    tower = TextTower(setup.preset, setup.device)
    start = make_reference(setup, tower.dim)
    data = BandMixtures(setup.seconds, setup.config.sample_rate, negatives=setup.takes_negatives)
    remembered = Mode("reference")
    runs = {"reference": (remembered, 0), _OTHER_ORDER: (remembered, 1)}
    runs |= {mode.name: (mode, 0) for mode in modes}
    found = {}
    with console.progress() as progress:
        task = progress.add_task(f"curves of {setup.architecture}", total=len(runs) * steps)
        for name, (mode, seed) in runs.items():
            contender = make(setup, mode, tower, start)
            losses = []
            with backend(mode):
                for batch in data.batches(steps, setup.batch, seed):
                    losses.append(contender.step(batch))
                    progress.advance(task)
            found[name] = torch.stack(losses).tolist()
    return found


def curve_record(losses: dict[str, list[float]]) -> dict[str, Any]:
    """Compare the curves that `train_curves` returns."""
    reference, other = losses["reference"], losses[_OTHER_ORDER]
    compared = {
        name: curves.compare(curve, reference, other)
        for name, curve in losses.items()
        if name not in ("reference", _OTHER_ORDER)
    }
    return {
        "losses": losses,
        "compared": {
            name: {**vars(one), "within_noise": one.within} for name, one in compared.items()
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print tables and write the record; exit code 1 if curves differ beyond noise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument("--steps", type=int, default=30, help="timed steps of each contender")
    parser.add_argument("--batch", type=int, help="mixtures a step; the published number on a GPU")
    parser.add_argument("--curve", type=int, default=0, help="steps of the loss curves")
    parser.add_argument("--no-memory", action="store_true", help="leave memory out")
    options = parser.parse_args(arguments)
    try:
        record = run(options)
    except HiveError as error:
        parser.error(f"{error.problem}; {error.remedy}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(options.out / "training-speed.json", record)
        for name, part in record["curves"].items():
            title = f"{name}, {record['preset']} size, {record['machine']['gpu'] or 'CPU'}"
            curves.plot(options.out / f"curve-{name}.png", title, part["losses"], _OTHER_ORDER)
    if options.json:
        console.print_json(record)
    else:
        print_record(record)
    verdicts = [
        one["within_noise"]
        for part in record["curves"].values()
        for one in part["compared"].values()
    ]
    return 0 if all(verdicts) else 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and separation share."""
    parser.add_argument("--architecture", choices=(*ARCHITECTURES, "all"), default="all")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--preset", choices=("published", "mini"), default="published")
    parser.add_argument("--seconds", type=float, help="length of a mixture")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of ours")
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="also measure ours compiled; by default on a GPU",
    )
    parser.add_argument("--out", type=Path, help="folder for the record and the plots")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def setups(options: argparse.Namespace, batch: int | None) -> Iterator[Setup]:
    """Yield what is asked for: defaults are the published batch and window, on a CPU 2 mixtures."""
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise HiveError("--device cuda: there is no GPU", "take cpu")
    wanted = ARCHITECTURES if options.architecture == "all" else (options.architecture,)
    for name in wanted:
        size = batch or (BATCHES[name] if device == "cuda" else 2)
        window = WINDOWS[options.preset][name]
        setup = Setup(name, options.preset, device, size, options.seconds or window)
        try:
            setup.config  # noqa: B018 - checks the length
        except ValueError as error:
            raise HiveError(f"--seconds {setup.seconds:g}: {error}", "take fewer") from error
        yield setup


def our_modes(setup: Setup, precision: str, compiled: bool | None) -> list[Mode]:
    """Return how ours computes: as the reference, in `precision`, and compiled where asked for."""
    modes = [Mode("ours", each) for each in dict.fromkeys(("fp32", precision))]
    if compiled or (compiled is None and setup.device == "cuda"):
        modes.append(Mode("ours", precision, compiled=True))
    return modes


def record_head(options: argparse.Namespace, found: Sequence[Setup]) -> dict[str, Any]:
    """Return what every record begins with: the machine, versions and settings."""
    from baselines.training.hardware import versions

    return {
        "machine": this_machine(found[0].device),
        "versions": versions(),
        "preset": options.preset,
        "setups": {
            one.architecture: {"batch": one.batch, "seconds": one.seconds, "device": one.device}
            for one in found
        },
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Do what the options ask for and return the record."""
    found = list(setups(options, options.batch))
    if 0 < options.curve < _FEWEST:
        raise HiveError(
            f"--curve {options.curve}: too few to tell noise", f"take {_FEWEST} or more"
        )
    record: dict[str, Any] = record_head(options, found) | {"training": {}, "curves": {}}
    for setup in found:
        ours = our_modes(setup, options.precision, options.compile)
        record["training"][setup.architecture] = measure(
            setup, [*setup.training(), *ours], options.steps, memory=not options.no_memory
        )
        if options.curve:
            # In the same arithmetic, and as it is meant to be used.
            chosen = list(dict.fromkeys((ours[0], ours[-1])))
            record["curves"][setup.architecture] = curve_record(
                train_curves(setup, chosen, options.curve)
            )
    return record


def print_record(record: dict[str, Any]) -> None:
    """Print the tables of a record."""
    for name, measured in record["training"].items():
        setup = record["setups"][name]
        console.print_table(
            ["", "s a step", "quartiles", "mixtures/s", "times as fast", "peak MiB"],
            [
                [
                    row["contender"],
                    f"{row['seconds_a_step']['median']:.3f}",
                    " to ".join(f"{one:.3f}" for one in row["seconds_a_step"]["quartiles"]),
                    f"{row['mixtures_a_second']:.2f}",
                    f"{row['times_as_fast']:.2f}",
                    "" if row["memory"] is None else f"{row['memory']['peak_mib']:.0f}",
                ]
                for row in measured["contenders"]
            ],
            title=f"Training {name}, {record['preset']} size, {setup['batch']} x "
            f"{setup['seconds']:g} s, {record['machine']['gpu'] or record['machine']['cpu']}",
        )
    for name, part in record["curves"].items():
        console.print_table(
            ["", "difference", "noise", "within noise", "last loss", "reference's"],
            [
                [
                    contender,
                    f"{one['difference']:.2g}",
                    f"{one['noise']:.2g}",
                    "yes" if one["within_noise"] else "NO",
                    f"{one['last'][0]:.4f}",
                    f"{one['last'][1]:.4f}",
                ]
                for contender, one in part["compared"].items()
            ],
            title=f"Losses of {name}, {len(part['losses']['reference'])} steps",
        )


def _trained(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def _release() -> None:
    """Give memory of the GPU back, which other processes may need."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, statistics.median(values), high


if __name__ == "__main__":
    sys.exit(main())
