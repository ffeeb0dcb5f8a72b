"""The procedural sounds: contracts for every class, and the physics that makes a class itself.

Pitches, rates and ratios are measured from the waveform (FFT peaks, envelope spectra, onsets) and
compared with what the real thing does.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hive import labels
from hive.errors import HiveError
from hive.sources import synth
from hive.sources.synth import dsp, filters
from hive.sources.synth.registry import ROOM, SOUNDS, sound
from hive.sources.synth.specimen import Specimen

Signal = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]
CLASSES = synth.classes()
FAST_RATE, FULL_RATE = 22050, 44100
INDICES = (0, 1, 2)


def rms(x: Signal) -> float:
    return float(np.sqrt(np.mean(x * x)))


# --- the contract, for every class ---


@pytest.fixture(scope="module")
def short() -> dict[str, list[Signal]]:
    """Three specimens of 4 s a class."""
    return {
        label: [synth.synthesise(label, 5, index, 4.0, FAST_RATE) for index in INDICES]
        for label in CLASSES
    }


def test_classes_are_hive_classes() -> None:
    assert len(CLASSES) >= 48
    for label in CLASSES:
        assert labels.find(label).name == label


@pytest.mark.shared
def test_classes_are_rows_of_the_ontology_table() -> None:
    table = ROOT / "../shared/data/ontology/audioset_to_hive.tsv"
    if not table.exists():
        pytest.skip("reference ontology table is not beside the checkout")
    with table.open(encoding="utf-8") as handle:
        rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = {row["hive_name"] for row in rows if row["status"] == "kept"}
    assert set(CLASSES) <= names


@pytest.mark.parametrize("label", CLASSES)
def test_levels_and_ends(label: str, short: dict[str, list[Signal]]) -> None:
    for wave in short[label]:
        assert wave.shape == (4 * FAST_RATE,)
        assert wave.dtype == np.float64
        assert np.isfinite(wave).all()
        assert 0.29 < np.abs(wave).max() < 0.91
        assert rms(wave) > 0.005
        assert abs(wave.mean()) < 1e-6
        assert np.abs(wave[[0, -1]]).max() < 1e-3
        assert np.array_equal(wave * 2**23, np.rint(wave * 2**23))  # on the 24-bit grid


@pytest.mark.parametrize("label", CLASSES)
def test_sound_goes_on_for_the_whole_duration(label: str) -> None:
    rate = 16000
    wave = synth.synthesise(label, 11, 0, 10.0, rate)
    energy = np.concatenate(([0.0], np.cumsum(wave * wave)))
    whole = rms(wave)
    for seconds, share in ((4.0, 1 / 8), (2.2, 1 / 30)):
        size = int(seconds * rate)
        quietest = np.sqrt((energy[size:] - energy[:-size]).min() / size)
        assert quietest > share * whole, f"a window of {seconds} s is nearly silent"


def test_same_bytes_in_any_order(short: dict[str, list[Signal]]) -> None:
    state = str(np.random.get_state())
    for label in reversed(CLASSES[::3]):
        again = synth.synthesise(label, 5, 1, 4.0, FAST_RATE)
        assert again.tobytes() == short[label][1].tobytes(), label
    assert str(np.random.get_state()) == state  # numpy's global state is not touched


@pytest.mark.parametrize("label", CLASSES)
def test_specimens_differ(label: str, short: dict[str, list[Signal]]) -> None:
    first, second, third = short[label]
    seeds = [synth.synthesise(label, seed, 0, 1.0, FAST_RATE) for seed in (5, 6)]
    for one, other in ((first, second), (first, third), seeds):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.85
        levels = [np.abs(np.fft.rfft(wave)) for wave in (one, other)]
        assert np.corrcoef(*levels)[0, 1] < 0.97


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize(("duration", "rate"), [(0.5, 16000), (0.7312, 48000)])
def test_short_clips_at_other_rates(label: str, duration: float, rate: int) -> None:
    wave = synth.synthesise(label, 3, 2, duration, rate)
    assert wave.shape == (round(duration * rate),)
    assert np.isfinite(wave).all()
    assert rms(wave) > 1e-3
    assert abs(wave.mean()) < 1e-6


def test_bytes_do_not_depend_on_the_processors_vector_units() -> None:
    labels_here = ("Stream", "Church bell", "Violin, fiddle", "Wind", "Thunderstorm")
    code = (
        "import hashlib; from hive.sources.synth import synthesise; h = hashlib.sha256();"
        f"[h.update(synthesise(c, 1, 0, 1.0, 22050).tobytes()) for c in {labels_here!r}];"
        "print(h.hexdigest())"
    )
    core = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    umath = importlib.import_module(f"{core}._multiarray_umath")
    units = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(units)}
    plain = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    here = hashlib.sha256()
    for label in labels_here:
        here.update(synth.synthesise(label, 1, 0, 1.0, 22050).tobytes())
    assert plain.stdout.decode().split() == [here.hexdigest()]


def test_errors_say_what_there_is() -> None:
    with pytest.raises(HiveError, match=r"'Church bel'.*did you mean 'Church bell'.*Zipper"):
        synth.synthesise("Church bel", 1, 0)
    with pytest.raises(HiveError, match="no synthesiser for label 'Laughter'"):
        synth.describe("Laughter")
    with pytest.raises(HiveError, match=r"duration of 0.1 s.*0.5 to 120"):
        synth.synthesise("Rain", 1, 0, duration=0.1)
    with pytest.raises(HiveError, match=r"duration of nan"):
        synth.synthesise("Rain", 1, 0, duration=float("nan"))
    with pytest.raises(HiveError, match=r"sample_rate of 8000 Hz.*16000"):
        synth.synthesise("Rain", 1, 0, sample_rate=8000)
    with pytest.raises(ValueError, match="two recipes for 'Rain'"):
        sound("Rain", ROOM)(SOUNDS["Rain"].recipe)


def test_documentation_lists_every_class() -> None:
    page = (ROOT / "docs" / "synth.md").read_text(encoding="utf-8")
    for label in CLASSES:
        assert f"| {label} | {synth.describe(label)} |" in page, "run python docs/figure_synth.py"


# --- recognisable: classes can be told apart ---


def mel_statistics(wave: Signal) -> Signal:
    """Return mean, deviation and mean step of 40 log-mel bands (23 ms steps of 12 ms)."""
    size, bands = 512, 40
    mel = np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + 10500 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    f = np.fft.rfftfreq(size, 1 / FAST_RATE)
    rise = (f - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - f) / np.diff(edges)[1:, None]
    bank = np.maximum(0, np.minimum(rise, fall))
    frames = np.lib.stride_tricks.sliding_window_view(wave / rms(wave), size)[::256]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    level = np.log(power @ bank.T + 1e-3)
    steps = np.abs(np.diff(level, axis=0))
    return np.concatenate((level.mean(0), level.std(0), steps.mean(0)))


def test_nearest_centroid_tells_the_classes_apart(short: dict[str, list[Signal]]) -> None:
    features = np.array([[mel_statistics(x) for x in short[label]] for label in CLASSES])
    hits = []
    for held_out in INDICES:  # two specimens make the centroid, the third is classified
        rest = [index for index in INDICES if index != held_out]
        centroids = features[:, rest].mean(axis=1)
        spread = features[:, rest].std(axis=1).mean(axis=0) + 0.05
        gap = (features[:, held_out, None] - centroids[None]) / spread
        hits.append((gap**2).sum(axis=2).argmin(axis=1) == np.arange(len(CLASSES)))
    assert np.mean(hits) > 0.85  # chance is below 1 %


# --- physics, class by class ---


def spectrum(wave: Signal, rate: int = FULL_RATE) -> tuple[Signal, Signal]:
    """Return frequencies in Hz and magnitudes of a Hann-windowed signal, padded fourfold."""
    length = 4 * len(wave)
    return np.fft.rfftfreq(length, 1 / rate), np.abs(
        np.fft.rfft(wave * np.hanning(len(wave)), length)
    )


def peak(wave: Signal, low: float, high: float) -> float:
    """Return the frequency of the strongest partial between `low` and `high` Hz."""
    f, magnitude = spectrum(wave)
    inside = (f >= low) & (f <= high)
    return float(f[inside][magnitude[inside].argmax()])


def pitch_track(wave: Signal, low: float, high: float, size: int = 4096, hop: int = 1024) -> Signal:
    """Return the strongest frequency between `low` and `high` Hz in every 93-ms frame."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop] * np.hanning(size)
    magnitude = np.abs(np.fft.rfft(frames, 4 * size, axis=1))
    f = np.fft.rfftfreq(4 * size, 1 / FULL_RATE)
    inside = (f >= low) & (f <= high)
    return f[inside][magnitude[:, inside].argmax(axis=1)]


