"""Silence- and Re- metrics: closed forms from orthogonal tones."""

import math

import numpy as np
import pytest

from hive.metrics import get
from hive.metrics.remix import prop_over, re_sdr, re_sdr_bss, re_si_sdr
from hive.metrics.sdr_bss import sdr_bss
from hive.metrics.silence import silence_sdr, silence_sdr_bss, silence_si_sdr, silent_rate

T = 4000
TIME = np.arange(T)
COSINE = 0.1 * np.cos(2 * np.pi * 200 * TIME / T)
SINE = 0.1 * np.sin(2 * np.pi * 200 * TIME / T)
THIRD = 0.1 * np.cos(2 * np.pi * 317 * TIME / T)
MIXTURE = COSINE + SINE
SILENCE = np.zeros(T)


@pytest.mark.parametrize(
    ("output", "level", "scale_free"),
    [
        (0.1 * MIXTURE, 20.0, math.inf),  # a leak of everything is not seen by the latter
        (SINE, 3.0102999566, 0.0),
        (0.1 * THIRD, 23.0102999566, 23.0102999566),
        (SILENCE, math.inf, math.inf),
        (MIXTURE, 0.0, -math.inf),
        (2 * MIXTURE, -6.0205999133, math.inf),
    ],
)
def test_an_absent_label(output, level, scale_free):
    signals = {"estimate": output, "mixture": MIXTURE}
    assert float(silence_sdr(**signals)) == pytest.approx(level, abs=1e-9)
    assert float(silence_si_sdr(**signals)) == pytest.approx(scale_free, abs=1e-9)


def test_a_silent_mixture_is_undefined():
    for metric in (silence_sdr, silence_si_sdr, silence_sdr_bss):
        assert math.isnan(float(metric(estimate=COSINE, mixture=SILENCE)))


def test_what_is_left_is_scored_with_the_filter():
    noise, other = 0.1 * np.random.default_rng(4).standard_normal((2, T))
    expected = sdr_bss(estimate=noise - 0.2 * other, reference=noise)
    value = silence_sdr_bss(estimate=0.2 * other, mixture=noise)
    assert float(value) == pytest.approx(float(expected), abs=1e-12)


def test_exact_silence_in_float32_scores_the_rounding_of_the_library():
    mixture = (0.1 * np.random.default_rng(5).standard_normal(100_000)).astype(np.float32)
    signals = {"estimate": np.zeros_like(mixture), "mixture": mixture, "compat": "torchmetrics"}
    assert 80 < float(silence_si_sdr(**signals)) < 110
    value = float(silence_sdr_bss(**signals))
    assert math.isnan(value) or value > 120


def test_silent_rate_counts_from_the_threshold():
    values = [59.9, 60.0, math.inf, math.nan, -3.0]
    assert silent_rate(values) == 0.5
    assert silent_rate(values, threshold=-10) == 1
    assert math.isnan(silent_rate([math.nan]))


@pytest.mark.parametrize(
    ("tracks", "plain", "scale_free"),
    [
        ([COSINE, SINE], math.inf, math.inf),
        ([MIXTURE, SILENCE], math.inf, math.inf),
        ([0.9 * COSINE, SINE], 23.0102999566, 25.5750720191),
        ([COSINE, SINE, 0.2 * THIRD], 16.9897000434, 16.9897000434),
        ([COSINE, SILENCE], 3.0102999566, 0.0),
        ([0.5 * COSINE, 0.5 * SINE], 6.0205999133, math.inf),
    ],
)
def test_a_remix(tracks, plain, scale_free):
    signals = {"estimate": np.stack(tracks), "mixture": MIXTURE}
    assert float(re_sdr(**signals)) == pytest.approx(plain, abs=1e-9)
    assert float(re_si_sdr(**signals)) == pytest.approx(scale_free, abs=1e-9)


def test_remixes_of_a_batch():
    rng = np.random.default_rng(6)
    tracks = rng.standard_normal((2, 3, 4, 1000))
    mixtures = tracks.sum(-2) + 0.1 * rng.standard_normal((2, 3, 1000))
    for metric in (re_sdr, re_si_sdr, re_sdr_bss):
        values = metric(estimate=tracks, mixture=mixtures)
        assert values.shape == (2, 3)
        single = metric(estimate=tracks[1, 2], mixture=mixtures[1, 2])
        assert values[1, 2] == pytest.approx(float(single), abs=1e-9)
    expected = sdr_bss(estimate=tracks.sum(-2), reference=mixtures)
    np.testing.assert_allclose(re_sdr_bss(estimate=tracks, mixture=mixtures), expected)


def test_a_remix_needs_every_track():
    with pytest.raises(ValueError, match="two tracks"):
        re_sdr(estimate=COSINE[None], mixture=MIXTURE)
    missing = np.stack([COSINE, np.full(T, np.nan)])
    with pytest.raises(ValueError, match="NaN"):
        re_sdr(estimate=missing, mixture=MIXTURE)
    assert math.isnan(float(re_sdr(estimate=missing, mixture=MIXTURE, on_bad="nan")))


def test_tracks_of_another_length_are_matched_on_request():
    tracks = np.stack([COSINE, SINE])[:, : T - 5]
    with pytest.raises(ValueError, match="samples"):
        re_sdr(estimate=tracks, mixture=MIXTURE)
    padded = np.pad(tracks, ((0, 0), (0, 5)))
    assert float(re_sdr(estimate=tracks, mixture=MIXTURE, length="match")) == float(
        re_sdr(estimate=padded, mixture=MIXTURE)
    )


def test_the_share_above_a_threshold_is_strict():
    values = [14.9, 15.0, 15.1, math.inf, math.nan, 20.0, -3.0]
    assert prop_over(values) == 0.5
    assert prop_over(values, threshold=14.95) == pytest.approx(4 / 6)
    assert math.isnan(prop_over([]))


def test_what_the_remix_cannot_see_the_tracks_show():
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(2, 8000)) / 10
    second -= (first @ second) / (first @ first) * first  # orthogonal
    mixture, silence = first + second, np.zeros(8000)
    cases = {
        "perfect": (np.stack([first, second]), 0.0, (first @ first) / (mixture @ mixture)),
        "all in one": (np.stack([mixture, silence]), 0.0, 1.0),
        "equal parts": (np.stack([mixture / 2, mixture / 2]), 1.0, 0.5),
        "inverted": (np.stack([2 * mixture, -mixture]), 1.0, 0.8),
    }
    for name, (tracks, corr, share) in cases.items():
        found = float(get("re_corr")(estimate=tracks, mixture=mixture))
        assert found == pytest.approx(corr, abs=1e-12), name
        found = float(get("re_share")(estimate=tracks, mixture=mixture))
        share = max(share, 1 - share)
        assert found == pytest.approx(share, abs=1e-12), name
        assert get("re_si_sdr")(estimate=tracks, mixture=mixture) == np.inf
    batch = np.stack([tracks for tracks, _, _ in cases.values()])
    mixtures = np.broadcast_to(mixture, (4, 8000))
    assert get("re_corr")(estimate=batch, mixture=mixtures).shape == (4,)
    nothing = np.zeros((2, 8000))
    assert np.isnan(get("re_share")(estimate=nothing, mixture=mixture))
    assert get("re_corr")(estimate=nothing, mixture=mixture) == 0
