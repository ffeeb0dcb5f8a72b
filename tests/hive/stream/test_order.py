from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.mixing.stream.division import Division
from hive.mixing.stream.order import Permutation


def order(count: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    return Permutation(count, seed, epoch)(np.arange(count))


@settings(max_examples=40)
@given(st.integers(1, 5000), st.integers(0, 10**6), st.integers(0, 50))
def test_it_is_a_bijection(count: int, seed: int, epoch: int) -> None:
    assert np.array_equal(np.sort(order(count, seed, epoch)), np.arange(count))


def test_a_place_is_known_without_the_others() -> None:
    """At the size of the whole Hive: no array of that length is made."""
    count = 17_500_000
    shuffled = Permutation(count, 1, 0)
    some = np.random.default_rng(0).choice(count, 20_000, replace=False)
    found = shuffled(some)
    assert len(np.unique(found)) == len(some)
    assert found.min() >= 0
    assert found.max() < count
    assert [int(shuffled(some[i : i + 1])[0]) for i in range(5)] == found[:5].tolist()
    with pytest.raises(IndexError):
        shuffled(np.array([count]))


def test_small_orders_are_all_equally_likely() -> None:
    """Chi-square over the 24 orders of 4 items; 23 degrees of freedom, 0.1 % at 49.7."""
    seen = Counter(tuple(order(4, seed).tolist()) for seed in range(1200))
    assert set(seen) == set(permutations(range(4)))
    assert sum((count - 50) ** 2 / 50 for count in seen.values()) < 49.7


def test_the_order_looks_random() -> None:
    """No trend, no echo of the place before, as many fixed points as chance gives."""
    count = 20_000
    items = order(count, 5)
    assert abs(np.corrcoef(np.arange(count), items)[0, 1]) < 4 / np.sqrt(count)
    assert abs(np.corrcoef(items[:-1], items[1:])[0, 1]) < 4 / np.sqrt(count)
    # Steps between neighbours, by size: those of independent uniform draws.
    steps = np.abs(np.diff(items)) / count
    assert np.mean(steps) == pytest.approx(1 / 3, abs=0.01)
    fixed = [int((order(500, seed) == np.arange(500)).sum()) for seed in range(200)]
    assert np.mean(fixed) == pytest.approx(1.0, abs=0.3)
    # How often each item comes in the first tenth, over many seeds.
    early = np.bincount(np.concatenate([order(100, s)[:10] for s in range(500)]), minlength=100)
    assert np.sum((early - 50) ** 2 / 50) < 150  # 99 degrees of freedom, less than 0.1 %


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first = order(1000)
    for other in (order(1000, seed=1), order(1000, epoch=1)):
        assert np.mean(first == other) < 0.02


@settings(max_examples=150)
@given(
    total=st.integers(0, 200),
    batch=st.integers(1, 9),
    world=st.integers(1, 5),
    drop_last=st.booleans(),
    data=st.data(),
)
def test_ranks_share_what_is_left_from_any_place(
    total: int, batch: int, world: int, drop_last: bool, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, total))
    ranks = [Division(total, batch, rank, world, drop_last) for rank in range(world)]
    taken = [
        [list(one.batch(start, number)) for number in range(one.count(start))] for one in ranks
    ]
    positions = sorted(position for batches in taken for part in batches for position in part)
    left = total - start
    kept = left // (batch * world) * batch * world if drop_last else left
    assert positions == list(range(start, start + kept))
    assert all(part for batches in taken for part in batches)
    if drop_last:
        assert {len(batches) for batches in taken} == {left // (batch * world)}
        assert all(len(part) == batch for batches in taken for part in batches)
    sizes = [sum(map(len, batches)) for batches in taken]
    assert max(sizes) - min(sizes) <= 1
    assert ranks[0].ends(start) == (not any(taken))
