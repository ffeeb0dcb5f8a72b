"""Engines, rotors, wheels and traffic."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import SAW, Signal, decay
from hive.sources.synth.filters import band, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import OUTDOORS, sound
from hive.sources.synth.specimen import Specimen


def firing(s: Specimen, rate: Signal, offsets: Signal, t60: float) -> Signal:
    """Return exhaust pulses of an engine: a low thump with a noisy edge for each firing.

    Args:
        s: The specimen.
        rate: Engine cycles a second, shape (T,); a four-stroke cycle is two turns.
        offsets: Places of the firings in a cycle, in [0, 1); each cylinder has its own strength.
        t60: Decay of a pulse in seconds.
    """
    strengths = s.draws("cylinders", len(offsets), 0.7, 1.0)
    cycle = np.cumsum(rate) / s.sample_rate
    hits = s.silence()
    for offset, strength in zip(offsets, strengths, strict=True):
        at = np.flatnonzero(np.diff(np.floor(cycle - offset)) > 0)
        hits[at] += strength * s.draws(f"firing {offset:.3f}", len(at), 0.85, 1.15)
    pulse = s.burst("exhaust", t60, lowpass(900))
    time = np.arange(len(pulse)) / s.sample_rate
    pulse = 0.6 * pulse + np.sin(np.pi * np.minimum(time / (0.3 * t60), 1)) ** 2
    return s.filter(hits, lambda f: np.fft.rfft(pulse, 2 * (len(f) - 1)), highpass(20))


def passes(s: Specimen, period: float, width: float) -> tuple[Signal, Signal]:
    """Return level (1 at closest) and speed towards the listener (-1..1) of things that pass by.

    Args:
        s: The specimen.
        period: Seconds between passes.
        width: Distance at closest over speed, in seconds.
    """
    place = (s.t - s.draw("pass", 0.2, 0.8) * period + period / 2) % period - period / 2
    near: Signal = 1 / (1 + (place / width) ** 2)
    towards: Signal = -place / np.sqrt(place**2 + width**2)
    return near, towards


@sound("Engine", OUTDOORS)
def engine(s: Specimen) -> Signal:
    """Four-cylinder idle at 600-950 rpm: 20-32 firings a second from unequal cylinders.

    The speed drifts by 3 %; exhaust resonances at 70-110, 180-260 and 500 Hz, valve clatter at 2-5
    kHz.
    """
    cycles = s.draw("rpm", 600, 950) / 120 * (1 + 0.03 * s.wander("drift", 1.5))
    raw = firing(s, cycles, np.arange(4) / 4, 0.05)
    pipe = formants(
        (s.draw("pipe", 70, 110), 2.5, 1), (s.draw("pipe 2", 180, 260), 2, 0.7), (500, 1, 0.25)
    )
    ticks = s.pulses(8 * cycles)
    valves = s.strew(
        ticks, s.draws("valve", len(ticks), 0.2, 1), s.burst("valve", 0.012, band(2000, 5000))
    )
    return s.filter(raw, pipe) + s.draw("clatter", 0.01, 0.04) * valves * 3


@sound("Motorcycle", OUTDOORS)
def motorcycle(s: Specimen) -> Signal:
    """V-twin that fires at 0 and 315 of 720 degrees, revved every 1.5-2.5 s.

    From 1200 to 3500-5000 rpm; exhaust resonances at 110-180, 300-450 and 900 Hz.
    """
    period, top = s.draw("period", 1.5, 2.5), s.draw("top", 3500, 5000)
    place = (s.t / period + s.draw("start", 0, 1)) % 1
    throttle = np.where(place < 0.3, place / 0.3, np.exp(-(place - 0.3) / 0.22))
    throttle = s.filter(throttle, lowpass(6, 1))
    cycles = (1200 + (top - 1200) * throttle) / 120
    raw = firing(s, cycles, np.array([0.0, 315 / 720]), 0.025)
    pipe = formants(
        (s.draw("pipe", 110, 180), 1.5, 1), (s.draw("pipe 2", 300, 450), 1.5, 0.9), (900, 1, 0.5)
    )
    return s.filter(raw, pipe) * (0.35 + 0.65 * throttle)


@sound("Race car, auto racing", OUTDOORS)
def race_car(s: Specimen) -> Signal:
    """Scream of 450-800 Hz with 12 harmonics, falling by a third as it passes every 2.8-3.6 s.

    Gear changes drop the pitch; tyre and wind noise rise with the pass.
    """
    near, towards = passes(s, s.draw("period", 2.8, 3.6), s.draw("width", 0.18, 0.3))
    gear = (s.t * s.draw("gears", 0.5, 0.8) + s.draw("gear", 0, 1)) % 1
    pitch = s.draw_log("pitch", 450, 800) * (0.85 + 0.25 * gear) * (1 + 0.22 * towards)
    rough = 1 + 0.4 * s.noise("rough", lowpass(120))
    scream = s.filter(s.tone(pitch, [n**-0.6 for n in range(1, 13)]), band(300, 5000)) * rough
    half = 0.5 * s.tone(pitch / 2, SAW[:8])
    air = s.noise("air", band(300, 5000))
    return (scream + half) * (0.08 + near) + 0.5 * air * near**1.5


@sound("Car passing by", OUTDOORS)
def car_passing_by(s: Specimen) -> Signal:
    """Tyre noise around 1 kHz swells every 2.6-3.8 s for 0.7-1.2 s.

    Hiss above 2 kHz comes only near by; the engine drops by 9 % in pitch as it passes.
    """
    near, towards = passes(s, s.draw("period", 2.6, 3.8), s.draw("width", 0.35, 0.6))
    tyres = s.noise("tyres", formants((s.draw("tyre", 800, 1200), 0.8, 1), (250, 0.7, 0.4)))
    hiss = s.noise("hiss", band(2000, 9000))
    motor = s.tone(s.draw("motor", 70, 110) * (1 + 0.045 * towards), SAW[:12])
    return tyres * (0.02 + near) + 0.35 * hiss * near * near + 0.2 * motor * (0.05 + near)


@sound("Traffic noise, roadway noise", OUTDOORS)
def traffic_noise(s: Specimen) -> Signal:
    """Many far cars: noise of three slowly swelling bands below 1.5 kHz.

    They are centred on 90, 260 and 500-800 Hz.
    """
    out = s.silence()
    for centre, gain in ((90.0, 1.0), (s.draw("tyres", 500, 800), 0.8), (260.0, 0.6)):
        lane = s.noise(f"lane {gain}", formants((centre, 0.6, 1)), lowpass(1500))
        out += gain * lane * (1 + 0.6 * s.wander(f"swell {gain}", 0.6))
    return out


@sound("Helicopter", OUTDOORS)
def helicopter(s: Specimen) -> Signal:
    """Blade slaps at 11-20 Hz: thumps of 60-100 Hz and noise to 1.5 kHz.

    The wash is chopped at the same rate, the tail rotor hums at 5-6 times it, a turbine whines at
    2.5-5 kHz.
    """
    rate = s.draw("rate", 11, 20) * (1 + 0.01 * s.wander("drift", 0.7))
    slaps = s.pulses(rate)
    slap = s.burst("slap", 0.06, band(60, 1500))
    thump = s.ring(0.1, [s.draw("thump", 60, 100)], 0.08, 0.9)
    slap[: len(thump)] += thump[: len(slap)]
    blades = s.strew(slaps, s.draws("strength", len(slaps), 0.85, 1), slap)
    phase = np.cumsum(rate) / s.sample_rate % 1
    chop = s.noise("wash", band(200, 2500)) * (0.15 + np.exp(-6 * phase))
    tail = s.tone(rate * s.draw("tail", 5, 6), SAW[:10])
    whine = s.tone(s.draw("whine", 2500, 5000)) * (1 + 0.2 * s.wander("whine", 2))
    slow = 1 + 0.3 * s.wander("distance", 0.4)
    return (blades + 0.15 * chop + 0.06 * tail + 0.012 * whine) * slow


@sound("Fixed-wing aircraft, airplane", OUTDOORS)
def airplane(s: Specimen) -> Signal:
    """Two propellers at 70-115 Hz blade rate, 0.3-0.8 Hz apart, so that they beat.

    30 harmonics; the pitch falls by 6-12 % over the clip as the plane passes overhead.
    """
    fall = s.draw("doppler", 0.03, 0.06)
    place = (s.t / s.duration - s.draw("overhead", 0.35, 0.65)) * 6
    doppler = 1 - fall * place / np.sqrt(1 + place**2)
    base, wave = s.draw_log("blades", 70, 115), [n**-0.8 for n in range(1, 31)]
    left = s.tone(base * doppler, wave)
    right = s.tone((base + s.draw("apart", 0.3, 0.8)) * doppler, wave)
    level = 0.4 + 0.6 / (1 + (place / 2) ** 2)
    air = s.noise("air", band(100, 900), tilt(-0.5))
    return (
        s.filter(left + 0.8 * right, formants((220, 0.5, 1)), lowpass(2500)) + 0.4 * air
    ) * level


@sound("Aircraft engine", OUTDOORS)
def aircraft_engine(s: Specimen) -> Signal:
    """Jet: roar around 150-400 Hz that falls off to 5 kHz, and compressor tones.

    Tones at 2-3.4 kHz and at 0.37, 1.6 and 2 times that spool up and down by 10 %.
    """
    spool = 1 + 0.1 * s.wander("spool", 0.35)
    roar = s.noise("roar", formants((s.draw("roar", 150, 400), 0.4, 1)), tilt(-0.3))
    roar *= 1 + 0.15 * s.noise("burble", lowpass(4))
    fan = s.draw_log("fan", 2000, 3400)
    whine = (
        s.tone(fan * spool, (1, 0.3))
        + 0.6 * s.tone(1.6 * fan * spool)
        + 0.3 * s.tone(0.37 * fan * spool)
    )
    return roar + s.draw("whine", 0.2, 0.45) * whine * (1 + 0.2 * s.noise("flutter", lowpass(15)))


@sound("Train", OUTDOORS)
def train(s: Specimen) -> Signal:
    """Bogies over rail joints: da-dum, da-dum, axles 0.1-0.16 s apart, a coach in 0.9-1.5 s.

    Rumble of 40-250 Hz and rolling noise around 800 Hz that swells with each joint.
    """
    period, axle = s.draw("coach", 0.9, 1.5), s.draw("axle", 0.1, 0.16)
    coaches = s.beats("coach", period, first=s.draw("first", 0, 0.3))
    hits = (coaches[:, None] + np.array([0, axle, 2.6 * axle, 3.6 * axle])).ravel()
    gains = s.draws("joint", len(hits), 0.6, 1)
    clack = s.burst("clack", 0.09, formants((s.draw("rail", 500, 900), 2, 1), (2200, 2, 0.5)))
    thud = s.ring(0.2, [s.draw("thud", 60, 90), 140], [0.18, 0.1], [1, 0.5])
    rumble = s.noise("rumble", band(40, 250), tilt(-0.5)) * (1 + 0.25 * s.wander("sway", 2))
    rolling = s.noise("rolling", formants((800, 0.7, 1))) * (
        1 + 0.4 * s.strew(hits, gains, s.ring(0.2, [3], 0.2))
    )
    return (
        s.strew(hits, gains, clack)
        + 0.8 * s.strew(hits, gains, thud)
        + 0.1 * rumble
        + 0.03 * rolling
    )


@sound("Train wheels squealing", OUTDOORS)
def train_wheels_squealing(s: Specimen) -> Signal:
    """Stick-slip of wheels in a curve: five narrow tones of 2-6.5 kHz that come and go.

    Each flutters by 0.5 %; a faint rumble of 50-300 Hz below.
    """
    out = s.silence()
    for k in range(4):
        pitch = s.draw_log(f"wheel {k}", 2000, 6500) * (1 + 0.005 * s.wander(f"slip {k}", 12))
        out += s.tone(pitch, (1, 0.2)) * np.maximum(s.wander(f"grip {k}", 2.5) + 0.25, 0) ** 1.5
    out += 0.25 * s.tone(s.draw_log("always", 2500, 4500) * (1 + 0.004 * s.wander("slip", 9)))
    return out * (1 + 0.5 * s.noise("rough", band(20, 80))) + 0.08 * s.noise(
        "rumble", band(50, 300)
    )


@sound("Tire squeal", OUTDOORS)
def tire_squeal(s: Specimen) -> Signal:
    """Tread in stick-slip at 650-1100 Hz, two tyres, four to six harmonics and noise.

    The pitch glides by 8 %; each skid lasts 0.7-1.6 s.
    """
    base = s.draw_log("pitch", 650, 1100)
    pitch = base * (1 + 0.08 * s.wander("grip", 3) + 0.012 * s.noise("jitter", lowpass(60)))
    tyres = s.tone(pitch, (1, 0.7, 0.5, 0.3, 0.2, 0.15))
    tyres += 0.7 * s.tone(pitch * s.draw("other", 1.06, 1.15), (1, 0.5, 0.4, 0.2))
    starts = s.beats("skid", s.draw("period", 1.6, 2.4), 0.1)
    skid = s.gate(starts, s.draws("length", len(starts), 0.7, 1.6), 0.08, 0.25)
    return (tyres + 0.6 * s.noise("rubber", band(500, 3000))) * skid


@sound("Air brake", OUTDOORS)
def air_brake(s: Specimen) -> Signal:
    """Bursts of air above 1.5 kHz that open in 10 ms and die in 0.25-0.8 s, one in 1.1-1.8 s.

    Some stutter two or three times; the valve closes with a clack.
    """
    out = s.silence()
    for k, start in enumerate(s.beats("release", s.draw("period", 1.1, 1.8), 0.1)):
        length = s.draw(f"length {k}", 0.25, 0.8)
        air = s.noise(f"air {k}", band(1500, 12000, 1), seconds=length + 0.3)
        air *= decay(len(air), s.sample_rate, 1.5 * length, 0.01)
        for part in range(s.stream(f"parts {k}").integer(3) + 1):
            s.place(out, start + 0.16 * part, air, (1, 0.7, 0.5)[part])
        s.place(out, start + length, s.burst(f"valve {k}", 0.05, band(300, 3000)), 1.2)
    return out
