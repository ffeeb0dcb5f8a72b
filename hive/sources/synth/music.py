"""Winds, bows, keyboards that sustain, and drums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hive.sources.synth.alarms import REED, SAW, SQUARE
from hive.sources.synth.bells import FREE_BAR
from hive.sources.synth.dsp import Signal, band, decay, formants, highpass, lowpass
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen
from hive.sources.synth.strings import MAJOR, PENTATONIC, scale, walk

# --- sustained ---


def tune(
    s: Specimen, notes: Sequence[float], tempo: float, glide: float, leap: int = 2
) -> tuple[Signal, Signal]:
    """Return the pitch curve of a random tune in Hz, and the times of its notes.

    Args:
        s: The specimen.
        notes: The scale in Hz.
        tempo: Beats a second; a note takes one or two.
        glide: Seconds to slide from note to note (time constant).
        leap: Longest step on the scale.
    """
    ticks = s.beats("tune", 1 / tempo, first=0.0)
    starts = ticks[(s.draws("hold", len(ticks)) > 0.3) | (np.arange(len(ticks)) == 0)]
    pitch = s.silence()
    for start, place in zip(starts, walk(s, "tune", len(starts), len(notes), leap), strict=True):
        pitch[round(start * s.sample_rate) :] = notes[place]
    settle = 1 / (2 * np.pi * glide)
    first = pitch[0] if len(pitch) else 0.0
    return first + s.filter(pitch - first, lowpass(settle, 2)), starts


def notched(s: Specimen, starts: Signal, depth: float, seconds: float) -> Signal:
    """Return a level of 1 with a dip before each note: tongue or bow change."""
    return 1 - depth * s.gate(starts - seconds / 2, seconds / 2, seconds / 2)


def vibrato(s: Specimen, rate: float, depth: float) -> Signal:
    """Return a factor around 1 that swings by `depth` at about `rate` Hz."""
    phase = np.cumsum(rate * (1 + 0.1 * s.wander("vibrato", 2))) / s.sample_rate
    return 1 + depth * np.sin(2 * np.pi * phase)


@sound("Flute", HALL)
def flute(s: Specimen) -> Signal:
    """Tune on 500-1500 Hz, harmonics 1, 0.35, 0.15, vibrato 5 Hz, breath noise around the note."""
    pitch, starts = tune(
        s, scale(s.draw_log("root", 500, 600), MAJOR, 10), s.draw("tempo", 2.5, 4), 0.008
    )
    swing = vibrato(s, s.draw("vibrato rate", 4.5, 5.5), 0.008)
    level = notched(s, starts, 0.9, 0.05) * (0.6 + 5 * swing - 5)
    breath = s.noise("breath", band(600, 6000))
    return (s.tone(pitch * swing, (1, 0.35, 0.15, 0.04, 0.02)) + 0.12 * breath) * np.maximum(
        level, 0
    )


@sound("Clarinet", ROOM)
def clarinet(s: Specimen) -> Signal:
    """Tune on 147-440 Hz with odd harmonics (even ones 20 dB down below 1.5 kHz)."""
    wave = [(1.0 if n % 2 else 0.06 * min(n, 10)) / n**0.9 for n in range(1, 26)]
    pitch, starts = tune(
        s, scale(s.draw_log("root", 147, 175), MAJOR, 11), s.draw("tempo", 2.5, 4.5), 0.006
    )
    reed = s.filter(s.tone(pitch, wave), lowpass(2500))
    return reed * notched(s, starts, 0.85, 0.04) * (1 + 0.15 * s.wander("swell", 1.5))


@sound("Violin, fiddle", HALL)
def violin(s: Specimen) -> Signal:
    """Bowed sawtooth on 196-880 Hz, vibrato 5.5-6.5 Hz by 1.2 %, body peaks at 280-3000 Hz, bow noise."""
    pitch, starts = tune(
        s, scale(s.draw_log("root", 220, 330), MAJOR, 10), s.draw("tempo", 1.5, 3.5), 0.015
    )
    bow = s.tone(pitch * vibrato(s, s.draw("vibrato rate", 5.5, 6.5), 0.012), SAW)
    body = formants((280, 6, 0.7), (460, 6, 1), (700, 5, 0.7), (1100, 3, 0.6), (2700, 1.6, 1))
    tone = s.filter(bow, body, lowpass(7000)) * notched(s, starts, 0.7, 0.08)
    return tone * (1 + 0.2 * s.wander("swell", 1)) + 0.012 * s.noise("bow", band(1500, 8000))


@sound("Organ", HALL)
def organ(s: Specimen) -> Signal:
    """Pipe chords of three ranks (8', 4', 2 2/3') on 130-520 Hz, 0.8-1.6 s each, no decay."""
    root, beat = s.draw_log("root", 130, 175), s.draw("beat", 0.8, 1.6)
    stops = np.zeros(16)
    for rank, gain in zip((1, 2, 3, 4, 6, 8), s.draws("stops", 6, 0.2, 1.0), strict=True):
        stops[rank - 1] = gain
    stops[0] = 1.0
    chords = ((0, 4, 7, 12), (-3, 5, 9, 12), (-5, 7, 11, 14), (-7, 5, 9, 17), (-3, 4, 9, 12))
    out = s.silence()
    for voice in range(4):
        steps = [
            chords[s.stream(f"chord {k}").integer(5)][voice]
            for k in range(int(s.duration / beat) + 1)
        ]
        key = np.array(steps)[(s.t / beat).astype(np.int64)]
        rank = s.tone(root * 2 ** (key / 12) * (1 + 0.0007 * voice), stops)
        out += rank * notched(s, np.arange(1, s.duration / beat) * beat, 0.8, 0.06)
    return out * (1 + 0.06 * np.sin(2 * np.pi * s.draw("tremulant", 4, 6) * s.t))


@sound("Bagpipes", OUTDOORS)
def bagpipes(s: Specimen) -> Signal:
    """Three drones (A at 116-120 Hz, octave above twice) under a chanter on 470-940 Hz, no rests.

    The chanter plays a mixolydian tune with grace notes 40 ms long; both reeds are harsh.
    """
    root = s.draw("root", 464, 480)
    pitch, starts = tune(
        s, scale(root, (0, 2, 4, 5, 7, 9, 10), 9), s.draw("tempo", 3.5, 5), 0.002, 3
    )
    grace = s.gate(starts, 0.03, 0.004)
    chanter = s.tone(np.where(grace > 0.5, 1.78 * root, pitch), REED)
    chanter = s.filter(chanter, formants((1000, 1.2, 1), (2200, 1.5, 0.8), (4500, 2, 0.3)))
    drones = s.tone(root / 4, SAW) + s.tone(root / 2 * 1.0012, SAW) + s.tone(root / 2 * 0.9990, SAW)
    return 0.6 * chanter + 0.55 * s.filter(drones, formants((700, 0.8, 1)), lowpass(3000))


@sound("Didgeridoo", ROOM)
def didgeridoo(s: Specimen) -> Signal:
    """Drone of 58-80 Hz whose formants (350-700, 1300-2200 Hz) the mouth sweeps 1.3-2.5 times a second."""
    rate = s.draw("rate", 1.3, 2.5)
    drone = s.tone(s.draw("pitch", 58, 80) * (1 + 0.01 * s.wander("lips", 4)), REED)
    depth = 0.7 + 0.3 * s.wander("mouth", 0.5)

    def mouth(t: Signal, f: Signal) -> Signal:
        swing = (0.5 - 0.5 * np.cos(2 * np.pi * rate * t)) * np.interp(t, s.t, depth)
        low, high = 350 + 350 * swing, 1300 + 900 * swing
        peaks = np.exp(-(((f - low) / 120) ** 2)) + 0.7 * swing * np.exp(-(((f - high) / 180) ** 2))
        return peaks + 1.2 * np.exp(-((f / 130) ** 2)) + 0.02

    accents = 1 + 0.5 * s.gate(s.beats("pulse", 1 / rate, first=0.0), 0.08, 0.03)
    return s.moving(drone, mouth) * accents


@sound("Accordion", ROOM)
def accordion(s: Specimen) -> Signal:
    """Musette: two reeds a note, 6-14 cents apart, bright; waltz of bass, chord, chord and a tune."""
    root, beat, cents = (
        s.draw_log("root", 390, 520),
        s.draw("beat", 0.3, 0.42),
        s.draw("musette", 6, 14),
    )
    detune = 2 ** (cents / 1200)
    pitch, starts = tune(s, scale(root, MAJOR, 9), 1 / beat, 0.002)
    reeds = s.tone(pitch, REED) + s.tone(pitch * detune, REED)
    tune_part = s.filter(reeds, formants((900, 0.9, 1), (2500, 1.2, 0.7)), lowpass(6000))
    beats = s.beats("waltz", beat, first=0.0)
    bass = s.tone(root / 4, SAW) * s.gate(beats[::3], 0.7 * beat, 0.02)
    off = np.concatenate((beats[1::3], beats[2::3]))
    chord = sum((s.tone(root / 2 * r, SAW) for r in (1, 1.26, 1.5)), s.silence())
    left = bass + 0.4 * chord * s.gate(off, 0.45 * beat, 0.01)
    return tune_part * notched(s, starts, 0.6, 0.03) + 0.5 * s.filter(left, lowpass(1500))


@sound("Theremin", ROOM)
def theremin(s: Specimen) -> Signal:
    """Nearly a sine, gliding over 200-900 Hz without steps, vibrato 5-6.5 Hz by 1.5 %."""
    notes = scale(s.draw_log("root", 200, 300), MAJOR, 12)
    pitch, _ = tune(s, notes, s.draw("tempo", 1.0, 1.8), s.draw("glide", 0.08, 0.14), 4)
    swing = vibrato(s, s.draw("vibrato rate", 5, 6.5), 0.015)
    return s.tone(pitch * swing, (1, 0.25, 0.1, 0.05)) * (0.8 + 0.2 * s.wander("hand", 1))


@sound("Synthesizer", CLOSE)
def synthesizer(s: Specimen) -> Signal:
    """Arpeggio of 6-9 notes a second, two detuned sawtooths, resonant low-pass falling on each note."""
    rate, root = s.draw("rate", 6, 9), s.draw_log("root", 82, 165)
    chord = s.choose("chord", ((0, 3, 7, 12, 15, 12, 7, 3), (0, 4, 7, 11, 12, 11, 7, 4)))
    step = (s.t * rate).astype(np.int64)
    pitch = root * 2 ** (
        np.array(chord)[step % 8] / 12 + np.array((0, 0, 5, 7))[step // 16 % 4] / 12
    )
    saws = s.tone(pitch, SAW) + s.tone(pitch * 2 ** (s.draw("detune", 5, 15) / 1200), SQUARE)
    low, high, fall = (
        s.draw("low", 300, 600),
        s.draw("high", 2500, 6000),
        s.draw("fall", 0.03, 0.07),
    )

    def cutoff(t: Signal, f: Signal) -> Signal:
        edge = low + (high - low) * np.exp(-(t % (1 / rate)) / fall)
        return 1 / (1 + (f / edge) ** 4) + 1.5 * np.exp(-(((f - edge) / (0.15 * edge)) ** 2))

    return s.moving(saws, cutoff, 1024) * np.exp(-(s.t % (1 / rate)) * 4)


# --- struck ---


@sound("Mallet percussion", ROOM)
def mallet_percussion(s: Specimen) -> Signal:
    """Marimba: bars tuned to 1 : 3.93 : 9.2 on 200-1000 Hz, T60 0.7 s, 4-7 notes a second."""
    notes = scale(s.draw_log("root", 200, 300), s.choose("scale", (MAJOR, PENTATONIC)), 13)
    starts = s.beats("note", 1 / s.draw("tempo", 4, 7), 0.03)
    out, t60 = s.silence(), s.draw("t60", 0.5, 0.9)
    for k, (start, place) in enumerate(
        zip(starts, walk(s, "tune", len(starts), 13, 3), strict=True)
    ):
        modes = notes[place] * np.array([1, 3.93, 9.2])
        s.place(
            out,
            start,
            s.ring(1.0, modes, t60 * np.array([1, 0.35, 0.12]), [1, 0.35, 0.12]),
            s.draw(f"gain {k}", 0.5, 1),
        )
    return out + s.strew(
        starts, np.full(len(starts), 0.15), s.burst("mallet", 0.02, band(300, 2500))
    )


@sound("Wood block", ROOM)
def wood_block(s: Specimen) -> Signal:
    """Two hollow blocks (700-1500 Hz and a fourth lower), modes 1, 1.6, 2.7, T60 40-80 ms, 4-7 hits a second."""
    high, t60, rate = (
        s.draw_log("pitch", 700, 1500),
        s.draw("t60", 0.04, 0.08),
        s.draw("rate", 4, 7),
    )
    hits = s.beats("hit", 1 / rate, 0.02)
    pattern = s.draws("pattern", 8)
    beat = pattern[np.arange(len(hits)) % 8]
    out = s.silence()
    for pitch, play in ((high, beat < 0.45), (0.75 * high, (beat >= 0.45) & (beat < 0.8))):
        grain = s.ring(
            0.15, pitch * np.array([1, 1.62, 2.7]), t60 * np.array([1, 0.7, 0.4]), [1, 0.4, 0.25]
        )
        out += s.strew(hits, np.where(play, 1.0, 0.0), grain)
    every = s.beats("count", 8 / rate, first=hits[0] if len(hits) else 0.0)
    return out + s.strew(
        every, np.ones(len(every)), s.ring(0.15, [high, 1.62 * high], t60, [1, 0.4])
    )


@sound("Tambourine", ROOM)
def tambourine(s: Specimen) -> Signal:
    """Five pairs of jingles (modes 4.5-13 kHz, T60 0.1-0.25 s), shaken at 6-9 a second, slapped on every fourth."""
    shakes = s.beats("shake", 1 / s.draw("rate", 6, 9), 0.03)
    accents = np.where(np.arange(len(shakes)) % 4 == 0, 1.0, 0.35)
    out = s.strew(
        shakes[::4], np.full(len(shakes[::4]), 0.6), s.burst("slap", 0.06, band(200, 1200))
    )
    for jingle in range(5):
        modes = s.draw(f"jingle {jingle}", 4500, 6500) * np.array([1, 1.27, 1.55, 1.9])
        grain = s.ring(0.3, modes, s.draw(f"t60 {jingle}", 0.1, 0.25), [0.25, 0.2, 0.2, 0.15])
        lags = s.draws(f"lag {jingle}", 2 * len(shakes), 0, 0.03)
        gains = np.tile(accents, 2) * s.draws(f"gain {jingle}", 2 * len(shakes), 0.3, 1)
        out += s.strew(np.tile(shakes, 2) + lags, gains, grain)
    return out + 0.3 * s.strew(shakes, accents, s.burst("hiss", 0.07, highpass(6000), attack=0.006))


@sound("Drum", ROOM)
def drum(s: Specimen) -> Signal:
    """Hand drums: membrane modes 1, 1.59, 2.14, 2.30, 2.65, 2.92 of 90-220 Hz, pitch falling 8 %, 4-7 hits a second."""
    rate = s.draw("rate", 4, 7)
    hits = s.beats("hit", 1 / rate, 0.04)
    pattern = s.draws("pattern", 8)[np.arange(len(hits)) % 8]
    base, out = s.draw_log("pitch", 90, 220), s.silence()
    ratios = np.array([1, 1.59, 2.14, 2.30, 2.65, 2.92])
    tones = ((base, 0.45, pattern < 0.4), (1.5 * base, 0.25, (pattern >= 0.4) & (pattern < 0.75)))
    for pitch, t60, play in tones:
        head = s.ring(0.6, pitch * ratios, t60 / ratios**0.8, [1, 0.6, 0.4, 0.3, 0.25, 0.2])
        skin = s.burst(f"skin {pitch:.0f}", 0.03, band(300, 3000))
        head[: len(skin)] += 0.4 * skin[: len(head)]
        gains = np.where(play, s.draws(f"gain {pitch:.0f}", len(hits), 0.6, 1), 0)
        out += s.strew(hits, gains, head)
    ones = hits[::8]
    return out + s.strew(
        ones, np.ones(len(ones)), s.ring(0.6, base * ratios, 0.5 / ratios, 1 / ratios)
    )


def _kick(s: Specimen) -> Signal:
    """Return a bass drum: a sine falling from 150 to 50 Hz in 40 ms, with a beater click."""
    time = np.arange(s.samples(0.35)) / s.sample_rate
    turns = np.cumsum(50 + 100 * np.exp(-time / 0.04)) / s.sample_rate
    return np.sin(2 * np.pi * turns) * decay(len(time), s.sample_rate, 0.3, 0.002)


@sound("Drum kit", ROOM)
def drum_kit(s: Specimen) -> Signal:
    """Rock beat of 90-140 a minute: kick 150-50 Hz, snare 185 Hz and wires, hi-hat above 6 kHz."""
    eighth = 30 / s.draw("tempo", 90, 140)
    grid = s.beats("grid", eighth, first=s.draw("first", 0, 0.2))
    place = np.arange(len(grid)) % 8
    extra = s.draws("extra", 8) < 0.25
    kicks = (place == 0) | (place == 4) | (extra[place] & (place % 2 == 1))
    snare = s.burst("wires", 0.22, highpass(1200)) * 0.8
    snare += s.ring(len(snare) / s.sample_rate, [185, 330], [0.15, 0.1], [0.8, 0.4])[: len(snare)]
    hat = s.burst("hat", s.draw("hat", 0.05, 0.12), highpass(7000, 4))
    out = 1.2 * s.strew(grid, np.where(kicks, 1.0, 0.0), _kick(s))
    out += s.strew(grid, np.where((place == 2) | (place == 6), 0.9, 0.0), snare)
    return out + 0.35 * s.strew(grid, np.where(place % 2 == 0, 1.0, 0.7), hat)


@sound("Cymbal", ROOM)
def cymbal(s: Specimen) -> Signal:
    """Crash: noise of 300 Hz-14 kHz, T60 3 s low to 1.2 s high, with 40 modes above 400 Hz; hit every 1-2 s."""
    seconds = min(3.0, s.duration)
    modes = 400 * 25 ** s.draws("modes", 40)
    grain = 0.3 * s.ring(seconds, modes, 3.5 * (modes / 400) ** -0.25, s.draws("gains", 40, 0.2, 1))
    for k, (low, high) in enumerate(((300, 1200), (1200, 3500), (3500, 7500), (7500, 14000))):
        part = s.noise(f"wash {k}", band(low, high, 3), seconds=seconds)
        part *= decay(len(part), s.sample_rate, 3.2 - 0.55 * k, 0.004 + 0.004 * k)
        grain += part * (0.5, 0.8, 1.0, 0.7)[k]
    hits = s.beats("hit", s.draw("period", 1.0, 2.0), 0.04)
    return s.strew(hits, s.draws("blow", len(hits), 0.4, 1), grain)


@sound("Ice cream truck, ice cream van", OUTDOORS)
def ice_cream_truck(s: Specimen) -> Signal:
    """Music box on a horn: a tune in thirds on 650-1600 Hz, comb bars 1, 2.76, 5.40, 4-6 notes a second."""
    notes = scale(s.draw_log("root", 650, 780), MAJOR, 10)
    starts = s.beats("note", 1 / s.draw("tempo", 4, 6))
    phrase = walk(s, "phrase", 12, 8)
    out = s.silence()
    for k, start in enumerate(starts):
        for third in (0, 2):
            modes = notes[min(phrase[k % 12] + third, 9)] * FREE_BAR[:3]
            s.place(
                out, start, s.ring(0.9, modes, [0.9, 0.4, 0.2], [1, 0.3, 0.12]), 1 - 0.25 * third
            )
    return s.filter(out, band(500, 5000)) * (1 + 0.1 * s.wander("battery", 5))
