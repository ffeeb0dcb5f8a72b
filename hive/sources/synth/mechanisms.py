"""Tools, impacts, springs, and things that rub."""

from __future__ import annotations

import numpy as np

from hive.sources.synth.alarms import REED, SAW
from hive.sources.synth.dsp import Signal, band, formants, highpass, hump, lowpass
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen

# --- tools ---


@sound("Jackhammer", OUTDOORS)
def jackhammer(s: Specimen) -> Signal:
    """Blows at 18-27 a second: steel modes of 0.9-5 kHz, ground thump of 70-120 Hz and rubble; short rests every 2-3 s."""
    on = s.draw("run", 2.0, 3.0)
    run = s.gate(s.beats("run", on + 0.35, 0.05), on, 0.02)
    blows = s.beats("blow", 1 / s.draw("rate", 18, 27), 0.05)
    gains = s.draws("blow", len(blows), 0.7, 1) * np.interp(blows, s.t, run)
    steel = s.ring(
        0.08,
        s.draw_log("steel", 900, 1400) * np.array([1, 1.9, 3.3]),
        [0.05, 0.04, 0.03],
        [1, 0.7, 0.5],
    )
    rubble = s.burst("rubble", 0.05, band(400, 6000))
    thump = s.ring(0.1, [s.draw("ground", 70, 120)], 0.08)
    out = (
        s.strew(blows, gains, steel)
        + 0.9 * s.strew(blows, gains, rubble)
        + s.strew(blows, gains, thump)
    )
    return out + 0.1 * s.noise("air", band(300, 5000)) * (0.1 + run)


@sound("Hammer", ROOM)
def hammer(s: Specimen) -> Signal:
    """Nail driven by 4-7 blows at 1.8-2.8 a second: steel of 2-3.2 kHz that rises as it goes in, board of 160-300 Hz."""
    rate, blows = s.draw("rate", 1.8, 2.8), 4 + s.stream("blows").integer(4)
    steel, board = s.draw_log("steel", 2000, 3200), s.draw_log("board", 160, 300)
    out = s.silence()
    for k, start in enumerate(s.beats("blow", 1 / rate, 0.04)):
        rise = 1 + 0.05 * (k % blows)
        nail = s.ring(
            0.3, steel * rise * np.array([1, 1.58, 2.4]), [0.18, 0.1, 0.06], [0.8, 0.5, 0.3]
        )
        wood = s.ring(0.2, board * np.array([1, 1.8, 2.9]), [0.12, 0.07, 0.05], [1, 0.6, 0.4])
        gain = s.draw(f"gain {k}", 0.7, 1.0)
        s.place(out, start, nail, 0.6 * gain)
        s.place(out, start, wood, gain)
        s.place(out, start, s.burst(f"click {k}", 0.012, band(500, 8000)), 0.8 * gain)
    return out


@sound("Sawing", ROOM)
def sawing(s: Specimen) -> Signal:
    """Push (0.22-0.32 s, bright) and pull (fainter): noise of 1-7 kHz cut by teeth at 90-160 Hz, board at 300-500 Hz."""
    push, out = s.draw("push", 0.22, 0.32), s.silence()
    board = formants(
        (s.draw("board", 300, 500), 2, 0.7), (s.draw("blade", 1500, 2500), 1, 1), (4500, 1, 0.7)
    )
    teeth = s.draw("teeth", 90, 160)
    for k, start in enumerate(s.beats("stroke", 1.15 * push, 0.04)):
        away = k % 2 == 0
        stroke = s.noise(f"stroke {k}", board, seconds=push)
        place = np.linspace(0, 1, len(stroke))
        rasp = 1 + 0.8 * np.sin(
            2 * np.pi * teeth * push * (place - 0.15 * np.sin(2 * np.pi * place))
        )
        s.place(out, start, stroke * rasp * hump(len(stroke), 0.5) ** 0.7, 1.0 if away else 0.5)
    return out


