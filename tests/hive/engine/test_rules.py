from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.engine.events import Refusal
from hive.engine.rules import Rules, Scores, judge, score, similarity

RATE = 16_000
GOOD = Scores(re_sdr=20.0, re_si_sdr=20.0, correlation=0.0, similarity=0.2, least_share=0.3)


def tone(hertz: float, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return level * np.sin(2 * np.pi * hertz * time)


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def test_values_of_orthogonal_tracks_in_closed_form() -> None:
    low, high = tone(500), tone(2000, level=0.25)
    got = score(low + high, np.stack([low, 0.9 * high]), RATE)
    # The error is a tenth of the higher tone, whose energy is a fifth of the whole.
    assert got.re_sdr == pytest.approx(10 * math.log10(5 / 0.01), abs=1e-6)
    assert got.correlation == pytest.approx(0.0, abs=1e-9)
    assert got.least_share == pytest.approx(0.81 / 4 / (1 + 0.81 / 4), abs=1e-9)
    assert got.similarity < 0.01
    assert judge(got, Rules()) == "self_separate"


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        # The recording for every label adds up to twice the recording.
        (lambda x: [x, x], "remix"),
        (lambda x: [x, np.zeros_like(x)], "share"),
        (lambda x: [x / 2, x / 2], "correlation"),
        (lambda x: [0.7 * x, 0.3 * x], "correlation"),
        # Neighbouring samples, in turn: uncorrelated, adding up, and both the whole recording.
        (lambda x: [x * (np.arange(len(x)) % 2), x * (1 - np.arange(len(x)) % 2)], "similarity"),
    ],
)
def test_what_adds_up_without_being_separated_is_refused(tracks, reason: str) -> None:
    mixture = noise(1) + tone(440, 2.0)
    told = judge(score(mixture, np.stack(tracks(mixture)), RATE), Rules())
    assert isinstance(told, Refusal)
    assert told.reason == reason
    assert "least share" in told.detail


def test_a_coin_for_each_point_of_the_spectrogram_is_refused() -> None:
    mixture = noise(2, 4.0)
    spectrum = np.fft.rfft(mixture.reshape(-1, 512))
    heads = np.random.default_rng(3).integers(0, 2, spectrum.shape)
    tracks = np.stack([np.fft.irfft(spectrum * side).ravel() for side in (heads, 1 - heads)])
    got = score(mixture, tracks, RATE)
    assert got.re_sdr > 100
    assert got.correlation < 0.05
    told = judge(got, Rules())
    assert isinstance(told, Refusal)
    assert told.reason == "similarity"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "self_separate"),
        ({"re_sdr": 15.0}, "independent"),  # thresholds are to be exceeded
        ({"re_si_sdr": 12.0}, "independent"),
        ({"re_sdr": math.inf, "re_si_sdr": math.inf}, "self_separate"),
        ({"re_sdr": 10.0}, "remix"),
        ({"re_si_sdr": 10.0}, "remix"),
        ({"re_sdr": math.nan}, "remix"),
        ({"least_share": 0.0099}, "share"),
        ({"least_share": 0.01}, "self_separate"),
        ({"correlation": 0.31}, "correlation"),
        ({"similarity": 0.91}, "similarity"),
        ({"similarity": math.nan}, "similarity"),
    ],
)
def test_limits(values: dict[str, float], expected: str) -> None:
    told = judge(Scores(**{**vars(GOOD), **values}), Rules())
    assert (told.reason if isinstance(told, Refusal) else told) == expected


def test_infinite_values_are_null_in_tables() -> None:
    row = Scores(math.inf, math.inf, 0.1, 0.2, 0.3).as_row()
    assert row["re_sdr"] is None
    assert row["correlation"] == 0.1


@given(st.floats(0.01, 100.0), st.integers(0, 5))
def test_similarity_does_not_depend_on_levels_or_order(gain: float, seed: int) -> None:
    tracks = np.stack([noise(seed, 0.5), tone(300 + 100 * seed, 0.5)])
    expected = similarity(tracks, RATE)
    assert 0.0 <= expected <= 1.0
    assert similarity(tracks * [[gain], [1.0]], RATE) == pytest.approx(expected, abs=1e-9)
    assert similarity(tracks[::-1], RATE) == pytest.approx(expected, abs=1e-9)


def test_similarity_of_a_track_with_itself_and_with_silence() -> None:
    track = noise(0)
    assert similarity(np.stack([track, -0.5 * track]), RATE) == pytest.approx(1.0)
    assert similarity(np.stack([track, np.zeros_like(track)]), RATE) == 0.0
    assert similarity(np.stack([track[:100], track[100:200]]), RATE) <= 1.0
