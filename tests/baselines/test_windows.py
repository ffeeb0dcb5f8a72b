"""Cutting into windows and joining again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.windows import Overlap, Windows

RATE = 100
CONTEXT = Windows(5.0, context=1.0)
FADE = Windows(4.0, fade=1.0)
BOTH = Windows(5.0, context=0.5, fade=0.5)


def _process(windows: Windows, signal: torch.Tensor, blocks: list[int], network) -> torch.Tensor:
    overlap = Overlap(windows, RATE)
    parts = []
    for block in signal.split(blocks, dim=-1):
        parts += [overlap.join(cut, network(cut)) for cut in overlap.cut(block)]
    parts += [overlap.join(cut, network(cut)) for cut in overlap.end()]
    return torch.cat(parts, dim=-1)


def _split(length: int, sizes: list[int]) -> list[int]:
    blocks: list[int] = []
    while sum(blocks) < length:
        blocks.append(min(sizes[len(blocks) % len(sizes)], length - sum(blocks)))
    return blocks


@given(
    windows=st.sampled_from([CONTEXT, FADE, BOTH, Windows(None)]),
    length=st.integers(1, 2500),
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=4),
)
def test_what_is_not_changed_comes_back(windows: Windows, length: int, sizes: list[int]) -> None:
    signal = torch.linspace(-1, 1, length, dtype=torch.float64).repeat(2, 1)
    signal[1] *= -3
    result = _process(windows, signal, _split(length, sizes), lambda cut: cut.samples)
    assert result.shape == signal.shape
    torch.testing.assert_close(result, signal, rtol=0, atol=1e-12)


@given(length=st.integers(1, 2500), sizes=st.lists(st.integers(1, 900), min_size=1, max_size=3))
def test_blocks_do_not_matter(length: int, sizes: list[int]) -> None:
    signal = torch.randn(1, length, generator=torch.Generator().manual_seed(length))

    def network(cut):
        return cut.samples.cumsum(-1) + cut.index

    whole = _process(BOTH, signal, [length], network)
    assert torch.equal(whole, _process(BOTH, signal, _split(length, sizes), network))


@pytest.mark.parametrize(
    ("length", "starts"),
    [(1, [0]), (500, [0]), (501, [0, 1]), (800, [0, 300]), (801, [0, 300, 301])],
)
def test_where_windows_begin(length: int, starts: list[int]) -> None:
    seen = []

    def network(cut):
        seen.append((cut.index, cut.start, cut.samples.shape[-1], cut.final))
        return cut.samples

    _process(CONTEXT, torch.zeros(1, length), [length], network)
    last = len(starts) - 1
    assert seen == [(i, start, min(length, 500), i == last) for i, start in enumerate(starts)]


def test_context_is_discarded_except_at_the_ends() -> None:
    def network(cut):
        return torch.full_like(cut.samples, float(cut.index))

    # 5-s windows at 0, 3 and 5 s: window 0 is kept up to 4 s, window 1 from 4 to 7 s.
    result = _process(CONTEXT, torch.zeros(1, 1000), [1000], network)
    assert result[0].tolist() == [0.0] * 400 + [1.0] * 300 + [2.0] * 300


def test_a_local_network_gives_what_it_gives_on_the_whole() -> None:
    kernel = torch.randn(1, 1, 101, generator=torch.Generator().manual_seed(0))  # 0.5 s each side

    def network(samples: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv1d(samples[:, None], kernel, padding=50)[:, 0]

    signal = torch.randn(1, 2345, generator=torch.Generator().manual_seed(1))
    result = _process(CONTEXT, signal, [2345], lambda cut: network(cut.samples))
    torch.testing.assert_close(result, network(signal), rtol=0, atol=2e-5)


def test_the_fade_is_a_raised_cosine_from_one_window_to_the_next() -> None:
    def network(cut):
        return torch.full_like(cut.samples, float(cut.index))

    result = _process(FADE, torch.zeros(1, 700), [700], network)[0].double()
    assert result[:300].eq(0).all()
    assert result[400:].eq(1).all()
    steps = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    expected = torch.sin(torch.pi * steps / 2) ** 2
    torch.testing.assert_close(result[300:400], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"seconds": 2.0, "context": 1.0},
        {"seconds": 2.0, "fade": 1.0},
        {"seconds": 2.0, "context": -0.1},
        {"seconds": 2.0, "shortest": 3.0},
    ],
)
def test_impossible_windows(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Windows"):
        Windows(**arguments)


def test_hop() -> None:
    assert CONTEXT.hop == 3.0
    assert BOTH.hop == 3.5
    assert Windows(None).hop is None
