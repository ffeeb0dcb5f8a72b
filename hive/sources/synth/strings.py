"""Plucked and struck strings: modal strings with stiffness, pluck position and damping."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal
from hive.sources.synth.filters import band, formants, lowpass
from hive.sources.synth.melody import MAJOR, PENTATONIC, scale, walk
from hive.sources.synth.registry import HALL, ROOM, sound
from hive.sources.synth.specimen import Specimen


def string(
    s: Specimen,
    pitch: float,
    seconds: float,
    *,
    t60: float,
    bright: float,
    pluck: float,
    stiffness: float = 5e-5,
    damping: float = 2500.0,
) -> Signal:
    """Return a string: modes n f0 sqrt(1 + B n^2), gains sin(pi n p) / n^bright.

    Args:
        s: The specimen.
        pitch: Fundamental f0 in Hz.
        seconds: Length.
        t60: Decay of the fundamental in seconds.
        bright: Exponent; smaller is brighter.
        pluck: Place p of the pluck as a share of the string.
        stiffness: Inharmonicity B.
        damping: Frequency in Hz at which modes decay twice as fast as the fundamental.
    """
    n = np.arange(1, 31)
    modes = n * pitch * np.sqrt(1 + stiffness * n * n)
    gains = np.abs(np.sin(np.pi * n * pluck)) / n**bright
    keep = (modes < 12000) & (gains > 1e-3)
    return s.ring(seconds, modes[keep], (t60 / (1 + modes / damping))[keep], gains[keep])


@sound("Guitar", ROOM)
def guitar(s: Specimen) -> Signal:
    """Six modal strings strummed in open chords, 1.5-2.5 strums a second, body at 100 and 200 Hz.

    Strings follow at 8-18 ms, down and up in turn; chord changes every four strums.
    """
    chords = (
        (0, 7, 12, 16, 19, 24),
        (5, 12, 17, 21, 24, 29),
        (7, 14, 19, 23, 26, 31),
        (-3, 4, 9, 12, 16, 21),
    )
    root, lag = s.draw_log("root", 82, 110), s.draw("lag", 0.008, 0.018)
    strums = s.beats("strum", 1 / s.draw("tempo", 1.5, 2.5), 0.02)
    pluck, made = s.draw("pluck", 0.12, 0.25), {}
    out = s.silence()
    for k, start in enumerate(strums):
        notes = chords[s.stream(f"chord {k // 4}").integer(len(chords))]
        for place, step in enumerate(notes if k % 2 == 0 else notes[:1:-1]):
            if step not in made:
                made[step] = string(s, root * 2 ** (step / 12), 1.6, t60=3, bright=0.9, pluck=pluck)
            s.place(out, start + place * lag, made[step], 1.0 if k % 2 == 0 else 0.6)
    return out + 1.2 * s.filter(out, formants((102, 8, 1), (205, 8, 0.8)))


@sound("Banjo", ROOM)
def banjo(s: Specimen) -> Signal:
    """Three-finger rolls of 7-10 notes a second on bright short strings (T60 0.5-0.8 s).

    Plucked near the bridge, over a skin that rings at 350-1400 Hz.
    """
    root, t60, pluck = (
        s.draw_log("root", 180, 230),
        s.draw("t60", 0.5, 0.8),
        s.draw("pluck", 0.05, 0.1),
    )
    rolls = ((0, 4, 7, 12, 0, 7, 12, 4), (12, 7, 0, 12, 7, 4, 12, 0), (0, 7, 12, 0, 7, 12, 4, 12))
    roll, made = s.choose("roll", rolls), {}
    out = s.silence()
    for k, start in enumerate(s.beats("note", 1 / s.draw("tempo", 7, 10), 0.05)):
        step = roll[k % 8] + s.stream(f"chord {k // 8}").integer(2) * 5
        if step not in made:
            made[step] = string(
                s, root * 2 ** (step / 12), 0.7, t60=t60, bright=0.25, pluck=pluck, damping=5000
            )
        s.place(out, start, made[step], 1.0 if k % 4 == 0 else 0.7)
    skin = formants((380, 3, 1), (750, 3, 1), (1400, 2, 0.8), (3000, 1.5, 0.6))
    return 0.4 * out + s.filter(out, skin)


@sound("Harp", HALL)
def harp(s: Specimen) -> Signal:
    """Soft strings plucked at the middle, in sweeps up and down a scale from 100-140 Hz.

    8-13 notes a second, T60 2.5 s, few harmonics.
    """
    notes = scale(s.draw_log("root", 100, 140), s.choose("scale", (MAJOR, PENTATONIC)), 22)
    made: dict[int, Signal] = {}
    out = s.silence()
    for k, start in enumerate(s.beats("note", 1 / s.draw("tempo", 8, 13), 0.08)):
        place = 21 - abs((k + s.stream("from").integer(42)) % 42 - 21)
        if place not in made and place < 22:
            made[place] = string(
                s, notes[place], 1.8, t60=3.0, bright=2.0, pluck=0.45, damping=1200
            )
        s.place(out, start, made[place], s.draw(f"gain {k}", 0.6, 1.0))
    return out


@sound("Piano", HALL)
def piano(s: Specimen) -> Signal:
    """Stiff strings (B 3e-4, two a note, 1 cent apart) with hammer thump.

    A tune of 2.5-4.5 notes a second on 262-1250 Hz, and every fourth time a bass note of 65-140 Hz.
    """
    notes = scale(s.draw_log("root", 262, 330), MAJOR, 14)
    starts = s.beats("note", 1 / s.draw("tempo", 2.5, 4.5), 0.03)
    made: dict[float, Signal] = {}
    out = s.silence()

    def play(start: float, pitch: float, gain: float) -> None:
        if pitch not in made:
            pair = [
                string(
                    s,
                    pitch * cents,
                    1.6,
                    t60=4 * (220 / pitch) ** 0.4,
                    bright=1.2,
                    pluck=0.12,
                    stiffness=3e-4,
                    damping=1500,
                )
                for cents in (1.0, 1.0006)
            ]
            made[pitch] = pair[0] + 0.8 * pair[1]
        s.place(out, start, made[pitch], gain)

    for k, (start, place) in enumerate(zip(starts, walk(s, "tune", len(starts), 14), strict=True)):
        play(start, notes[place], s.draw(f"gain {k}", 0.4, 0.9))
        if k % 4 == 0:
            play(start, notes[s.stream(f"bass {k}").integer(6)] / 4, 1.0)
    thump = s.strew(starts, np.full(len(starts), 0.12), s.burst("thump", 0.08, band(60, 500)))
    return out + thump


@sound("Sitar", ROOM)
def sitar(s: Specimen) -> Signal:
    """Melody string from 135-180 Hz with pitch bends and a buzzing bridge, over drone strings.

    After each pluck the harmonics 5-28 speak one after another, from 4.7 down to 1.2 kHz.
    """
    root = s.draw_log("root", 135, 180)
    notes = scale(root, s.choose("raga", ((0, 1, 4, 5, 7, 8, 11), (0, 2, 4, 6, 7, 9, 11))), 10)
    starts = s.beats("note", 1 / s.draw("tempo", 2, 3.5), 0.06)
    which, since = s.since(starts)
    places = np.array(walk(s, "tune", len(starts), len(notes)))
    bent = s.draws("bend", len(starts)) > 0.6
    slide = 1 - 0.11 * bent[which] * np.exp(-since / 0.08)
    pitch = np.array(notes)[places[which]] * slide
    level = np.exp(-since / 0.6) * np.minimum(1, since / 0.002)
    body, buzz = s.tone(pitch, [1 / n for n in range(1, 12)]), s.tone(pitch, [0.0] * 4 + [0.5] * 24)

    def bridge(t: Signal, f: Signal) -> Signal:
        centre = 1200 + 3500 * np.exp(-np.interp(t, s.t, since) / 0.3)
        return np.exp(-(((f - centre) / 700) ** 2))

    swept = s.moving(buzz, bridge, 1024)
    drone = s.silence()
    plucks = s.beats("drone", s.draw("drone", 0.5, 0.9), 0.03)
    for k, ratio in enumerate((1.0, 1.5, 2.0)):
        one = string(s, root * ratio, 1.8, t60=3, bright=0.6, pluck=0.08)
        drone += s.strew(plucks[k::3], np.ones(len(plucks[k::3])), one)
    return s.filter((body + 1.5 * swept) * level, lowpass(9000)) + 0.25 * drone
