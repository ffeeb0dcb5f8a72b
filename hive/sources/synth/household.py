"""Things at home and in the office: clocks, keys, motors, doors and paper."""

from __future__ import annotations

import numpy as np

from hive.sources.synth.alarms import REED, SAW
from hive.sources.synth.dsp import Signal, band, formants, highpass, hump, lowpass, tilt
from hive.sources.synth.registry import CLOSE, ROOM, sound
from hive.sources.synth.specimen import Specimen

# --- clicks ---


@sound("Clock", ROOM)
def clock(s: Specimen) -> Signal:
    """Tick and tock in turn, 2-5 a second, evenly: clicks of 2-5 kHz, the tock a fifth lower, 10-20 ms."""
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
    """Bursts of 4-12 keys at 6-10 a second with pauses of 0.2-0.7 s; each key clicks down, bottoms out and springs up."""
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
    """Three to five raps at 4-6.5 a second on a door whose panel rings at 110-420 Hz; groups 0.6-1.2 s apart."""
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
    """Mirror slap, shutter (two clicks 40-90 ms apart, 2-6 kHz) and 0.25-0.4 s of film motor, every 0.8-1.5 s."""
    out, open_for = s.silence(), s.draw("open", 0.04, 0.09)
    first = s.burst("first", 0.03, formants((s.draw("mirror", 900, 1600), 2, 1), (4500, 1, 0.8)))
    second = s.burst(
        "second", 0.04, formants((s.draw("shutter", 2200, 4000), 1.5, 1), (6500, 1, 0.6))
    )
    motor_time = s.draw("motor", 0.25, 0.4)
    time = np.arange(s.samples(motor_time)) / s.sample_rate
    turns = np.cumsum(s.draw("gear", 380, 560) * (1 - 0.5 * np.exp(-time / 0.04))) / s.sample_rate
    motor = ((turns % 1) - 0.5 + 0.5 * ((2.7 * turns) % 1)) * hump(len(time), 0.5) ** 0.4
    motor = s.filter(motor, band(700, 6000))
    for start in s.beats("shot", s.draw("period", 0.8, 1.5), 0.1):
        s.place(out, start, first)
        s.place(out, start + open_for, second, 0.9)
        s.place(out, start + open_for + 0.03, motor, 0.35)
    return out


@sound("Coin (dropping)", ROOM)
def coin(s: Specimen) -> Signal:
    """A coin (modes 4.5-7 kHz and 1.6, 2.3 times) bounces, gaps shrinking by 0.65-0.8, then rattles out at 15-40 Hz."""
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
    """Eight keys on a ring (modes 2.5-10 kHz, T60 30-120 ms) clash 14-30 times a second, in shakes of 0.3-0.7 s."""
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
    """Teeth at 60 up to 180-260 a second in pulls of 0.35-0.8 s, up and down in turn; clicks of 1.5-8 kHz."""
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
    """Snips at 1.6-2.8 a second: blades slide for 0.12-0.2 s (noise rising 3 to 9 kHz) and shut with a clink."""
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
    """Pencil strokes of 60-200 ms at 4-6 a second (noise of 1.5-7 kHz), words of 3-8 strokes, rests of 0.15-0.5 s."""
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
    """Three or four key clunks at 5-7 a second, a bell of 2.1-2.9 kHz, and the drawer rolling out to a slam; every 2.2-2.8 s."""
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


# --- motors ---


@sound("Hum", ROOM)
def hum(s: Specimen) -> Signal:
    """Transformer: mains at 50 or 60 Hz with its even harmonics (2, 4, 6, 8 ... 20), steady to 0.1 %."""
    wave = np.zeros(20)
    wave[[0, 2, 4]] = s.draws("odd", 3, 0.02, 0.25)
    wave[1::2] = s.draws("even", 10, 0.3, 1.0) / np.arange(1, 11) ** 0.9
    mains = s.choose("mains", (50.0, 60.0)) * (1 + 0.001 * s.wander("drift", 0.5))
    return s.tone(mains, wave) * (1 + 0.05 * s.wander("load", 1)) + 0.01 * s.noise(
        "room", band(100, 2000)
    )


