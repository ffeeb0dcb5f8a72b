"""The speed benchmark renders the same samples both ways; how fast is not tested."""

from __future__ import annotations

import pytest

from benchmarks.speed.rendering import measure


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_both_ways_render_the_same(suffix: str) -> None:
    result = measure(48000, suffix, 4.0, rounds=1)
    assert result["largest_difference"] <= 3
    assert result["ours_per_second"] > 0
