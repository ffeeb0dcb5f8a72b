"""Impacts, springs, and things that rub or roll."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import REED, Signal, hump
from hive.sources.synth.filters import band, formants, highpass, lowpass
from hive.sources.synth.registry import HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Basketball bounce", HALL)
def basketball(s: Specimen) -> Signal:
    """Dribble of 1.6-2.5 bounces a second.

    The floor thumps at 75-110 Hz; the air in the ball rings at 450-620 Hz and at 1.51 and 2.04
    times that.
    """
    base = s.draw("ball", 450, 620)
    ball = s.ring(0.35, base * np.array([1, 1.51, 2.04]), [0.25, 0.18, 0.12], [0.5, 0.3, 0.2])
    floor = s.ring(0.2, [s.draw("floor", 75, 110), 190], [0.14, 0.08], [1.2, 0.6])
    slap = s.burst("slap", 0.025, band(300, 4000))
    times = s.beats("bounce", 1 / s.draw("rate", 1.6, 2.5), 0.05)
    gains = s.draws("gain", len(times), 0.7, 1)
    out = (
        s.strew(times, gains, ball)
        + s.strew(times, gains, floor)
        + 0.6 * s.strew(times, gains, slap)
    )
    return out


@sound("Bouncing", ROOM)
def bouncing(s: Specimen) -> Signal:
    """Table-tennis ball let fall every 1.8-2.6 s.

    From 0.42 s on each gap is 0.8-0.88 of the last; clicks of 1.1-1.9 kHz.
    """
    out, ratio = s.silence(), s.draw("ratio", 0.8, 0.88)
    pitch = s.draw_log("pitch", 1100, 1900)
    grain = s.ring(0.06, pitch * np.array([1, 2.3, 3.6]), [0.035, 0.02, 0.015], [1, 0.4, 0.25])
    for start in s.beats("drop", s.draw("period", 1.8, 2.6), 0.05):
        second, gap, gain = start, 0.42, 1.0
        while gap > 0.02:
            s.place(out, second, grain, gain)
            second, gap, gain = second + gap, gap * ratio, gain * ratio
    return out


@sound("Whip", OUTDOORS)
def whip(s: Specimen) -> Signal:
    """Swish that rises from 700 Hz to 3.5 kHz in 0.2-0.3 s, then a crack.

    The crack is noise of 0.9-12 kHz with T60 of 40-90 ms; one in 0.9-1.5 s.
    """
    out, swish = s.silence(), s.draw("swish", 0.2, 0.3)
    for k, start in enumerate(s.beats("lash", s.draw("period", 0.9, 1.5), 0.12)):
        place = np.linspace(0, 1, s.samples(swish))
        low = s.noise(f"low {k}", formants((700, 1.5, 1)), seconds=swish)
        high = s.noise(f"high {k}", formants((3500, 1.5, 1)), seconds=swish)
        s.place(out, start, (low * (1 - place) + high * place) * place**2, 0.08)
        s.place(
            out,
            start + swish,
            s.burst(f"crack {k}", s.draw(f"t60 {k}", 0.04, 0.09), band(900, 12000, 1)),
        )
    return out


@sound("Whoosh, swoosh, swish", ROOM)
def whoosh(s: Specimen) -> Signal:
    """Air past a stick: a noise band that sweeps from 300-600 Hz to 1.5-3 kHz and back.

    A swing lasts 0.35-0.7 s, with rests of 0.3-0.6 s.
    """
    length = s.draw("length", 0.35, 0.7)
    starts = s.beats("swing", length + s.draw("rest", 0.3, 0.6), 0.06)
    low, high = s.draw("low", 300, 600), s.draw("high", 1500, 3000)
    speed = s.silence()
    for k, start in enumerate(starts):
        s.place(
            speed,
            start,
            hump(s.samples(length), s.draw(f"top {k}", 0.45, 0.7)),
            s.draw(f"gain {k}", 0.7, 1),
        )

    def gain(t: Signal, f: Signal) -> Signal:
        now = np.interp(t, s.t, speed)
        centre = low * (high / low) ** now
        return now**2 * (
            np.exp(-(((f - centre) / (0.35 * centre)) ** 2)) + 0.15 / (1 + (f / centre) ** 2)
        )

    return s.moving(s.white("air"), gain, 1024)


@sound("Boing", ROOM)
def boing(s: Specimen) -> Signal:
    """Spring: pulses at 75-130 Hz whose pitch wobbles by 20 %.

    A formant sweeps around 1.1 kHz at the same 7-12 Hz; it dies by 1/e in 0.25-0.45 s.
    """
    period, wobble = s.draw("period", 1.2, 1.8), s.draw("wobble", 7, 12)
    _, since = s.since(s.beats("boing", period, 0.05))
    level = np.exp(-since / s.draw("die", 0.25, 0.45)) * np.minimum(1, since / 0.003)
    swing = np.sin(2 * np.pi * wobble * since)
    pitch = s.draw_log("pitch", 75, 130) * (1 + 0.2 * swing * level)
    spring = s.tone(pitch, REED)

    def gain(t: Signal, f: Signal) -> Signal:
        centre = 1100 + 1000 * np.interp(t, s.t, swing) * np.exp(-np.interp(t, s.t, since))
        return np.exp(-(((f - centre) / (0.25 * centre)) ** 2)) + 0.25 * np.exp(-((f / 250) ** 2))

    return s.moving(spring, gain, 1024) * level


@sound("Squeak", ROOM)
def squeak(s: Specimen) -> Signal:
    """Hinge or toy: cries of 80-260 ms, 1.5-3 a second.

    Five harmonics of 0.5-3.5 kHz bend up and down by 15-40 %.
    """
    out, base = s.silence(), s.draw_log("pitch", 900, 2200)
    for k, start in enumerate(s.beats("cry", 1 / s.draw("rate", 1.5, 3), 0.12)):
        length = s.samples(s.draw(f"length {k}", 0.08, 0.26))
        place = np.linspace(0, 1, length)
        bend = s.draw(f"bend {k}", 0.15, 0.4) * (1 if k % 2 else -1)
        pitch = base * s.draw(f"pitch {k}", 0.85, 1.15) * (1 + bend * np.sin(np.pi * place))
        turns = 2 * np.pi * np.cumsum(pitch) / s.sample_rate
        cry = sum((np.sin(n * turns) / n**0.8 for n in range(1, 6)), np.zeros(length))
        rough = (
            1 + 0.3 * s.noise(f"rough {k}", lowpass(150), seconds=length / s.sample_rate)[:length]
        )
        s.place(out, start, cry * rough * hump(length, 0.4) ** 0.6, s.draw(f"gain {k}", 0.5, 1))
    return out


@sound("Creak", ROOM)
def creak(s: Specimen) -> Signal:
    """Old door: stick-slip pulses at 12 to 57-102 a second.

    They quicken and slow in 1-1.8 s, through wood that rings at 0.4-2.8 kHz.
    """
    out, second, k = s.silence(), s.draw("first", 0, 0.2), 0
    wood = formants(
        (s.draw("wood", 400, 700), 5, 1),
        (s.draw("wood 2", 1000, 1600), 5, 0.9),
        (s.draw("wood 3", 2000, 2800), 5, 0.6),
    )
    slip = s.burst("slip", 0.02, wood)
    while second < s.duration:
        length = s.draw(f"length {k}", 1.0, 1.8)
        place = np.linspace(0, 1, s.samples(length))
        top = s.draw(f"top {k}", 45, 90)
        rate = 12 + top * np.sin(np.pi * place ** s.draw(f"lean {k}", 0.6, 1.6)) ** 2
        times = s.pulses(rate * (1 + 0.1 * s.wander(f"stick {k}", 10, length)[: len(place)]))
        gains = s.draws(f"gain {k}", len(times), 0.5, 1)
        out += s.strew(second + times, gains, slip)
        second += length + s.draw(f"rest {k}", 0.2, 0.6)
        k += 1
    return out


@sound("Skateboard", OUTDOORS)
def skateboard(s: Specimen) -> Signal:
    """Four hard wheels on stone: rolling noise around 180 and 450-800 Hz.

    They cross a crack in two knocks 0.12-0.18 s apart, every 0.5-0.9 s.
    """
    roll = s.noise(
        "roll", formants((s.draw("wheels", 450, 800), 0.8, 1), (180, 1, 0.6)), highpass(120)
    )
    roll *= 1 + 0.35 * s.noise("grain", lowpass(40)) + 0.3 * s.wander("push", 1)
    cracks = s.beats("crack", s.draw("slab", 0.5, 0.9), 0.04)
    pairs = np.concatenate((cracks, cracks + s.draw("wheelbase", 0.12, 0.18)))
    clack = s.burst("clack", 0.05, formants((s.draw("deck", 350, 600), 3, 1), (1500, 1.5, 0.6)))
    gains = s.draws("crack gain", len(pairs), 0.6, 1)
    return 0.035 * roll + s.strew(pairs, gains, clack)
