"""`make demo`: the embedded dataset, a small trained network beside the reference models, a report.

Needs no network, no GPU and no other data. The numbers are of twelve synthesised mixtures: they
show how things work, and say nothing of real sounds; the network has heard the synthesiser before.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.page import write_report
from benchmarks.results import Results
from benchmarks.runner import Settings, evaluate
from benchmarks.table import show_comparison
from hive import console
from hive.shards.layout import locate
from hive.shards.read import find_shards, read_shard
from hive.shards.register import register

MODELS = ("mixture", "silence", "audiosep-mini", "ibm", "irm", "psm")
SHOWN = ("si_sdr", "si_sdr_i", "sdr_bss", "stoi")


def demonstrate(out: Path, workers: int = 0) -> list[Results]:
    """Open `mini`, evaluate the models on it, print the table and write the report.

    Args:
        out: Folder of the runs and of `report.html`.
        workers: Scoring processes; 0 scores in this one.

    Returns:
        The results of each model.
    """
    names = register(locate("mini"))
    samples = [
        sample for path in find_shards(locate("mini"), "test") for sample in read_shard(path)
    ]
    console.print_table(
        ["mixture", "sources"],
        [(s.key, " + ".join(source["label"] for source in s.meta["sources"])) for s in samples],
        title=f'load_dataset("hive", "{names[0]}", split="test"): {len(samples)} mixtures',
    )
    results = [
        evaluate(Settings(model=model, out=out / model, workers=workers)) for model in MODELS
    ]
    show_comparison(results, SHOWN)
    report = out / "report.html"
    shown = [out / model for model in ("mixture", "audiosep-mini", "irm")]
    write_report(shown, report, "A small network and ideal masks on mini")
    console.out.print(f"Report: {report.resolve()}", soft_wrap=True, highlight=False, markup=False)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"))
    demonstrate(parser.parse_args(arguments).out, workers=os.cpu_count() or 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