@sound("Mechanical fan", ROOM)
def mechanical_fan(s: Specimen) -> Signal:
    """Air of 150-2500 Hz beaten by 25-60 % at the blade rate, 18-40 Hz, with blade tone and a tick a turn."""
    rate = s.draw("blades", 18, 40) * (1 + 0.004 * s.wander("drift", 1))
    beat = s.tone(rate, (1, 0.5, 0.25))
    air = s.noise("air", band(150, 2500, 1), tilt(-0.4)) * (1 + s.draw("depth", 0.25, 0.6) * beat)
    ticks = s.pulses(rate / 3)
    tick = s.burst("tick", 0.012, formants((s.draw("tick", 1200, 2600), 2, 1)))
    return (
        air
        + 0.5 * s.tone(rate * 4, (1, 0.3, 0.1))
        + s.draw("ticking", 0.4, 1.5) * s.strew(ticks, np.ones(len(ticks)), tick)
    )


@sound("Air conditioning", ROOM)
def air_conditioning(s: Specimen) -> Signal:
    """Compressor hum (mains 50 or 60 Hz times 2, 4, 6) and duct noise falling 6 dB an octave above 200 Hz; a slow throb."""
    mains = s.choose("mains", (50.0, 60.0))
    slip = mains * s.draw("slip", 0.48, 0.495)
    motor = s.tone(2 * mains, (1, 0.5, 0.3, 0.1)) + 0.6 * s.tone(slip, (1, 0.7, 0.6, 0.4, 0.3))
    air = s.noise("duct", band(60, 350, 1), tilt(-0.4))
    throb = 1 + 0.2 * np.sin(2 * np.pi * s.draw("throb", 0.6, 1.6) * s.t)
    return air + s.draw("motor", 0.2, 0.45) * motor * throb


@sound("Vacuum cleaner", ROOM)
def vacuum_cleaner(s: Specimen) -> Signal:
    """Universal motor at 380-520 Hz with fan tone at 6-7 times it, and loud noise of 300 Hz-9 kHz; strokes move both by 4 %."""
    stroke = s.wander("stroke", 1.3)
    pitch = s.draw("motor", 380, 520) * (1 + 0.04 * stroke)
    motor = s.tone(pitch, (1, 0.7, 0.3, 0.3, 0.1, 0.1, 0.5, 0.1, 0.1, 0.05, 0.05, 0.05, 0.2))
    hose = formants(
        (s.draw("hose", 600, 1000), 0.7, 1),
        (s.draw("nozzle", 2200, 3400), 1.2, 0.9),
        (6000, 0.8, 0.5),
    )
    return s.noise("suction", hose) * (1 + 0.15 * stroke) + s.draw("whine", 0.3, 0.6) * motor


@sound("Hair dryer", ROOM)
def hair_dryer(s: Specimen) -> Signal:
    """Noise of a nozzle around 1.1-1.7 kHz, flat to 8 kHz, moving slowly, with motor tones at 160-230 Hz and its 2 and 11."""
    pitch = s.draw("motor", 160, 230)
    motor = s.tone(pitch, (1, 0.8, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 0.5))
    move, centre = s.wander("hand", 0.8), s.draw("nozzle", 1100, 1700)

    def gain(t: Signal, f: Signal) -> Signal:
        now = centre * (1 + 0.3 * np.interp(t, s.t, move))
        return np.exp(-(((f - now) / (0.5 * now)) ** 2)) + 0.5 / (1 + (f / 8000) ** 4)

    return (
        s.filter(s.moving(s.white("air"), gain), highpass(250)) + s.draw("tone", 0.05, 0.12) * motor
    )


@sound("Electric shaver, electric razor", CLOSE)
def electric_shaver(s: Specimen) -> Signal:
    """Vibrating blade at 100 or 120 Hz: 50 harmonics peaking at 1.5-5 kHz, and stubble crackle when it touches."""
    rate = s.choose("mains", (100.0, 120.0)) * (1 + 0.015 * s.wander("load", 2))
    blade = s.filter(
        s.tone(rate, REED),
        formants(
            (s.draw("head", 1500, 2500), 1.5, 1),
            (s.draw("foil", 3500, 5000), 2, 0.8),
            (200, 1, 0.4),
        ),
    )
    touch = np.maximum(s.wander("touch", 1.5), 0)
    cuts = s.poisson("cut", 90)
    stubble = s.strew(cuts, s.draws("cut", len(cuts)) ** 2, s.burst("cut", 0.004, highpass(3000)))
    return (
        blade * (1 - 0.3 * touch) + 2.0 * stubble * touch + 0.1 * s.noise("foil", band(3000, 9000))
    )


