"""Weather, water and fire."""

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import (
    Signal,
    band,
    convolve,
    decay,
    formants,
    highpass,
    hump,
    lowpass,
    tilt,
)
from hive.sources.synth.registry import HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen

# --- weather ---


@sound("Rain", OUTDOORS)
def rain(s: Specimen) -> Signal:
    """Noise of 1-12 kHz from far drops and 150-600 near drops a second, clicks around 2-8 kHz.

    A few heavier drops a second at 0.5-1.5 kHz.
    """
    out = 0.15 * s.noise("far", band(1000, 9000, 1)) * (1 + 0.1 * s.wander("gust", 0.5))
    rate = s.draw_log("rate", 150, 600)
    for k, centre in enumerate((2200, 4200, 7500)):
        times = s.poisson(f"near {k}", rate / 3)
        gains = s.draws(f"near gain {k}", len(times)) ** 3
        out += s.strew(times, gains, s.burst(f"near {k}", 0.006, formants((centre, 2, 1))))
    heavy = s.poisson("heavy", s.draw("heavy", 3, 10))
    drop = s.burst("heavy", 0.02, formants((s.draw("roof", 500, 1500), 2, 1)))
    return out + 1.2 * s.strew(heavy, s.draws("heavy gain", len(heavy)) ** 2, drop)


@sound("Wind", OUTDOORS)
def wind(s: Specimen) -> Signal:
    """Noise below 100-500 Hz whose edge and level follow gusts, with a whistle at 350-900 Hz that follows too."""
    gust = 0.5 + 0.35 * s.wander("gust", 0.45) + 0.15 * s.wander("flurry", 1.6)
    low, pitch, howl = (
        s.draw("edge", 100, 250),
        s.draw_log("howl", 300, 600),
        s.draw("howling", 1.0, 4.0),
    )

    def gain(t: Signal, f: Signal) -> Signal:
        now = np.interp(t, s.t, gust)
        tone = pitch * (0.75 + 0.6 * now)
        roar = 1 / (1 + (f / (low * (1 + 2 * now))) ** 2)
        return (0.15 + now**1.5) * roar + howl * now**3 * np.exp(
            -(((f - tone) / (0.05 * tone)) ** 2)
        )

    return s.filter(s.moving(s.white("air"), gain, 4096), highpass(35))


@sound("Thunderstorm", OUTDOORS)
def thunderstorm(s: Specimen) -> Signal:
    """A crack (noise to 4 kHz, 0.15-0.5 s) and 12 claps of falling pitch that roll on for 3-4 s below 120 Hz.

    A flash in 3-4.5 s, over thin rain.
    """
    out = 0.008 * s.noise("rain", band(800, 8000, 1))
    for k, start in enumerate(s.beats("flash", s.draw("period", 3.0, 4.5), 0.08)):
        near = s.draw(f"near {k}", 0.2, 1.0)
        s.place(
            out,
            start,
            s.burst(f"crack {k}", s.draw(f"tear {k}", 0.2, 0.6), band(80, 3500)),
            0.9 * near,
        )
        lags = np.sort(s.draws(f"lags {k}", 12, 0.02, 3.0))
        for roll, lag in enumerate(lags):
            clap = s.burst(
                f"clap {k} {roll}", 1.6, band(28, 260 / (1 + lag)), attack=0.05 + 0.05 * lag
            )
            s.place(
                out, start + lag, clap, s.draw(f"clap {k} {roll}", 0.3, 1.0) * np.exp(-0.5 * lag)
            )
    return out


# --- water ---


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


@sound("Waves, surf", OUTDOORS)
def waves(s: Specimen) -> Signal:
    """Breakers every 4-6.5 s: noise swells and brightens from 300 Hz to 4 kHz in 1.5 s, then recedes as hiss.

    A wash below 400 Hz never stops.
    """
    period, start = s.draw("period", 4.0, 6.5), s.draw("start", 0, 1)
    steep, spread = s.draw("steep", 0.25, 0.4), s.wander("uneven", 0.3)

    def gain(t: Signal, f: Signal) -> Signal:
        place = (t / period + start + 0.05 * np.interp(t, s.t, spread)) % 1
        up = np.clip(place / steep, 0, 1) ** 2
        level = np.where(place < steep, up, np.exp(-(place - steep) / 0.22))
        edge = 300 + 3500 * level
        foam = (
            0.25
            * np.clip((place - steep) / 0.1, 0, 1)
            * level**0.5
            * np.exp(-(((f - 5000) / 3000) ** 2))
        )
        return 0.06 / (1 + (f / 400) ** 2) + level / (1 + (f / edge) ** 2) + foam

    return s.filter(s.moving(s.white("water"), gain), highpass(60), tilt(-0.25))


