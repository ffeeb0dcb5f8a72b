"""Machines with a motor or a transformer, at home and in the office."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import REED, SAW, Signal, hump
from hive.sources.synth.filters import band, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import CLOSE, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Hum", ROOM)
def hum(s: Specimen) -> Signal:
    """Transformer: mains at 50 or 60 Hz, harmonics 2, 4, 6 ... 60 and a little of 1, 3, 5.

    The frequency is steady to 0.1 %.
    """
    wave = np.zeros(60)
    wave[[0, 2, 4]] = s.draws("odd", 3, 0.02, 0.15)
    wave[1::2] = s.draws("even", 30, 0.3, 1.0) / np.arange(1, 31) ** 1.3
    mains = s.choose("mains", (50.0, 60.0)) * (1 + 0.001 * s.wander("drift", 0.5))
    core = s.tone(mains, wave, s.draw("phase", 0, 1)) * (1 + 0.05 * s.wander("load", 1))
    return core + 0.01 * s.noise("room", band(100, 2000))


@sound("Mechanical fan", ROOM)
def mechanical_fan(s: Specimen) -> Signal:
    """Air of 150-2500 Hz that beats by 25-60 % at the blade rate of 18-40 Hz.

    A tone at four times that rate, and a tick once a turn of three blades.
    """
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
    """Compressor hum and duct noise.

    Mains of 50 or 60 Hz times 2, 4, 6, 8 and the motor just below half of it, throbbing at 0.6-1.6
    Hz; noise that falls above 350 Hz.
    """
    mains = s.choose("mains", (50.0, 60.0))
    slip = mains * s.draw("slip", 0.48, 0.495)
    motor = s.tone(2 * mains, (1, 0.5, 0.3, 0.1)) + 0.6 * s.tone(slip, (1, 0.7, 0.6, 0.4, 0.3))
    air = s.noise("duct", band(60, 350, 1), tilt(-0.4))
    throb = 1 + 0.2 * np.sin(2 * np.pi * s.draw("throb", 0.6, 1.6) * s.t)
    return air + s.draw("motor", 0.2, 0.45) * motor * throb


@sound("Vacuum cleaner", ROOM)
def vacuum_cleaner(s: Specimen) -> Signal:
    """Universal motor at 380-520 Hz, with the fan at 7 and 13 times it, and loud noise.

    The noise peaks at 0.6-1, 2.2-3.4 and 6 kHz; strokes over the floor move the motor by 4 %.
    """
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
    """Noise of a nozzle around 1.1-1.7 kHz that moves by 30 %, flat to 8 kHz.

    Motor tones at 160-230 Hz, twice and 11 times it.
    """
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
    """Vibrating blade at 100 or 120 Hz, 159 harmonics, peaks at 0.2, 1.5-2.5 and 3.5-5 kHz.

    Stubble crackles where it touches.
    """
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
    """Runs of 1.2-2.2 s: the motor spins up to 240-330 Hz with 30 harmonics.

    Chunks hit at 15-30 a second and make the pitch tremble.
    """
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
    """Dot-matrix: lines of 0.5-0.9 s of pins at 240-420 Hz, keyed as letters.

    Then the head goes back with a falling whirr and the paper clunks on.
    """
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
    """Stitches at 9-15 a second in seams of 1-2 s.

    The needle clacks, the feed clicks half-way; the motor turns at 16 times the rate.
    """
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
