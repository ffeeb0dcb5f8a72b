"""Peak memory of a contender, measured in a process of its own.

On a GPU it is what torch allocated at most there. On a processor it is the peak of the resident set
less what the process held when everything was imported: it includes weights, the text tower,
gradients, the optimiser's state and whatever the libraries keep for themselves.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.speed.contenders import Mode, Setup, backend, make, synchronise
from hive.errors import HiveError

_MEBIBYTE = 2**20
_STATUS = Path("/proc/self/status")


def peak_memory(setup: Setup, mode: Mode, steps: int = 3) -> dict[str, float]:
    """Train a contender for some steps in a fresh process.

    Returns:
        `peak_mib`, and on a GPU `reserved_mib`, what the allocator held at most.

    Raises:
        HiveError: If the process fails, as where memory does not suffice.
    """
    request = {
        "setup": dataclasses.asdict(setup),
        "mode": dataclasses.asdict(mode),
        "steps": steps,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.memory", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise HiveError(
            f"{setup.architecture}, {mode.name}: memory could not be measured ({told[0]})",
            "take a smaller --batch or --seconds",
        )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def measure_here(setup: Setup, mode: Mode, steps: int) -> dict[str, float]:
    """Train a contender in this process, which must be fresh; see `peak_memory`."""
    import torch

    from benchmarks.speed.bands import BandMixtures
    from benchmarks.speed.contenders import training_recipe
    from benchmarks.speed.texttower import TextTower

    training_recipe(setup)  # imports what training needs, as the network's configuration does
    data = BandMixtures(setup.seconds, setup.config.sample_rate, negatives=setup.takes_negatives)
    batches = list(data.batches(steps, setup.batch, seed=0))
    on_gpu = torch.device(setup.device).type == "cuda"
    before = 0.0 if on_gpu else _resident("VmRSS")
    tower = TextTower(setup.preset, tower_device(setup, mode))
    contender = make(setup, mode, tower)
    with backend(mode):
        for batch in batches:
            contender.step(batch)
        synchronise(setup.device)
    if on_gpu:
        return {
            "peak_mib": torch.cuda.max_memory_allocated(setup.device) / _MEBIBYTE,
            "reserved_mib": torch.cuda.max_memory_reserved(setup.device) / _MEBIBYTE,
        }
    return {"peak_mib": _resident("VmHWM") - before}


def tower_device(setup: Setup, mode: Mode) -> str:
    """Return where a side has its text tower: ours on the processor, to which vectors are few."""
    return "cpu" if mode.side == "ours" else setup.device


def _resident(field: str) -> float:
    """Return a value of this process in MiB: "VmRSS" for now, "VmHWM" for the most so far.

    `getrusage` does not serve: its peak is handed on from the process that started this one.
    """
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))
    except (OSError, StopIteration) as error:
        raise HiveError(
            "this system does not tell how much memory a process holds", "take --no-memory"
        ) from error


def main(request: str) -> int:
    """Measure what a JSON text asks for, and print the result as a line of JSON."""
    asked: dict[str, Any] = json.loads(request)
    measured = measure_here(Setup(**asked["setup"]), Mode(**asked["mode"]), asked["steps"])
    sys.stdout.write(json.dumps(measured) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
