"""The reference vectors: signals built from seeded noise, values from reference libraries."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.audit.vectors import Vectors

FILE = Path(__file__).resolve().parents[3] / "../shared/data/metrics/vectors.json"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FILE.exists(), reason="reference vectors are not at hand"),
]
VECTORS = Vectors(FILE) if FILE.exists() else None
IDS = list(VECTORS.cases) if VECTORS else []


def test_there_are_all_of_them():
    assert len(IDS) == 78


def test_the_signals_are_the_ones_meant():
    for name, check in VECTORS.checks.items():
        x = np.nan_to_num(VECTORS.signal(name), nan=0.0)
        assert len(x) == check["n"]
        if name != "nanest":
            assert np.sum(x**2) == pytest.approx(check["sumsq"], rel=1e-9, abs=1e-12), name
        assert x[0] == pytest.approx(check["first"], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("case", IDS)
def test_vector(case):
    verdict = VECTORS.verdict(case)
    assert verdict.difference <= verdict.tolerance
