"""What augmentation does to tones, noise and silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.data.augment import Augmenter, Source, semitone_lengths
from baselines.data.config import AugmentConfig
from hive import audio
from hive.seeding import Stream

Float = NDArray[np.float32]

SOURCE_RATE, RATE, SECONDS = 44100, 16000, 1.0
OFF: dict[str, Any] = {
    "semitones": 0,
    "shift": 0.0,
    "polarity": 0.0,
    "equaliser": 0.0,
    "low_pass": 0.0,
    "reverb": 0.0,
    "gaps": 0.0,
}


def augmenter(**told: Any) -> Augmenter:
    return Augmenter(AugmentConfig(**{**OFF, **told}), SECONDS, SOURCE_RATE, RATE)


def tone(hertz: float, seconds: float = SECONDS) -> Float:
    time = np.arange(round(seconds * SOURCE_RATE)) / SOURCE_RATE
    return (0.1 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float = SECONDS, seed: int = 0) -> Float:
    count = round(seconds * SOURCE_RATE)
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def changed(made: Augmenter, samples: Sequence[Float], epoch: int = 0) -> list[Float]:
    sources = [
        Source(one, Stream(0, "test", f"{epoch}/{number}", "source"))
        for number, one in enumerate(samples)
    ]
    return [one.copy() for one in made(sources)]


def strongest(samples: Float) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(power.argmax()) * RATE / len(samples)


def bands(samples: Float) -> NDArray[np.float64]:
    """Power in dB of the lower, middle and upper third of the band."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    return 10 * np.log10([part.mean() for part in np.array_split(power[:-800], 3)])