@sound("Blender", ROOM)
def blender(s: Specimen) -> Signal:
    """Runs of 1.2-2.2 s: motor spun up to 240-330 Hz, 25 strong harmonics, load drops, chunks hitting at 15-30 a second."""
    on = s.draw("on", 1.2, 2.2)
    starts = s.beats("run", on + s.draw("off", 0.4, 0.8), 0.03)
    spin = s.gate(starts, on, 0.35, 0.45)
    pitch = (
        s.draw("speed", 240, 330) * (0.3 + 0.7 * spin) * (1 + 0.02 * s.noise("load", lowpass(8)))
    )
    motor = s.filter(s.tone(pitch, SAW[:30]), formants((900, 0.7, 1), (3200, 1, 0.7)))
    hits = s.poisson("chunk", s.draw("chunks", 15, 30))
    chunks = s.strew(
        hits, s.draws("chunk", len(hits)) ** 2, s.burst("chunk", 0.03, band(300, 3000))
    )
    slosh = s.noise("slosh", band(300, 4000)) * (1 + 0.3 * s.noise("swirl", lowpass(20)))
    return (motor + 0.12 * slosh + 0.7 * chunks) * spin


@sound("Printer", ROOM)
def printer(s: Specimen) -> Signal:
    """Dot-matrix: lines of 0.5-0.9 s of pins at 240-420 Hz (noise-keyed), head back with a falling whirr, paper clunk."""
    out, second, k = s.silence(), s.draw("first", 0, 0.2), 0
    pins, turn = s.draw("pins", 240, 420), s.draw("turn", 0.12, 0.2)
    pin = s.burst("pin", 0.005, formants((s.draw("pin", 1800, 3200), 1.5, 1), (700, 2, 0.5)))
    while second < s.duration:
        length = s.draw(f"length {k}", 0.5, 0.9)
        times = np.arange(round(length * pins)) / pins
        letters = s.draws(f"letters {k}", int(length * 12) + 2)
        gains = np.where(
            letters[(times * 12).astype(np.int64)] > 0.25,
            s.draws(f"pins {k}", len(times), 0.5, 1),
            0.05,
        )
        out += s.strew(second + times, gains, pin)
        time = np.arange(s.samples(turn)) / s.sample_rate
        whirr = np.sin(2 * np.pi * np.cumsum(900 - 2000 * time) / s.sample_rate) * hump(len(time))
        s.place(out, second + length, whirr, 0.3)
        s.place(out, second + length + turn, s.burst(f"feed {k}", 0.05, band(200, 1500)), 0.8)
        second += length + turn + 0.08
        k += 1
    return out


@sound("Sewing machine", ROOM)
def sewing_machine(s: Specimen) -> Signal:
    """Stitches at 9-15 a second (needle clack, then feed click half-way) in seams of 1-2 s, with a motor at 16 times the rate."""
    on = s.draw("seam", 1.0, 2.0)
    starts = s.beats("seam", on + s.draw("off", 0.3, 0.6), 0.05)
    run = s.gate(starts, on, 0.25, 0.2)
    rate = s.draw("rate", 9, 15) * (0.15 + 0.85 * run)
    needle = s.burst("needle", 0.03, formants((s.draw("arm", 700, 1300), 2, 1), (3000, 1.5, 0.6)))
    feed = s.burst("feed", 0.02, formants((s.draw("dog", 1800, 2800), 2, 1)))
    stitches = s.pulses(rate)
    level = np.interp(stitches, s.t, run)
    half = stitches + 0.5 / np.interp(stitches, s.t, rate)
    motor = s.tone(rate * 16, SAW[:10]) * run
    return s.strew(stitches, level, needle) + 0.6 * s.strew(half, level, feed) + 0.06 * motor


@sound("Sliding door", ROOM)
def sliding_door(s: Specimen) -> Signal:
    """Panel on rollers for 0.7-1.1 s: rumble of 80-700 Hz ticking at 25-45 Hz, rising, and a thud at the stop; open and shut."""
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
