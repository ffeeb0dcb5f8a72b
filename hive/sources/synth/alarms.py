"""Signals made to be heard: beeps, rings, buzzers, sirens, horns and whistles."""

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal, band, convolve, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen

SQUARE = tuple(1.0 / n if n % 2 else 0.0 for n in range(1, 40))
SAW = tuple(1.0 / n for n in range(1, 60))
REED = tuple(n**-0.35 for n in range(1, 60))  # a beating reed or contact: nearly a pulse train


# --- beeps ---


@sound("Beep, bleep", ROOM)
def beep(s: Specimen) -> Signal:
    """Sine or soft wave of 0.5-2.4 kHz, 60-180 ms on and 80-500 ms off, in a fixed cadence."""
    on, off = s.draw("on", 0.06, 0.18), s.draw("off", 0.08, 0.5)
    wave = s.choose("wave", ((1.0,), (1.0, 0.2, 0.1), (1.0, 0.0, 0.2)))
    return s.tone(s.draw_log("pitch", 500, 2400), wave) * s.gate(s.beats("on", on + off), on)


@sound("Reversing beeps", OUTDOORS)
def reversing_beeps(s: Specimen) -> Signal:
    """Square wave of 1.0-1.4 kHz through a small horn, 0.45-0.55 s on and as long off."""
    on = s.draw("on", 0.45, 0.55)
    wave = s.tone(s.draw("pitch", 1000, 1400), SQUARE)
    return s.filter(wave, band(900, 4000)) * s.gate(s.beats("on", 2 * on), on, 0.008)


@sound("Smoke detector, smoke alarm", ROOM)
def smoke_detector(s: Specimen) -> Signal:
    """Piezo tone of 2.95-3.35 kHz in the three-pulse pattern of ISO 8201.

    Three times 0.5 s on and 0.5 s off, then 1 s more of silence.
    """
    first = s.draw("first", 0.0, 0.5)
    starts = [first + 4.0 * k + pulse for k in range(-1, 99) for pulse in (0.0, 1.0, 2.0)]
    wave = s.tone(s.draw("pitch", 2950, 3350), (1.0, 0.15, 0.25, 0.05, 0.08))
    return wave * s.gate([x for x in starts if -0.5 < x < s.duration], 0.5, 0.003)


@sound("Alarm clock", ROOM)
def alarm_clock(s: Specimen) -> Signal:
    """Piezo square wave of 1.7-2.3 kHz in groups of four 50-70 ms pulses, one group in 0.9-1.1 s.

    The pulses follow each other at 7-9 a second.
    """
    rate, on = s.draw("rate", 7, 9), s.draw("on", 0.05, 0.07)
    starts = (s.beats("group", s.draw("period", 0.9, 1.1))[:, None] + np.arange(4) / rate).ravel()
    wave = s.tone(s.draw("pitch", 1700, 2300), SQUARE)
    return s.filter(wave, highpass(1200)) * s.gate(starts, on, 0.002)


@sound("Microwave oven", ROOM)
def microwave_oven(s: Specimen) -> Signal:
    """Transformer hum at 100 or 120 Hz and fan hiss; every 2.5-3.5 s a group of three 2-kHz beeps."""
    mains = s.choose("mains", (100.0, 120.0))
    hum = s.tone(mains + 0.1 * s.wander("drift", 1.0), (1, 0.6, 0.5, 0.2, 0.25, 0.1, 0.1))
    fan = s.noise("fan", band(150, 1800), tilt(-0.5)) * (1 + 0.1 * s.wander("gust", 3.0))
    groups = s.beats("group", s.draw("period", 2.5, 3.5), first=s.draw("first", 0.2, 1.0))
    starts = (groups[:, None] + np.arange(3) * 0.45).ravel()
    beeps = s.tone(s.draw("pitch", 1900, 2200), (1, 0, 0.3, 0, 0.1)) * s.gate(starts, 0.22)
    return 0.5 * hum + 0.18 * fan + s.draw("beep level", 0.5, 0.9) * beeps


# --- bells and buzzers run by electricity ---


def _hammered(s: Specimen, times: Signal, base: float, t60: float) -> Signal:
    """Return a small gong struck at `times`, with modes of a bell cup above `base`."""
    ratios = np.array([1.0, 2.65, 4.9, 7.4, 10.6]) * (1 + s.draws("cup", 5, -0.02, 0.02))
    grain = s.ring(1.2 * t60, base * ratios, t60 / ratios**0.5, [1, 0.8, 0.6, 0.35, 0.2])
    return s.strew(times, s.draws("blow", len(times), 0.7, 1.0), grain)


