"""Water that drips, runs, boils and is poured."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal, hump
from hive.sources.synth.filters import band, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


def bubbles(
    s: Specimen,
    purpose: str,
    rate: float,
    low: float,
    high: float,
    *,
    rise: float = 0.15,
    sharp: float = 9.0,
) -> Signal:
    """Return bubbles in water: decaying sines whose pitch rises as the bubble nears the surface.

    A bubble of radius r rings at 3.26 m/s / r (Minnaert, 1933). Twenty-four sizes, drawn
    log-uniformly from `low` to `high` Hz, are strewn by Poisson processes.

    Args:
        s: The specimen.
        purpose: Name of the draws.
        rate: Bubbles a second.
        low: Lowest pitch in Hz.
        high: Highest pitch in Hz.
        rise: Relative rise of the pitch over the ring.
        sharp: Cycles until a bubble has decayed by 1/e.
    """
    out = s.silence()
    for size in range(24):
        pitch = s.draw_log(f"{purpose} size {size}", low, high)
        tau = sharp / pitch
        time = np.arange(s.samples(5 * tau)) / s.sample_rate
        turns = pitch * (time + rise * time**2 / (5 * tau))
        grain = np.sin(2 * np.pi * turns) * np.exp(-time / tau)
        times = s.poisson(f"{purpose} {size}", rate / 24, 99.0)
        gains = s.draws(f"{purpose} gain {size}", len(times)) ** 2 * (low / pitch) ** 0.4
        out += s.strew(times, gains, grain)
    return out


@sound("Stream", OUTDOORS)
def stream(s: Specimen) -> Signal:
    """Brook: 120-300 bubbles a second of 400-3000 Hz.

    12 deeper ones of 200-500 Hz, over soft noise of 300-5000 Hz.
    """
    babble = bubbles(s, "babble", s.draw_log("rate", 120, 300), 400, 3000)
    low = bubbles(s, "low", 12, 200, 500, sharp=6)
    return babble + 1.2 * low + 0.035 * s.noise("wash", band(300, 5000, 1))


@sound("Waterfall", OUTDOORS)
def waterfall(s: Specimen) -> Signal:
    """Steady noise from 60 Hz to 9 kHz falling by 2-3 dB an octave.

    The level moves by 5 %; a low thunder of 50-200 Hz.
    """
    fall = s.noise("fall", band(60, 9000, 1), tilt(-s.draw("tilt", 0.3, 0.5)))
    thunder = s.noise("thunder", band(50, 200))
    return fall * (1 + 0.05 * s.wander("level", 2)) + s.draw("thunder", 0.1, 0.3) * thunder


@sound("Drip", HALL)
def drip(s: Specimen) -> Signal:
    """Drops into standing water, 1.2-3 a second.

    A click and, 10-25 ms later, a bubble of 700-2000 Hz whose pitch rises as it dies.
    """
    out = s.silence()
    base = s.draw_log("pitch", 700, 2000)
    click = s.burst("click", 0.008, highpass(1500))
    for k, start in enumerate(s.beats("drop", 1 / s.draw("rate", 1.2, 3.0), 0.06)):
        pitch, tau = base * s.draw(f"pitch {k}", 0.92, 1.08), s.draw(f"tau {k}", 0.015, 0.03)
        time = np.arange(s.samples(6 * tau)) / s.sample_rate
        plink = np.sin(2 * np.pi * pitch * (time + time**2 / (12 * tau))) * np.exp(-time / tau)
        gain = s.draw(f"gain {k}", 0.6, 1.0)
        s.place(out, start, click, 0.25 * gain)
        s.place(out, start + s.draw(f"lag {k}", 0.01, 0.025), plink, gain)
    return out


@sound("Boiling", ROOM)
def boiling(s: Specimen) -> Signal:
    """Rolling boil: 50-100 bubbles a second of 90-450 Hz.

    The pot rumbles at 60-300 Hz; faint steam.
    """
    pot = bubbles(s, "pot", s.draw("rate", 50, 100), 90, 450, rise=0.3, sharp=3.5)
    rumble = s.noise("rumble", band(60, 300)) * (1 + 0.4 * s.wander("roll", 6))
    return pot + 0.1 * rumble + 0.012 * s.noise("steam", band(2000, 9000, 1))


@sound("Pour", ROOM)
def pour(s: Specimen) -> Signal:
    """Bottle that empties, glug by glug: 4-6.5 a second at 170-320 Hz, each sliding up by 27 %.

    Splash of 90 bubbles a second at 0.7-2.5 kHz.
    """
    rate, base = s.draw("rate", 4.0, 6.5), s.draw_log("bottle", 170, 320)
    out = 0.06 * s.noise("stream", band(800, 5000))
    for k, start in enumerate(s.beats("glug", 1 / rate, 0.06)):
        time = np.arange(s.samples(0.9 / rate)) / s.sample_rate
        slide = base * s.draw(f"glug {k}", 0.93, 1.07) * (1 + 0.3 * time * rate)
        wave = np.sin(2 * np.pi * np.cumsum(slide) / s.sample_rate)
        s.place(
            out, start, (wave + 0.3 * wave**2) * hump(len(time), 0.25), s.draw(f"gain {k}", 0.6, 1)
        )
    splash = bubbles(s, "splash", 90, 700, 2500)
    return out + 0.35 * splash


@sound("Fill (with liquid)", ROOM)
def fill(s: Specimen) -> Signal:
    """Vessel that fills in 5-8 s: water noise in an air column that gets shorter.

    Its quarter wave c / 4L climbs from 280-380 Hz to 1.2-1.8 kHz, with modes 3 and 5.
    """
    period, start = s.draw("period", 5, 8), s.draw("start", 0, 0.5)
    low, high = s.draw("low", 280, 380), s.draw("high", 1200, 1800)

    def gain(t: Signal, f: Signal) -> Signal:
        level = (t / period + start) % 1
        column = 1 / (1 / low + (1 / high - 1 / low) * level)
        modes = (
            np.exp(-(((f - m * column) / (0.07 * m**0.5 * column)) ** 2)) / m**0.5
            for m in (1, 3, 5)
        )
        return sum(modes, np.zeros((len(t), f.shape[1]))) + 0.05

    water = s.noise("water", band(250, 8000, 1)) * (1 + 0.3 * s.noise("splash", lowpass(25)))
    return s.moving(water, gain) + 0.25 * bubbles(s, "splash", 60, 600, 2000)


@sound("Toilet flush", ROOM)
def toilet_flush(s: Specimen) -> Signal:
    """Flush of 3-4 s: noise of 150-3000 Hz, then gurgles of 80-400 Hz.

    After it, 3-4 s of refill hiss around 5 kHz.
    """
    flush, refill = s.draw("flush", 3.0, 4.0), s.draw("refill", 3.0, 4.0)
    place = (s.t + s.draw("start", 0, 1.5)) % (flush + refill)
    level = np.interp(
        place, [0, 0.25, 0.6 * flush, flush, flush + refill], [0.3, 1, 0.9, 0.05, 0.05]
    )
    drain = np.interp(
        place, [0, 0.5 * flush, 0.85 * flush, flush, flush + 0.3, 99], [0, 0.2, 1, 1, 0, 0]
    )
    hiss = np.interp(
        place, [0, 0.7 * flush, flush, flush + 0.9 * refill, flush + refill], [0, 0.1, 1, 1, 0.2]
    )
    water = s.noise("water", band(150, 3000, 1), tilt(-0.4)) * (
        1 + 0.25 * s.noise("churn", lowpass(8))
    )
    gurgle = bubbles(s, "gurgle", 35, 80, 400, rise=0.5, sharp=4)
    return (
        water * level
        + 1.5 * gurgle * drain
        + 0.2 * s.noise("refill", formants((5000, 1.5, 1))) * hiss
    )
