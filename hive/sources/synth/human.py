"""Feet, hands, heart, breath and lips."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal, hump
from hive.sources.synth.filters import band, formants, lowpass
from hive.sources.synth.melody import MAJOR, scale, tune, vibrato
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


def _step(s: Specimen, k: int, ground: str, hard: float) -> Signal:
    """Return one touch of a shoe: a thump of 70-130 Hz, and heel click or gravel."""
    thump = s.ring(0.15, [s.draw("thump", 70, 130)], 0.12, 0.5 * hard)
    if ground == "gravel":
        crunch = s.white(f"gravel {k}", 0.16) * hump(s.samples(0.16), 0.3)
        crunch *= s.draws(f"stones {k}", len(crunch)) ** 6
        crunch = s.filter(crunch, band(1200, 8000))
        thump[: len(crunch)] += 1.2 * crunch[: len(thump)] / np.abs(crunch).max()
        return thump
    click = s.burst(
        f"sole {k}", 0.05, formants((s.draw("sole", 600, 1600), 2.5, 1), (2600, 2, 0.4))
    )
    thump[: len(click)] += hard * click[: len(thump)]
    return thump


@sound("Walk, footsteps", HALL)
def walk_footsteps(s: Specimen) -> Signal:
    """Heel and toe 70-110 ms apart, 1.6-2.2 steps a second, on a hard floor or on gravel.

    Left and right foot are not equally loud.
    """
    ground, roll = s.choose("ground", ("floor", "floor", "gravel")), s.draw("roll", 0.07, 0.11)
    out = s.silence()
    for k, start in enumerate(s.beats("step", 1 / s.draw("rate", 1.6, 2.2), 0.03)):
        gain = s.draw(f"gain {k}", 0.75, 1.0) * (1.0 if k % 2 else s.draw("limp", 0.7, 1.0))
        s.place(out, start, _step(s, 2 * k, ground, 1.0), gain)
        s.place(out, start + roll, _step(s, 2 * k + 1, ground, 0.4), 0.6 * gain)
    return out


@sound("Run", OUTDOORS)
def run(s: Specimen) -> Signal:
    """Single hard touches at 2.6-3.3 a second.

    A thump of 70-130 Hz and a scuff around 1.5-3.5 kHz; a breath every fourth step.
    """
    rate, out = s.draw("rate", 2.6, 3.3), s.silence()
    scuff_band = formants((s.draw("scuff", 1500, 3500), 0.8, 1))
    for k, start in enumerate(s.beats("step", 1 / rate, 0.03)):
        gain = s.draw(f"gain {k}", 0.8, 1.0)
        s.place(out, start, s.ring(0.15, [s.draw("thump", 70, 130)], 0.14), 0.9 * gain)
        s.place(out, start, s.burst(f"scuff {k}", 0.11, scuff_band, attack=0.012), 0.7 * gain)
        if k % 4 == 0:
            breath = s.noise(f"breath {k}", formants((1100, 1.5, 1), (2600, 2, 0.5)), seconds=0.45)
            s.place(out, start, breath * hump(len(breath), 0.5), 0.05)
    return out


@sound("Clapping", ROOM)
def clapping(s: Specimen) -> Signal:
    """One to four people clap, each 3-4.6 times a second.

    Cupped hands resonate at 0.7-2.2 kHz; T60 is 30-60 ms.
    """
    out = s.silence()
    for person in range(1 + s.stream("people").integer(4)):
        palm = formants((s.draw_log(f"palm {person}", 700, 2200), 2, 1), (4000, 1, 0.4))
        claps = [
            s.burst(f"clap {person} {k}", s.draw(f"t60 {person}", 0.03, 0.06), palm)
            for k in range(4)
        ]
        for k, start in enumerate(
            s.beats(f"clap {person}", 1 / s.draw(f"rate {person}", 3, 4.6), 0.05)
        ):
            s.place(out, start, claps[k % 4], s.draw(f"gain {person} {k}", 0.5, 1.0))
    return out


@sound("Heart sounds, heartbeat", CLOSE)
def heartbeat(s: Specimen) -> Signal:
    """Lub at 40-60 Hz and, 0.28-0.34 s later, dub at 60-90 Hz.

    60-90 beats a minute; nothing above 250 Hz.
    """
    beats = s.beats("beat", 60 / s.draw("bpm", 60, 90), 0.02)
    gap, out = s.draw("systole", 0.28, 0.34), s.silence()
    low, high = s.draw("lub", 40, 60), s.draw("dub", 60, 90)
    for lag, pitch, t60, gain in ((0.0, low, 0.16, 1.0), (gap, high, 0.11, 0.7)):
        thump = s.ring(
            0.25, [pitch, 1.6 * pitch, 2.4 * pitch], [t60, 0.8 * t60, 0.6 * t60], [1, 0.5, 0.25]
        )
        thump *= np.minimum(1, np.arange(len(thump)) / s.samples(0.012))
        out += s.strew(beats + lag, gain * s.draws(f"gain {lag:.1f}", len(beats), 0.85, 1), thump)
    rush = s.noise("blood", band(40, 150)) * s.gate(beats, gap, 0.05, 0.1)
    return s.filter(out + 0.02 * rush, lowpass(250))


@sound("Breathing", CLOSE)
def breathing(s: Specimen) -> Signal:
    """In and out, one breath in 2.4-3.4 s.

    The breath in is brighter and grows, the breath out is darker and falls off; formants at 0.6-5.5
    kHz.
    """
    period, out = s.draw("period", 2.4, 3.4), s.silence()
    throat = s.draw("throat", 0.85, 1.15)
    breath_in = formants((1400 * throat, 2, 1), (2900 * throat, 2.5, 0.8), (5500, 1, 0.3))
    breath_out = formants((600 * throat, 2, 1), (1500 * throat, 2.5, 0.6), (2600 * throat, 3, 0.3))
    for k, start in enumerate(s.beats("breath", period, 0.04, first=s.draw("first", 0, 0.2))):
        for name, lag, mouth, top, gain in (
            ("in", 0, breath_in, 0.65, 0.8),
            ("out", 0.45, breath_out, 0.25, 1),
        ):
            air = s.noise(f"{name} {k}", mouth, seconds=(0.4 if name == "in" else 0.45) * period)
            s.place(
                out,
                start + lag * period,
                air * hump(len(air), top),
                gain * s.draw(f"{name} {k}", 0.8, 1),
            )
    return out


@sound("Whistling", ROOM)
def whistling(s: Specimen) -> Signal:
    """Tune on 900-2700 Hz: a sine that slides between notes.

    Vibrato of 5-6 Hz by 0.8 %, and noise of the lips within 250 Hz of the note.
    """
    notes = scale(s.draw_log("root", 900, 1200), MAJOR, 9)
    pitch, starts = tune(s, notes, s.draw("tempo", 2.2, 3.6), s.draw("slide", 0.015, 0.03))
    wave = s.tone(pitch * vibrato(s, s.draw("vibrato", 5, 6), 0.008), (1, 0.04, 0.01))
    level = 1 - 0.8 * s.gate(starts - 0.05, 0.05, 0.04)
    lips = s.moving(
        s.white("lips"), lambda t, f: np.exp(-(((f - np.interp(t, s.t, pitch)) / 250) ** 2))
    )
    return (wave + 0.12 * lips + 0.01 * s.noise("air", band(2000, 8000))) * level


@sound("Finger snapping", ROOM)
def finger_snapping(s: Specimen) -> Signal:
    """Snaps at 1.6-2.6 a second: a click at 1.8-3.2 kHz with T60 of 20-35 ms.

    A faint rub comes 30 ms before it.
    """
    pop = s.burst(
        "pop",
        s.draw("t60", 0.02, 0.035),
        formants((s.draw_log("pitch", 1800, 3200), 4, 1), (5500, 2, 0.25)),
    )
    rub = s.noise("rub", band(2500, 9000), seconds=0.03)
    times = s.beats("snap", 1 / s.draw("rate", 1.6, 2.6), 0.03)
    gains = s.draws("gain", len(times), 0.7, 1.0)
    return s.strew(times, gains, pop) + 0.04 * s.strew(
        times - 0.03, gains, rub * hump(len(rub), 0.7)
    )
