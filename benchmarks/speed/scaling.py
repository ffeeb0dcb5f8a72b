"""How rendering scales on one machine: `python -m benchmarks.speed.scaling POOL`.

Renders one plan with each number of workers, in turns, and prints mixtures a second, the efficiency
(throughput of n workers over n times that of one) and the memory of each process while it works.
With --minutes one long run is watched instead: memory that grows would show as a slope. Memory is
what the kernel counts as the process's own (RssAnon of /proc, so Linux only), in a quiet moment:
other work on the machine lowers efficiency.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hive import console
from hive.build import split_clips
from hive.mixing.plan import Planner, PlanSettings, write_plan
from hive.mixing.splits import DEFAULT_SHARES

_EVERY = 1.0  # seconds between two looks at the memory
_SETTLED = 60.0  # seconds after which a long run has all that it keeps


@dataclass
class Watched:
    """A run of the renderer.

    Attributes:
        seconds: Wall-clock time of the command.
        memory: MB of each process, by its number: (seconds since the start, MB).
    """

    seconds: float = 0.0
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def peak(self) -> float:
        """Return the most that one process had, MB."""
        return max((mb for series in self.memory.values() for _, mb in series), default=0.0)

    def growth(self) -> float:
        """Return the steepest slope of a process's memory after it settled, MB an hour."""
        slopes = [0.0]
        for series in self.memory.values():
            late = [(at, mb) for at, mb in series if at >= _SETTLED]
            if len(late) > 2 and late[-1][0] > late[0][0]:
                slopes.append(statistics.linear_regression(*zip(*late, strict=True)).slope * 3600)
        return max(slopes)


def render(plan: Path, pool: Path, out: Path, workers: int, seconds: float | None) -> Watched:
    """Render a plan by the command line, and watch the memory of its processes meanwhile.

    Args:
        plan: The plan.
        pool: Its pool.
        out: Folder of the dataset.
        workers: Worker processes.
        seconds: Stop the run after this time; None to let it end.
    """
    command = [sys.executable, "-m", "hive", "mix", "render", str(plan), "--pool", str(pool)]
    command += ["--out", str(out), "--workers", str(workers), "--shard-size", "100"]
    watched, start = Watched(), time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, "HIVE_QUIET": "1"})
    watcher = threading.Thread(target=_watch, args=(process, watched, start))
    watcher.start()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
    watched.seconds = time.monotonic() - start
    watcher.join()
    return watched


def _watch(process: subprocess.Popen[bytes], watched: Watched, start: float) -> None:
    while process.poll() is None:
        for number in _family(process.pid):
            if (memory := _own_memory(number)) is not None:
                watched.memory[number].append((time.monotonic() - start, memory))
        time.sleep(_EVERY)


def _family(number: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [number]
    for one in found:
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += map(int, children.split())
    return found


def _own_memory(number: int) -> float | None:
    try:
        lines = Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), None)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--num", type=int, default=2000, help="mixtures of 4 s")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="watch one run of this length instead")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hive-scaling-") as folder:
        plan = Path(folder) / "plan.parquet"
        chosen = split_clips(given.pool, "train", DEFAULT_SHARES, 0)
        planner = Planner(chosen.clips, PlanSettings("train", 0, 4.0))
        if given.minutes:
            write_plan(planner, max(given.num, round(given.minutes * 6000)), plan)
            seconds = given.minutes * 60
            watched = render(plan, given.pool, Path(folder) / "out", max(given.workers), seconds)
            rows = [
                (
                    number,
                    f"{series[-1][0]:.0f}",
                    f"{max(mb for _, mb in series):.0f}",
                    *(f"{_at(series, share):.0f}" for share in (0.1, 0.5, 1.0)),
                )
                for number, series in watched.memory.items()
                if len(series) > 2
            ]
            columns = ["process", "seconds", "peak MB", "MB at 10 %", "at 50 %", "at the end"]
            console.print_table(columns, rows)
            console.out.print(f"steepest growth: {watched.growth():.1f} MB an hour")
            return
        write_plan(planner, given.num, plan)
        runs: dict[int, list[Watched]] = defaultdict(list)
        for turn in range(given.rounds):
            for workers in given.workers:
                out = Path(folder) / f"out-{turn}-{workers}"
                runs[workers].append(render(plan, given.pool, out, workers, None))
    rates = {
        workers: statistics.median(given.num / one.seconds for one in some)
        for workers, some in runs.items()
    }
    first = min(rates)
    console.print_table(
        ["workers", "mixtures/s", "efficiency", "peak MB of a process"],
        [
            (
                workers,
                f"{rate:.1f}",
                f"{rate * first / (rates[first] * workers):.2f}",
                f"{max(one.peak() for one in runs[workers]):.0f}",
            )
            for workers, rate in rates.items()
        ],
    )


def _at(series: list[tuple[float, float]], share: float) -> float:
    return series[min(len(series) - 1, round(share * (len(series) - 1)))][1]


if __name__ == "__main__":
    main()