@sound("Stream", OUTDOORS)
def stream(s: Specimen) -> Signal:
    """Brook: 120-300 bubbles a second of 400-3000 Hz over soft noise of 300-5000 Hz."""
    babble = bubbles(s, "babble", s.draw_log("rate", 120, 300), 400, 3000)
    low = bubbles(s, "low", 12, 200, 500, sharp=6)
    return babble + 1.2 * low + 0.035 * s.noise("wash", band(300, 5000, 1))


@sound("Waterfall", OUTDOORS)
def waterfall(s: Specimen) -> Signal:
    """Steady noise from 60 Hz to 10 kHz, about -3 dB an octave, level moving by 5 %, with a low thunder."""
    fall = s.noise("fall", band(60, 9000, 1), tilt(-s.draw("tilt", 0.3, 0.5)))
    thunder = s.noise("thunder", band(50, 200))
    return fall * (1 + 0.05 * s.wander("level", 2)) + s.draw("thunder", 0.1, 0.3) * thunder


@sound("Drip", HALL)
def drip(s: Specimen) -> Signal:
    """Drops into standing water, 1.2-3 a second: a click and, 10-25 ms later, a bubble of 700-2000 Hz rising by half."""
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
    """Rolling boil: 50-100 bubbles a second of 90-450 Hz, rumble of the pot below 300 Hz, faint steam."""
    pot = bubbles(s, "pot", s.draw("rate", 50, 100), 90, 450, rise=0.3, sharp=3.5)
    rumble = s.noise("rumble", band(60, 300)) * (1 + 0.4 * s.wander("roll", 6))
    return pot + 0.1 * rumble + 0.012 * s.noise("steam", band(2000, 9000, 1))


@sound("Pour", ROOM)
def pour(s: Specimen) -> Signal:
    """Bottle that empties, glug by glug: 4-6.5 a second of 170-320 Hz sliding up 30 %, with splash at 0.8-4 kHz."""
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
    """Vessel that fills in 5-8 s: water noise in an air column, c / 4L from 280-380 Hz to 1.2-1.8 kHz, with odd modes."""
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
    """Flush of 3-4 s (noise of 150-3000 Hz and gurgles of 80-400 Hz), then 3-4 s of refill hiss at 3-8 kHz."""
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


# --- fire ---


def crackles(s: Specimen, purpose: str, rate: float) -> Signal:
    """Return pops of wood: Poisson clicks of many sizes around 0.8-7 kHz, `rate` a second."""
    out = s.silence()
    for kind in range(6):
        centre = s.draw_log(f"{purpose} {kind}", 800, 7000)
        pop = s.burst(
            f"{purpose} {kind}",
            s.draw_log(f"{purpose} t60 {kind}", 0.004, 0.03),
            formants((centre, 1.5, 1)),
        )
        times = s.poisson(f"{purpose} {kind}", rate / 6, 1.5)
        out += s.strew(times, s.draws(f"{purpose} gain {kind}", len(times)) ** 4 + 0.03, pop)
    return out


@sound("Crackle", OUTDOORS)
def crackle(s: Specimen) -> Signal:
    """Camp fire: 12-35 pops a second (most faint, some 30 dB louder) over a flutter below 250 Hz."""
    flutter = s.noise("flame", band(40, 250)) * (1 + 0.6 * s.wander("flame", 6))
    return crackles(s, "pop", s.draw_log("rate", 12, 35)) + 0.02 * flutter


@sound("Wildfire", OUTDOORS)
def wildfire(s: Specimen) -> Signal:
    """Roar of 40-700 Hz that surges at 2-8 Hz, with 80-160 crackles a second and hiss."""
    surge = 1 + 0.5 * s.wander("surge", 8) + 0.3 * s.wander("gust", 1)
    roar = s.noise("roar", band(40, 600), tilt(-0.3)) * surge
    return (
        0.25 * roar
        + 0.8 * crackles(s, "pop", s.draw("rate", 80, 160))
        + 0.02 * s.noise("hiss", highpass(2000))
    )


