"""Small things at home and in the office: clocks, keys, coins, doors and paper."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import SAW, Signal, hump
from hive.sources.synth.filters import band, formants, highpass
from hive.sources.synth.registry import CLOSE, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Clock", ROOM)
def clock(s: Specimen) -> Signal:
    """Tick and tock in turn, 2, 2.5, 4 or 5 a second, even to 0.3 %.

    Modes of 2-5 kHz with T60 of 20-50 ms; the tock is 0.6-0.75 as high. A fainter click follows
    each after 22 ms.
    """
    pitch, t60 = s.draw_log("pitch", 2000, 5000), s.draw("t60", 0.02, 0.05)
    times = s.beats("tick", 1 / s.choose("rate", (2.0, 2.0, 2.5, 4.0, 5.0)), 0.003)
    out = s.silence()
    for side, ratio in enumerate((1.0, s.draw("tock", 0.6, 0.75))):
        tick = s.ring(
            0.08,
            ratio * pitch * np.array([1, 1.7, 0.31]),
            [t60, 0.6 * t60, 1.5 * t60],
            [1, 0.6, 0.4],
        )
        scrape = s.burst(f"scrape {side}", 0.012, highpass(2500))
        tick[: len(scrape)] += 0.5 * scrape[: len(tick)]
        hits = times[side::2]
        out += s.strew(hits, np.ones(len(hits)), tick)
        out += s.strew(hits + 0.022, np.full(len(hits), 0.25), tick)
    return out


@sound("Typing", ROOM)
def typing(s: Specimen) -> Signal:
    """Bursts of 4-12 keys at 6-10 a second with pauses of 0.2-0.7 s.

    Each key clicks down, bottoms out and springs up.
    """
    rate, second, k = s.draw("rate", 6, 10), s.draw("first", 0, 0.2), 0
    down = [
        s.burst(f"down {i}", 0.014, formants((s.draw(f"cap {i}", 1800, 4500), 1.5, 1)))
        for i in range(6)
    ]
    body = s.ring(
        0.06, [s.draw("desk", 180, 320), s.draw("case", 700, 1100)], [0.05, 0.03], [0.6, 0.4]
    )
    up = s.burst("up", 0.01, formants((5000, 1.5, 1)))
    out = s.silence()
    while second < s.duration:
        for _ in range(4 + s.stream(f"word {k}").integer(9)):
            gain, key = s.draw(f"gain {k}", 0.5, 1.0), s.stream(f"key {k}").integer(6)
            s.place(out, second, down[key], gain)
            s.place(out, second + 0.006, body, 0.7 * gain)
            s.place(out, second + s.draw(f"hold {k}", 0.06, 0.1), up, 0.3 * gain)
            second += s.draw(f"gap {k}", 0.5, 1.5) / rate
            k += 1
        second += s.draw(f"pause {k}", 0.2, 0.7)
    return out


@sound("Knock", ROOM)
def knock(s: Specimen) -> Signal:
    """Three to five raps at 4-6.5 a second on a door whose panel rings at 110-420 Hz.

    Groups 0.6-1.2 s apart.
    """
    rate, count = s.draw("rate", 4, 6.5), 3 + s.stream("count").integer(3)
    panel = s.draw_log("panel", 110, 220) * np.array([1, 1.7, 2.4, 3.6])
    rap = s.ring(0.25, panel, [0.14, 0.1, 0.07, 0.05], [1, 0.8, 0.5, 0.3])
    knuckle = s.burst("knuckle", 0.02, band(400, 2500))
    rap[: len(knuckle)] += 0.5 * knuckle[: len(rap)]
    groups = s.beats("group", count / rate + s.draw("pause", 0.6, 1.2), 0.05)
    times = (groups[:, None] + np.arange(count) / rate).ravel()
    times = times + s.draws("late", len(times), -0.01, 0.01)
    return s.strew(times, s.draws("gain", len(times), 0.7, 1), rap)


@sound("Camera", CLOSE)
def camera(s: Specimen) -> Signal:
    """Mirror slap and shutter: two clicks 40-90 ms apart, of 0.9-6.5 kHz.

    Then 0.25-0.4 s of film motor at 380-560 Hz; a shot every 0.8-1.5 s.
    """
    out, open_for = s.silence(), s.draw("open", 0.04, 0.09)
    first = s.burst("first", 0.03, formants((s.draw("mirror", 900, 1600), 2, 1), (4500, 1, 0.8)))
    second = s.burst(
        "second", 0.04, formants((s.draw("shutter", 2200, 4000), 1.5, 1), (6500, 1, 0.6))
    )
    wind = s.draw("motor", 0.25, 0.4)
    time = np.arange(s.samples(wind)) / s.sample_rate
    gear = s.draw("gear", 380, 560) * (1 - 0.5 * np.exp(-time / 0.04))
    motor = s.tone(gear, SAW) + 0.5 * s.tone(2.7 * gear, SAW)
    motor = s.filter(motor * hump(len(time), 0.5) ** 0.4, band(700, 6000))
    for start in s.beats("shot", s.draw("period", 0.8, 1.5), 0.1):
        s.place(out, start, first)
        s.place(out, start + open_for, second, 0.9)
        s.place(out, start + open_for + 0.03, motor, 0.35)
    return out


@sound("Coin (dropping)", ROOM)
def coin(s: Specimen) -> Signal:
    """A coin bounces, each gap 0.65-0.8 of the last, then spins out in 18 quick touches.

    Modes at 4.5-7 kHz and at 1.63 and 2.31 times that; a coin is dropped every 1.7-2.3 s.
    """
    out = s.silence()
    for k, start in enumerate(s.beats("drop", s.draw("period", 1.7, 2.3), 0.06)):
        modes = s.draw_log(f"coin {k % 2}", 4500, 7000) * np.array([1, 1.63, 2.31])
        grain = s.ring(0.4, modes, [0.3, 0.2, 0.1], [1, 0.6, 0.4])
        click = s.burst(f"hit {k}", 0.01, band(1500, 9000))
        grain[: len(click)] += 0.7 * click[: len(grain)]
        second, gap, gain, ratio = (
            start,
            s.draw(f"gap {k}", 0.25, 0.35),
            1.0,
            s.draw(f"ratio {k}", 0.65, 0.8),
        )
        while gap > 0.02:
            s.place(out, second, grain, gain)
            second, gap, gain = second + gap, gap * ratio, gain * ratio**0.6
        for spin in range(18):
            s.place(
                out, second + 0.55 * (1 - (1 - spin / 18) ** 1.5), grain, 0.22 * (1 - spin / 20)
            )
    return out


@sound("Keys jangling", CLOSE)
def keys(s: Specimen) -> Signal:
    """Eight keys on a ring clash 14-30 times a second, in shakes of about 0.3 s.

    Modes of 2.5-12 kHz, T60 30-120 ms.
    """
    shake = 0.08 + np.maximum(s.wander("shake", 3.2) + 0.3, 0)
    out = s.silence()
    rate = s.draw("rate", 14, 30) / 8
    for key in range(8):
        modes = s.draw_log(f"key {key}", 2500, 5500) * np.array([1, 1.41, 1.93, 2.2])
        grain = s.ring(0.15, modes, s.draw_log(f"t60 {key}", 0.03, 0.12), [1, 0.8, 0.6, 0.4])
        times = s.poisson(f"clash {key}", rate)
        gains = s.draws(f"clash gain {key}", len(times), 0.2, 1) * np.interp(times, s.t, shake)
        out += s.strew(times, gains, grain)
    return out


@sound("Zipper (clothing)", CLOSE)
def zipper(s: Specimen) -> Signal:
    """Teeth at 60 to 180-260 a second, quickening and slowing in turn.

    Pulls of 0.35-0.8 s; clicks around 2.2-4.5 and 7 kHz.
    """
    out, second, k = s.silence(), s.draw("first", 0, 0.2), 0
    top = s.draw("speed", 180, 260)
    tooth = s.burst("tooth", 0.008, formants((s.draw("tooth", 2200, 4500), 1.2, 1), (7000, 1, 0.6)))
    while second < s.duration:
        length = s.draw(f"length {k}", 0.35, 0.8)
        place = np.linspace(0, 1, s.samples(length))
        speed = 60 + (top - 60) * (place if k % 2 == 0 else 1 - place) ** 0.8
        times = s.pulses(speed)
        gains = s.draws(f"teeth {k}", len(times), 0.5, 1) * (
            0.5 + 0.5 * np.interp(times, place * length, speed / top)
        )
        out += s.strew(second + times, gains, tooth)
        s.place(out, second + length, s.burst(f"stop {k}", 0.03, band(500, 4000)), 1.5)
        second += length + s.draw(f"rest {k}", 0.15, 0.6)
        k += 1
    return out


@sound("Scissors", CLOSE)
def scissors(s: Specimen) -> Signal:
    """Snips at 1.6-2.8 a second: blades slide for 0.12-0.2 s and shut with a clink.

    The noise of the slide rises from 2.5 to 12 kHz; modes of the blade from 3.2-4.8 kHz.
    """
    length, rate = s.draw("slide", 0.12, 0.2), s.draw("rate", 1.6, 2.8)
    out = s.silence()
    shut = s.ring(
        0.12,
        s.draw_log("blade", 3200, 4800) * np.array([1, 1.52, 2.07]),
        [0.08, 0.05, 0.04],
        [1, 0.7, 0.5],
    )
    for k, start in enumerate(s.beats("snip", 1 / rate, 0.05)):
        low = s.noise(f"low {k}", band(2500, 5000), seconds=length)
        high = s.noise(f"high {k}", band(6000, 12000), seconds=length)
        place = np.linspace(0, 1, len(low))
        s.place(out, start, (low * (1 - place) + high * place) * place**0.5, 0.18)
        s.place(out, start + length, shut, s.draw(f"gain {k}", 0.4, 0.8))
        opening = s.noise(f"open {k}", band(2500, 7000), seconds=0.12)
        s.place(out, start + length + 0.09, opening * hump(len(opening)), 0.06)
    return out


@sound("Writing", CLOSE)
def writing(s: Specimen) -> Signal:
    """Pencil strokes of 60-200 ms around 1.8-4.5 kHz, in words of three to eight.

    The desk thumps at 150-260 Hz under each; rests of 0.15-0.5 s.
    """
    out, second, k = s.silence(), s.draw("first", 0, 0.2), 0
    desk = s.draw("desk", 150, 260)
    while second < s.duration:
        for _ in range(3 + s.stream(f"word {k}").integer(6)):
            length = s.draw(f"length {k}", 0.06, 0.2)
            centre = s.draw_log(f"speed {k}", 1800, 4500)
            stroke = s.noise(f"stroke {k}", formants((centre, 0.9, 1)), seconds=length)
            s.place(out, second, stroke * hump(len(stroke), 0.4), s.draw(f"gain {k}", 0.2, 0.5))
            s.place(out, second, s.ring(0.06, [desk], 0.05), 0.4)
            second += length + s.draw(f"gap {k}", 0.02, 0.08)
            k += 1
        second += s.draw(f"rest {k}", 0.15, 0.5)
    return out


@sound("Cash register", ROOM)
def cash_register(s: Specimen) -> Signal:
    """Three or four keys clunk at 5-7 a second, a bell rings, the drawer rolls and slams.

    The bell is of 2.1-2.9 kHz; one sale in 2.2-2.8 s.
    """
    out = s.silence()
    bell = s.ring(
        1.2,
        s.draw_log("bell", 2100, 2900) * np.array([1, 2.6, 4.1]),
        [1.1, 0.5, 0.25],
        [1, 0.4, 0.2],
    )
    clunk = s.burst("clunk", 0.06, formants((s.draw("key", 500, 900), 2, 1), (2500, 1.5, 0.6)))
    roll = s.noise("roll", band(150, 1500), seconds=0.35)
    roll *= hump(len(roll), 0.7) * (
        1 + 0.6 * np.sign(np.sin(2 * np.pi * 28 * np.arange(len(roll)) / s.sample_rate))
    )
    slam = s.burst("slam", 0.15, band(80, 1200))
    for k, start in enumerate(s.beats("sale", s.draw("period", 2.2, 2.8), 0.05)):
        keys_hit = 3 + s.stream(f"keys {k}").integer(2)
        for key in range(keys_hit):
            s.place(
                out,
                start + key * s.draw("key gap", 0.14, 0.2),
                clunk,
                s.draw(f"key {k} {key}", 0.4, 0.7),
            )
        ding = start + keys_hit * 0.19
        s.place(out, ding, bell, 0.6)
        s.place(out, ding + 0.08, roll, 0.3)
        s.place(out, ding + 0.45, slam, 0.9)
    return out


@sound("Sliding door", ROOM)
def sliding_door(s: Specimen) -> Signal:
    """Panel on rollers for 0.7-1.1 s, opened and shut again.

    A rumble of 80-900 Hz bumps at 25-45 Hz and grows; a thud and a latch at the stop.
    """
    out, length = s.silence(), s.draw("length", 0.7, 1.1)
    stop = s.ring(0.3, [s.draw("stop", 80, 130), 240, 410], [0.2, 0.12, 0.08], [1, 0.6, 0.4])
    rollers = s.draw("rollers", 25, 45)
    for k, start in enumerate(s.beats("move", length + s.draw("pause", 0.5, 0.9), 0.05)):
        roll = s.noise(f"roll {k}", band(80, 900), seconds=length)
        place = np.linspace(0, 1, len(roll))
        bumps = 1 + 0.7 * np.sin(2 * np.pi * rollers * length * place**1.2)
        s.place(out, start, roll * bumps * np.minimum(1, 4 * place) * (0.4 + 0.6 * place), 0.2)
        s.place(out, start + length, stop, 0.9)
        s.place(out, start + length, s.burst(f"latch {k}", 0.04, band(500, 4000)), 0.5)
    return out
