"""The main job on real recordings, as the README has it, from manifest to scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.shared]


def hive_bench(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hive", *arguments],
        cwd=folder,
        env={**os.environ, "HF_DATASETS_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_from_real_recordings_to_scored_models(shared: Path, tmp_path: Path) -> None:
    manifest = shared.resolve() / "data" / "pool" / "manifest.csv"
    hive_bench(tmp_path, "pool", "import", str(manifest), "--out", "POOL")
    stats = json.loads(hive_bench(tmp_path, "pool", "stats", "POOL", "--json"))
    assert stats["clips"] + stats["quarantined"] == 1358
    counts = ("--train", "200", "--validation", "40", "--test", "100")
    hive_bench(tmp_path, "build", "POOL", "--out", "DATASET", *counts, "--seed", "0", "--register")
    found = json.loads(hive_bench(tmp_path, "mix", "verify", "DATASET", "--json"))
    assert found == {"mixtures": 340, "findings": []}
    means = {}
    for model in ("mixture", "irm"):
        run = ("--model", model, "--benchmark", "DATASET", "--split", "test", "--out", model)
        hive_bench(tmp_path, "evaluate", *run)
        results = json.loads((tmp_path / model / "results.json").read_text())
        for each in results["aggregates"]:
            means[model, each["metric"], each["group"]] = each["mean"]
        hive_bench(tmp_path, "leaderboard", "check", model)
    # Equal RMS and U(-5, 5) dB: the expected SI-SDR of the unprocessed mixture (closed form).
    expected = {"2": 0.0, "3": -3.31, "4": -5.23, "5": -6.57, "overall": -3.78}
    for group, value in expected.items():
        assert means["mixture", "si_sdr_i", group] == 0.0
        assert means["mixture", "si_sdr", group] == pytest.approx(value, abs=0.5)
        assert means["irm", "si_sdr_i", group] > 12.0
    hive_bench(tmp_path, "report", "irm", "mixture", "--out", "report.html")
    assert (tmp_path / "report.html").stat().st_size > 1e6
