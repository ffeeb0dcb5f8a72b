"""Beeps, rings and buzzers."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import REED, SQUARE, Signal
from hive.sources.synth.filters import band, convolve, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


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
    """Transformer hum at 100 or 120 Hz and fan hiss.

    Every 2.5-3.5 s a group of three 2-kHz beeps.
    """
    mains = s.choose("mains", (100.0, 120.0))
    core = (1, 0.6, 0.5, 0.2, 0.25, 0.1, 0.1)
    hum = s.tone(mains + 0.1 * s.wander("drift", 1.0), core, s.draw("phase", 0, 1))
    fan = s.noise("fan", band(150, 1800), tilt(-0.5)) * (1 + 0.1 * s.wander("gust", 3.0))
    groups = s.beats("group", s.draw("period", 2.5, 3.5), first=s.draw("first", 0.2, 1.0))
    starts = (groups[:, None] + np.arange(3) * 0.45).ravel()
    beeps = s.tone(s.draw("pitch", 1900, 2200), (1, 0, 0.3, 0, 0.1)) * s.gate(starts, 0.22)
    return 0.5 * hum + 0.18 * fan + s.draw("beep level", 0.5, 0.9) * beeps


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


@sound("Sonar", HALL)
def sonar(s: Specimen) -> Signal:
    """Sine ping of 0.9-1.6 kHz, 80-200 ms, every 1.5-1.9 s, in a reverberation of 1.5-2.5 s."""
    on = s.draw("on", 0.08, 0.2)
    pitch = s.draw_log("pitch", 900, 1600)
    dry = s.tone(pitch) * s.gate(s.beats("ping", s.draw("period", 1.5, 1.9)), on, 0.01)
    tail = s.burst("sea", s.draw("sea", 1.5, 2.5), band(300, 4000))
    return dry + 0.35 * convolve(dry, tail) / np.sqrt(np.sum(tail * tail))
