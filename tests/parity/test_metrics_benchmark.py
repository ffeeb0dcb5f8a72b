"""The items of the speed benchmark score the same on both sides, and turns are taken fairly."""

import numpy as np
import pytest

from benchmarks.speed.metrics import (
    NAMES,
    SAMPLE_RATE,
    libraries,
    make_items,
    one_at_a_time,
    ours,
    time_stages,
)
from benchmarks.speed.stages import stages
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


def test_one_source_a_call_gives_the_same_values():
    items = make_items(1)
    together, alone = ours(items), ours(one_at_a_time(items))
    for name in NAMES:
        np.testing.assert_allclose(alone[name], together[name], rtol=0, atol=1e-9, err_msg=name)


def test_the_stages_are_those_of_the_pass():
    items = one_at_a_time(make_items(1))[:1]
    (estimates, references, mixture), values = items[0], ours(items)
    estimate, reference = estimates[0], references[0]
    steps = stages([(estimate, reference, mixture)], SAMPLE_RATE)
    for name in steps:
        assert name == "checks, energies" or steps[name]() is not None
    explained = steps["Toeplitz systems"]()[0]
    shares = [
        energy / float(x @ x) for energy, x in zip(explained, (estimate, mixture), strict=True)
    ]
    bss = [10 * np.log10(share / (1 - share)) for share in shares]
    assert bss[0] == pytest.approx(values["sdr_bss"][0], abs=1e-9)
    assert bss[0] - bss[1] == pytest.approx(values["sdr_bss_i"][0], abs=1e-9)
    assert steps["comparison of STOI"]()[0] == pytest.approx(values["stoi"][0], abs=1e-12)
    times, transforms = time_stages(items, rounds=1)
    assert list(times) == list(steps)
    assert all(value > 0 for value in (*times.values(), *transforms.values()))


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
