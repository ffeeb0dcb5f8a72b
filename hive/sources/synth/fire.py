"""Fire, explosions, hot fat and steam."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal, hump
from hive.sources.synth.filters import band, convolve, formants, highpass, lowpass, tilt
from hive.sources.synth.registry import OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


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
    """Camp fire with 12-35 pops a second, most of them faint, some 30 dB louder.

    The flames flutter below 250 Hz.
    """
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
    """Rockets every 1.4-2 s.

    A whistle rises by half from 1.5-2.3 kHz in 0.5-0.8 s, a bang follows with a thud of 40-90 Hz,
    then a shower of 40 crackles.
    """
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
    """Shots, singly every 0.7-1.6 s or in bursts of three to six at 9-13 a second.

    A blast wave of 1 ms, noise to 6 kHz with T60 of 0.15-0.35 s, and three echoes at 0.1-0.5 s.
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
    """Sizzle above 2.5-4 kHz that trembles at 8-30 Hz.

    60-150 spits of fat a second on top of it.
    """
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
    """Steam valve: noise above 3-5 kHz.

    It is steady for 1-1.6 s, nearly shut for 0.2-0.5 s, and let go again.
    """
    steam = s.noise("steam", highpass(s.draw("edge", 3000, 5000), 3))
    on = s.draw("on", 1.0, 1.6)
    starts = s.beats("let go", on + s.draw("off", 0.2, 0.5), 0.05)
    valve = np.maximum(s.gate(starts, on, 0.03, 0.1), 0.03)
    return steam * valve * (1 + 0.1 * s.wander("flow", 5))
