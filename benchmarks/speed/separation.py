"""Separation against the published way: `python -m benchmarks.speed.separation`.

Both sides have the same weights and are given conditions, so that no query is encoded. A mixture of
one window of ClearSep, 10 s, is separated whole, as the published scripts do it, one at a time and
eight at once. Then AudioSep separates a long one: the published way takes windows of 1 + 3 + 1 s
one after another and calls the network twice for each, ours is `NetworkSeparator`.

In single precision both sides must give the same estimates, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baselines.model import SeparationModel
from benchmarks.speed.bands import BandMixtures
from benchmarks.speed.contenders import (
    REFERENCE,
    Mode,
    Setup,
    autocast,
    backend,
    make_ours,
    make_reference,
    synchronise,
)
from benchmarks.speed.texttower import RememberingEncoder, TextTower
from benchmarks.speed.timing import interleaved
from benchmarks.speed.train import add_options, our_modes, record_head, setups, summary
from hive import console
from hive.errors import HiveError
from hive.files import write_json

TOLERANCE = 1e-3
"""Largest relative root mean square of the sides' difference in single precision."""
_LEFT, _CENTRE, _RIGHT = 1.0, 3.0, 1.0  # seconds of a window of the published script
_TOKENS = 77
_WINDOWS_AT_ONCE = 8
Run = Callable[[], Tensor]


def reference_windows(
    network: nn.Module, mixture: Tensor, condition: Tensor, sample_rate: int
) -> Tensor:
    """Separate a long mixture as the published script does, each window twice.

    Args:
        network: Restated AudioSep.
        mixture: Shape (1, T), more than a window.
        condition: Shape (1, D).
        sample_rate: Hz.

    Returns:
        Estimate, float64, shape (1, T), on the processor.
    """
    left, centre, right = (round(part * sample_rate) for part in (_LEFT, _CENTRE, _RIGHT))
    samples, window = mixture.shape[-1], left + centre + right
    result = torch.zeros(1, samples, dtype=torch.float64)
    last = last_window(samples, sample_rate)
    for start in range(0, last + 1, centre):
        for _ in range(2):
            estimate = network(mixture[:, start : start + window], condition).cpu()
        kept = slice(left if start else 0, None if start == last else left + centre)
        result[:, start:][:, kept] = estimate[:, kept]
    return result