@sound("Power tool", ROOM)
def power_tool(s: Specimen) -> Signal:
    """Drill: runs of 1-2 s, gear whine spun up to 500-800 Hz, sinking 15 % under load, 20 harmonics with 22-Hz roughness."""
    on = s.draw("on", 1.0, 2.0)
    starts = s.beats("run", on + s.draw("off", 0.3, 0.7), 0.04)
    spin, load = s.gate(starts, on, 0.15, 0.3), s.gate(starts + 0.35 * on, 0.5 * on, 0.12)
    pitch = s.draw("pitch", 500, 800) * (0.15 + 0.85 * spin) * (1 - 0.15 * load)
    gear = s.tone(pitch, [n**-0.5 for n in range(1, 21)])
    gear = s.filter(gear, formants((1600, 0.8, 1), (4200, 1, 0.8))) * (
        1 + 0.3 * s.tone(pitch / 24, (1, 0.5))
    )
    chips = s.noise("chips", band(800, 7000)) * load * (1 + 0.6 * s.tone(pitch / 24, SAW[:6]))
    return gear * spin + 0.35 * chips


@sound("Ratchet, pawl", CLOSE)
def ratchet(s: Specimen) -> Signal:
    """Pawl over 6-12 teeth, 14-26 clicks a second speeding up, then the free return; steel of 2.5-6 kHz."""
    out, second, k = s.silence(), s.draw("first", 0, 0.2), 0
    click = s.ring(
        0.05,
        s.draw_log("pawl", 2500, 4000) * np.array([1, 1.47, 2.09]),
        [0.03, 0.02, 0.015],
        [1, 0.7, 0.5],
    )
    body = s.ring(0.06, [s.draw("body", 500, 900)], 0.05, 0.5)
    rate = s.draw("rate", 14, 26)
    while second < s.duration:
        for tooth in range(6 + s.stream(f"teeth {k}").integer(7)):
            gain = s.draw(f"gain {k} {tooth}", 0.7, 1.0)
            s.place(out, second, click, gain)
            s.place(out, second, body, gain)
            second += 1.15 / rate * 0.96**tooth
        k += 1
        second += s.draw(f"rest {k}", 0.15, 0.5)
    return out


# --- impacts ---


@sound("Basketball bounce", HALL)
def basketball(s: Specimen) -> Signal:
    """Dribble of 1.6-2.5 bounces a second: floor thump of 75-110 Hz, and the ball's air ringing at 450-620 Hz and its 1.5, 2."""
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
    """Table-tennis ball let fall every 1.8-2.6 s: 10-20 bounces, each gap 0.8-0.88 of the last, click of 1.1-1.9 kHz."""
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
    """Swish rising from 400 Hz to 4 kHz in 0.2-0.3 s, then a crack of 1-12 kHz that lasts 10-25 ms; every 0.9-1.5 s."""
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


# --- air, springs and friction ---


@sound("Whoosh, swoosh, swish", ROOM)
def whoosh(s: Specimen) -> Signal:
    """Air past a stick: noise band that sweeps 300-600 Hz to 1.5-3 kHz and back in 0.35-0.7 s; every 0.8-1.3 s."""
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
    """Spring: 75-130 Hz pulses whose pitch wobbles by 20 % and formant sweeps 400-2200 Hz at 7-12 Hz, dying in 0.9-1.5 s."""
    period, wobble = s.draw("period", 1.2, 1.8), s.draw("wobble", 7, 12)
    starts = s.beats("boing", period, 0.05)
    since = np.full(s.num_samples, 9.0)
    for start in starts:
        first = max(round(start * s.sample_rate), 0)
        since[first:] = s.t[: s.num_samples - first]
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
    """Hinge or toy: cries of 80-260 ms, 6 harmonics of 900-2200 Hz that bend up and down by 15-40 %, 1.5-3 a second."""
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
    """Old door: stick-slip pulses at 12 to 90 a second, quickening and slowing in 1-1.8 s, through wood at 400-2500 Hz."""
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
    """Four hard wheels on stone: noise of 200-1800 Hz with cracks in pairs 0.12-0.18 s apart, every 0.5-0.9 s; a slap at times."""
    roll = s.noise(
        "roll", formants((s.draw("wheels", 450, 800), 0.8, 1), (180, 1, 0.6)), highpass(120)
    )
    roll *= 1 + 0.35 * s.noise("grain", lowpass(40)) + 0.3 * s.wander("push", 1)
    cracks = s.beats("crack", s.draw("slab", 0.5, 0.9), 0.04)
    pairs = np.concatenate((cracks, cracks + s.draw("wheelbase", 0.12, 0.18)))
    clack = s.burst("clack", 0.05, formants((s.draw("deck", 350, 600), 3, 1), (1500, 1.5, 0.6)))
    gains = s.draws("crack gain", len(pairs), 0.6, 1)
    return 0.16 * roll + s.strew(pairs, gains, clack)
