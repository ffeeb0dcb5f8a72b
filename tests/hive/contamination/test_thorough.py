"""The thorough search of `hive.fingerprint`, which probes need for short and altered crops."""

from __future__ import annotations

import numpy as np
import pytest

from hive.fingerprint import Index


def one_bit_wrong(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip one of the inner 24 bits, the key, of every code."""
    return codes ^ (np.uint32(1) << rng.integers(4, 28, len(codes), dtype=np.uint32))


def test_a_copy_without_a_whole_key_is_found_by_near_ones() -> None:
    rng = np.random.default_rng(0)
    query = rng.integers(1, 1 << 32, 170, dtype=np.uint32)
    others = rng.integers(1, 1 << 32, (50, 400), dtype=np.uint32)
    index = Index([*others, np.concatenate([others[0][:90], one_bit_wrong(query, rng)])])
    assert index.find(query) == []
    (match,) = index.find(query, thorough=True)
    assert match.entry == 50
    assert match.offset_seconds == pytest.approx(90 * 256 / 11025)
    assert match.bit_error_rate == pytest.approx(1 / 32)


def test_the_places_looked_at_for_a_query_are_bounded_and_the_rarest_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    common = rng.integers(1, 1 << 32, 200, dtype=np.uint32)
    rare = rng.integers(1, 1 << 32, 100, dtype=np.uint32)
    copies = [rng.permutation(common) for _ in range(40)]  # each key is in 41 places
    index = Index([*copies, np.concatenate([common, rare])])
    looked = []
    search = np.searchsorted

    def counts(values: np.ndarray, asked: np.ndarray, **how: str) -> np.ndarray:
        if values is index._starts:
            looked.append(len(asked))
        return search(values, asked, **how)

    monkeypatch.setattr("hive.fingerprint.index._MOST_PLACES", 500)
    monkeypatch.setattr("hive.fingerprint.index.np.searchsorted", counts)
    query = np.concatenate([common, rare])
    assert [match.entry for match in index.find(query)] == [40]
    assert [match.entry for match in index.find(query, thorough=True)] == [40]
    assert len(looked) == 2
    assert all(100 <= places <= 500 for places in looked)