def last_window(samples: int, sample_rate: int) -> int:
    """Return where the last window of the published script begins: the one that may be shorter."""
    centre, window = round(_CENTRE * sample_rate), round((_LEFT + _CENTRE + _RIGHT) * sample_rate)
    return max(0, -(-(samples - window) // centre)) * centre


def disagreement(estimate: Tensor, reference: Tensor) -> float:
    """Return the root mean square of the difference, relative to the reference's."""
    first, second = estimate.double().cpu(), reference.double().cpu()
    return float((first - second).square().mean().sqrt() / second.square().mean().sqrt())


class Networks:
    """The restated network and ours, with the same weights, in evaluation mode.

    Args:
        setup: What is compared.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        tower = TextTower(setup.preset, "cpu")
        self.encoder = RememberingEncoder(tower, _TOKENS)
        start = make_reference(setup, tower.dim)
        if setup.architecture == "clearsep":
            _adapt(start)
        self.ours = self._make_ours(start)
        self.compiled: SeparationModel | None = None
        self._start = start
        self.reference = start.to(setup.device).eval()

    def _make_ours(self, start: nn.Module) -> SeparationModel:
        model = make_ours(self.setup, self.encoder, start).to(self.setup.device).eval()
        if callable(merge := getattr(model, "merge", None)):
            merge()  # as `hive-bench separate` does
        return model

    def network(self, mode: Mode) -> nn.Module:
        """Return the network of a mode."""
        if mode.side == "reference":
            return self.reference
        if not mode.compiled:
            return self.ours
        if self.compiled is None:
            self.compiled = self._make_ours(self._start)
            self.compiled.compile(dynamic=False)  # each number of mixtures for itself
        return self.compiled

    def condition(self, batch: Any) -> Tensor:
        """Return the conditions of a batch, which both sides take."""
        positive, negative = map(self.encoder.prepare, (batch.positive, batch.negative))
        return self.ours.condition(positive, negative).to(self.setup.device)


def whole(networks: Networks, modes: Sequence[Mode], rounds: int) -> dict[str, Any]:
    """Time the separation of whole mixtures, and compare the estimates."""
    setup = networks.setup
    rate = networks.ours.sample_rate
    data = BandMixtures(setup.seconds, rate, negatives=setup.takes_negatives)
    batch = data.batch(range(setup.batch))
    mixture, condition = batch.mixture.to(setup.device), networks.condition(batch)

    def bound(mode: Mode) -> Run:
        network = networks.network(mode)

        def run() -> Tensor:
            with backend(mode), torch.inference_mode(), autocast(setup.device, mode.precision):
                estimate: Tensor = network(mixture, condition)
                synchronise(setup.device)
            return estimate

        return run

    return _timed(setup, {mode: bound(mode) for mode in modes}, rounds)


def long(networks: Networks, modes: Sequence[Mode], rounds: int, seconds: float) -> dict[str, Any]:
    """Time the separation of one long mixture by AudioSep, and compare the estimates.

    Raises:
        HiveError: If a package is missing that reading sound needs, which a GPU may do without.
    """
    try:
        from baselines.networks import NetworkSeparator
        from hive.separator import Query
    except ModuleNotFoundError as error:
        raise HiveError(f"the long mixture: {error}", "install it, or take --long 0") from error
    setup = dataclasses.replace(networks.setup, batch=1, seconds=seconds)
    rate = networks.ours.sample_rate
    batch = BandMixtures(seconds, rate, negatives=False).batch([0])
    mixture, condition = batch.mixture, networks.condition(batch)

    def bound(mode: Mode) -> Run:
        def published() -> Tensor:
            with backend(mode), torch.no_grad():
                given = mixture.to(setup.device)
                return reference_windows(networks.reference, given, condition, rate)

        if mode.side == "reference":
            return published
        separator = NetworkSeparator(
            networks.network(mode),  # type: ignore[arg-type]
            name=mode.name,
            device=setup.device,
            precision=mode.precision,
            batch_size=_WINDOWS_AT_ONCE,
            window=_LEFT + _CENTRE + _RIGHT,
        )

        def ours() -> Tensor:
            with backend(mode):
                return separator.separate(mixture, [Query(text=batch.positive[0][0])])

        return ours

    # Ours moves the last window back to the end of the sound; before it, both are the same.
    same = last_window(mixture.shape[-1], rate) + round(_LEFT * rate)
    return _timed(setup, {mode: bound(mode) for mode in modes}, rounds, same)


def _timed(
    setup: Setup, runs: dict[Mode, Run], rounds: int, compared: int | None = None
) -> dict[str, Any]:
    """Time what gives estimates in turns; the first is what the others are compared with.

    Args:
        setup: What is separated.
        runs: What takes turns.
        rounds: Timed turns of each.
        compared: Samples of the estimates that are compared; None for all.
    """
    estimates = {mode: run() for mode, run in runs.items()}
    times = interleaved({mode.name: run for mode, run in runs.items()}, rounds)
    rows = summary(setup, {mode: times[mode.name] for mode in runs})
    first = next(iter(estimates.values()))
    for mode, row in zip(runs, rows, strict=True):
        row["disagreement"] = disagreement(estimates[mode][:, :compared], first[:, :compared])
        row["times_real_time"] = row["mixtures_a_second"] * setup.seconds
        row["agrees"] = mode.precision != "fp32" or row["disagreement"] <= TOLERANCE
    return {"mixtures": setup.batch, "seconds": setup.seconds, "contenders": rows}


def _adapt(network: nn.Module) -> None:
    """Let the low-rank matrices, which start at zero, change something."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("lora_B"):
                parameter.fill_(0.01)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print tables and write the record; exit code 1 if estimates disagree."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.separation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="mixtures at once")
    parser.add_argument("--rounds", type=int, default=10, help="timed runs of each")
    parser.add_argument(
        "--long", type=float, default=60.0, help="seconds of AudioSep's long mixture; 0 for none"
    )
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (4.0 if options.preset == "mini" else 10.0)
    try:
        record = run(options)
    except HiveError as error:
        parser.error(f"{error.problem}; {error.remedy}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(Path(options.out) / "separation-speed.json", record)
    if options.json:
        console.print_json(record)
    else:
        _print(record)
    parts = [part for each in record["separation"].values() for part in each]
    return 0 if all(row["agrees"] for part in parts for row in part["contenders"]) else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Do what the options ask for and return the record."""
    found = list(setups(options, 1))
    record: dict[str, Any] = record_head(options, found) | {"separation": {}}
    for setup in found:
        networks = Networks(setup)
        modes = [REFERENCE, *our_modes(setup, options.precision, options.compile)]
        parts = []
        for size in options.batches:
            networks.setup = dataclasses.replace(setup, batch=size)
            parts.append(whole(networks, modes, options.rounds))
        if options.long and setup.architecture == "audiosep":
            parts.append(long(networks, modes, options.rounds, options.long))
        record["separation"][setup.architecture] = parts
    return record


def _print(record: dict[str, Any]) -> None:
    machine = record["machine"]
    for name, parts in record["separation"].items():
        for part in parts:
            console.print_table(
                ["", "s", "quartiles", "times real time", "times as fast", "disagreement"],
                [
                    [
                        row["contender"],
                        f"{row['seconds_a_step']['median']:.3f}",
                        " to ".join(f"{one:.3f}" for one in row["seconds_a_step"]["quartiles"]),
                        f"{row['times_real_time']:.1f}",
                        f"{row['times_as_fast']:.2f}",
                        f"{row['disagreement']:.1e}",
                    ]
                    for row in part["contenders"]
                ],
                title=f"Separation by {name}, {record['preset']} size, {part['mixtures']} x "
                f"{part['seconds']:g} s, {machine['gpu'] or machine['cpu']}",
            )


if __name__ == "__main__":
    sys.exit(main())
