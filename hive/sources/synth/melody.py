"""Random tunes: scales, walks over them, pitch curves and articulation."""

# numpy declares what its functions of arrays return as Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hive.sources.synth.dsp import Signal
from hive.sources.synth.filters import lowpass
from hive.sources.synth.specimen import Specimen

MAJOR = (0, 2, 4, 5, 7, 9, 11)
PENTATONIC = (0, 2, 4, 7, 9)


def scale(root: float, steps: Sequence[int], count: int) -> list[float]:
    """Return `count` rising notes in Hz of a scale given as semitones in an octave."""
    return [root * 2 ** (k // len(steps) + steps[k % len(steps)] / 12) for k in range(count)]


def walk(s: Specimen, purpose: str, count: int, size: int, leap: int = 2) -> list[int]:
    """Return `count` places of a random walk over a scale of `size` notes, no step above `leap`."""
    stream = s.stream(f"{purpose} walk")
    place, places = stream.integer(size), []
    for _ in range(count):
        places.append(place)
        place = min(max(place + stream.integer(2 * leap + 1) - leap, 0), size - 1)
    return places


def tune(
    s: Specimen, notes: Sequence[float], tempo: float, glide: float, leap: int = 2
) -> tuple[Signal, Signal]:
    """Return the pitch curve of a random tune in Hz, and the times of its notes.

    Args:
        s: The specimen.
        notes: The scale in Hz.
        tempo: Beats a second; a note takes one or two.
        glide: Seconds to slide from note to note (time constant).
        leap: Longest step on the scale.
    """
    ticks = s.beats("tune", 1 / tempo, first=0.0)
    starts = ticks[(s.draws("hold", len(ticks)) > 0.3) | (np.arange(len(ticks)) == 0)]
    pitch = s.silence()
    for start, place in zip(starts, walk(s, "tune", len(starts), len(notes), leap), strict=True):
        pitch[round(start * s.sample_rate) :] = notes[place]
    settle = 1 / (2 * np.pi * glide)
    first = pitch[0] if len(pitch) else 0.0
    return first + s.filter(pitch - first, lowpass(settle, 2)), starts


def notched(s: Specimen, starts: Signal, depth: float, seconds: float) -> Signal:
    """Return a level of 1 with a dip before each note: tongue or bow change."""
    return 1 - depth * s.gate(starts - seconds / 2, seconds / 2, seconds / 2)


def vibrato(s: Specimen, rate: float, depth: float) -> Signal:
    """Return a factor around 1 that swings by `depth` at about `rate` Hz."""
    phase = np.cumsum(rate * (1 + 0.1 * s.wander("vibrato", 2))) / s.sample_rate
    return 1 + depth * np.sin(2 * np.pi * phase)
