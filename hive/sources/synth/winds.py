"""Instruments that sustain: winds, bows, organ, reeds, electronics."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import REED, SAW, SQUARE, Signal
from hive.sources.synth.filters import band, formants, lowpass
from hive.sources.synth.melody import MAJOR, notched, scale, tune, vibrato
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Flute", HALL)
def flute(s: Specimen) -> Signal:
    """Tune on 500-1500 Hz, harmonics 1, 0.35, 0.15, 0.04.

    Vibrato of 4.5-5.5 Hz by 0.8 %; breath noise of 0.6-6 kHz.
    """
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
    """Tune on 147-470 Hz with odd harmonics; the lowest even ones are 12-18 dB weaker.

    No vibrato; the level swells by 15 %.
    """
    wave = [(1.0 if n % 2 else 0.06 * min(n, 10)) / n**0.9 for n in range(1, 26)]
    pitch, starts = tune(
        s, scale(s.draw_log("root", 147, 175), MAJOR, 11), s.draw("tempo", 2.5, 4.5), 0.006
    )
    reed = s.filter(s.tone(pitch, wave), lowpass(2500))
    return reed * notched(s, starts, 0.85, 0.04) * (1 + 0.15 * s.wander("swell", 1.5))


@sound("Violin, fiddle", HALL)
def violin(s: Specimen) -> Signal:
    """Bowed sawtooth on 220-830 Hz with vibrato of 5.5-6.5 Hz by 1.2 %.

    Body peaks at 280, 460, 700, 1100 and 2700 Hz, and noise of the bow.
    """
    pitch, starts = tune(
        s, scale(s.draw_log("root", 220, 330), MAJOR, 10), s.draw("tempo", 1.5, 3.5), 0.015
    )
    bow = s.tone(pitch * vibrato(s, s.draw("vibrato rate", 5.5, 6.5), 0.012), SAW)
    body = formants((280, 6, 0.7), (460, 6, 1), (700, 5, 0.7), (1100, 3, 0.6), (2700, 1.6, 1))
    tone = s.filter(bow, body, lowpass(7000)) * notched(s, starts, 0.7, 0.08)
    return tone * (1 + 0.2 * s.wander("swell", 1)) + 0.012 * s.noise("bow", band(1500, 8000))


@sound("Organ", HALL)
def organ(s: Specimen) -> Signal:
    """Pipe chords of six stops (harmonics 1, 2, 3, 4, 6, 8) on 87-470 Hz.

    Each chord lasts 0.8-1.6 s without decay; a tremulant of 4-6 Hz.
    """
    root, beat = s.draw_log("root", 130, 175), s.draw("beat", 0.8, 1.6)
    stops = np.zeros(16)
    stops[[0, 1, 2, 3, 5, 7]] = s.draws("stops", 6, 0.2, 1.0)
    stops[0] = 1.0
    chords = ((0, 4, 7, 12), (-3, 5, 9, 12), (-5, 7, 11, 14), (-7, 5, 9, 17), (-3, 4, 9, 12))
    out = s.silence()
    for voice in range(4):
        steps = [
            chords[s.stream(f"chord {k}").integer(5)][voice]
            for k in range(int(s.duration / beat) + 1)
        ]
        key = np.array(steps)[(s.t / beat).astype(np.int64)]
        pipes = s.tone(root * 2 ** (key / 12) * (1 + 0.0007 * voice), stops)
        out += pipes * notched(s, np.arange(1, s.duration / beat) * beat, 0.8, 0.06)
    return out * (1 + 0.06 * np.sin(2 * np.pi * s.draw("tremulant", 4, 6) * s.t))


@sound("Bagpipes", OUTDOORS)
def bagpipes(s: Specimen) -> Signal:
    """Chanter on 460-1080 Hz without rests, over three drones: 117 Hz once and 235 Hz twice.

    A mixolydian tune with grace notes of 30 ms; both kinds of reed are harsh.
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
    """Drone of 58-80 Hz whose formants the mouth sweeps 1.3-2.5 times a second.

    They move over 350-700 and 1300-2200 Hz.
    """
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
    """Musette: two reeds a note, 6-14 cents apart.

    A tune on 390-1170 Hz over a waltz of bass, chord, chord.
    """
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
    """Arpeggio of 6-9 notes a second on a sawtooth and a detuned square wave.

    A resonant low-pass falls from 2.5-6 kHz to 300-600 Hz on each note.
    """
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