@sound("Fireworks", OUTDOORS)
def fireworks(s: Specimen) -> Signal:
    """Rockets every 1.4-2 s: a whistle rising 1.5-3.5 kHz (0.5-0.8 s), a bang with a 40-90 Hz thud, a shower of crackles."""
    out = s.silence()
    for k, start in enumerate(s.beats("rocket", s.draw("period", 1.4, 2.0), 0.1)):
        climb = s.draw(f"climb {k}", 0.5, 0.8)
        place = np.linspace(0, 1, s.samples(climb))
        pitch = s.draw(f"pitch {k}", 1500, 2300) * (1 + 0.5 * place)
        whistle = np.sin(2 * np.pi * np.cumsum(pitch) / s.sample_rate) + 0.3 * s.white(
            f"jet {k}", climb
        )
        s.place(out, start, whistle * hump(len(place), 0.6), s.draw(f"whistle {k}", 0.06, 0.16))
        bang = s.burst(f"bang {k}", s.draw(f"bang {k}", 0.4, 0.9), lowpass(1800, 1), highpass(50))
        s.place(out, start + climb, bang)
        s.place(out, start + climb, s.ring(0.5, [s.draw(f"thud {k}", 40, 90)], 0.5), 0.6)
        for spark, lag in enumerate(s.draws(f"sparks {k}", 40, 0.25, 1.2)):
            gain = s.draw(f"spark {k} {spark}", 0.05, 0.25) * (1.3 - lag)
            s.place(
                out,
                start + climb + lag,
                s.burst(f"spark {spark % 8}", 0.01, band(2000, 9000)),
                gain,
            )
    return out


@sound("Gunshot, gunfire", OUTDOORS)
def gunshot(s: Specimen) -> Signal:
    """Shots: a 1-ms blast wave, noise to 6 kHz with T60 0.15-0.35 s, and two or three echoes at 0.1-0.5 s.

    Singly every 0.7-1.6 s, or in bursts of three to six at 9-13 a second.
    """
    blast = s.burst("blast", s.draw("t60", 0.15, 0.35), band(90, 6000, 1), attack=0.0002)
    time = np.arange(s.samples(0.004)) / s.sample_rate
    blast[: len(time)] += 1.5 * (1 - time / 0.001) * np.exp(-time / 0.001)
    field = s.silence(0.6)
    field[0] = 1
    for k in range(3):
        field[s.samples(s.draw(f"echo {k}", 0.1, 0.5))] += s.draw(f"wall {k}", 0.05, 0.2)
    shots = s.beats("shot", s.draw("period", 0.7, 1.6), 0.2)
    if s.choose("automatic", (False, False, True)):
        burst = np.arange(3 + s.stream("rounds").integer(4)) / s.draw("rate", 9, 13)
        shots = (shots[:, None] + burst).ravel()
    dry = s.strew(shots, s.draws("gain", len(shots), 0.7, 1), blast)
    return convolve(dry, s.filter(field, lowpass(3500, 1)) + np.eye(1, len(field)).ravel())


@sound("Frying (food)", ROOM)
def frying(s: Specimen) -> Signal:
    """Sizzle of 3-12 kHz that trembles at 10-30 Hz, with 60-150 spits of fat a second."""
    tremble = 1 + 0.35 * s.noise("tremble", band(8, 30))
    sizzle = s.noise("sizzle", band(s.draw("low", 2500, 4000), 12000)) * tremble
    rate = s.draw("rate", 60, 150)
    spits = s.silence()
    for k in range(4):
        times = s.poisson(f"spit {k}", rate / 4)
        spit = s.burst(f"spit {k}", 0.008, formants((s.draw(f"spit {k}", 2500, 8000), 2, 1)))
        spits += s.strew(times, s.draws(f"spit gain {k}", len(times)) ** 3, spit)
    return 0.12 * sizzle + 0.7 * spits


@sound("Hiss", ROOM)
def hiss(s: Specimen) -> Signal:
    """Steam valve: noise above 3-5 kHz, steady for 1-1.6 s, cut and let go again after 0.2-0.5 s."""
    steam = s.noise("steam", highpass(s.draw("edge", 3000, 5000), 3))
    on = s.draw("on", 1.0, 1.6)
    starts = s.beats("let go", on + s.draw("off", 0.2, 0.5), 0.05)
    tail = np.ones(s.num_samples) * (1 + 0.1 * s.wander("flow", 5))
    return steam * tail * np.maximum(s.gate(starts, on, 0.03, 0.1), 0.02 * decay(1, 1, 1.0) + 0.02)
