from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.demo import MODELS, demonstrate
from benchmarks.results import Results


def mean(results: Results, metric: str, group: str) -> float:
    return next(a.mean for a in results.aggregates if (a.metric, a.group) == (metric, group))


def test_the_demo(hf_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = dict(zip(MODELS, demonstrate(tmp_path / "demo"), strict=True))
    for group in ("2", "3", "4", "5", "overall"):
        assert mean(results["mixture"], "si_sdr_i", group) == 0.0
        assert mean(results["irm"], "si_sdr_i", group) > 10.0
        assert 2.0 < mean(results["audiosep-mini"], "si_sdr_i", group) < 15.0
    out = capsys.readouterr().out
    assert "12 mixtures" in out
    assert "irm (oracle)" in out
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "<audio" in page
    assert "irm" in page
