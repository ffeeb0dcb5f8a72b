"""Sirens, horns and whistles: signals that carry far."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import REED, SAW, SQUARE, Signal
from hive.sources.synth.filters import band, convolve, formants, highpass, lowpass
from hive.sources.synth.registry import OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


def _horn_driver(s: Specimen, pitch: Signal) -> Signal:
    """Return an electronic siren's square wave through its horn (about 400 Hz to 4 kHz)."""
    return s.filter(s.tone(pitch, SQUARE), band(400, 4000))


@sound("Police car (siren)", OUTDOORS)
def police_siren(s: Specimen) -> Signal:
    """Wail (600-750 to 1350-1600 Hz in 3.5-5 s) in turn with yelp (the same at 2.5-3.5 Hz).

    Each lasts 2.5-4 s; square wave through a horn.
    """
    low, high = s.draw("low", 600, 750), s.draw("high", 1350, 1600)
    wail, yelp, turn = s.draw("wail", 0.2, 0.28), s.draw("yelp", 2.5, 3.5), s.draw("turn", 2.5, 4)
    rate = np.where((s.t / turn + s.draw("start", 0, 2)) % 2 < 1, wail, yelp)
    place = 0.5 - 0.5 * np.cos(2 * np.pi * (np.cumsum(rate) / s.sample_rate + s.draw("at", 0, 1)))
    return _horn_driver(s, low * (high / low) ** place)


@sound("Ambulance (siren)", OUTDOORS)
def ambulance_siren(s: Specimen) -> Signal:
    """European two-tone horn: 420-470 Hz and a fourth higher, 0.55-0.75 s each."""
    low, half = s.draw("pitch", 420, 470), s.draw("half", 0.55, 0.75)
    upper = (s.t / (2 * half) + s.draw("start", 0, 1)) % 1 < 0.5
    pitch = np.where(upper, low * s.draw("step", 1.31, 1.36), low)
    return s.filter(s.tone(pitch, REED), formants((950, 1.2, 1), (2600, 2, 0.5)), lowpass(5e3))


@sound("Fire engine, fire truck (siren)", OUTDOORS)
def fire_engine_siren(s: Specimen) -> Signal:
    """Motor siren that is spun up (0.8-1.4 s) to 700-950 Hz and coasts down to half, growling.

    Over it an air horn (two trumpets at 140-190 Hz and a third higher) blasts every 2-3 s.
    """
    top, rise, fall = s.draw("top", 700, 950), s.draw("rise", 0.8, 1.4), s.draw("fall", 1.5, 2.5)
    place = (s.t + s.draw("start", 0, 1)) % (rise + fall)
    spin = np.where(place < rise, place / rise, 1 - (place - rise) / fall)
    growl = s.tone(top * (0.45 + 0.55 * spin), SAW) * (0.35 + 0.65 * spin)
    growl = s.filter(growl, band(250, 2500))
    pitch = s.draw("horn", 140, 190)
    horn = s.tone(pitch, REED) + s.tone(pitch * s.draw("third", 1.19, 1.26), REED)
    blasts = s.gate(s.beats("blast", s.draw("gap", 2, 3), 0.1), s.draw("blast", 0.3, 0.8), 0.04)
    return growl + 0.9 * s.filter(horn, band(150, 1800)) * blasts


@sound("Civil defense siren", OUTDOORS)
def civil_defense_siren(s: Specimen) -> Signal:
    """Double rotor (ports 5 to 6, a minor third): 380-500 Hz at full speed, down to half of it.

    One rise and fall takes 6-9 s; level falls with speed.
    """
    top, period = s.draw("top", 380, 500), s.draw("period", 6, 9)
    place = (s.t / period + s.draw("start", 0, 1)) % 1
    spin = np.where(
        place < 0.35, 1 - (1 - place / 0.35) ** 2, 1 - (np.maximum(place - 0.35, 0) / 0.65) ** 1.5
    )
    speed = top * (0.5 + 0.5 * spin)
    chord = s.tone(speed, SAW[:14]) + s.tone(speed * 1.2, SAW[:14])
    return s.filter(chord * (0.2 + 0.8 * spin), band(200, 1800))


@sound("Car alarm", OUTDOORS)
def car_alarm(s: Specimen) -> Signal:
    """Six patterns in turn, 1.2-1.8 s each: chirps up, two tones, chirps down, wail, pulses, trill.

    All between 0.7 and 2.8 kHz, a square wave through a piezo horn.
    """
    low, high = s.draw("low", 700, 950), s.draw("high", 2000, 2800)
    place = s.t / s.draw("turn", 1.2, 1.8) + s.draw("start", 0, 6)
    which = place.astype(np.int64) % 6
    ramp = (s.t * s.draw("rate", 3, 6)) % 1
    wail = 0.5 - 0.5 * np.cos(2 * np.pi * (place % 1))
    two, trill = (ramp < 0.5) * 0.8, ((s.t * 14) % 1 < 0.5) * 0.5 + 0.3
    rise = np.choose(which, [ramp, two, 1 - ramp, wail, np.full_like(ramp, 0.7), trill])
    on = np.where(which == 4, ramp < 0.5, 1.0)
    wave = s.filter(s.tone(low * (high / low) ** rise, SQUARE), highpass(900))
    return wave * s.filter(on, lowpass(120, 1))


