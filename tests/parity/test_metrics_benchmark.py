"""The items of the speed benchmark score the same on both sides, and turns are taken fairly."""

import numpy as np
import pytest

from benchmarks.speed.metrics import NAMES, libraries, make_items, ours
from benchmarks.speed.timing import interleaved, median_ratio


def test_both_sides_compute_the_same_values():
    pytest.importorskip("torchmetrics")
    pytest.importorskip("pystoi")
    items = make_items(1)
    mine, theirs = ours(items), libraries()(items)
    for name in NAMES:
        assert len(mine[name]) == 2
        np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=1e-6, err_msg=name)
        assert np.ptp(mine[name]) > 0


def test_alternatives_take_turns():
    calls = []
    runs = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    seconds = interleaved(runs, rounds=4)
    assert {name: len(times) for name, times in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(time >= 0 for times in seconds.values() for time in times)
    for start in range(0, len(calls), 3):  # warm-up, then the rounds
        assert sorted(calls[start : start + 3]) == ["a", "b", "c"]


def test_the_ratio_is_that_of_the_typical_round():
    assert median_ratio([4.0, 6.0, 50.0], [2.0, 2.0, 2.0]) == 3.0
