"""What every sound goes through last: its place, its level, clean ends."""

from __future__ import annotations

import math

import numpy as np

from hive.sources.synth.dsp import Signal, hump
from hive.sources.synth.filters import convolve, highpass, lowpass
from hive.sources.synth.registry import Setting
from hive.sources.synth.specimen import Specimen

_GRID = 2.0**23  # samples are multiples of 2^-23: the grid of 24-bit PCM


def placed(dry: Signal, specimen: Specimen, setting: Setting) -> Signal:
    """Return a sound as heard in its place.

    Late reverberation is decaying noise with a drawn time and energy; distance and microphone are
    a first-order low-pass; what lies below 15 Hz is taken out.
    """
    t60 = specimen.draw_log("place: reverberation", *setting.reverberation_s)
    wet = 10 ** (specimen.draw("place: wet", *setting.wet_db) / 20)
    path = specimen.burst("place: room", t60, attack=0.02 * t60)
    path *= wet / math.sqrt(float(np.sum(path * path)))
    path[0] += 1.0
    cutoff = specimen.draw_log("place: distance", *setting.cutoff_hz)
    return convolve(dry, specimen.filter(path, lowpass(cutoff, 1), highpass(15, 1)))


def finished(x: Signal, specimen: Specimen) -> Signal:
    """Return a sound faded over 5 ms at both ends, with mean 0, at its drawn peak, rounded.

    Rounding to the 24-bit grid makes differences in the last bits of sines and exponentials, which
    vary with the processor, drop out of nearly every sample.
    """
    edge = specimen.samples(0.005)
    window = np.ones(len(x))
    window[:edge] = hump(2 * edge)[:edge]
    window[-edge:] = hump(2 * edge)[edge:]
    x = x * window
    x -= window * (np.sum(x) / np.sum(window))
    gain = specimen.draw_log("level", 0.3, 0.9) / float(np.abs(x).max())
    rounded: Signal = np.rint(x * gain * _GRID) / _GRID
    return rounded
