"""Drums, cymbals and tuned percussion."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.bells import FREE_BAR
from hive.sources.synth.dsp import Signal, decay
from hive.sources.synth.filters import band, highpass
from hive.sources.synth.melody import MAJOR, PENTATONIC, scale, walk
from hive.sources.synth.registry import OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Mallet percussion", ROOM)
def mallet_percussion(s: Specimen) -> Signal:
    """Marimba: bars of 200-1500 Hz tuned to 1 : 3.93 : 9.2, T60 0.5-0.9 s.

    4-7 notes a second.
    """
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
    """Two hollow blocks, of 700-1500 Hz and a fourth lower.

    Modes 1, 1.62 and 2.7 with T60 of 40-80 ms; 4-7 places for a stroke a second.
    """
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
    """Five pairs of jingles (modes of 4.5-12 kHz, T60 0.1-0.25 s).

    They are shaken 6-9 times a second; every fourth time the skin is slapped.
    """
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
    """Hand drums of 90-220 Hz and a fifth above.

    Membrane modes 1, 1.59, 2.14, 2.30, 2.65 and 2.92; 4-7 places for a stroke a second.
    """
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
    """Crash hit every 1-2 s.

    Noise of 300 Hz to 14 kHz whose T60 falls from 3.2 s at the bottom to 1.6 s at the top, with 40
    modes above 400 Hz.
    """
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
    """Music box through a horn loudspeaker.

    A phrase of 12 notes in thirds on 650-1970 Hz comes round; bar modes 1, 2.76 and 5.40, 4-6 notes
    a second.
    """
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