def test_nothing_asked_for_is_resampling() -> None:
    samples = noise()
    (found,) = changed(augmenter(), [samples])
    expected = audio.resample(samples, SOURCE_RATE, RATE)
    low = np.fft.rfft(found)[1:6800], np.fft.rfft(expected)[1:6800]  # below the taper: 7,280 Hz
    level = audio.rms(samples) / audio.rms(expected)  # the source's own RMS is kept
    assert np.abs(low[0] - level * low[1]).max() < 0.02 * np.abs(low[0]).max()
    assert audio.rms(found) == pytest.approx(audio.rms(samples), rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_pitch_moves_by_whole_semitones(seed: int) -> None:
    made = augmenter(semitones=5)
    (found,) = changed(made, [tone(1000.0, 1.5)], epoch=seed)
    steps = 12 * np.log2(strongest(found) / 1000.0)
    assert steps == pytest.approx(round(steps), abs=0.1)
    assert abs(round(steps)) <= 5
    assert audio.rms(found) == pytest.approx(0.1 / np.sqrt(2), rel=0.01)


def test_all_semitones_come() -> None:
    found = changed(augmenter(semitones=2), [tone(1000.0, 1.5)] * 60)
    steps = {round(12 * np.log2(strongest(one) / 1000.0)) for one in found}
    assert steps == {-2, -1, 0, 1, 2}


def test_what_rises_above_the_band_does_not_fold_back() -> None:
    sources = [tone(7900.0, 1.5) + 1e-3 * tone(500.0, 1.5)] * 40
    for found in changed(augmenter(semitones=5), sources):
        steps = 12 * np.log2(strongest(found) / 7900.0)
        heard = strongest(found)
        assert heard < 800.0 or steps == pytest.approx(round(steps), abs=0.1)


def test_lengths_of_windows_are_semitones() -> None:
    for number, length in semitone_lengths(4.0, 44100, 12).items():
        assert length / (4.0 * 44100) == pytest.approx(2 ** (number / 12), rel=0.005)
        rest = length
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        assert rest == 1


def test_levels_stay_those_of_the_recipe() -> None:
    made = Augmenter(AugmentConfig(low_pass=0.0), SECONDS, SOURCE_RATE, RATE)
    samples = [np.float32(0.1 * (number + 1)) * noise(1.4, number) for number in range(20)]
    for before, after in zip(samples, changed(made, samples), strict=True):
        assert audio.rms(after) == pytest.approx(audio.rms(before), rel=1e-3)


def test_what_is_filtered_away_is_not_brought_back() -> None:
    (found,) = changed(augmenter(low_pass=1.0, low_pass_hz=(500, 500)), [tone(6000.0)])
    assert audio.rms(found) < 0.01 * 0.1


def test_shifts_are_circular() -> None:
    (plain,), (found,) = (changed(augmenter(shift=share), [noise()]) for share in (0.0, 1.0))
    spectra = np.fft.rfft(plain), np.fft.rfft(found)
    moved = np.fft.irfft(np.conj(spectra[0]) * spectra[1])
    by = int(moved.argmax())
    assert by > 0
    assert np.corrcoef(np.roll(plain, by), found)[0, 1] > 0.97  # all but the faded ends


def test_polarity() -> None:
    found = changed(augmenter(polarity=0.5), [noise()] * 40)
    signs = [float(np.sign(np.dot(found[0], one))) for one in found]
    assert 8 < signs.count(1.0) < 32
    for one, sign in zip(found, signs, strict=True):
        np.testing.assert_allclose(one, sign * found[0], atol=1e-6)


def test_gaps_are_silent_and_short() -> None:
    for found in changed(augmenter(gaps=1.0, longest_gap=0.4), [noise()] * 10):
        silent = np.abs(found) < 1e-7
        assert silent.mean() < 0.8
    assert silent.any()


def test_a_gap_does_not_swallow_the_only_sound() -> None:
    click = np.zeros(SOURCE_RATE, np.float32)
    click[20000:20400] = noise()[:400]
    found = changed(augmenter(gaps=1.0, longest_gap=1.0), [click] * 30)
    for one in found:
        assert audio.rms(one) == pytest.approx(audio.rms(click), rel=1e-3)
        assert np.argmax(np.abs(one)) / RATE == pytest.approx(20200 / SOURCE_RATE, abs=0.01)


def test_a_low_pass_cuts_the_upper_band() -> None:
    (plain,), (found,) = (
        changed(augmenter(low_pass=share, low_pass_hz=(2000, 2000)), [noise()])
        for share in (0.0, 1.0)
    )
    before, after = bands(plain), bands(found)
    assert after[2] - after[0] < before[2] - before[0] - 40.0


def test_equalisers_differ_and_keep_their_range() -> None:
    plain, *found = changed(augmenter(), [noise()]) + changed(
        augmenter(equaliser=1.0, equaliser_db=6.0), [noise()] * 12
    )
    gains = np.array([bands(one) - bands(plain) for one in found])
    assert gains.std(axis=0).min() > 0.5
    assert np.ptp(gains, axis=1).max() < 3 * 12.0  # three bells, +-6 dB each


def test_reverberation_rings_on() -> None:
    burst = np.zeros(SOURCE_RATE, np.float32)
    burst[4410:8820] = noise()[:4410]
    told = {"reverb_seconds": (0.5, 0.5), "reverb_db": (-6.0, -6.0)}
    (plain,), (found,) = (changed(augmenter(reverb=share, **told), [burst]) for share in (0.0, 1.0))
    after = slice(int(0.25 * RATE), int(0.35 * RATE))
    assert audio.rms(found[after]) > 30 * audio.rms(plain[after])
    later = slice(int(0.55 * RATE), int(0.65 * RATE))
    fall_db = 20 * np.log10(audio.rms(found[later]) / audio.rms(found[after]))
    assert fall_db == pytest.approx(-60 * 0.3 / 0.5, abs=6.0)


def test_sounds_at_one_place_of_a_long_crop_are_found() -> None:
    burst = np.zeros(3 * SOURCE_RATE, np.float32)
    burst[100_000:104_410] = noise()[:4410]
    found = changed(augmenter(), [burst] * 20)
    heard = [one for one in found if audio.rms(one) > 0.0]
    assert len(heard) >= 16  # four windows of a third each are tried


def test_silence_stays_silence() -> None:
    made = Augmenter(AugmentConfig(), SECONDS, SOURCE_RATE, RATE)
    for found in changed(made, [np.zeros(SOURCE_RATE, np.float32)] * 5):
        assert not found.any()


def test_others_of_the_batch_change_nothing() -> None:
    made = Augmenter(AugmentConfig(), SECONDS, SOURCE_RATE, RATE)
    samples = [noise(1.4, seed) for seed in range(40)]
    together = changed(made, samples)
    for number in (0, 7, 39):
        source = Source(samples[number], Stream(0, "test", f"0/{number}", "source"))
        (alone,) = made([source])
        np.testing.assert_allclose(alone, together[number], atol=2e-6)


def test_sources_are_not_written_to_and_epochs_differ() -> None:
    made = Augmenter(AugmentConfig(), SECONDS, SOURCE_RATE, RATE)
    samples = noise(1.4)
    before = samples.copy()
    first, again, second = (changed(made, [samples], epoch)[0] for epoch in (0, 0, 1))
    np.testing.assert_array_equal(samples, before)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0.01


def test_crops_shorter_than_the_window_are_padded() -> None:
    (found,) = changed(augmenter(), [noise(0.5)])
    assert audio.rms(found[: RATE // 2]) > 100 * audio.rms(found[int(0.52 * RATE) : -400])
