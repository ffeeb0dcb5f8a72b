"""Birds, insects, frogs, dogs, hooves and whales."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal, hump
from hive.sources.synth.filters import band, formants, lowpass
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, sound
from hive.sources.synth.specimen import Specimen


def chirp(s: Specimen, pitch: Signal, harmonics: tuple[float, ...] = (1.0,)) -> Signal:
    """Return a short wave that follows a pitch curve in Hz, without an envelope."""
    turns = 2 * np.pi * np.cumsum(pitch) / s.sample_rate
    waves = (gain * np.sin(n * turns) for n, gain in enumerate(harmonics, 1))
    return sum(waves, np.zeros(len(pitch)))


@sound("Bird", OUTDOORS)
def bird(s: Specimen) -> Signal:
    """Song of three kinds of syllable, glides or 40-Hz trills of 2-9 kHz that last 50-180 ms.

    Each is repeated two to six times; every second phrase is followed by a rest of 0.25-0.8 s.
    """
    out, second, count = s.silence(), s.draw("first", 0, 0.3), 0
    base = s.draw_log("pitch", 2600, 4800)
    while second < s.duration:
        kind = s.stream(f"kind {count}").integer(3)
        length = s.draw(f"length {kind}", 0.05, 0.18)
        start, end = (base * s.draw(f"{edge} {kind}", 0.75, 1.5) for edge in ("start", "end"))
        place = np.linspace(0, 1, s.samples(length))
        bow = 1 + s.draw(f"bow {kind}", -0.25, 0.25) * np.sin(np.pi * place)
        trill = 1 + s.choose(f"trill {kind}", (0, 0, 0.08)) * np.sin(
            2 * np.pi * 40 * length * place
        )
        syllable = chirp(s, (start + (end - start) * place) * bow * trill, (1, 0.08)) * hump(
            len(place), 0.4
        )
        for _ in range(2 + s.stream(f"times {count}").integer(5)):
            s.place(out, second, syllable, s.draw(f"gain {count}", 0.6, 1))
            second += length + s.draw(f"gap {kind}", 0.02, 0.09)
        count += 1
        second += s.draw(f"rest {count}", 0.25, 0.8) if count % 2 == 0 else 0.05
    return out


@sound("Cricket", OUTDOORS)
def cricket(s: Specimen) -> Signal:
    """Triplets of 4.0-5.2 kHz pulses (15-20 ms long, 25-35 ms apart), 2-3.6 chirps a second.

    A second cricket sings far off.
    """
    out = s.silence()
    for insect, gain in ((0, 1.0), (1, s.draw("far", 0.0, 0.3))):
        pitch = s.draw_log(f"pitch {insect}", 4000, 5200)
        place = np.linspace(0, 1, s.samples(s.draw(f"pulse {insect}", 0.015, 0.02)))
        pulse = chirp(s, pitch * (1.02 - 0.03 * place), (1, 0.06)) * hump(len(place), 0.6)
        chirps = s.beats(f"chirp {insect}", 1 / s.draw(f"rate {insect}", 2.0, 3.6), 0.03)
        for k, strength in enumerate((0.6, 0.9, 1.0)):
            times = chirps + k * s.draw(f"apart {insect}", 0.025, 0.035)
            out += s.strew(times, np.full(len(times), gain * strength), pulse)
    return out


@sound("Frog", OUTDOORS)
def frog(s: Specimen) -> Signal:
    """Ribbit: two notes of 110-170 ms, the second a quarter higher, from two frogs.

    Pulses of 45-80 Hz pass formants at 500-900 Hz and 2.4 times that; a call in 0.7-1.2 s.
    """
    out = s.silence()
    for animal, gain in ((0, 1.0), (1, 0.5)):
        rate, first = s.draw(f"pulse {animal}", 45, 80), s.draw(f"formant {animal}", 500, 900)
        calls = s.beats(f"call {animal}", s.draw(f"period {animal}", 0.7, 1.2), 0.1)
        for note, (lag, rise) in enumerate(((0.0, 1.0), (0.19, 1.25))):
            length = s.samples(s.draw(f"length {animal} {note}", 0.11, 0.17))
            throat = chirp(s, np.linspace(rate, rate * 1.3, length) * rise, tuple(np.ones(40)))
            throat = np.append(throat * hump(length, 0.6), np.zeros(s.samples(0.03)))
            voice = s.filter(throat, formants((first * rise, 5, 1), (2.4 * first * rise, 6, 0.6)))
            out += s.strew(calls + lag, np.full(len(calls), gain), voice / np.abs(voice).max())
    return out


@sound("Mosquito", CLOSE)
def mosquito(s: Specimen) -> Signal:
    """One pair of wings at 450-700 Hz with ten harmonics.

    The pitch wanders by 6 %, the level by 8 dB either way as it circles.
    """
    pitch = s.draw_log("pitch", 450, 700) * (
        1 + 0.06 * s.wander("turn", 1.2) + 0.008 * s.wander("wing", 25)
    )
    near = 10 ** (0.4 * s.wander("circle", 0.9))
    return s.tone(pitch, [n**-1.0 for n in range(1, 11)]) * near


@sound("Fly, housefly", CLOSE)
def fly(s: Specimen) -> Signal:
    """Wings at 170-230 Hz with 30 harmonics.

    Flights of 0.3-1.2 s with jerks of pitch, rests of 0.1-0.6 s.
    """
    jerk = np.sign(s.wander("jerk", 4)) * 0.04
    pitch = s.draw_log("pitch", 170, 230) * (
        1 + 0.08 * s.wander("turn", 3) + s.filter(jerk, lowpass(15))
    )
    wings = s.tone(pitch, [n**-0.5 for n in range(1, 31)])
    wings = s.filter(wings, formants((600, 0.8, 1), (2200, 1, 0.7)))
    starts = s.poisson("flight", 1.6, 1.5)
    flights = s.gate(starts, s.draws("length", len(starts), 0.3, 1.0), 0.04, 0.06)
    return wings * flights * 10 ** (0.3 * s.wander("near", 2))


@sound("Bee, wasp, etc.", OUTDOORS)
def bee(s: Specimen) -> Signal:
    """Swarm of seven bees at 170-290 Hz, each with 39 harmonics.

    Each drifts by 5 % and comes and goes on its own; all through a band of 150-2500 Hz.
    """
    base, out = s.draw_log("pitch", 195, 260), s.silence()
    for k in range(7):
        pitch = base * s.draw(f"bee {k}", 0.88, 1.12) * (1 + 0.05 * s.wander(f"turn {k}", 2))
        out += s.tone(pitch, [n**-0.7 for n in range(1, 40)]) * 10 ** (
            0.5 * s.wander(f"near {k}", 0.8)
        )
    return s.filter(out, band(150, 2500)) * (1 + 0.2 * s.noise("rough", lowpass(40)))


@sound("Canidae, dogs, wolves", OUTDOORS)
def wolf(s: Specimen) -> Signal:
    """Howls of 1.6-2.6 s from two animals.

    Five harmonics climb from 250-350 to 450-650 Hz, hold with a waver of 4-6 Hz and sink.
    """
    out = s.silence()
    for animal, gain in ((0, 1.0), (1, 0.5)):
        low, high = s.draw(f"low {animal}", 250, 350), s.draw(f"high {animal}", 450, 650)
        for k, start in enumerate(
            s.beats(f"howl {animal}", s.draw(f"period {animal}", 2.4, 3.2), 0.08)
        ):
            length = s.draw(f"length {animal} {k}", 1.6, 2.6)
            place = np.linspace(0, 1, s.samples(length))
            climb = np.interp(place, [0, 0.18, 0.7, 1], [0, 1, 0.92, 0.25])
            waver = 1 + 0.015 * np.sin(
                2 * np.pi * s.draw(f"waver {animal} {k}", 4, 6) * length * place
            )
            howl = chirp(s, (low + (high - low) * climb) * waver, (1, 0.6, 0.25, 0.1, 0.05))
            s.place(
                out,
                start,
                howl * hump(len(place), 0.35) ** 0.5,
                gain * s.draw(f"gain {animal} {k}", 0.6, 1),
            )
    return out


@sound("Dog", OUTDOORS)
def dog(s: Specimen) -> Signal:
    """Barks of 0.13-0.22 s, singly and in pairs, from dogs of several sizes.

    The voice arches from 250-560 Hz to half as much again, rough and breathy; formants lie around
    0.5, 0.9, 1.8 and 3.2 kHz.
    """
    size, out = s.draw("size", 0.75, 1.3), s.silence()
    mouth = formants(
        (900 / size, 3, 1), (1800 / size, 3, 0.7), (3200 / size, 3, 0.3), (500 / size, 2, 0.6)
    )
    starts = s.beats("bark", s.draw("period", 0.55, 1.1), 0.15)
    pair = s.draws("pair", len(starts)) < 0.4
    starts = np.concatenate((starts, starts[pair] + s.draw("apart", 0.25, 0.32)))
    for k, start in enumerate(starts):
        length = s.samples(s.draw(f"length {k}", 0.13, 0.22))
        place = np.linspace(0, 1, length)
        pitch = s.draw(f"pitch {k}", 330, 420) / size * (1 + 0.5 * np.sin(np.pi * place**0.7))
        rough = (
            1 + 0.6 * s.noise(f"rough {k}", lowpass(250), seconds=length / s.sample_rate)[:length]
        )
        voice = chirp(s, pitch, tuple(1 / n**0.5 for n in range(1, 13))) * rough
        voice += 0.8 * s.white(f"breath {k}", length / s.sample_rate)[:length]
        bark = s.filter(np.append(voice * hump(length, 0.25), np.zeros(s.samples(0.02))), mouth)
        s.place(out, start, bark, s.draw(f"gain {k}", 0.7, 1))
    return out


@sound("Horse", OUTDOORS)
def horse(s: Specimen) -> Signal:
    """Hooves on a road: trot in two or walk in four, 1.1-1.5 strides a second.

    Hollow knocks of 650-1300 Hz, a thud of 90-160 Hz, and grit.
    """
    out = s.silence()
    gait = s.choose("gait", ((0.0, 0.5), (0.0, 0.22, 0.5, 0.72)))
    strides = s.beats("stride", 1 / s.draw("rate", 1.1, 1.5), 0.02)
    for hoof, lag in enumerate(gait):
        centre = s.draw_log(f"hoof {hoof}", 650, 1300)
        knock = s.ring(
            0.12, [centre, 1.9 * centre, 3.1 * centre], [0.07, 0.04, 0.03], [1, 0.5, 0.3]
        )
        grit = s.burst(f"grit {hoof}", 0.05, band(800, 6000))
        knock[: len(grit)] += 0.5 * grit[: len(knock)]
        times = (
            strides
            + lag / s.draw("rate", 1.1, 1.5)
            + s.draws(f"late {hoof}", len(strides), -0.01, 0.01)
        )
        gains = s.draws(f"gain {hoof}", len(times), 0.6, 1)
        out += s.strew(times, gains, knock)
        out += s.strew(times, 0.6 * gains, s.ring(0.15, [s.draw(f"thud {hoof}", 90, 160)], 0.1))
    return out


@sound("Whale vocalization", HALL)
def whale(s: Specimen) -> Signal:
    """Humpback moans of 0.9-2.2 s.

    Glides over 120-1100 Hz with 6 harmonics, some with a growl at 20-35 Hz.
    """
    out, second, k = s.silence(), s.draw("first", 0, 0.3), 0
    while second < s.duration:
        length = s.draw(f"length {k}", 0.9, 2.2)
        low, high = s.draw_log(f"low {k}", 120, 400), s.draw_log(f"high {k}", 400, 1100)
        shape = s.choose(f"shape {k}", ((0, 1, 0.8), (1, 0.4, 0), (0.2, 0.3, 1), (0.6, 1, 0.1)))
        place = np.linspace(0, 1, s.samples(length))
        pitch = low * (high / low) ** np.interp(place, [0, 0.5, 1], shape)
        pitch = s.filter(pitch - pitch[0], lowpass(8, 2)) + pitch[0]
        growl = 1 + s.choose(f"growl {k}", (0, 0, 0.8)) * np.sin(2 * np.pi * 27 * length * place)
        s.place(
            out,
            second,
            chirp(s, pitch, (1, 0.5, 0.3, 0.15, 0.1, 0.05)) * growl * hump(len(place), 0.4),
        )
        second += length + s.draw(f"rest {k}", 0.1, 0.8)
        k += 1
    return out