def share(wave: Signal, low: float, high: float) -> float:
    """Return the share of the energy between `low` and `high` Hz."""
    f = np.fft.rfftfreq(len(wave), 1 / FULL_RATE)
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float(power[(f >= low) & (f <= high)].sum() / power.sum())


def envelope(wave: Signal, smooth_s: float = 0.01, rate: int = 1000) -> Signal:
    """Return the smoothed magnitude at 1 kHz."""
    size = max(1, int(smooth_s * FULL_RATE))
    total = np.concatenate(([0.0], np.cumsum(np.abs(wave))))
    ends = np.arange(size, len(wave), FULL_RATE // rate)
    return (total[ends] - total[ends - size]) / size


def beat_rate(wave: Signal, low: float, high: float, smooth_s: float = 0.01) -> float:
    """Return the rate of the envelope between `low` and `high` Hz, by autocorrelation."""
    level = envelope(wave, smooth_s, 980)  # 44100 // 980 divides without a rest
    level = level - level.mean()
    power = np.abs(np.fft.rfft(level, 4 * len(level))) ** 2
    match = np.fft.irfft(power)[: len(level)]
    lags = np.arange(int(980 / high), int(980 / low) + 2)
    return 980 / float(lags[match[lags].argmax()])


def onsets(wave: Signal, threshold: float, apart_s: float, smooth_s: float = 0.004) -> Signal:
    """Return the times at which the envelope rises through a share of its top."""
    level = envelope(wave, smooth_s)
    up = np.flatnonzero(
        (level[1:] > threshold * level.max()) & (level[:-1] <= threshold * level.max())
    )
    times = up / (FULL_RATE / (FULL_RATE // 1000))
    keep = np.concatenate(([True], np.diff(times) > apart_s)) if len(times) else []
    return times[keep]


@pytest.fixture(params=INDICES)
def index(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def wave_of(label: str, index: int, seconds: float = 6.0) -> Signal:
    return synth.synthesise(label, 21, index, seconds, FULL_RATE)


def test_smoke_alarm_is_a_temporal_three_pattern(index: int) -> None:
    wave = wave_of("Smoke detector, smoke alarm", index)
    assert 2950 < peak(wave, 1000, 8000) < 3350
    starts = onsets(wave, 0.5, 0.3)
    gaps = np.diff(starts)
    assert set(np.round(gaps)) == {1.0, 2.0}  # three at 1 s, then the pause: ISO 8201
    assert np.allclose(gaps, np.round(gaps), atol=0.02)


def test_reversing_beeps_are_half_on_half_off(index: int) -> None:
    wave = wave_of("Reversing beeps", index)
    assert 1000 < peak(wave, 500, 8000) < 1400
    gaps = np.diff(onsets(wave, 0.5, 0.2))
    assert np.allclose(gaps, gaps[0], atol=0.01)
    assert 0.9 < gaps[0] < 1.1
    level = envelope(wave)
    assert 0.4 < np.mean(level > 0.3 * level.max()) < 0.6


def test_police_siren_wails_and_yelps(index: int) -> None:
    track = pitch_track(wave_of("Police car (siren)", index), 400, 1800)
    assert 580 < track.min() < 800
    assert 1250 < track.max() < 1650
    slope = np.abs(np.diff(track)) / (1024 / FULL_RATE)
    assert np.percentile(slope, 90) > 5 * np.percentile(slope, 30)  # both fast and slow sweeps


def test_ambulance_alternates_two_tones_a_fourth_apart(index: int) -> None:
    track = pitch_track(wave_of("Ambulance (siren)", index), 380, 680)
    low, high = np.percentile(track, [20, 80])
    assert high / low == pytest.approx(4 / 3, rel=0.03)
    assert np.mean(np.minimum(np.abs(track / low - 1), np.abs(track / high - 1)) < 0.02) > 0.9


def test_civil_defence_siren_has_two_rotors_a_minor_third_apart(index: int) -> None:
    wave = wave_of("Civil defense siren", index)
    for start in (FULL_RATE, 4 * FULL_RATE):
        piece = wave[start : start + 8192]
        rotor = peak(piece, 150, 620)  # the stronger of the two
        other = (peak(piece, rotor / 1.3, rotor / 1.1), peak(piece, 1.1 * rotor, 1.3 * rotor))
        assert min(abs(rotor / other[0] - 1.2), abs(other[1] / rotor - 1.2)) < 0.02


def test_helicopter_slaps_at_the_blade_rate(index: int) -> None:
    assert 10.8 < beat_rate(wave_of("Helicopter", index), 9, 22) < 20.3


def test_jackhammer_blows(index: int) -> None:
    assert 17 < beat_rate(wave_of("Jackhammer", index), 12, 34, 0.005) < 28


def test_church_bell_partials(index: int) -> None:
    wave = wave_of("Church bell", index)
    prime = Specimen("Church bell", 21, index, 6.0, FULL_RATE).draw_log("prime", 180, 480)
    f, magnitude = spectrum(wave)
    for ratio in (0.5, 1.0, 1.2, 1.5, 2.0, 3.0):  # hum, prime, tierce, quint, nominal, twelfth
        partial = peak(wave, 0.97 * ratio * prime, 1.03 * ratio * prime)
        assert partial / prime == pytest.approx(ratio, rel=0.006)
        gap = (f > 1.06 * ratio * prime) & (f < 1.09 * ratio * prime)
        assert magnitude[np.abs(f - partial).argmin()] > 4 * np.median(magnitude[gap])


def test_tuning_fork_is_one_long_sine(index: int) -> None:
    wave = wave_of("Tuning fork", index)
    pitch = peak(wave, 100, 8000)
    assert 255 < pitch < 525
    assert share(wave, 0.98 * pitch, 1.02 * pitch) > 0.85


def test_clock_ticks_evenly_and_alternates(index: int) -> None:
    wave = wave_of("Clock", index)
    times = onsets(wave, 0.15, 0.12)
    gaps = np.diff(times)
    rate = 1 / np.median(gaps)
    assert min(abs(rate - ticks) for ticks in (2.0, 2.5, 4.0, 5.0)) < 0.05
    assert np.abs(gaps * rate - 1).max() < 0.05
    pitches = [peak(wave[int(t * FULL_RATE) :][:2000], 300, 9000) for t in times[:6]]
    assert min(pitches[::2]) > 1.2 * max(pitches[1::2]) or min(pitches[1::2]) > 1.2 * max(
        pitches[::2]
    )


def test_heart_beats_low_and_at_rest(index: int) -> None:
    wave = wave_of("Heart sounds, heartbeat", index)
    assert share(wave, 20, 250) > 0.97
    assert 58 < 60 * beat_rate(wave, 0.9, 1.7, 0.03) < 93


def test_footsteps_walk_and_run(index: int) -> None:
    walk = beat_rate(wave_of("Walk, footsteps", index), 1.3, 2.6, 0.03)
    run = beat_rate(wave_of("Run", index), 2.3, 3.7, 0.03)
    assert 1.55 < walk < 2.25
    assert 2.5 < run < 3.4


def test_cricket_chirps_in_triplets_near_4_to_5_khz(index: int) -> None:
    wave = wave_of("Cricket", index)
    assert share(wave, 3800, 5500) > 0.9
    gaps = np.diff(onsets(wave, 0.35, 0.012, 0.003))
    within = gaps[gaps < 0.06]
    assert 0.02 < np.median(within) < 0.04
    assert len(within) >= 1.2 * np.sum(gaps > 0.15)


def test_wings_beat_at_each_insects_rate(index: int) -> None:
    mosquito = np.median(pitch_track(wave_of("Mosquito", index), 300, 1000))
    assert 420 < mosquito < 750
    assert 150 < peak(wave_of("Fly, housefly", index), 140, 270) < 260
    assert 140 < peak(wave_of("Bee, wasp, etc.", index), 100, 320) < 310


def test_bouncing_ball_comes_down_in_a_geometric_series(index: int) -> None:
    wave = wave_of("Bouncing", index, 4.0)
    gaps = np.diff(onsets(wave, 0.25, 0.05))
    falls = gaps[1:] / gaps[:-1]
    first = falls[(gaps[:-1] < 0.5) & (gaps[1:] > 0.18) & (falls < 1)]
    assert len(first) >= 2
    assert np.all((first > 0.76) & (first < 0.92))


def test_filling_vessel_rises_in_pitch(index: int) -> None:
    # The first quarter wave, from the start to 2.4 s on: before the vessel is full.
    track = pitch_track(
        wave_of("Fill (with liquid)", index)[: int(2.4 * FULL_RATE)], 250, 900, 8192
    )
    assert np.median(track[-10:]) > 1.12 * np.median(track[:10])


def test_kettle_climbs_and_holds(index: int) -> None:
    track = pitch_track(wave_of("Kettle whistle", index), 1200, 3400)
    assert track[2] < 0.85 * np.median(track)
    assert 1950 < np.median(track) < 3050
    assert track[-100:].std() / track[-100:].mean() < 0.02


def test_foghorn_is_low_and_drops_at_the_end(index: int) -> None:
    wave = wave_of("Foghorn", index)
    track = pitch_track(wave, 50, 170, 8192)
    body = np.median(track)
    assert 88 < body < 163
    grunt = np.minimum(np.abs(track / body - 0.67), np.abs(track / body - 1.34))  # or its octave
    assert 2 <= np.sum(grunt < 0.03) < 0.3 * len(track)


def test_doorbell_falls_by_a_third(index: int) -> None:
    wave = wave_of("Doorbell", index)
    low = peak(wave, 470, 770)  # rings longest
    high = peak(wave, 1.12 * low, 1.35 * low)
    assert min(abs(high / low - 5 / 4), abs(high / low - 6 / 5)) < 0.02


def test_hum_stands_on_twice_the_mains(index: int) -> None:
    wave = wave_of("Hum", index)
    pitch = peak(wave, 90, 130)
    assert min(abs(pitch - 100), abs(pitch - 120)) < 0.5
    even = sum(share(wave, n * pitch - 2, n * pitch + 2) for n in range(1, 30))
    assert even > 0.9


def test_thunder_is_low_and_waterfall_is_steady(index: int) -> None:
    assert share(wave_of("Thunderstorm", index), 15, 400) > 0.75
    fall, wind = (envelope(wave_of(label, index), 0.25) for label in ("Waterfall", "Wind"))
    assert fall.std() / fall.mean() < 0.06
    assert wind.std() / wind.mean() > 0.15


def test_clarinet_sounds_odd_harmonics(index: int) -> None:
    wave = wave_of("Clarinet", index, 4.0)
    track = pitch_track(wave, 130, 500, 8192, 4096)
    middle = len(track) // 2
    note, start = track[middle], middle * 4096
    f, magnitude = spectrum(wave[start : start + 8192])
    levels = [magnitude[np.abs(f / note - n) < 0.06].max() for n in (1, 2, 3)]
    assert levels[1] < 0.35 * min(levels[0], levels[2])


# --- building blocks against closed forms ---


def test_ring_is_a_sum_of_decaying_sines() -> None:
    t = np.arange(5000) / 8000
    got = dsp.ring(5000, 8000, [440.0, 1234.5, 7000.0], [0.5, 0.9, 1.0], [1.0, 0.3, 1.0])
    want = np.sin(2 * np.pi * 440 * t) * 10 ** (-3 * t / 0.5)
    want += 0.3 * np.sin(2 * np.pi * 1234.5 * t) * 10 ** (-3 * t / 0.9)
    assert np.abs(got - want).max() < 2e-4  # a mode is cut at -78 dB; 7 kHz would alias


def test_oscillator_follows_its_frequency_and_leaves_out_aliases() -> None:
    rate = 16000
    frequency = np.linspace(300, 900, 8000)
    wave = dsp.oscillator(frequency, rate, (1.0, 0.0, 0.5), start=0.25)
    phase = 2 * np.pi * (np.cumsum(frequency) / rate + 0.25)
    assert np.abs(wave - np.sin(phase) - 0.5 * np.sin(3 * phase)).max() < 1e-5
    flat = np.full(8000, 3000.0)
    assert np.array_equal(
        dsp.oscillator(flat, rate, (1.0, 1.0, 1.0)), dsp.oscillator(flat, rate, (1.0, 1.0))
    )


def test_lowpass_has_the_impulse_response_of_an_rc_circuit() -> None:
    rate, cutoff = 48000, 300.0
    impulse = np.zeros(2000)
    impulse[0] = 1.0
    got = filters.filtered(impulse, rate, filters.lowpass(cutoff, 1))
    decay = 2 * np.pi * cutoff / rate
    want = decay * np.exp(-decay * np.arange(2000))
    assert np.abs(got[20:] - want[20:]).max() < 0.02 * decay


def test_resonance_peaks_at_its_centre_with_gain_one() -> None:
    f = np.linspace(1.0, 4000.0, 400000)
    gain = np.abs(filters.resonance(800.0, 5.0)(f))
    assert f[gain.argmax()] == pytest.approx(800, abs=0.1)
    assert gain.max() == pytest.approx(1.0)
    inside = f[gain > np.sqrt(0.5)]
    assert 800 / (inside[-1] - inside[0]) == pytest.approx(5.0, rel=1e-3)  # Q = centre / width


def test_moving_filter_with_gain_one_is_the_identity() -> None:
    x = Specimen("x", 0, 0, 0.5, 16000).white("test")
    got = filters.moving_filter(x, 16000, lambda t, f: np.ones((len(t), f.shape[1])), 512)
    assert np.abs(got - x).max() < 1e-12


@given(st.integers(1, 300), st.integers(1, 80), st.integers(0, 2**31))
@settings(max_examples=40)
def test_convolution_and_both_ways_to_strew(size: int, taps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, kernel = rng.normal(size=size), rng.normal(size=taps)
    assert np.allclose(filters.convolve(x, kernel), np.convolve(x, kernel)[:size], atol=1e-10)
    # One sample a grain goes through the convolution if there are many, by hand if there are few.
    times, gains = rng.uniform(-0.1, 1.1, 40), rng.normal(size=40)
    want = np.zeros(size)
    for time, gain in zip(times, gains, strict=True):
        dsp.add_at(
            want, round(time * size), kernel if round(time * size) >= 0 else kernel[:0], gain
        )
    assert np.allclose(filters.strew(size, size, times, gains, kernel), want, atol=1e-9)
    few = filters.strew(size * 4000, size, times[:1], gains[:1], kernel)
    assert np.allclose(
        few[:size], filters.strew(size, size, times[:1], gains[:1], kernel), atol=1e-9
    )


@given(st.integers(1, 100000))
def test_fast_length_is_the_next_5_smooth_number(count: int) -> None:
    found = filters.fast_length(count)

    def smooth(n: int) -> bool:
        for prime in (2, 3, 5):
            while n % prime == 0:
                n //= prime
        return n == 1

    assert found >= count
    assert smooth(found)
    assert not any(smooth(n) for n in range(count, found))


def test_poisson_events_have_their_rate_and_no_long_gap() -> None:
    s = Specimen("x", 1, 0, 120.0, 16000)
    times = s.poisson("a", 20.0)
    assert len(times) == pytest.approx(2400, abs=200)
    assert np.diff(s.poisson("b", 0.3, 1.5)).max() <= 1.5 + 1e-9


def test_gate_opens_for_its_length() -> None:
    s = Specimen("x", 1, 0, 1.0, 16000)
    gate = s.gate([0.2, 0.6], [0.1, 0.2], 0.01)
    assert np.sum(gate) / 16000 == pytest.approx(0.3, abs=1e-3)
    assert gate[int(0.25 * 16000)] == 1.0
    assert gate[int(0.5 * 16000)] == 0.0
