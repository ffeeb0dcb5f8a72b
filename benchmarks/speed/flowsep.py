"""FlowSep against the published way: `python -m benchmarks.speed.flowsep`.

Both sides have the same weights, are given the same tokens and draw the same noise: the restated
network (`reference_flowsep`) one window at a time in single precision, and ours one or several at
once. In single precision both must give the same estimates, or the exit code is 1. The mini is a
design of our own that nobody has published: it is measured alone.

Nothing is downloaded, weights are drawn. Table 4 of the Hive paper has 1.30 s for FlowSep on an
A100; `python -m benchmarks.speed.flowsep --device cuda` measures what that is here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.adapter import normal
from baselines.flowsep.config import AutoencoderConfig, BigVGANConfig, FlowSepConfig
from baselines.flowsep.convert import translate
from baselines.flowsep.model import FlowSep
from baselines.queries.encoder import QueryEncoder
from benchmarks.machine import this_machine
from benchmarks.speed.contenders import autocast, synchronise
from benchmarks.speed.reference_flowsep import ReferenceFlowSep, Sizes
from benchmarks.speed.separation import TOLERANCE, disagreement
from benchmarks.speed.timing import interleaved, median_ratio
from hive import console
from hive.errors import HiveError
from hive.files import write_json
from hive.inference import resolve_device

_TOKENS = 6  # of a query of a few words
_PUBLISHED = "published, fp32, 1 at once"
Run = Callable[[], Tensor]


class Told(QueryEncoder):
    """Stands for a text encoder: conditions are drawn, and no query is encoded.

    Args:
        dim: Size of a state.
    """

    kind = "told"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def condition(self, rows: int) -> Tensor:
        """Return states of tokens, all of them heard, shape (rows, tokens, dim + 1)."""
        drawn = torch.Generator().manual_seed(1)
        states = torch.randn(rows, _TOKENS, self.dim, generator=drawn)
        return torch.cat([states, torch.ones(rows, _TOKENS, 1)], dim=2)


def sizes_of(config: FlowSepConfig, context: int) -> Sizes:
    """Return the restated network's sizes.

    Args:
        config: Ours, with an autoencoder and BigVGAN.
        context: Size of a token's state.

    Raises:
        TypeError: If it has patches or the mixture's phase in their place.
    """
    latent, vocoder = config.latent, config.vocoder
    if not (isinstance(latent, AutoencoderConfig) and isinstance(vocoder, BigVGANConfig)):
        raise TypeError("the published network has an autoencoder and BigVGAN")
    return Sizes(
        channels=config.unet.channels,
        layers=config.unet.layers,
        head=config.unet.head_channels,
        context=context,
        vae_channels=latent.channels,
        vae_layers=latent.layers,
        latent=latent.latent_channels,
        groups=latent.groups,
        rates=vocoder.rates,
        kernels=vocoder.kernels,
        start=vocoder.channels,
        blocks=vocoder.block_kernels,
        mels=config.mels,
        n_fft=config.n_fft,
        hop=config.hop,
        rate=config.sample_rate,
    )


class Networks:
    """Ours, and the published network with the same weights where there is one.

    Args:
        config: Sizes.
        device: Torch device.
    """

    def __init__(self, config: FlowSepConfig, device: str) -> None:
        self.config, self.device = config, device
        self.encoder = Told(int(config.encoder.get("dim", 1024)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.ours = FlowSep(config, encoder=self.encoder)
            self.reference: ReferenceFlowSep | None = None
            if isinstance(config.vocoder, BigVGANConfig):
                filters = self.ours.mel.filters
                sizes = sizes_of(config, self.encoder.dim)
                self.reference = ReferenceFlowSep(sizes, filters.T.contiguous().clone())
        if self.reference is not None:
            self.ours.load_state_dict(self._translated(self.reference))
            self.reference.filters = self.reference.filters.to(device)
            self.reference.to(device).eval()
        self.ours.to(device).eval()

    def _translated(self, reference: ReferenceFlowSep) -> dict[str, Tensor]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "restated.ckpt"
            torch.save({"state_dict": reference.published_state()}, file)
            return translate(file, self.config)[0]

    def mixture(self, rows: int) -> Tensor:
        """Return noise at the level that the networks expect, shape (rows, T)."""
        drawn = torch.Generator().manual_seed(0)
        noise = torch.randn(rows, self.config.window_samples, generator=drawn)
        return (0.5 * noise / noise.abs().amax(dim=1, keepdim=True)).to(self.device)

    def drawing(self, rows: int, steps: int, precision: str) -> Run:
        """Return how ours draws some windows at once."""
        mixture, condition = self.mixture(rows), self.encoder.condition(rows).to(self.device)

        def run() -> Tensor:
            with torch.inference_mode(), autocast(self.device, precision):
                found = self.ours.generate(mixture, condition, _generators(rows), steps=steps)
                synchronise(self.device)
            return found

        return run

    def published_drawing(self, reference: ReferenceFlowSep, rows: int, steps: int) -> Run:
        """Return how the published code draws them: one after another."""
        mixture, condition = self.mixture(rows), self.encoder.condition(rows).to(self.device)
        noises = [
            (normal([one], shape, self.device), normal([one], shape, self.device))
            for shape in [self.config.latent_shape]
            for one in _generators(rows)
        ]

        def run() -> Tensor:
            found = [
                reference.separate(
                    mixture[row : row + 1],
                    condition[row : row + 1, :, :-1],
                    condition[row : row + 1, :, -1],
                    posterior,
                    start,
                    steps,
                )
                for row, (posterior, start) in enumerate(noises)
            ]
            synchronise(self.device)
            return torch.cat(found)[:, : self.config.window_samples]

        return run


def measure(
    networks: Networks, steps: int, batches: Sequence[int], precision: str, rounds: int
) -> list[dict[str, Any]]:
    """Time drawing, and compare the estimates with the published network's.

    Args:
        networks: Both sides.
        steps: Euler steps.
        batches: Windows that ours draws at once.
        precision: Of ours, besides fp32.
        rounds: Timed runs of each.

    Returns:
        A row for each contender.
    """
    rows: list[dict[str, Any]] = []
    for batch in batches:
        runs: dict[str, Run] = {}
        if networks.reference is not None:
            runs[_PUBLISHED] = networks.published_drawing(networks.reference, batch, steps)
        for each in dict.fromkeys(("fp32", precision)):
            runs[f"ours, {each}, {batch} at once"] = networks.drawing(batch, steps, each)
        estimates = {name: run() for name, run in runs.items()}
        times = interleaved(runs, rounds)
        seconds = batch * networks.config.window_seconds
        first = next(iter(runs))
        for name, taken in times.items():
            apart = disagreement(estimates[name], estimates[first])
            rows.append(
                {
                    "contender": name,
                    "steps": steps,
                    "windows": batch,
                    "seconds_a_second": sorted(taken)[len(taken) // 2] / seconds,
                    "times_as_fast": median_ratio(times[first], taken),
                    "disagreement": apart,
                    "agrees": "fp32" not in name or apart <= TOLERANCE,
                }
            )
    return rows


def _generators(rows: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(rows)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table and write the record; exit code 1 if estimates disagree."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.flowsep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--preset", choices=("published", "mini"), default="published")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of ours")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 20], help="Euler steps")
    parser.add_argument("--batches", type=int, nargs="+", default=[1], help="windows at once")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each")
    parser.add_argument("--out", type=Path, help="folder for the record")
    options = parser.parse_args(arguments)
    try:
        record = run(options)
    except HiveError as error:
        parser.error(f"{error.problem}; {error.remedy}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(Path(options.out) / "flowsep-speed.json", record)
    _print(record)
    return 0 if all(row["agrees"] for row in record["drawing"]) else 1


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Do what the options ask for and return the record."""
    from baselines.training.hardware import versions

    device = resolve_device(options.device)
    config: FlowSepConfig = getattr(FlowSepConfig, options.preset)()
    networks = Networks(config, device)
    return {
        "machine": this_machine(device),
        "versions": versions(),
        "preset": options.preset,
        "window_seconds": config.window_seconds,
        "drawing": [*_rows(networks, options)],
    }


def _rows(networks: Networks, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for steps in options.steps:
        yield from measure(networks, steps, options.batches, options.precision, options.rounds)


def _print(record: dict[str, Any]) -> None:
    machine = record["machine"]
    console.print_table(
        ["", "steps", "s for each second", "times as fast", "disagreement"],
        [
            (
                row["contender"],
                row["steps"],
                f"{row['seconds_a_second']:.3g}",
                f"{row['times_as_fast']:.2f}",
                f"{row['disagreement']:.1e}",
            )
            for row in record["drawing"]
        ],
        title=f"FlowSep, {record['preset']} size, windows of {record['window_seconds']:g} s, "
        f"{machine['gpu'] or machine['cpu']}",
    )


if __name__ == "__main__":
    sys.exit(main())
