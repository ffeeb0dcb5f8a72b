"""LPAPS against the formula in torch, its bounds and its odd cases."""

import numpy as np
import pytest
import torch

from hive.embedding import standins
from hive.embedding.base import RATE
from hive.embedding.extract import Extractor, Features
from hive.metrics.lpaps import (
    CHANNELS,
    TOKENS,
    layer_distance,
    lpaps,
    lpaps_channel,
    lpaps_win,
)

SHAPES = ((1024, 256), (256, 512), (64, 1024), (64, 1024))  # HTSAT-base


def layers(seed, shapes=SHAPES, scale=1.0):
    rng = np.random.default_rng(seed)
    return tuple((scale * rng.standard_normal(shape)).astype(np.float32) for shape in shapes)


def in_torch(first, second, dim):
    """Unit norm along `dim`, squared differences summed there, mean over the rest, layers added."""
    value = 0.0
    for a, b in zip(first, second, strict=True):
        a, b = torch.from_numpy(a)[None].double(), torch.from_numpy(b)[None].double()
        a, b = (x / (x.pow(2).sum(dim=dim, keepdim=True).sqrt() + 1e-10) for x in (a, b))
        value += ((a - b) ** 2).sum(dim=dim).mean().item()
    return value


@pytest.mark.parametrize(("axis", "dim"), [(TOKENS, 1), (CHANNELS, 2)])
def test_the_formula_is_that_of_torch(axis, dim):
    first, second = layers(0), layers(1)
    second = tuple(0.5 * a + b + 0.2 for a, b in zip(first, second, strict=True))
    value = layer_distance(first, second, axis)
    assert value == pytest.approx(in_torch(first, second, dim), rel=1e-12)


def test_unrelated_layers_lie_near_eight_and_opposite_ones_at_sixteen():
    first = layers(0)
    assert layer_distance(first, layers(1), TOKENS) == pytest.approx(8, abs=0.1)
    assert layer_distance(first, first, TOKENS) == 0
    opposite = tuple(-layer for layer in first)
    assert layer_distance(first, opposite, TOKENS) == pytest.approx(16, rel=1e-6)
    assert layer_distance(first, opposite, CHANNELS) == pytest.approx(16, rel=1e-6)


def test_each_channel_forgives_its_own_scale_and_each_token_does_in_the_other_variant():
    first, second = layers(0), layers(1)
    rng = np.random.default_rng(2)
    by_channel = tuple(b * rng.uniform(0.1, 9, b.shape[1]).astype(np.float32) for b in second)
    by_token = tuple(b * rng.uniform(0.1, 9, (len(b), 1)).astype(np.float32) for b in second)
    for axis, forgiven, charged in (
        (TOKENS, by_channel, by_token),
        (CHANNELS, by_token, by_channel),
    ):
        value = layer_distance(first, second, axis)
        assert layer_distance(first, forgiven, axis) == pytest.approx(value, rel=1e-6)
        assert layer_distance(first, charged, axis) != pytest.approx(value, rel=1e-4)


def test_a_dead_channel_counts_one_and_never_divides_by_zero():
    first = layers(0, ((8, 2),))
    second = (first[0].copy(),)
    second[0][:, 1] = 0
    assert layer_distance(first, second, TOKENS) == pytest.approx(0.5, abs=1e-6)
    assert layer_distance(second, second, TOKENS) == 0


@pytest.fixture(scope="module")
def extractor():
    return Extractor(standins.make("standin:htsat-random"))


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(4)
    reference = 0.1 * rng.standard_normal((2, 2 * RATE))
    reference[1] *= np.sin(np.arange(2 * RATE) / RATE * 9) ** 2
    return reference + 0.05 * rng.standard_normal(reference.shape), reference


def test_signals_go_through_the_layers(extractor, signals):
    estimate, reference = signals
    wanted = frozenset({"layers"})
    e, r = (extractor.features(x[1], RATE, wanted) for x in (estimate, reference))
    whole = in_torch(e.layers, r.layers, 1)
    given = {"estimate": estimate, "reference": reference, "sample_rate": RATE}
    given["embedding"] = extractor
    assert lpaps(**given)[1] == pytest.approx(whole, rel=1e-9)
    assert lpaps_channel(**given)[1] == pytest.approx(in_torch(e.layers, r.layers, 2), rel=1e-9)
    assert 0 < whole < 8


def test_the_windows_of_the_notebooks_are_two_above_nine_seconds_and_one_up_to_there(extractor):
    rng = np.random.default_rng(5)
    signals = 0.1 * rng.standard_normal((2, 19 * RATE // 2))
    signals[1] += np.sin(np.arange(signals.shape[1]) / RATE * 2e3)
    given = {"sample_rate": RATE, "embedding": extractor}
    first, second = (np.tile(x[9 * RATE :], 20) for x in signals)  # half a second, repeated
    tail = lpaps(estimate=first, reference=second, **given)
    whole = lpaps(estimate=signals[0], reference=signals[1], **given)
    value = lpaps_win(estimate=signals[0], reference=signals[1], **given)
    assert value == pytest.approx((whole + tail) / 2, rel=1e-6)
    assert tail != pytest.approx(whole, rel=1e-3)
    short = {"estimate": signals[0, : 9 * RATE], "reference": signals[1, : 9 * RATE], **given}
    assert lpaps_win(**short) == lpaps(**short)


def test_odd_cases(extractor, signals):
    estimate, reference = signals
    silence = np.zeros_like(reference[0])
    given = {"sample_rate": RATE, "embedding": extractor}
    assert lpaps(estimate=reference, reference=reference, **given) == pytest.approx(0, abs=0)
    assert lpaps(estimate=silence, reference=reference[0], **given) > 0
    assert np.isnan(lpaps(estimate=estimate[0], reference=silence, **given))
    with pytest.raises(ValueError, match="up to 10 s"):
        lpaps(estimate=np.ones(11 * RATE), reference=np.ones(11 * RATE), **given)
    broken = np.stack([estimate[0], np.full_like(silence, np.nan)])
    with pytest.raises(ValueError, match="NaN"):
        lpaps(estimate=broken, reference=reference, **given)
    values = lpaps(estimate=broken, reference=reference, on_bad="nan", **given)
    assert np.isnan(values).tolist() == [False, True]


def test_an_embedding_without_layers_is_refused(signals):
    estimate, reference = signals
    flat = Extractor(standins.make("standin:logmel512"))
    with pytest.raises(ValueError, match="has no layers"):
        lpaps(estimate=estimate, reference=reference, sample_rate=RATE, embedding=flat)


def test_features_without_layers_are_refused():
    from hive.metrics.lpaps import lpaps_value

    bare = Features(silent=False, vector=np.ones(512, np.float32))
    with pytest.raises(ValueError, match="no layers"):
        lpaps_value(bare, bare)
