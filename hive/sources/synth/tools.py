"""Tools of the workshop and the building site."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import SAW, Signal, hump
from hive.sources.synth.filters import band, formants
from hive.sources.synth.registry import CLOSE, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen


@sound("Jackhammer", OUTDOORS)
def jackhammer(s: Specimen) -> Signal:
    """Blows at 18-27 a second in runs of 2-3 s.

    Steel modes from 0.9-1.4 kHz upwards, a ground thump of 70-120 Hz, and rubble.
    """
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
    """Blows at 1.8-2.8 a second; after four to seven a nail is in and the next begins.

    Steel of 2-3.2 kHz rises by 5 % a blow; the board rings at 160-300 Hz.
    """
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
    """Push and, half as loud, pull, each 0.22-0.32 s.

    Noise with peaks at 0.3-0.5, 1.5-2.5 and 4.5 kHz, cut by the teeth at 90-160 Hz.
    """
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
    """Drill: runs of 1-2 s, the gear spins up to 500-800 Hz and sinks by 15 % under load.

    20 harmonics, rough at a 24th of the pitch; chips while it bores.
    """
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
    """Pawl over 6 to 12 teeth, 12-22 clicks a second, 4 % quicker each.

    Steel modes from 2.5-4 kHz upwards and a body of 500-900 Hz; rests of 0.15-0.5 s.
    """
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
