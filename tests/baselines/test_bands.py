import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.bands import band_weights


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.integers(2, 600).flatmap(lambda bins: st.tuples(st.just(bins), st.integers(2, bins))),
    rate=st.sampled_from([8000, 16000, 32000, 44100, 48000]),
)
def test_weights_of_a_bin_add_up_and_no_band_is_empty(sizes, rate):
    bins, bands = sizes
    weights = band_weights(bins, bands, rate)
    assert weights.shape == (bands, bins)
    assert bool((weights >= 0.0).all())
    torch.testing.assert_close(weights.sum(0), torch.ones(bins))
    assert float(weights.sum(1).min()) > 0.0
    # Each bin is at most in two bands, and they are neighbours.
    used = weights > 0.0
    assert int(used.sum(0).max()) <= 2
    first, last = used.int().argmax(0), bands - 1 - used.flip(0).int().argmax(0)
    assert int((last - first).max()) <= 1
    # So that a constant over bands is the same constant over bins.
    torch.testing.assert_close(3.5 * torch.ones(1, bands) @ weights, 3.5 * torch.ones(1, bins))


def test_as_many_bands_as_bins_change_nothing():
    torch.testing.assert_close(band_weights(64, 64, 32_000), torch.eye(64))


def test_centres_are_even_on_the_mel_scale_where_bins_are_finer():
    weights = band_weights(512, 128, 32_000).double().numpy()
    # Where it spans many bins, a triangle's centre is its mean, but for its skew.
    frequency = np.arange(512) * 16_000 / 512
    mel = 2595.0 * np.log10(1.0 + frequency / 700.0)
    centres = (weights * mel).sum(1) / weights.sum(1)
    steps = np.diff(centres[60:-2])
    assert steps == pytest.approx(np.full(len(steps), steps.mean()), rel=0.1)
    # At the low end each bin is a band.
    assert weights[:20, :20] == pytest.approx(np.eye(20))