@sound("Telephone", ROOM)
def telephone(s: Specimen) -> Signal:
    """Two gongs struck in turn 20-25 times a second, or a two-tone warble at 10-16 Hz.

    Cadence 0.4 s on, 0.2 off, 0.4 on, 1.6-2.0 off, or 1.0-1.4 s on, 1.4-1.8 off.
    """
    pairs = s.choose("pairs", (True, False))
    on = 0.4 if pairs else s.draw("on", 1.0, 1.4)
    period = on + (s.draw("off", 2.2, 2.6) if pairs else s.draw("off", 1.4, 1.8))
    rings = s.beats("ring", period)
    if pairs:
        rings = np.sort(np.concatenate((rings, rings + 0.6)))
    if s.choose("bell", (True, False)):
        rate, base = s.draw("rate", 20, 25), s.draw_log("pitch", 900, 1500)
        out = s.silence()
        for side, gong in enumerate((base, base * s.draw("second", 1.15, 1.28))):
            strokes = np.arange(side / 2, on * rate) / rate
            out += _hammered(s, (rings[:, None] + strokes).ravel(), gong, 0.5)
        return out
    low = s.draw_log("pitch", 750, 1300)
    which = s.tone(s.draw("rate", 10, 16), SQUARE[:7]) > 0
    wave = s.tone(np.where(which, low * s.draw("step", 1.2, 1.34), low), (1, 0.3, 0.25, 0.1, 0.1))
    return wave * s.gate(rings, on, 0.01)


@sound("Fire alarm", HALL)
def fire_alarm(s: Specimen) -> Signal:
    """Large gong (first mode 500-900 Hz) hammered without pause 9-13 times a second."""
    times = s.beats("stroke", 1 / s.draw("rate", 9, 13), 0.04)
    clank = s.strew(times, s.draws("clank", len(times), 0.2, 0.4), s.burst("clank", 0.02))
    return _hammered(s, times, s.draw_log("pitch", 500, 900), s.draw("ring", 0.5, 0.9)) + clank


@sound("Bicycle bell", OUTDOORS)
def bicycle_bell(s: Specimen) -> Signal:
    """Cup with modes from 1.9-3.0 kHz upwards; each ring is 5-9 strokes at 14-22 a second."""
    base, rate = s.draw_log("pitch", 1900, 3000), s.draw("rate", 14, 22)
    strokes = np.arange(5 + s.stream("strokes").integer(5)) / rate
    rings = s.beats("ring", s.draw("period", 1.0, 1.7), 0.15)
    return _hammered(s, (rings[:, None] + strokes).ravel(), base, s.draw("t60", 0.6, 1.2))


@sound("Doorbell", ROOM)
def doorbell(s: Specimen) -> Signal:
    """Ding-dong: chime bars at 600-760 Hz and a major or minor third lower, 0.45-0.65 s apart."""
    high, gap = s.draw_log("pitch", 600, 760), s.draw("gap", 0.45, 0.65)
    low = high * s.choose("third", (0.794, 0.841))
    rings = s.beats("press", s.draw("period", 2.2, 2.8))
    out = s.silence()
    for offset, pitch, t60 in ((0.0, high, 1.4), (gap, low, 2.2)):
        partials = pitch * np.array([1.0, 2.76, 5.40])
        grain = s.ring(2.2, partials, [t60, 0.5 * t60, 0.2 * t60], [1.0, 0.25, 0.08])
        out += s.strew(rings + offset, np.ones(len(rings)), grain)
    return out


@sound("Buzzer", ROOM)
def buzzer(s: Specimen) -> Signal:
    """Reed at 100-140 Hz with harmonics to 8 kHz around 1.5-3 kHz, 0.4-1.2 s at a time."""
    pitch = s.draw("pitch", 100, 140) * (1 + 0.01 * s.wander("drift", 8))
    wave = s.filter(
        s.tone(pitch, REED), formants((s.draw("peak", 1500, 3000), 1.2, 1)), lowpass(8e3)
    )
    on = s.draw("on", 0.4, 1.2)
    return wave * s.gate(s.beats("on", on + s.draw("off", 0.3, 0.9), 0.05), on, 0.006)


# --- sirens ---


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
    spin = np.where(place < 0.35, 1 - (1 - place / 0.35) ** 2, 1 - ((place - 0.35) / 0.65) ** 1.5)
    speed = top * (0.5 + 0.5 * spin)
    chord = s.tone(speed, SAW[:14]) + s.tone(speed * 1.2, SAW[:14])
    return s.filter(chord * (0.2 + 0.8 * spin), band(200, 1800))


@sound("Car alarm", OUTDOORS)
def car_alarm(s: Specimen) -> Signal:
    """Six patterns of 1.2-1.8 s in turn: fast chirps up, two tones, falls, slow wail, pulses, trill.

    All between 0.7 and 2.8 kHz, as a square wave through a piezo horn.
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


# --- horns and whistles ---


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
    """Three trumpets on a 150-240 Hz chord, sliding up at the start, 0.8-2 s a blast."""
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
    """Chord of three to five pipes from 280-480 Hz, sliding up as pressure builds, with steam hiss.

    Blasts of 0.6-2.4 s.
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


@sound("Sonar", HALL)
def sonar(s: Specimen) -> Signal:
    """Sine ping of 0.9-1.6 kHz, 80-200 ms, every 1.5-1.9 s, in a reverberation of 1.5-2.5 s."""
    on = s.draw("on", 0.08, 0.2)
    pitch = s.draw_log("pitch", 900, 1600)
    dry = s.tone(pitch) * s.gate(s.beats("ping", s.draw("period", 1.5, 1.9)), on, 0.01)
    tail = s.burst("sea", s.draw("sea", 1.5, 2.5), band(300, 4000))
    return dry + 0.35 * convolve(dry, tail) / np.sqrt(np.sum(tail * tail))