@sound("Vehicle horn, car horn, honking", OUTDOORS)
def car_horn(s: Specimen) -> Signal:
    """Two reeds at 380-450 Hz and a third higher, bright around 2-3.5 kHz, 0.15-1 s a honk."""
    low = s.draw("pitch", 380, 450)
    reeds = s.tone(low, REED) + s.tone(low * s.choose("third", (1.19, 1.25)), REED)
    horn = s.filter(
        reeds, formants((s.draw("peak", 2000, 3500), 1.5, 1), (700, 1, 0.5)), lowpass(7e3)
    )
    starts = s.poisson("honk", 1.1, 1.6)
    return horn * s.gate(starts, s.draws("length", len(starts), 0.15, 1.0), 0.012, 0.03)


@sound("Air horn, truck horn", OUTDOORS)
def truck_horn(s: Specimen) -> Signal:
    """Three trumpets on a major chord over 150-240 Hz, sliding up at the start.

    Blasts of 0.8-1.7 s.
    """
    starts = s.beats("blast", s.draw("period", 2.2, 2.9), 0.08)
    lengths = s.draws("length", len(starts), 0.8, 1.7)
    blasts = s.gate(starts, lengths, 0.06, 0.15)
    base = s.draw("pitch", 150, 240) * (0.96 + 0.04 * blasts)
    chord = sum((s.tone(base * r, SAW) for r in (1.0, 1.26, 1.5)), s.silence())
    return s.filter(chord, band(180, 1500), formants((700, 0.8, 1))) * blasts


@sound("Foghorn", OUTDOORS)
def foghorn(s: Specimen) -> Signal:
    """Diaphone at 90-160 Hz, 1.6-2.6 s a blast, ending in a grunt a fifth lower; far echo."""
    on = s.draw("on", 1.6, 2.6)
    starts = s.beats("blast", on + 0.4 + s.draw("off", 0.9, 1.4))
    grunt = s.gate(starts + on, 0.25, 0.04)
    body = s.gate(starts, on, 0.12, 0.05)
    pitch = s.draw_log("pitch", 90, 160) * (1 - 0.33 * grunt)
    horn = s.filter(s.tone(pitch, REED), formants((300, 0.8, 1)), lowpass(900))
    dry = horn * np.maximum(body, 0.8 * grunt)
    echo = s.silence(s.draw("shore", 0.7, 1.4))
    echo[0], echo[-1] = 1.0, s.draw("echo", 0.1, 0.25)
    return convolve(dry, echo)


@sound("Steam whistle", OUTDOORS)
def steam_whistle(s: Specimen) -> Signal:
    """Chord of three to five pipes from 280-480 Hz, with steam hiss.

    The pitch slides up as pressure builds; blasts of 0.6-2 s.
    """
    starts = s.beats("blast", s.draw("period", 2.4, 3.2), 0.1)
    lengths = s.draws("length", len(starts), 0.6, 2.0)
    slow, blasts = s.gate(starts, lengths, 0.35, 0.3), s.gate(starts, lengths, 0.08, 0.3)
    chord = s.choose("chord", ((1, 1.25, 1.5), (1, 1.2, 1.5, 1.68), (1, 1.26, 1.5, 1.68, 2.0)))
    base = s.draw_log("pitch", 280, 480) * (0.9 + 0.1 * slow) * (1 + 0.004 * s.wander("flow", 9))
    pipes = sum((s.tone(base * r, (1, 0.25, 0.45, 0.1, 0.15)) for r in chord), s.silence())
    return (pipes + 0.5 * s.noise("steam", band(900, 7000))) * blasts


@sound("Kettle whistle", ROOM)
def kettle_whistle(s: Specimen) -> Signal:
    """Tone that climbs to 2-3 kHz in 1.5 s and holds, fluttering at 8-14 Hz, over boiling hiss."""
    top = s.draw_log("pitch", 2000, 3000)
    climb = 1 - 0.3 * np.exp(-s.t / s.draw("climb", 0.5, 1.2))
    pitch = top * climb * (1 + 0.012 * s.wander("flow", 3))
    flutter = 1 + 0.25 * np.sin(2 * np.pi * np.cumsum(11 + 3 * s.wander("rate", 2)) / s.sample_rate)
    tone = s.tone(pitch, (1, 0.3, 0.12)) * flutter
    return tone + s.draw("hiss", 0.1, 0.3) * s.noise("hiss", band(1500, 9000))
