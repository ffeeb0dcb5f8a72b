"""Struck bells, bars, bowls and gongs: banks of decaying modes at each instrument's own ratios."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from hive.sources.synth.dsp import Signal
from hive.sources.synth.filters import band, highpass
from hive.sources.synth.registry import CLOSE, HALL, OUTDOORS, ROOM, sound
from hive.sources.synth.specimen import Specimen

# Hum, prime, tierce, quint, nominal and the next upper partials of a minor-third bell, relative to
# the prime (Fletcher and Rossing, The Physics of Musical Instruments, chapter 21).
CHURCH_RATIOS = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33])
CHURCH_T60 = np.array([9.0, 5.0, 4.0, 2.5, 2.5, 1.5, 1.3, 1.2, 0.8, 0.4])
CHURCH_GAINS = np.array([0.6, 0.7, 0.9, 0.4, 1.0, 0.4, 0.35, 0.5, 0.35, 0.2])

FREE_BAR = np.array([1.0, 2.756, 5.404, 8.933])  # bending modes of a free bar or tube


@sound("Church bell", OUTDOORS)
def church_bell(s: Specimen) -> Signal:
    """Partials 0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3, 4, 5.33 of a prime at 180-480 Hz.

    T60 from 9 s (hum) to 0.4 s; one stroke in 1.2-1.9 s, with the clapper's clank.
    """
    prime = s.draw_log("prime", 180, 480)
    modes = prime * CHURCH_RATIOS * (1 + s.draws("cast", 10, -0.004, 0.004))
    gains = CHURCH_GAINS * s.draws("gain", 10, 0.7, 1.3)
    strokes = s.beats("stroke", s.draw("period", 1.2, 1.9), 0.03)
    blows = s.draws("blow", len(strokes), 0.7, 1.0)
    grain = s.ring(8.0, modes, CHURCH_T60 * s.draw("t60", 0.7, 1.2), gains)
    clank = s.burst("clank", 0.04, band(800, 5000))
    return s.strew(strokes, blows, grain) + s.strew(strokes, 0.5 * blows, clank)


@sound("Change ringing (campanology)", OUTDOORS)
def change_ringing(s: Specimen) -> Signal:
    """Six bells tuned to a major scale (tenor prime 250-380 Hz) ring plain hunt.

    Strokes follow at 0.19-0.25 s; after each backstroke one beat is left open.
    """
    gap, tenor = s.draw("gap", 0.19, 0.25), s.draw_log("tenor", 250, 380)
    scale = tenor * np.array([1.682, 1.5, 1.335, 1.26, 1.122, 1.0])
    row, second = list(range(6)), s.draw("first", 0.0, 0.2)
    times: list[list[float]] = [[] for _ in row]
    for change in range(int(s.duration / (6 * gap)) + 1):
        for bell in row:
            times[bell].append(second)
            second += gap
        if change % 2:
            second += gap
        for left in range(change % 2, 5, 2):
            row[left], row[left + 1] = row[left + 1], row[left]
    out = s.silence()
    for pitch, strokes in zip(scale, times, strict=True):
        grain = s.ring(2.0, pitch * CHURCH_RATIOS, 0.3 * CHURCH_T60, CHURCH_GAINS)
        hits = np.array(strokes) + s.draws(f"bell {pitch:.0f}", len(strokes), -0.012, 0.012)
        out += s.strew(hits, np.ones(len(hits)), grain)
    return out


@sound("Tubular bells", HALL)
def tubular_bells(s: Specimen) -> Signal:
    """Free tubes: partials in the ratio of odd squares, 25:49:81:121:169:225.

    81, 121 and 169 are near 2:3:4, which gives the strike note. A slow tune of 1-1.6 notes a second
    on 260-680 Hz, T60 1.5-5 s.
    """
    base = s.draw_log("root", 260, 340)
    out = s.silence()
    for k, start in enumerate(s.beats("note", 1 / s.draw("tempo", 1.0, 1.6))):
        note = base * 2 ** (s.choose(f"note {k}", (0, 2, 4, 7, 9, 12)) / 12)
        modes = 2 * note / 81 * np.array([25, 49, 81, 121, 169, 225])
        grain = s.ring(
            4.0, modes, np.array([5, 5, 4.5, 3.5, 2.5, 1.5]), [0.3, 0.5, 1, 0.8, 0.7, 0.3]
        )
        s.place(out, start, grain)
        s.place(out, start, s.burst(f"mallet {k}", 0.03, band(500, 4000)), 0.25)
    return out


@sound("Gong", HALL)
def gong(s: Specimen) -> Signal:
    """Tam-tam with 70 inharmonic modes of 60-6000 Hz.

    Those below 350 Hz sound at once, the rest bloom within 0.2-0.6 s. One stroke in 2.5-4 s; T60 is
    8 s at the bottom and 1.6 s at the top.
    """
    modes = 60 * 100 ** s.draws("modes", 70)
    gains = s.draws("gains", 70, 0.3, 1.0) * (modes / 200) ** -0.5
    t60 = 8.0 * (modes / 60) ** -0.35
    late = modes > 350
    seconds = min(6.0, s.duration)
    low = s.ring(seconds, modes[~late], t60[~late], gains[~late])
    high = s.ring(seconds, modes[late], t60[late], 2.5 * gains[late])
    bloom = 1 - np.exp(-np.arange(len(high)) / s.sample_rate / s.draw("bloom", 0.2, 0.6))
    hits = s.beats("stroke", s.draw("period", 2.5, 4.0), 0.05)
    return s.strew(hits, s.draws("blow", len(hits), 0.6, 1.0), low + high * bloom**2)


@sound("Singing bowl", ROOM)
def singing_bowl(s: Specimen) -> Signal:
    """Modes 1, 2.71, 5.1, 8.2 of 170-380 Hz, each a pair 0.4-1.5 Hz apart that beats; T60 15 s.

    Struck every 3-4.5 s with a soft mallet.
    """
    base = s.draw_log("pitch", 170, 380)
    ratios = np.array([1, 2.71, 5.12, 8.2])
    pairs = np.concatenate((base * ratios, base * ratios + s.draws("beat", 4, 0.4, 1.5)))
    t60 = np.tile([15.0, 11.0, 6.0, 3.0], 2)
    gains = np.concatenate(([1, 0.8, 0.4, 0.12], [0.7, 0.6, 0.3, 0.1]))
    grain = s.ring(s.duration, pairs, t60, gains)
    grain[: s.samples(0.02)] *= np.linspace(0, 1, s.samples(0.02))
    hits = s.beats("stroke", s.draw("period", 3.0, 4.5), 0.05)
    return s.strew(hits, s.draws("blow", len(hits), 0.6, 1.0), grain)


@sound("Tuning fork", CLOSE)
def tuning_fork(s: Specimen) -> Signal:
    """Sine of 256-523 Hz that rings for 8-14 s; at each stroke the clang mode at 6.27 times it.

    Struck every 2.5-4 s; the old ring is damped by the new stroke.
    """
    pitch = s.choose("fork", (256.0, 288.0, 320.0, 341.3, 384.0, 426.7, 440.0, 480.0, 512.0, 523.3))
    hits = s.beats("stroke", s.draw("period", 2.5, 4.0), 0.05, first=s.draw("first", 0.0, 0.2))
    t60 = s.draw("t60", 8, 14)
    out = s.silence()
    for start, end in zip(hits, [*hits[1:], s.duration], strict=True):
        grain = s.ring(
            max(end - start, 0.01),
            [pitch, 2 * pitch, 6.27 * pitch],
            [t60, 1.5, 0.7],
            [1, 0.06, 0.35],
        )
        tail = min(len(grain), s.samples(0.01))
        grain[-tail:] *= np.linspace(1, 0, tail)
        s.place(out, start, grain)
    return out


@sound("Jingle bell", CLOSE)
def jingle_bell(s: Specimen) -> Signal:
    """Harness of 16 little bells (modes 3-9 kHz, T60 0.15-0.4 s) shaken 3.5-5 times a second."""
    shakes = s.beats("shake", 1 / s.draw("rate", 3.5, 5.0), 0.03)
    accents = np.where(np.arange(len(shakes)) % 2, 0.55, 1.0)
    out = s.silence()
    for bell in range(16):
        modes = s.draw_log(f"bell {bell}", 3000, 5500) * np.array([1, 1.34, 1.72])
        grain = s.ring(0.5, modes, s.draw(f"t60 {bell}", 0.15, 0.4), [1, 0.7, 0.5])
        hits = np.concatenate([shakes + s.draw(f"lag {bell} {k}", 0, 0.07) for k in range(2)])
        gains = np.tile(accents, 2) * s.draws(f"gain {bell}", 2 * len(shakes), 0.1, 1.0)
        out += s.strew(hits, gains, grain)
    return out


@sound("Chime", OUTDOORS)
def chime(s: Specimen) -> Signal:
    """Wind chime: six tubes on a pentatonic scale from 520-900 Hz (free-bar modes 1, 2.76, 5.40).

    The clapper hits 1.5-4 times a second at random, in gusts; T60 1.5-3 s.
    """
    base = s.draw_log("root", 520, 900)
    out = s.silence()
    rate = s.draw("rate", 1.5, 4.0) / 6
    for tube, step in enumerate((0, 2, 4, 7, 9, 12)):
        modes = base * 2 ** (step / 12) * FREE_BAR
        grain = s.ring(2.5, modes, np.array([2.6, 1.5, 0.7, 0.3]), [1, 0.5, 0.25, 0.1])
        hits = s.poisson(f"tube {tube}", rate, 4.0)
        out += s.strew(hits, s.draws(f"gain {tube}", len(hits), 0.2, 1.0), grain)
    wind = s.beats("any", 1.6, 0.2)
    grain = s.ring(2.5, base * FREE_BAR, [2.2, 1.3, 0.6, 0.3], [1, 0.5, 0.25, 0.1])
    return out + s.strew(wind, s.draws("any gain", len(wind), 0.3, 0.7), grain)


@sound("Cowbell", ROOM)
def cowbell(s: Specimen) -> Signal:
    """Two strong modes, 420-700 Hz and 1.48 times it, with four above.

    T60 is 0.15-0.35 s; 2-4 strokes a second, some left out.
    """
    base, t60 = s.draw_log("pitch", 420, 700), s.draw("t60", 0.15, 0.35)
    ratios = np.array([1, 1.48, 2.9, 3.9, 5.3, 6.7])
    grain = s.ring(0.6, base * ratios, t60 / ratios**0.4, [1, 0.9, 0.35, 0.3, 0.2, 0.15])
    period = 1 / s.draw("rate", 2, 4)
    hits = s.beats("stroke", period, 0.02)
    played = s.draws("rest", len(hits)) < 0.85
    gains = np.where(played, s.draws("blow", len(hits), 0.6, 1.0), 0.0)
    click = s.burst("click", 0.012, highpass(1500))
    return s.strew(hits, gains, grain) + 0.3 * s.strew(hits, gains, click)
